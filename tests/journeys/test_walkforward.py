"""Folds in order of time, each scored by networks that saw only what came before it."""

import json
import signal
from pathlib import Path
from typing import Any

import polars as pl
import psutil
import pytest

from engine.runs import lock
from engine.runs.events import Advanced, Continued, FoldStarted, Noted, StepLogged, TaskFinished
from engine.runs.store import Run, RunStore
from tests.journeys.command import PATIENCE_S, SETTINGS, atft, atft_here, start_run, wait_for_event

CHANGES = (
    "training.epochs=[1,1,1,1]", "training.day_stride=16", "training.baseline_horizons=[5]",
)  # fmt: skip
SHORT = [*SETTINGS, *(word for change in CHANGES for word in ("--set", change))]
SPAN = ["--first-test", "2019-08-01", "--step", "60"]
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
        gap = values["horizons"]["5"]["test_difference"]
        assert gap["low"] <= gap["difference"] <= gap["high"]
    years = told["anatomy"]["years"]
    assert sum(year["n_dates"] for year in years) == days


def test_a_walk_forward_is_backtested_and_reported_like_any_run(market: Path, run: Run) -> None:
    tested = atft_here(market, "backtest", run.id, "--json", "--quiet")
    assert tested.code == 0, tested.err
    assert "lightgbm" in tested.json["baselines"]
    reported = atft_here(market, "report", run.id, "--json", "--quiet")
    assert reported.code == 0, reported.err
    text = Path(reported.json["html"]).read_text()
    assert f"{summary(run)['test']['rank_ic']:+.4f}" in text


@pytest.fixture(scope="module")
def warm(market: Path) -> Run:
    words = [*WORDS[:5], "--seeds", "1", *SHORT, "--set", "training.warm_start=true"]
    done = atft_here(market, *words, "--json", "--quiet")
    assert done.code == 0, done.err
    return RunStore(market / "runs").open(done.json["run_id"])


def test_a_warm_start_goes_on_from_the_fold_before(warm: Run, run: Run) -> None:
    notes = [event.message for event in warm.events() if isinstance(event, Noted)]
    told = [note for note in notes if note.startswith("begins with the weights of")]
    folds = len(summary(warm)["folds"])
    assert told == [f"begins with the weights of fold-{n}-seed-1" for n in range(folds - 1)]
    first, second = (pl.read_parquet(warm.path(f"folds/fold-{n}-seed-1.parquet")) for n in (0, 1))
    cold = [pl.read_parquet(run.path(f"folds/fold-{n}-seed-1.parquet")) for n in (0, 1)]
    assert first.equals(cold[0])
    assert not second.equals(cold[1])


BESIDE = [*WORDS, "--jobs", "2", "--quiet"]


def assert_same_scores(run: Run, other: Run) -> None:
    for name in ("predictions.parquet", "baselines.parquet"):
        frames = [pl.read_parquet(one.path(name)) for one in (run, other)]
        assert frames[0].equals(frames[1], null_equal=True), name
    figures = [summary(one) for one in (run, other)]
    assert figures[0]["folds"] == figures[1]["folds"]
    assert figures[0]["baselines"] == figures[1]["baselines"]


@pytest.mark.slow
def test_two_processes_a_killed_one_and_a_killed_starter_change_no_bit(
    market: Path, run: Run
) -> None:
    process, again = start_run(market, *BESIDE)
    first = wait_for_event(again.events_path, lambda e: isinstance(e, StepLogged) and e.step > 2)
    worker = next(
        child
        for child in psutil.Process(process.pid).children()
        if lock.holder(again.path(f"tasks/{first.task}/lock")) == child.pid
    )
    worker.kill()
    wait_for_event(again.events_path, lambda e: isinstance(e, Noted) and "begun again" in e.message)
    wait_for_event(
        again.events_path, lambda e: isinstance(e, TaskFinished) and e.task == first.task
    )
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert again.status() == "crashed"
    # The number of processes is kept with the run.
    done = atft_here(market, "walkforward", "--resume", again.id, "--quiet")
    assert done.code == 0, done.err
    assert_same_scores(run, again)
    assert not again.path("tasks").exists()
    resumed = [event for event in again.events() if isinstance(event, Noted)]
    assert any(event.message == f"{first.task}: done before" for event in resumed)
    assert any("in 2 processes" in event.message for event in resumed)


@pytest.mark.slow
def test_two_processes_pause_and_stop_as_one_does_and_one_can_go_on(market: Path, run: Run) -> None:
    process, again = start_run(market, *BESIDE)
    wait_for_event(again.events_path, lambda e: isinstance(e, StepLogged))
    assert atft_here(market, "pause", again.id).code == 0
    assert again.status() == "paused"
    assert atft_here(market, "continue", again.id).code == 0
    wait_for_event(again.events_path, lambda e: isinstance(e, Continued))
    saved = atft_here(market, "checkpoint", again.id, "--json")
    assert saved.json["detail"].startswith("saved at step")
    wait_for_event(
        again.events_path, lambda e: isinstance(e, Advanced) and e.task.startswith("baselines")
    )
    assert atft_here(market, "stop", again.id).code == 0
    process.communicate(timeout=PATIENCE_S)
    assert again.status() == "stopped"
    assert process.returncode == 130
    assert not any(lock.is_held(path) for path in again.directory.glob("tasks/*/lock")), (
        "no worker is left"
    )
    done = atft(market, "walkforward", "--resume", again.id, "--jobs", "1", "--quiet")
    assert done.code == 0, done.err
    assert_same_scores(run, again)


@pytest.mark.slow
def test_a_warm_start_goes_from_fold_to_fold_in_one_process(market: Path, warm: Run) -> None:
    words = [*WORDS[:5], "--seeds", "1", *SHORT, "--set", "training.warm_start=true"]
    done = atft_here(market, *words, "--jobs", "2", "--json", "--quiet")
    assert done.code == 0, done.err
    beside = RunStore(market / "runs").open(done.json["run_id"])
    frames = [pl.read_parquet(one.path("predictions.parquet")) for one in (warm, beside)]
    assert frames[0].equals(frames[1])
    tasks = {event.task for event in beside.events()} - {""}
    assert tasks == {"seed-1"}


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
    wrong = atft_here(market, "train", "--resume", again.id)
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
    done = atft_here(market, "walkforward", "--first-test", "2018-06-01", *SETTINGS)
    assert done.code == 3
    assert "no walk-forward fold fits" in done.err
