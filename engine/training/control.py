"""What a person asked of the training, carried out at the end of a step. It changes no figure.

Every wish comes after the `resume` checkpoint of the same step was written, so a pause may end in a kill.
"""

import time
from dataclasses import dataclass
from typing import Protocol

from engine.errors import EngineError
from engine.runs.events import Continued, ControlAnswered, Paused
from engine.runs.launch import ControlFiles, Wish
from engine.runs.sink import EventSink
from engine.training.doctor import RollBack
from engine.training.snapshots import Snapshots

_POLL_S = 0.2
"""How often a paused training looks whether it may go on."""


class StopSignal(Protocol):
    """How a run is asked to end at its next step."""

    @property
    def requested(self) -> bool:
        """True once it is asked to."""


class TrainingStopped(Exception):  # noqa: N818 - a way out of the loop, not a fault
    """The stop flag was seen at the end of a step; a resumable checkpoint has been written."""


class StepControl(Protocol):
    """What a person may ask of a training between two steps."""

    def asked(self) -> frozenset[Wish]:
        """Open wishes."""

    def obey(self, asked: frozenset[Wish], step: int, snapshots: Snapshots) -> float:
        """Carry the wishes out; returns the seconds spent waiting. Raises RollBack if that was one."""


class NoControl:
    """For trainings without a run directory."""

    def asked(self) -> frozenset[Wish]:
        """Nothing is ever asked."""
        return frozenset()

    def obey(self, asked: frozenset[Wish], step: int, snapshots: Snapshots) -> float:
        """Nothing is done."""
        return 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunControl:
    """Wishes by files, answers by events."""

    files: ControlFiles
    sink: EventSink
    stop: StopSignal

    def asked(self) -> frozenset[Wish]:
        """Open wishes, by their files."""
        return self.files.asked()

    def obey(self, asked: frozenset[Wish], step: int, snapshots: Snapshots) -> float:
        """Carry the wishes out and answer each; a pause waits here."""
        waited = 0.0
        if "checkpoint" in asked:
            self._answer("checkpoint", step, f"saved at step {step}")
        if "rollback" in asked:
            self._roll_back(step, snapshots)
        if "pause" in asked:
            waited = self._pause(step)
            if "rollback" in self.files.asked():
                self._roll_back(step, snapshots)
        return waited

    def _pause(self, step: int) -> float:
        """Wait while the wish is there; a stop or a rollback ends the waiting."""
        began = time.monotonic()
        self.files.mark_paused()
        self.sink.emit(Paused(step=step))
        while "pause" in (asked := self.files.asked()) and "rollback" not in asked:
            if self.stop.requested:
                self.files.unmark_paused()
                return time.monotonic() - began
            if "checkpoint" in asked:
                self._answer("checkpoint", step, f"saved at step {step}")
            time.sleep(_POLL_S)
        self.files.unmark_paused()
        waited = time.monotonic() - began
        self.sink.emit(Continued(step=step, seconds=waited))
        return waited

    def _roll_back(self, step: int, snapshots: Snapshots) -> None:
        """Raises RollBack where there is something to go back to, else answers why not."""
        try:
            healthy = snapshots.healthy_step()
        except EngineError as error:
            self._answer("rollback", step, f"no healthy checkpoint: {error.message}", done=False)
            return
        if healthy >= step:
            detail = f"step {step} is the last healthy checkpoint: nothing to go back to"
            self._answer("rollback", step, detail, done=False)
            return
        self._answer("rollback", step, f"from step {step} to the healthy checkpoint of {healthy}")
        raise RollBack(by_hand=True)

    def _answer(self, wish: Wish, step: int, detail: str, *, done: bool = True) -> None:
        self.files.withdraw(wish)
        self.sink.emit(ControlAnswered(action=wish, done=done, step=step, detail=detail))
