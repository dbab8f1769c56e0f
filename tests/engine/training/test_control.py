"""A training that was paused, checkpointed by hand or cut off in a pause ends with the same bits."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.runs.events import (
    CheckpointSaved,
    Continued,
    ControlAnswered,
    EpochEvaluated,
    Paused,
    PhaseStarted,
    RunEvent,
    StepLogged,
)
from engine.runs.launch import ControlFiles, Wish
from engine.runs.sink import ListSink
from engine.training import control
from engine.training.control import RunControl, TrainingStopped
from engine.training.trainer import Trainer
from tests.conftest import World
from tests.engine.training.test_planted import PHASE, Bench

SETTINGS: dict[str, Any] = {
    "training.phases": [{**PHASE, "epochs": 2}],
    "training.averaging": "ema",
    "training.checkpoint_steps": 1000,
}
Asks = Callable[[ControlFiles, RunEvent], None]


@dataclass
class Person(ListSink):
    """Sees the events and asks in between, as somebody in another process would."""

    files: ControlFiles = field(default_factory=lambda: ControlFiles(Path()))
    asks: Asks = lambda files, event: None

    def emit(self, event: RunEvent) -> None:
        super().emit(event)
        self.asks(self.files, event)

    def of(self, kind: type[RunEvent]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class Flag:
    requested: bool = False


def made(world: World, root: Path, asks: Asks) -> tuple[Trainer, Person]:
    trainer = Bench(world, root).trainer(settings=SETTINGS)
    person = Person(files=ControlFiles(root / "control"), asks=asks)
    trainer.sink, trainer.stop = person, Flag()
    trainer.control = RunControl(files=person.files, sink=person, stop=trainer.stop)
    return trainer, person


def at(step: int, *wishes: Wish) -> Asks:
    def asks(files: ControlFiles, event: RunEvent) -> None:
        if isinstance(event, StepLogged) and event.step == step:
            for wish in wishes:
                files.ask(wish)

    return asks


@pytest.fixture(autouse=True)
def _one_thread_short_polls(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(control, "_POLL_S", 0.01)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def whole(world: World, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    torch.set_num_threads(1)
    trainer, _ = made(world, tmp_path_factory.mktemp("whole"), lambda files, event: None)
    trainer.run()
    return trainer


def assert_same(trainer: Trainer, whole: Trainer) -> None:
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, trainer.model.state_dict()[name]), name
    assert trainer.progress.results == whole.progress.results


def test_checkpoint_and_pause_by_hand_change_no_bit(
    world: World, whole: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obey = RunControl.obey

    def told_long(*given: Any) -> float:
        """A pause is told 1,000 s longer than it was, more than the whole training takes."""
        seconds = obey(*given)
        return seconds + 1000.0 if seconds else 0.0

    monkeypatch.setattr(RunControl, "obey", told_long)

    def asks(files: ControlFiles, event: RunEvent) -> None:
        at(2, "checkpoint")(files, event)
        at(4, "pause")(files, event)
        if isinstance(event, Paused):
            threading.Timer(0.2, files.withdraw, ["pause"]).start()

    trainer, person = made(world, tmp_path, asks)
    trainer.run()
    assert_same(trainer, whole)
    answers = person.of(ControlAnswered)
    assert [(a.action, a.done, a.step) for a in answers] == [("checkpoint", True, 2)]
    saved = [event.step for event in person.of(CheckpointSaved) if event.name == "resume"]
    assert saved[:2] == [2, 4], "a pause saves too"
    assert [event.step for event in person.of(Paused)] == [4]
    assert person.of(Continued)[0].seconds >= 0.2
    assert person.files.asked() == frozenset()
    before, after = (e for e in person.of(StepLogged) if e.step in (4, 5))
    assert before.sessions_per_second > 0
    assert after.sessions_per_second < 0, "what a pause took is taken off"


def test_a_pause_that_ends_in_a_stop_resumes_bit_for_bit(
    world: World, whole: Trainer, tmp_path: Path
) -> None:
    trainer, person = made(world, tmp_path, at(3, "pause"))

    def asks(files: ControlFiles, event: RunEvent) -> None:
        at(3, "pause")(files, event)
        if isinstance(event, Paused):
            threading.Timer(0.05, setattr, [trainer.stop, "requested", True]).start()

    person.asks = asks
    with pytest.raises(TrainingStopped):
        trainer.run()
    assert [event.step for event in person.of(Paused)] == [3]
    assert not (tmp_path / "control" / "paused").exists()
    again, person = made(world, tmp_path, lambda files, event: None)
    person.files.clear()
    again.run(resume=True)
    assert person.of(StepLogged)[0].step == 4
    assert_same(again, whole)


def test_a_rollback_by_hand_goes_back_with_a_lower_rate(world: World, tmp_path: Path) -> None:
    asked = False

    def asks(files: ControlFiles, event: RunEvent) -> None:
        nonlocal asked
        second = isinstance(event, StepLogged) and event.epoch == 1
        if second and event.epoch_fraction > 0.4 and not asked:  # type: ignore[attr-defined]
            asked = True
            files.ask("rollback")

    trainer, person = made(world, tmp_path, asks)
    trainer.run()
    (answer,) = person.of(ControlAnswered)
    healthy = next(
        e.step for e in person.of(CheckpointSaved) if e.name == "healthy" and e.epoch == 1
    )
    assert answer.done
    assert answer.detail == f"from step {answer.step} to the healthy checkpoint of {healthy}"
    steps = person.of(StepLogged)
    first = next(i for i, e in enumerate(steps) if e.step == answer.step)
    assert steps[first + 1].step == healthy + 1
    before = next(e for e in steps if e.step == healthy + 1)
    assert steps[first + 1].learning_rate == pytest.approx(0.5 * before.learning_rate)
    assert trainer.progress.chart.rollbacks == 0, "those of the doctor are counted, not a person's"
    assert len(person.of(PhaseStarted)) == 2
    assert [event.epoch for event in person.of(EpochEvaluated)] == [0, 1]


def test_a_paused_run_can_be_rolled_back_and_stays_paused(world: World, tmp_path: Path) -> None:
    def asks(files: ControlFiles, event: RunEvent) -> None:
        if isinstance(event, StepLogged) and event.step == 3 and not person.of(Paused):
            files.ask("pause")
        if isinstance(event, Paused):
            if len(person.of(Paused)) == 1:
                files.ask("rollback")
            else:
                threading.Timer(0.05, files.withdraw, ["pause"]).start()

    trainer, person = made(world, tmp_path, asks)
    trainer.run()
    assert [event.step for event in person.of(Paused)] == [3, 1]
    assert [event.step for event in person.of(StepLogged)][:5] == [1, 2, 3, 1, 2]


def test_a_rollback_without_a_place_to_go_is_refused_with_the_reason(
    world: World, tmp_path: Path
) -> None:
    asked: list[str] = []

    def asks(files: ControlFiles, event: RunEvent) -> None:
        if isinstance(event, StepLogged) and event.step == 2:
            (tmp_path / "checkpoints" / "healthy").unlink()
            files.ask("rollback")
        if isinstance(event, CheckpointSaved) and event.name == "healthy" and event.epoch == 1:
            files.ask("rollback")
        asked.extend(files.asked())

    trainer, person = made(world, tmp_path, asks)
    trainer.run()
    missing, nothing = person.of(ControlAnswered)
    assert not missing.done
    assert "no healthy checkpoint" in missing.detail
    assert not nothing.done
    assert "is the last healthy checkpoint" in nothing.detail
    assert person.files.asked() == frozenset()
