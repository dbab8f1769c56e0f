"""A run that finds its disk full: it says so, is shown as paused, and goes on when there is room."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine import disk
from engine.errors import EnvironmentProblem
from engine.runs.events import Noted, Warned
from engine.runs.launch import ControlFiles
from engine.runs.sink import EventSink

_POLL_S, _RETRY_S = 1.0, 60.0
_ENOUGH = 2**20
"""So much more must be free than when a write failed; a quota tells of no room: it is tried every minute."""
_RESERVE = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _RoomWait:
    """Waits; the run's events say so in room that was kept for them."""

    sink: EventSink
    files: ControlFiles
    reserve: Path
    stopped: Callable[[], bool]
    sleep: Callable[[float], None]

    def __call__(self, error: disk.DiskFull) -> None:
        """Until there is more room than there was; a stop raises the error again."""
        before, began = disk.free(self.reserve), time.monotonic()
        self.reserve.unlink(missing_ok=True)
        with suppress(EnvironmentProblem):  # no room for the words: the status has them
            self.sink.emit(Warned(code="disk_full", message=f"{error.message}; waiting for room"))
        with suppress(EnvironmentProblem):
            self.files.mark_paused()
        try:
            while disk.free(self.reserve) < before + _ENOUGH:
                if self.stopped():
                    raise error
                if time.monotonic() - began > _RETRY_S:
                    return
                self.sleep(_POLL_S)
        finally:
            self.files.unmark_paused()
        self.hold()
        with suppress(EnvironmentProblem):
            self.sink.emit(Noted(message="there is room on the disk again"))

    def hold(self) -> None:
        """Keep room for the words; where there is none already, there are no words."""
        with suppress(OSError):
            self.reserve.write_bytes(bytes(_RESERVE))


@contextmanager
def waiting_for_room(
    directory: Path,
    sink: EventSink,
    files: ControlFiles,
    stopped: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """In the block what is written into a run waits while the disk is full."""
    reserve = directory / ".reserve.tmp"
    wait = _RoomWait(sink=sink, files=files, reserve=reserve, stopped=stopped, sleep=sleep)
    wait.hold()
    try:
        with disk.patient(wait):
            yield
    finally:
        reserve.unlink(missing_ok=True)
