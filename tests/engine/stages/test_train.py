"""What a training and a walk-forward leave and print; the pieces between them, by hand."""

import datetime as dt
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.config import Config
from engine.config.file import override
from engine.errors import IntegrityError, UsageError
from engine.records import record
from engine.records.plans import WalkforwardPlan, _step_sessions, iso_day
from engine.records.protocol import SpanName
from engine.records.rank_ic import GraphWorth, PairedDifference, RankICSummary, Worth
from engine.records.record import RecordError
from engine.records.train import (
    TRAIN,
    Criterion,
    DataFacts,
    Diagnosis,
    FoldResult,
    MonitorFigures,
    PhaseResult,
    Rival,
    Span,
    SpanResult,
    Spans,
    TrainResult,
    read_train,
)
from engine.stages.demo import DemoAnswer, _quick, _without_graph
from engine.stages.fit import mean_scores
from engine.stages.predict import _between, _names
from engine.stages.text import table, training_text
from engine.stages.train import _headline
from engine.stages.walkforward import _take, _text

TEST = RankICSummary(rank_ic=0.05, rank_ic_se=0.01, null_band=0.02, n_dates=120)
NOISE = RankICSummary(rank_ic=0.01, rank_ic_se=0.01, null_band=0.02, n_dates=120)


PHASE = PhaseResult(
    name="main", epochs=4, best_epoch=2, rank_ic=0.01, rank_ic_se=0.01, kept=True
)  # fmt: skip


WORTH = Worth(share=0.125, rank_ic=-0.02, rank_ic_se=0.01, n_dates=120)
GRAPH = GraphWorth(
    without_edges=Worth(share=0.31, rank_ic=0.04, rank_ic_se=0.005, n_dates=120),
    random_neighbours=Worth(share=math.nan),
    neighbours=9.5,
)


def rival(rank_ic: float, low: float, high: float) -> Rival:
    gap = PairedDifference(difference=(low + high) / 2, low=low, high=high, n_dates=120)
    return Rival(test=RankICSummary(rank_ic=rank_ic), test_difference=gap)


def result(**more: object) -> TrainResult:
    values: dict[str, object] = {
        "run_id": "r1", "status": "done", "score_horizon": 5, "seconds": 61.0, "best": NOISE, "test": TEST,
        "baselines": {"ridge": rival(0.03, 0.01, 0.03), "oracle": rival(0.2, -0.2, -0.1)},
        "phases": (PHASE,),
        "scoreboard": (
            Criterion(name="gat_gradient", goal="heard", value=2e-5, verdict="met", evidence="3 steps"),
            Criterion(name="rank_ic", goal="ranks", value=0.01, se=0.01, verdict="not met"),
        ),
        "graph_worth": GRAPH,
        "blocks_worth": {"fan": WORTH},
        "monitors": MonitorFigures(
            diagnoses=(Diagnosis(code="exploding", action="warned", step=7, remedy="clip earlier"),)
        ),
        "data": DataFacts(notes=("synthetic",)),
    }  # fmt: skip
    return TrainResult(**{**values, **more})  # type: ignore[arg-type]


def test_the_text_of_a_training_has_figures_criteria_findings_and_notes() -> None:
    text = training_text(result())
    assert text.startswith("run r1: done in 61 s")
    assert " +0.0500 ± 0.0100  null ±0.0200 (n=120)" in text
    assert "~+0.0100 ± 0.0100" in text, "a value inside its null band is marked"
    assert "+0.0100 ± 0.0100  kept" in text
    assert "2.0e-05" in text, "a criterion of before"
    _, _, *lost = text[text.index("lost without") :].splitlines()[:5]
    assert [" ".join(line.split()) for line in lost] == [
        "edges 31.0% +0.0400 ± 0.0050 (n=120)",
        "random edges — —",
        "block fan 12.5% -0.0200 ± 0.0100 (n=120)",
    ]
    assert "doctor: exploding at step 7, warned: clip earlier" in text
    assert text.endswith("note: synthetic\n\nnext: `atft-tui backtest r1`")


def test_a_stopped_training_says_how_it_goes_on() -> None:
    assert training_text(result(status="stopped")).endswith("atft-tui train --resume r1`")


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(0.01, 0.03, "above"), (-0.03, -0.01, "below"), (-0.01, 0.01, "undecided")]
)  # fmt: skip
def test_the_headline_is_against_the_strongest_simple_model(
    low: float, high: float, verdict: str
) -> None:
    weak, none = rival(0.01, 0.2, 0.3), rival(math.nan, 0.2, 0.3)
    found = _headline(result(baselines={"a": weak, "b": rival(0.04, low, high), "c": none}))
    assert found.against is not None
    assert (found.against.name, found.against.rank_ic, found.against.verdict) == (
        "b",
        0.04,
        verdict,
    )
    told = record.as_json(found)
    assert set(told) == {"best", "test", "seconds", "score_horizon", "against"}
    assert _headline(result(baselines={"oracle": rival(0.2, 0, 1)})).against is None


def test_what_a_training_leaves_comes_back_and_what_it_has_not_is_not_written(
    tmp_path: Path,
) -> None:
    record.write(tmp_path / TRAIN, result(best=None, sessions_per_second=math.nan))
    found = read_train(tmp_path)
    assert found.blocks_worth == {"fan": WORTH}
    assert found.graph_worth is not None
    assert found.graph_worth.without_edges == GRAPH.without_edges
    assert math.isnan(found.graph_worth.random_neighbours.share)
    assert found.best is None
    assert math.isnan(found.sessions_per_second)
    assert found.test == TEST
    assert '"folds"' not in (tmp_path / TRAIN).read_text()


def test_a_missing_or_damaged_file_is_one_kind_of_error_that_names_the_field(
    tmp_path: Path,
) -> None:
    with pytest.raises(IntegrityError, match=r"no train\.json"):
        read_train(tmp_path)
    (tmp_path / TRAIN).write_text('{"test": {"rank_ic": "high"}}')
    with pytest.raises(RecordError, match=r"test\.rank_ic"):
        read_train(tmp_path)


def test_a_file_of_an_early_version_reads(tmp_path: Path) -> None:
    """It named no newest session, no hit shares, and had no rivals at several horizons."""
    old = (
        '{"run_id": "r", "status": "done", "data": {"source": "files"}, "test": {"rank_ic": null},'
    )
    (tmp_path / TRAIN).write_text(old + '"baselines": {"ridge": {"test": {"rank_ic": 0.1}}}}')
    found = read_train(tmp_path)
    assert (found.model, found.data.last_session, found.strongest()) == ("network", "", None)
    assert found.test is not None
    assert math.isnan(found.test.rank_ic)


def test_the_text_of_a_walk_forward_has_a_row_a_fold() -> None:
    fold = FoldResult(fold=3, rank_ic=0.05, rank_ic_se=0.01, null_band=0.02, n_dates=120)
    lines = _text(result(folds=(fold,))).splitlines()
    assert [line.split()[0] for line in lines[4:-2]] == ["fold", "all", "ridge", "oracle"]
    assert lines[-1] == "next: `atft-tui backtest r1`"


def test_the_spans_of_a_walk_forward_stand_apart_between_its_folds_and_the_whole() -> None:
    names: tuple[SpanName, ...] = ("development", "confirmation")
    spans = tuple(
        SpanResult(span=name, horizons={}, baselines={}, rank_ic=0.05, null_band=0.02)
        for name in names
    )
    lines = _text(result(folds=(), spans=spans, baselines={})).splitlines()
    assert [line.split()[0] for line in lines[4:-2]] == ["development", "confirmation", "all"]


@pytest.mark.parametrize(("text", "sessions"), [("1y", 252), ("6m", 126), ("40", 40)])
def test_the_length_of_a_block(text: str, sessions: int) -> None:
    assert _step_sessions(text) == sessions


@pytest.mark.parametrize("text", ["0", "1w", "", "y"])
def test_a_senseless_length_or_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        _step_sessions(text)
    with pytest.raises(UsageError):
        iso_day(f"2026-13-{text}")
    with pytest.raises(UsageError, match="at least one network"):
        WalkforwardPlan(seeds=0).check()


def test_a_simple_model_takes_the_place_of_the_network_with_the_horizons_it_has() -> None:
    table = pl.DataFrame(
        {
            "name": ["ridge", "rule"], "date": [dt.date(2026, 1, 5)] * 2, "symbol": ["A", "A"],
            "score_1": [float("nan"), 1.0], "score_5": [2.0, 3.0],
        }
    )  # fmt: skip
    scores, others = _take(table, "ridge", Config())
    assert scores.columns == ["date", "symbol", "score_5"]
    assert others["name"].to_list() == ["rule"]
    with pytest.raises(UsageError, match="no scores"):
        _take(table, "oracle", Config())


def test_the_mean_over_networks_is_of_scores_standardised_within_the_day() -> None:
    """1, 2, 3 and 30, 20, 10 are -1, 0, 1 and 1, 0, -1 deviations: they cancel."""
    day = dt.date(2026, 1, 5)
    frames = [
        pl.DataFrame({"date": [day] * 3, "symbol": ["A", "B", "C"], "score_5": values})
        for values in ([1.0, 2.0, 3.0], [30.0, 20.0, 10.0])
    ]
    assert mean_scores(frames, [5])["score_5"].to_list() == pytest.approx([0.0, 0.0, 0.0], abs=1e-6)
    alone = mean_scores(frames[:1], [5])["score_5"]
    assert alone.to_list() == pytest.approx([-1.0, 0.0, 1.0], abs=1e-6)
    assert alone.dtype == pl.Float32


DATES = np.datetime64("2026-01-05") + np.arange(6)


def test_embargoed_days_count_with_the_part_before_them() -> None:
    spans = Spans(validation=Span(first="2026-01-07"), test=Span(first="2026-01-09"))
    assert _names(DATES, spans).tolist() == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2


def test_all_days_before_the_test_are_training_days_of_a_refit() -> None:
    spans = Spans(
        train=Span(last="2026-01-05"),
        validation=Span(first="2026-01-07"),
        test=Span(first="2026-01-09"),
        trained_to="2026-01-07",
    )
    assert spans.refitted
    assert _names(DATES, spans).tolist() == ["train"] * 4 + ["test"] * 2


def test_days_to_score_are_the_usable_ones_between_both_ends() -> None:
    usable, first = np.array([1, 2, 4, 5]), np.datetime64("2026-01-09")
    assert _between(DATES, usable, None, None, first).tolist() == [4, 5]
    assert _between(DATES, usable, "2026-01-06", "2026-01-07", first).tolist() == [1, 2]
    with pytest.raises(UsageError, match="no session"):
        _between(DATES, usable, "2026-01-08", "2026-01-08", first)
    with pytest.raises(UsageError, match="not a date"):
        _between(DATES, usable, "tomorrow", None, first)


def test_the_demo_without_the_graph_is_the_same_network_without_its_graph() -> None:
    config = Config()
    plain = _without_graph(config)
    assert config.uses_graph
    assert not plain.uses_graph
    assert set(config.model.blocks) - set(plain.model.blocks) == {"gat", "bypass"}
    quick = _quick(override(config, {"data.synthetic.n_symbols": 500}, origin="test"))
    assert quick.data.synthetic.n_symbols == 80
    assert {phase.epochs for phase in quick.training.phases} == {1}


def test_the_answer_of_the_demo_says_both_figures() -> None:
    gain = PairedDifference(difference=0.01, se=0.004, n_dates=120)
    answer = DemoAnswer(
        run_id="a", run_without_graph="b", horizon=5, test={"oracle": TEST}, recovered=0.5,
        graph_gain=gain,
    )  # fmt: skip
    assert "recovers 50% of the oracle's RankIC" in answer.text()
    assert "same days: +0.0100 ± 0.0040 (n=120)" in answer.text()


def test_numbers_of_a_table_stand_to_the_right_of_their_column() -> None:
    assert table([["a", "1"], ["b", "10"]], header=["", "n"]).splitlines() == [
        "   n", "─  ──", "a   1", "b  10",
    ]  # fmt: skip
    assert table([]) == ""
