"""Events as points, and handing them on while the run is at work."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.export.live import feed
from engine.export.points import Point, Points, final_figures, flat_config
from engine.runs.events import (
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    RunEvent,
    RunFinished,
    StepLogged,
)
from tests.engine.export.samples import finished, run_of, tell
from tests.engine.runs.samples import evaluated, started, training

AT = "1970-01-01T00:01:40+00:00"


class Kept:
    """A receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.ends: list[RunFinished | None] = []

    def take(self, points: Sequence[Point]) -> None:
        self.points += points

    def end(self, finished: RunFinished | None) -> None:
        self.ends.append(finished)


def points(*events: RunEvent) -> list[Point]:
    """Those of these events, in order."""
    made = Points()
    return [point for event in events for point in made.of(event)]


def test_a_step_by_hand() -> None:
    step = StepLogged(
        at=AT, step=7, epoch=0, phase=0, epoch_fraction=0.5, loss=0.25, terms={"base": 0.5},
        learning_rate=1e-3, sessions_per_second=math.nan, memory_mib=900.0,
    )  # fmt: skip
    assert points(step) == [
        Point("step/term/base", 0.5, 7, 100.0),
        Point("step/loss", 0.25, 7, 100.0),
        Point("step/learning_rate", 1e-3, 7, 100.0),
        Point("step/memory_mib", 900.0, 7, 100.0),
    ]
    norms = GradientsLogged(at=AT, step=8, norm={"gat": math.inf, "heads": 0.1}, clipped=False)
    assert points(norms) == [Point("gradient/heads", 0.1, 8, 100.0)]


def test_epochs_are_counted_in_epochs_and_name_their_split() -> None:
    told = {point.key: point for point in points(evaluated(3, 0))}
    assert told["validation/rank_ic"].value == pytest.approx(0.022)
    assert told["validation/rank_ic"].step == 3
    assert "validation/loss" not in told, "it was not computed"


def test_each_fold_and_each_part_has_series_of_its_own() -> None:
    gate = GatesLogged(at=AT, step=1, alpha={"fan": 0.1})

    def of(task: str, fold: int) -> list[RunEvent]:
        begun = FoldStarted(task=task, fold=fold, folds=3, seed=2)
        return [begun, GatesLogged(at=AT, task=task, step=1, alpha={"fan": 0.1})]

    keys = [
        point.key for point in points(gate, *of("", 1), *of("fold-2-seed-2", 2), *of("seed-2", 0))
    ]
    assert keys == [
        "gate/fan", "fold-1-seed-2/gate/fan", "fold-2-seed-2/gate/fan",
        "seed-2/fold-0-seed-2/gate/fan",
    ]  # fmt: skip
    alone = FoldStarted(fold=0, folds=1, seed=2)
    assert [point.key for point in points(alone, gate)] == ["gate/fan"]


def test_all_events_of_a_run_are_handed_on_once(tmp_path: Path) -> None:
    run, kept = run_of(tmp_path), Kept()
    tell(run, training())
    assert feed(run, kept, follow=False)
    losses = [point.value for point in kept.points if point.key == "step/loss"]
    assert losses == [1.0 / (1 + step / 20) for step in range(1, 49)]
    assert [end.status for end in kept.ends if end] == ["done"]


def test_following_ends_with_the_run_and_sees_what_came_meanwhile(tmp_path: Path) -> None:
    run, kept = run_of(tmp_path), Kept()
    tell(run, [evaluated(0, 0)])
    waits: list[float] = []

    def later(seconds: float) -> None:
        waits.append(seconds)
        tell(run, [evaluated(1, 0)] if len(waits) == 1 else [RunFinished(status="stopped")])
        if len(waits) == 2:
            lock.__exit__(None, None, None)

    lock = run.lock()
    lock.__enter__()
    assert feed(run, kept, follow=True, sleep=later)
    assert [point.step for point in kept.points if point.key == "validation/rank_ic"] == [0, 1]
    assert [end.status for end in kept.ends if end] == ["stopped"]
    assert len(waits) == 2


def test_a_stop_keeps_what_was_read_and_the_run_is_not_over(tmp_path: Path) -> None:
    run, kept = run_of(tmp_path), Kept()
    tell(run, [evaluated(0, 0)])
    with run.lock():
        assert not feed(run, kept, follow=True, stopped=lambda: bool(kept.points))
    assert kept.points
    assert kept.ends == [None]


def test_a_run_that_goes_on_after_its_end_is_not_over(tmp_path: Path) -> None:
    run, kept = run_of(tmp_path), Kept()
    tell(run, [RunFinished(status="stopped"), started(resumed=True), evaluated(0, 0)])
    assert not feed(run, kept, follow=False)


def test_final_figures_are_those_of_the_records(tmp_path: Path) -> None:
    assert final_figures(run_of(tmp_path)) == {}
    found = final_figures(finished(tmp_path))
    assert found["test/rank_ic"] == 0.03
    assert found["backtest/sharpe"] == 0.4
    assert found["backtest/trials"] == 3.0
    assert "backtest/calmar" not in found, "it is not known"


def test_settings_are_flat_and_name_no_machine_or_mail(tmp_path: Path) -> None:
    found = flat_config(run_of(tmp_path))
    assert found["training.seed"] == "1"
    assert not [
        key for key in found if key.partition(".")[0] in ("alerts", "schedule", "workspace")
    ]
