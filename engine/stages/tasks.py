"""What a worker does, how it answers, and what whoever hands out tasks may ask of it."""

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from engine.errors import (
    DataError,
    EngineError,
    EnvironmentProblem,
    GateError,
    Interrupted,
    LockedError,
    UsageError,
)
from engine.runs import lock
from engine.runs.events import RunEvent
from engine.runs.sink import EventSink
from engine.runs.store import Run, RunStore
from engine.stages.context import StageContext

_POLL_S = 0.1
_FREE_S = 60.0
"""For the worker of a starter that was killed to end its step and let go of its task."""
_KINDS = (UsageError, DataError, LockedError, GateError, Interrupted)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does at a time: a whole run, or the part of one that has this name."""

    run: Run
    part: str = ""
    """Empty: the whole run."""

    @property
    def name(self) -> str:
        """Of the part, else of the run."""
        return self.part or self.run.id

    @property
    def folder(self) -> Path:
        """Of the files of a part, which go when the work is done."""
        return self.run.path(f"tasks/{self.part}")

    @property
    def events_path(self) -> Path:
        """Where it tells what it does."""
        return self._path("events.jsonl")

    @property
    def log_path(self) -> Path:
        """What its process wrote to stderr."""
        return self._path("log.txt")

    @property
    def lock_path(self) -> Path:
        """Held by who does it."""
        return self._path("lock")

    def wait_until_free(self) -> None:
        """Until the worker of a starter that was killed has let go of it; then the lock decides."""
        end = time.monotonic() + _FREE_S
        while lock.is_held(self.lock_path) and time.monotonic() < end:
            time.sleep(_POLL_S)

    def _path(self, name: str) -> Path:
        return self.run.path(f"tasks/{self.part}/{name}" if self.part else name)

    @property
    def line(self) -> str:
        """As a worker reads it."""
        return f"{self.run.id} {self.part}\n"

    @classmethod
    def of_line(cls, line: str, store: RunStore) -> "Task":
        """Inverse of `line`."""
        run, _, part = line.rstrip("\n").partition(" ")
        return cls(store.open(run), part)


def forget_tasks(run: Run, names: str = "*") -> None:
    """Remove the files of the parts with such names, when the processes of an earlier start have let go."""
    for folder in run.directory.glob(f"tasks/{names}"):
        Task(run, folder.name).wait_until_free()
        shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # other parts have files there, or there is no such folder
        run.path("tasks").rmdir()


class Answer(Struct, frozen=True, kw_only=True):
    """How a task ended, as a line on a worker's standard output."""

    exit_code: int = 0
    message: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: EngineError) -> "Answer":
        """Of a task that ended with an error."""
        return cls(exit_code=error.exit_code, message=error.message, hint=error.hint)

    @property
    def line(self) -> str:
        """As the starter reads it."""
        return msgspec.json.encode(self).decode() + "\n"

    def error(self) -> EngineError:
        """The error again, of the kind with its exit code."""
        kinds = {kind.exit_code: kind for kind in _KINDS}
        return kinds.get(self.exit_code, EnvironmentProblem)(self.message, hint=self.hint)


Watch = Callable[[Task, RunEvent], bool]
"""Sees every event of a task; False: it has done enough and is asked to stop."""


class Bench(Protocol):
    """What a worker has opened for one part of a run after another."""

    @property
    def run(self) -> Run:
        """Whose parts they are."""

    def do(self, context: StageContext, name: str, sink: EventSink) -> None:
        """Do the part of this name, or the rest of it."""


class Worker(Protocol):
    """Somebody who does one task after another, here or elsewhere."""

    task: Task | None
    """What it is at."""
    asked: bool
    """It was told to stop, so it takes no task any more."""

    def ready(self) -> bool:
        """Whether it can begin; one elsewhere may wait for a free machine."""

    def begin(self, task: Task) -> None:
        """Hand it a task; one that has died meanwhile is found out when its answer is looked for."""

    def answer(self) -> Answer | None:
        """Its answer, if it has come; what it told before is in the files of the task then."""

    def ended(self) -> int | None:
        """Exit code of its process; None while it lives."""

    def stop(self) -> None:
        """Ask it once to save its work and end."""

    def dismiss(self) -> None:
        """No more tasks for it: it ends when it has done the one it is at."""

    def bury(self, seconds: float) -> None:
        """Wait so long for its end, then kill it."""
