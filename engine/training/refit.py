"""The second fit of a network: what validation chose, once more on all labelled days before the test.

The first fit stops learning where validation begins, a year and more before it is used. This one begins
with the same weights and takes the phases that were kept, with the blocks that were on, through the same
number of optimiser steps at the same learning rates, up to the epoch that was best. Only the days differ.
It chooses nothing, so nothing of it is judged on validation days: it has learned from them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path

from engine.config import PhaseConfig, TrainingConfig
from engine.dataset.loader import steps_of_epoch
from engine.records.train import PhaseResult
from engine.runs.events import (
    Advanced,
    CheckpointSaved,
    Continued,
    ControlAnswered,
    Diagnosed,
    MachineLogged,
    Noted,
    Paused,
    RunEvent,
    StepLogged,
    Warned,
)
from engine.runs.sink import EventSink
from engine.training.trainer import Trainer

REFIT = "refit"
"""Name of the stage, and of the folder within the first fit's checkpoints."""
_TOLD = (
    CheckpointSaved | Continued | ControlAnswered | Diagnosed | MachineLogged | Noted | Paused | Warned
)  # fmt: skip
"""What a second fit tells as it is; its losses, gradients and phases would be taken for the first's."""


def final_folder(checkpoints: Path, training: TrainingConfig) -> Path:
    """Where the weights lie that score the test days and become a model."""
    return checkpoints / REFIT if training.refit else checkpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeat:
    """A phase that was kept, as it is repeated."""

    phase: PhaseConfig
    """With the blocks that were on and, after a rollback, the rate at the best epoch."""
    first_epoch: int
    """Of the phase in the first fit, counted over all phases."""
    steps: tuple[int, ...]
    """Optimiser steps of each epoch of the first fit, up to the best one."""


def repeats_of(first: Trainer) -> tuple[_Repeat, ...]:
    """What is to be repeated of a training that has ended."""
    training, train = first.config.training, first.split.train
    phases = {phase.name: phase for phase in training.phases}
    epoch, found = 0, []
    for result in first.progress.results:
        phase = phases[result.name]
        if result.kept:
            rate = phase.learning_rate_scale * result.rate_scale
            changes = {"blocks": result.blocks, "learning_rate_scale": rate}
            epochs = range(epoch, result.best_epoch + 1)
            found.append(
                _Repeat(
                    phase=phase.model_copy(update=changes),
                    first_epoch=epoch,
                    steps=tuple(len(steps_of_epoch(training, train, n)) for n in epochs),
                )
            )
        epoch += result.epochs
    return tuple(found)


@dataclass(slots=True, kw_only=True)
class Refit(Trainer):
    """A trainer that repeats phases on the days of its split; its model is what the last one ends with.

    Its epochs are as many steps as those of the first fit. The days go round as there: all of them before
    any comes again, from one epoch to the next.
    """

    repeats: tuple[_Repeat, ...]

    @property
    def _phases(self) -> Sequence[PhaseConfig]:
        return [repeat.phase for repeat in self.repeats]

    def _is_over(self, phase: PhaseConfig) -> bool:
        return self.progress.epoch_in_phase >= len(self.repeats[self.progress.phase].steps)

    def _epoch_steps(self) -> list[tuple[int, ...]]:
        repeat, done = self.repeats[self.progress.phase], self.progress.epoch_in_phase
        before = sum(repeat.steps[:done])
        return list(islice(self._rounds(repeat), before, before + repeat.steps[done]))

    def _rounds(self, repeat: _Repeat) -> Iterator[tuple[int, ...]]:
        for epoch in count(repeat.first_epoch):
            yield from steps_of_epoch(self.config.training, self.split.train, epoch)

    def _validate(self) -> bool:
        """Nothing is judged; an epoch without a finding of the doctor was healthy."""
        return True

    def _finish_phase(self, phase: PhaseConfig) -> None:
        state, blocks = self.progress, self._blocks_of(phase)
        with self._average.applied(self.model):
            self.snapshots.save_weights("kept", self.model, {"blocks": blocks})
        self.snapshots.load_weights("kept", self.model)
        state.kept_blocks = blocks
        done = PhaseResult(
            name=phase.name,
            blocks=tuple(blocks),
            epochs=state.epoch_in_phase,
            best_epoch=state.epoch - 1,
            kept=True,
        )
        state.results.append(done)
        self._next_phase()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitSink:
    """The sink of a second fit: its steps become progress, so that no chart takes them for the first's."""

    sink: EventSink
    repeats: tuple[_Repeat, ...]
    before: int
    """Steps of the first fit; the second one's count on from there."""

    @property
    def total(self) -> int:
        """Steps of the second fit."""
        return sum(sum(repeat.steps) for repeat in self.repeats)

    def emit(self, event: RunEvent) -> None:
        """Pass on what is the same for any training; a monitored step is how far the refit has come."""
        if isinstance(event, _TOLD):
            self.sink.emit(event)
        elif isinstance(event, StepLogged):
            phase = self.repeats[event.phase].phase.name
            self.advanced(event.step - self.before, f"{phase}: loss {event.loss:.3f}")

    def advanced(self, done: int, note: str) -> None:
        """Tell that ``done`` steps lie behind."""
        self.sink.emit(Advanced(stage=REFIT, done=done, total=self.total, note=note))
