"""Comparisons: stopped and continued, the same figures as a slow second calculation, runs against runs."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.errors import Interrupted, UsageError
from engine.runs.events import RunEvent, VariantFinished
from engine.runs.sink import ListSink
from engine.runs.store import Run, RunStore
from engine.stages.compare import compare
from engine.stages.context import StopFlag
from engine.stages.load import load_dataset
from tests.journeys.command import SETTINGS, atft_here
from tests.journeys.here import Here

pytestmark = pytest.mark.usefixtures("few_trees")
SHORT = (
    "training.mode=safe", "training.epochs=[1,0,1,0]", "training.day_stride=16",
    "backtest.bootstrap_draws=400",
)  # fmt: skip


@dataclass
class StopAfterTheFirst(ListSink):
    """A user who presses the stop key when the first run has ended."""

    stop: StopFlag | None = None

    def emit(self, event: RunEvent) -> None:
        super().emit(event)
        if isinstance(event, VariantFinished) and self.stop is not None:
            self.stop.requested = True


def ablate(here: Here) -> dict[str, Any]:
    made = compare(here.context(), what=("ablations",), seeds=2, variants="graph none")
    assert "graph none" in made.text
    return dict(made.json)


@pytest.fixture(scope="module")
def compared(market: Path) -> tuple[dict[str, Any], list[str]]:
    """A comparison stopped after its first run and given again; and the runs it had made till then."""
    others = {run.id for run in RunStore(market / "runs")}
    here = Here(market, SHORT)
    here.sink = StopAfterTheFirst(stop=here.stop)
    with pytest.raises(Interrupted, match="after 1 of 4 runs"):
        ablate(here)
    before = [run.id for run in RunStore(market / "runs") if run.id not in others]
    return ablate(Here(market, SHORT)), before


def runs_of(market: Path, summary: dict[str, Any], variant: str) -> list[Run]:
    store = RunStore(market / "runs")
    row = next(row for row in summary["variants"] if row["name"] == variant)
    return [store.open(run_id) for run_id in row["runs"].values()]


def test_what_was_done_before_the_stop_is_not_done_again(
    market: Path, compared: tuple[dict[str, Any], list[str]]
) -> None:
    summary, before = compared
    runs = [run for row in summary["variants"] for run in row["runs"].values()]
    assert len(runs) == len(set(runs)) == 4
    store = RunStore(market / "runs")
    trained = [run for run in before if store.open(run).command == "train"]
    assert trained
    assert set(trained) <= set(runs)
    tagged = Counter(
        (run.manifest.variant, run.manifest.seed)
        for run in store.tagged("train", comparison=summary["id"])
    )
    assert set(tagged.values()) == {1}
    count = len(list(store))
    again = ablate(Here(market, SHORT))
    assert json.dumps(again, default=str) == json.dumps(summary, default=str)
    assert len(list(store)) == count
    assert (
        json.loads((market / "compare" / f"{summary['id']}.json").read_text())["kind"]
        == "ablations"
    )


def test_the_answer_says_what_scripts_need(compared: tuple[dict[str, Any], list[str]]) -> None:
    summary, _ = compared
    assert {"id", "kind", "reference", "confidence", "score_horizon", "variants", "run_id"} <= set(
        summary
    )
    full, none = summary["variants"]
    assert (full["name"], none["name"]) == ("full", "graph none")
    assert none["changes"]["graph.kind"] == "none"
    assert none["parameters"] < full["parameters"]
    for row in (full, none):
        for split in ("validation", "test"):
            assert {"rank_ic", "rank_ic_se", "n_dates", "by_seed", "seed_deviation"} == set(
                row[split]
            )
    assert full["difference"] == {}
    found = none["difference"]["test"]
    assert found["low"] <= found["difference"] <= found["high"]
    assert len(found["by_seed"]) == 2
    assert none["verdict"] in ("earns its place", "costs", "undecided")


def spearman_by_day(frame: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """A slow second calculation: ranks and correlations as polars expressions."""
    joined = frame.join(labels, on=["date", "symbol"]).filter(pl.col("ret").is_finite())
    ranked = joined.with_columns(pl.col("score", "ret").rank("average").over("date"))
    return ranked.group_by("date").agg(pl.corr("score", "ret").alias("ic")).sort("date")


def test_the_figures_are_those_of_a_slow_second_calculation(
    market: Path, compared: tuple[dict[str, Any], list[str]]
) -> None:
    summary, _ = compared
    here = Here(market, SHORT)
    features = load_dataset(here.context(), here.sink, in_memory=False).features
    h = features.horizons.index(summary["score_horizon"])
    S, N = features.member_SN.shape
    labels = pl.DataFrame(
        {
            "date": np.repeat(features.dates_S, N),
            "symbol": list(features.symbols) * S,
            "ret": features.forward_return_SNH[:, :, h].ravel(),
        }
    ).with_columns(pl.col("date").cast(pl.Date))
    daily = {}
    for variant in ("full", "graph none"):
        frames = []
        for run in runs_of(market, summary, variant):
            frame = pl.read_parquet(run.path("predictions.parquet")).filter(split="test")
            score = pl.col(f"score_{summary['score_horizon']}")
            standard = ((score - score.mean()) / score.std()).over("date").alias("score")
            frames.append(frame.select("date", "symbol", standard))
        mean = pl.concat(frames).group_by("date", "symbol").agg(pl.col("score").mean())
        daily[variant] = spearman_by_day(mean, labels)["ic"].to_numpy()
    none = summary["variants"][1]
    assert none["test"]["rank_ic"] == pytest.approx(np.nanmean(daily["graph none"]), abs=2e-4)
    gap = np.nanmean(daily["graph none"] - daily["full"])
    assert none["difference"]["test"]["difference"] == pytest.approx(gap, abs=2e-4)
    table = pl.read_parquet(market / "compare" / f"{summary['id']}.parquet")
    assert table.columns == ["date", "split", "variant", "seed", "rank_ic"]
    mine = table.filter(pl.col("seed").is_null(), split="test", variant="full")
    assert mine["rank_ic"].mean() == pytest.approx(summary["variants"][0]["test"]["rank_ic"])


def test_runs_against_runs_on_common_days(
    market: Path, compared: tuple[dict[str, Any], list[str]]
) -> None:
    summary, _ = compared
    a, b = (runs_of(market, summary, name)[0].id for name in ("full", "graph none"))
    here = Here(market, SHORT)
    one = compare(here.context(), what=(a, b)).json
    other = compare(here.context(), what=(b, a)).json
    assert [row["run_id"] for row in one["runs"]] == [a, b]
    pair, mirrored = one["pairs"][0], other["pairs"][0]
    assert pair["difference"] == pytest.approx(-mirrored["difference"])
    assert pair["low"] <= pair["difference"] <= pair["high"]
    trained = json.loads((market / "runs" / a / "train.json").read_text())
    assert one["runs"][0]["test"]["rank_ic"] == pytest.approx(trained["test"]["rank_ic"])
    with pytest.raises(UsageError, match="named twice"):
        compare(here.context(), what=(a, a))
    with pytest.raises(UsageError, match="compare what"):
        compare(here.context(), what=(a,))


def test_senseless_options_are_refused(market: Path) -> None:
    here = Here(market, SHORT)
    with pytest.raises(UsageError, match="no 'without gas'"):
        compare(here.context(), what=("ablations",), variants="without gas")
    with pytest.raises(UsageError, match="--sizes"):
        compare(here.context(), what=("sizes",), sizes="64,wide")
    with pytest.raises(UsageError, match="at least 1"):
        compare(here.context(), what=("sizes",), seeds=0)


@pytest.mark.long
@pytest.mark.slow
def test_sizes_beside_each_other_and_over_folds(market: Path) -> None:
    words = [word for setting in SHORT for word in ("--set", setting)]
    folds = ["--walkforward", "--first-test", "2019-08-01", "--step", "40", "--jobs", "2"]
    done = atft_here(
        market, "compare", "sizes", "--sizes", "8,16", "--seeds", "2", *folds, *SETTINGS, *words,
        "--json", "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    small, large = done.json["variants"]
    assert small["parameters"] < large["parameters"]
    assert small["validation"] is None
    assert large["difference"]["test"]["n_dates"] > 60
    assert large["verdict"] in ("better", "worse", "undecided")
    run = RunStore(market / "runs").open(next(iter(large["runs"].values())))
    assert run.command == "walkforward"


@pytest.mark.long
@pytest.mark.slow
def test_every_ablation_trains(market: Path) -> None:
    summary = compare(Here(market, SHORT).context(), what=("ablations",), seeds=1).json
    assert [row["errors"] for row in summary["variants"]] == [()] * len(summary["variants"])
    assert {row["verdict"] for row in summary["variants"][1:]} == {"undecided"}, (
        "one seed decides nothing"
    )
