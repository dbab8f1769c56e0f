"""What a comparison trains, how it judges and what it prints, on figures worked by hand."""

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.config import Config
from engine.errors import IntegrityError, Interrupted, UsageError
from engine.evaluation.judging import DailyRankIC
from engine.records import record
from engine.records.comparison import (
    ComparedRun,
    PermutationComparison,
    PermutationTest,
    PermutedRun,
    RankICGap,
    RankICLevel,
    RunComparison,
    RunPair,
    VariantComparison,
    VariantResult,
    comparison_files,
)
from engine.records.plans import COMPARISON_PLAN, ComparisonPlan
from engine.records.rank_ic import MeanFigure, RankICSummary
from engine.records.train import TRAIN, TrainResult
from engine.runs.events import RunFinished, VariantFinished
from engine.runs.sink import JsonlSink, ListSink
from engine.runs.store import Run
from engine.stages.compare import _comparison_text, _variants_of, compare
from engine.stages.context import StageContext, StopFlag
from engine.stages.judge import _beyond, _daily_frame
from engine.stages.variants import TrainedVariant, VariantRuns
from engine.tuning.space import PERMUTED, Variant

DAYS = [dt.date(2026, 1, day) for day in (5, 6)]
LEVEL = RankICLevel(
    rank_ic=0.03, rank_ic_se=0.01, n_dates=40, by_seed=(0.02, 0.04), seed_deviation=0.0141
)
GAP = RankICGap(
    difference=-0.01, se=0.004, low=-0.018, high=-0.002, n_dates=40, by_seed=(-0.01, -0.01),
    direction="worse",
)  # fmt: skip


def context(workspace: Path) -> StageContext:
    return StageContext(workspace=workspace, config=Config(), sink=ListSink(), stop=StopFlag())


def test_the_daily_table_has_a_row_for_the_mean_and_for_each_seed() -> None:
    daily = DailyRankIC(dates=DAYS, mean_D=np.array([0.1, np.nan]), seeds={7: np.array([0.2, 0.3])})
    table = _daily_frame({("full", "test"): daily})
    assert table.rows() == [
        (DAYS[0], "test", "full", None, 0.1),
        (DAYS[1], "test", "full", None, None),
        (DAYS[0], "test", "full", 7, 0.2),
        (DAYS[1], "test", "full", 7, 0.3),
    ]
    assert table.schema["date"] == pl.Date


@pytest.mark.parametrize("kind", ["", "runs"])
def test_a_stored_comparison_of_no_known_kind_is_not_gone_on_with(
    tmp_path: Path, kind: str
) -> None:
    """Not taken for ablations; the error names the file, and nothing is trained or written."""
    asked = context(tmp_path)
    run = asked.store.create("compare", asked.config)
    record.write(run.path(COMPARISON_PLAN), ComparisonPlan(kind=kind, seeds=2))
    with pytest.raises(IntegrityError, match=rf"request\.json: kind '{kind}' is no comparison"):
        compare(asked, what=(), resume=run.id)
    assert not (tmp_path / "compare").exists()


def variants() -> VariantComparison:
    return VariantComparison(
        id="ablations-1", kind="ablations", reference="full", score_horizon=5, confidence=0.9,
        seeds=2, run_id="r",
        variants=(
            VariantResult(name="full", parameters=9000, seconds=12.4, validation=LEVEL, test=LEVEL),
            VariantResult(
                name="graph none", parameters=8000, seconds=10.0, test=LEVEL, difference={"test": GAP},
                verdict="earns its place",
            ),
            VariantResult(name="without fan", errors=("seed 1: no memory",), verdict="not trained"),
        ),
    )  # fmt: skip


def test_the_table_of_variants_says_every_figure_with_its_error() -> None:
    text = _comparison_text(variants())
    assert "comparison ablations-1: 2 seeds" in text
    assert "+0.0300 ± 0.0100 (n=40) seeds ±0.0141" in text
    assert "-0.0100 [-0.0180, -0.0020]" in text
    assert "without fan: seed 1: no memory" in text
    assert "Of 2 intervals of 90%, 0.2 miss 0 by chance alone." in text
    lost = next(line for line in text.splitlines() if line.startswith("without fan  "))
    assert lost.split() == ["without", "fan", "—", "—", "—", "—", "—", "not", "trained"]


def test_the_tables_of_pairs_and_of_permutations() -> None:
    more = MeanFigure(value=0.012, se=0.004, n_dates=40)
    pair = RunPair(
        first="a", second="b", difference=0.02, low=0.01, high=0.03, direction="better", beyond=more
    )
    runs = RunComparison(
        score_horizon=5, confidence=0.9, pairs=(pair,),
        runs=(ComparedRun(run_id="a", test=LEVEL), ComparedRun(run_id="b")),
    )  # fmt: skip
    text = _comparison_text(runs)
    assert "a - b" in text
    assert "+0.0200 [+0.0100, +0.0300]" in text
    said = next(line for line in text.splitlines() if line.startswith("a beyond b"))
    assert "+0.0120 ± 0.0040" in said
    assert "b beyond a" not in text
    test = PermutationTest(
        rank_ic=0.01, spread=0.02, se_permutations=0.01, se_days=0.0, se=0.01, n_permutations=4,
        n_dates=250, ratio=1.0,
    )  # fmt: skip
    permuted = PermutationComparison(
        id="permutations-1", score_horizon=5, test=test, verdict=test.verdict,
        permutations=(PermutedRun(seed=1, run_id="r", rank_ic=0.01, rank_ic_se=0.02),),
    )  # fmt: skip
    text = _comparison_text(permuted)
    assert "permutation 1" in text
    assert "within 2 standard errors of 0 (+1.0): over 4 permutations ±0.0100" in text


def test_what_a_score_says_beyond_another_is_uncorrelated_with_it() -> None:
    """The same scores say nothing more; a sum of two says the second; names of one side are left out."""
    rng = np.random.default_rng(0)
    other, own = rng.normal(size=(2, 3, 40))
    keys = {
        "date": np.repeat(np.arange("2020-01-01", "2020-01-04", dtype="datetime64[D]"), 40),
        "symbol": [f"S{n:02d}" for n in range(40)] * 3,
    }
    frames = {
        name: pl.DataFrame({**keys, "score_5": values.ravel()})
        for name, values in {"other": other, "sum": other + 0.3 * own, "own": own}.items()
    }
    same = _beyond(frames["other"], frames["other"], 5)
    assert same["score_5"].to_numpy() == pytest.approx(np.zeros(120), abs=1e-12)
    left = _beyond(frames["sum"], frames["other"].head(110), 5)
    assert len(left) == 110
    joined = left.join(frames["own"], on=["date", "symbol"], suffix="_own")
    for _, day in joined.group_by("date"):
        assert abs(np.corrcoef(day["score_5"], day["reference"])[0, 1]) < 1e-9
        assert np.corrcoef(day["score_5"], day["score_5_own"])[0, 1] > 0.7


def test_a_comparison_comes_back_from_its_file_as_it_was_and_the_newest_is_first(
    tmp_path: Path,
) -> None:
    path = tmp_path / "compare" / "ablations-1.json"
    record.write(path, variants())
    assert repr(record.read(path, VariantComparison)) == repr(variants())
    record.write(tmp_path / "compare" / "sizes-2.json", variants())
    assert [p.name for p in comparison_files(tmp_path, "ablations")] == ["ablations-1.json"]
    assert len(comparison_files(tmp_path, "ablations", "sizes", "runs")) == 2


def test_which_variants_a_request_means(tmp_path: Path) -> None:
    where = context(tmp_path)
    found = _variants_of(where, ComparisonPlan(kind="sizes", seeds=2, sizes="8, 16"))
    assert [(one.name, one.changes) for one in found] == [
        ("hidden 8", {"model.hidden": 8}), ("hidden 16", {"model.hidden": 16}),
    ]  # fmt: skip
    assert _variants_of(where, ComparisonPlan(kind="permutations", seeds=2)) == [PERMUTED]
    two = ComparisonPlan(kind="ablations", seeds=2, variants="graph none")
    assert [one.name for one in _variants_of(where, two)] == ["full", "graph none"]
    with pytest.raises(UsageError, match="--sizes"):
        _variants_of(where, ComparisonPlan(kind="sizes", seeds=2, sizes="8,wide"))


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (ComparisonPlan(kind="sizes", seeds=0), "at least 1"),
        (ComparisonPlan(kind="permutations", seeds=1), "no spread"),
    ],
)
def test_senseless_numbers_are_refused(plan: ComparisonPlan, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        plan.check()


def test_the_folds_of_a_request_are_those_of_one_network() -> None:
    assert ComparisonPlan(kind="sizes", seeds=2).folds() is None
    plan = ComparisonPlan(kind="sizes", seeds=2, walkforward=True, step="6m").folds()
    assert plan is not None
    assert (plan.seeds, plan.with_baselines, plan.check()[2]) == (1, False, 126)


def work(workspace: Path, sink: ListSink) -> VariantRuns:
    names = (Variant(name="full"), Variant(name="broken", changes={"model.hidden": -1}))
    return VariantRuns(
        context=context(workspace), sink=sink, name="sizes-1", variants=names, seeds=[1, 2], folds=None
    )  # fmt: skip


def finish(run: Run, rank_ic: float) -> None:
    record.write(run.path(TRAIN), TrainResult(test=RankICSummary(rank_ic=rank_ic, n_dates=9)))
    log = JsonlSink(run.events_path)
    log.emit(RunFinished(status="done"))
    log.close()


def test_only_what_is_missing_is_trained_and_what_does_not_fit_is_told(tmp_path: Path) -> None:
    sink = ListSink()
    mine = work(tmp_path, sink)
    finish(mine._create(mine.variants[0], 1), 0.02)
    trained = {one.name: TrainedVariant(variant=one) for one in mine.variants}
    (left,) = mine._missing(trained)
    assert (left.command, left.manifest.variant, left.manifest.seed) == ("train", "full", 2)
    assert [seed for seed, _ in trained["full"].runs] == [1]
    assert len(trained["broken"].errors) == 2
    told = [event for event in sink.events if isinstance(event, VariantFinished)]
    assert [(event.variant, event.seed, event.rank_ic) for event in told] == [("full", 1, 0.02)]
    again = {one.name: TrainedVariant(variant=one) for one in mine.variants}
    assert [run.id for run in mine._missing(again)] == [left.id], "its run is there already"


def test_between_two_runs_a_stop_is_heard(tmp_path: Path) -> None:
    mine = work(tmp_path, ListSink())
    assert isinstance(mine.context.stop, StopFlag)
    mine.context.stop.requested = True
    with pytest.raises(Interrupted):
        next(mine._missing({one.name: TrainedVariant(variant=one) for one in mine.variants}))
