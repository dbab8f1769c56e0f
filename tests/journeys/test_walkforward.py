"""Folds in order of time, each scored by networks that saw only what came before it."""

import json
import signal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from engine.runs.events import FoldStarted, Noted, StepLogged
from engine.runs.store import Run, RunStore
from tests.journeys.command import SETTINGS, atft, start_run, wait_for_event

SHORT = [*SETTINGS, "--set", "training.epochs=[1,1,1,1]", "--set", "training.day_stride=16"]
SPAN = ["--first-test", "2019-08-01", "--step", "40"]
WORDS = ["walkforward", *SPAN, "--seeds", "2", "--with-baselines", *SHORT]


@pytest.fixture(scope="module")
def run(market: Path) -> Run:
    done = atft(market, *WORDS, "--json", "--quiet")
    assert done.code == 0, done.err
    return RunStore(market / "runs").open(done.json["run_id"])


def summary(run: Run) -> dict[str, Any]:
    value = json.loads(run.path("train.json").read_text())
    assert isinstance(value, dict)
    return value


def test_the_folds_cover_the_span_once_and_in_order(run: Run) -> None:
    frame = pl.read_parquet(run.path("predictions.parquet"))
    folds = frame.group_by("fold").agg(
        pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    )
    folds = folds.sort("fold")
    assert len(folds) >= 2
    assert (folds["last"].shift(1) < folds["first"]).drop_nulls().all()
    assert not frame.select(pl.struct("date", "symbol").is_duplicated().any()).item()
    assert set(frame["split"].unique()) == {"test"}


def test_every_fold_has_its_figures_and_the_baselines_stand_on_the_same_days(run: Run) -> None:
    told = summary(run)
    assert [fold["fold"] for fold in told["folds"]] == list(range(len(told["folds"])))
    assert all({"rank_ic", "rank_ic_se", "null_band"} <= set(fold) for fold in told["folds"])
    days = told["test"]["n_dates"]
    assert {"ridge", "lightgbm", "mlp", "reversal_5"} <= set(told["baselines"])
    for values in told["baselines"].values():
        assert values["test"]["n_dates"] == days
        for horizon in ("5", "20"):
            gap = values["horizons"][horizon]["test_difference"]
            assert gap["low"] <= gap["difference"] <= gap["high"]
    years = told["anatomy"]["years"]
    assert sum(year["n_dates"] for year in years) == days


def test_a_walk_forward_is_backtested_and_reported_like_any_run(market: Path, run: Run) -> None:
    tested = atft(market, "backtest", run.id, "--json", "--quiet")
    assert tested.code == 0, tested.err
    assert "lightgbm" in tested.json["baselines"]
    reported = atft(market, "report", run.id, "--json", "--quiet")
    assert reported.code == 0, reported.err
    text = Path(reported.json["html"]).read_text()
    assert f"{summary(run)['test']['rank_ic']:+.4f}" in text


def test_a_warm_start_goes_on_from_the_fold_before(market: Path, run: Run) -> None:
    words = [*WORDS[:5], "--seeds", "1", *SHORT, "--set", "training.warm_start=true"]
    done = atft(market, *words, "--json", "--quiet")
    assert done.code == 0, done.err
    warm = RunStore(market / "runs").open(done.json["run_id"])
    notes = [event.message for event in warm.events() if isinstance(event, Noted)]
    told = [note for note in notes if note.startswith("begins with the weights of")]
    folds = len(done.json["folds"])
    assert told == [f"begins with the weights of fold-{n}-seed-1" for n in range(folds - 1)]
    first, second = (pl.read_parquet(warm.path(f"folds/fold-{n}-seed-1.parquet")) for n in (0, 1))
    cold = [pl.read_parquet(run.path(f"folds/fold-{n}-seed-1.parquet")) for n in (0, 1)]
    assert first.equals(cold[0])
    assert not second.equals(cold[1])


@pytest.mark.slow
def test_killed_in_its_second_fold_it_goes_on_to_the_same_bits(market: Path, run: Run) -> None:
    process, again = start_run(market, *WORDS, "--quiet")
    wait_for_event(
        again.events_path,
        lambda event: isinstance(event, FoldStarted) and (event.fold, event.seed) == (1, 2),
    )
    offset = again.events_path.stat().st_size
    wait_for_event(again.events_path, lambda e: isinstance(e, StepLogged), offset=offset)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert again.status() == "crashed"
    wrong = atft(market, "train", "--resume", again.id)
    assert wrong.code == 2
    assert "is no train run" in wrong.err
    # Other options than its own count for nothing when it is resumed.
    done = atft(market, "walkforward", "--resume", again.id, "--step", "1y", "--quiet")
    assert done.code == 0, done.err
    frames = [pl.read_parquet(r.path("predictions.parquet")) for r in (run, again)]
    assert frames[0].equals(frames[1])
    figures = [summary(r) for r in (run, again)]
    assert figures[0]["folds"] == figures[1]["folds"]
    assert figures[0]["baselines"] == figures[1]["baselines"]


def test_a_span_without_room_for_training_is_refused(market: Path) -> None:
    done = atft(market, "walkforward", "--first-test", "2018-06-01", *SETTINGS)
    assert done.code == 3
    assert "no walk-forward fold fits" in done.err
