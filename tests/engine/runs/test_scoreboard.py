"""The five criteria on figures made by hand, and what is kept of a stream that was replayed."""

import math

import pytest
from msgspec.structs import replace

from engine.records.train import Criterion, SeriesRange
from engine.runs.events import GatesLogged, GradientsLogged, RunEvent
from engine.runs.scoreboard import Monitors, scoreboard
from tests.engine.runs.samples import diagnosed, evaluated, graph_worth, training

BEST = replace(
    evaluated(2, 0), rank_ic=0.035, rank_ic_se=0.006, null_band=0.012, ic=0.03, ic_se=0.005,
    ic_null_band=0.01, score_std_ratio=0.2,
)  # fmt: skip
LATER = [replace(BEST, epoch=3, rank_ic=0.033), replace(BEST, epoch=4, rank_ic=0.031)]
EPOCHS = [replace(BEST, epoch=1, rank_ic=-0.01), BEST, *LATER]
WORTHS = [graph_worth(step, step, rank_ic=0.01 * step) for step in range(1, 5)]


def judged(**changes: float) -> dict[str, Criterion]:
    best = replace(BEST, **changes)
    epochs = [best if event is BEST else event for event in EPOCHS]
    return {c.name: c for c in scoreboard(best, epochs, WORTHS)}


def test_a_good_run_meets_all_five() -> None:
    found = judged()
    assert {c.verdict for c in found.values()} == {"met"}
    assert (found["rank_ic"].value, found["rank_ic"].se) == (0.035, 0.006)
    assert found["stability"].value == pytest.approx(0.002)
    told = found["graph_worth"]
    assert (told.value, told.se) == (0.02, 0.004), "of the epoch that is kept, not of the newest"
    assert told.value_text == "0.0200 ± 0.0040"
    assert told.evidence == (
        "31.0% of the score variance, n=252 days, 9.5 neighbours a stock; with random ones 15.5% of the "
        "score variance, RankIC +0.0100 ± 0.0040 (n=252)"
    )


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("rank_ic", {"rank_ic": 0.02}),
        ("rank_ic", {"null_band": 0.04}),
        ("rank_ic", {"null_band": math.nan}),
        ("ic", {"ic": 0.0149}),
        ("ic", {"ic_null_band": 0.03}),
        ("stability", {"rank_ic_se": 0.0015}),
        ("no_degeneracy", {"score_std_ratio": 0.02}),
        ("no_degeneracy", {"score_std_ratio": math.nan}),
    ],
)
def test_what_falls_short_or_lies_inside_its_null_band_is_not_met(
    name: str, changes: dict[str, float]
) -> None:
    assert judged(**changes)[name].verdict == "not met"


def test_a_negative_value_is_not_met_however_far_from_chance() -> None:
    assert judged(rank_ic=-0.09)["rank_ic"].verdict == "not met"


def test_what_has_no_evidence_is_not_shown() -> None:
    assert {c.verdict for c in scoreboard(None, [], [])} == {"not shown"}
    last = {c.name: c.verdict for c in scoreboard(BEST, [BEST, LATER[0]], [])}
    assert last["stability"] == "not shown", "one epoch after the best has no spread"
    assert last["graph_worth"] == "not shown"


@pytest.mark.parametrize(
    ("share", "rank_ic", "verdict"),
    [
        (0.31, 0.0041, "met"),
        (0.31, 0.004, "not met"),
        (0.31, -0.02, "not met"),
        (0.001, 0.02, "not met"),
        (0.0, 0.0, "not met"),
        (math.nan, math.nan, "not met"),
    ],
    ids=["one error and more", "one error", "better without", "hardly heard", "no edge", "unknown"],
)
def test_a_graph_is_worth_what_is_lost_without_its_edges(
    share: float, rank_ic: float, verdict: str
) -> None:
    """The error of the sample is 0.004, the least share 0.1%."""
    found = scoreboard(BEST, EPOCHS, [graph_worth(9, BEST.epoch, share, rank_ic)])[-1]
    assert (found.name, found.verdict) == ("graph_worth", verdict)


def test_a_network_that_is_kept_without_its_graph_does_not_meet_the_criterion() -> None:
    found = scoreboard(BEST, EPOCHS, [graph_worth(9, BEST.epoch + 1)])[-1]
    assert found.verdict == "not met"
    assert math.isnan(found.value)
    assert found.evidence.startswith("the network that is kept has no graph; newest with it: ")


def test_the_evidence_says_whether_the_goal_was_passed_for_sure() -> None:
    assert "told from 0.020 at 95%" in judged()["rank_ic"].evidence
    assert "not told from 0.020" in judged(rank_ic_se=0.01)["rank_ic"].evidence


def gradient(step: int, **norm: float) -> GradientsLogged:
    return GradientsLogged(step=step, norm=norm, clipped=False)


def test_replayed_steps_and_epochs_count_once() -> None:
    events: list[RunEvent] = [
        gradient(1, gat=1e-9),
        gradient(5, gat=1e-9),
        GatesLogged(step=5, alpha={"bypass": 0.9}),
        evaluated(0, 0),
        diagnosed(step=5),
        gradient(1, heads=1.0),
        gradient(5, gat=1e-3, heads=3.0),
        GatesLogged(step=5, alpha={"bypass": 0.5}),
        gradient(9, gat=3e-3, heads=2.0),
        GatesLogged(step=9, alpha={"bypass": 0.55}),
        diagnosed(step=5),
        replace(evaluated(0, 0), score_std_ratio=0.4),
        replace(evaluated(1, 0), score_std_ratio=0.3),
    ]
    told = Monitors.of(events).figures()
    assert told.gradient["gat"] == SeriesRange(
        first=1e-3, last=3e-3, min=1e-3, median=2e-3, max=3e-3, steps=2
    )  # fmt: skip
    assert told.gradient["heads"].median == 2.0
    assert (told.alpha["bypass"].first, told.alpha["bypass"].last) == (0.5, 0.55)
    assert (told.score_std_ratio.first, told.score_std_ratio.min) == (0.4, 0.3)
    assert [finding.step for finding in told.diagnoses] == [5]


def test_an_empty_stream_has_empty_monitors() -> None:
    told = Monitors.of([]).figures()
    assert told.gradient == {}
    assert told.score_std_ratio.steps == 0
    whole = Monitors.of(training())
    assert len(whole.epochs) == 8
    assert whole.gradient("gat")
