"""Any moment of a run: the fold of its first k events, found fast by states kept along the way.

A state is a few tuples that share their events with its neighbours, so about two hundred of them cover
a file of any length; a moment between two of them folds the events between.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from engine.runs.events import (
    CheckpointSaved,
    Diagnosed,
    EpochEvaluated,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    decode,
)
from engine.runs.state import RunState, advance

FIRST_STRIDE = 256
"""Events between two kept states of a short run; it doubles whenever there would be too many."""
MAX_KEPT = 256
MAX_MARKS = 2000
HEAD_BYTES = 512
MarkKind = Literal["start", "phase", "epoch", "checkpoint", "finding", "end"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth jumping to."""

    position: int
    """The event and all before it are in the picture."""
    kind: MarkKind
    label: str


@dataclass(frozen=True, slots=True)
class _Kept:
    position: int
    offset: int
    state: RunState


@dataclass(slots=True)
class Timeline:
    """Grows with the run's file; starts anew when the file was replaced."""

    path: Path
    position: int = 0
    """Events read so far."""
    state: RunState = field(default_factory=RunState)
    """After all events read so far."""
    marks: list[Mark] = field(default_factory=list)
    complete: bool = False
    """No whole line was left at the last reading."""
    _offset: int = 0
    _stride: int = FIRST_STRIDE
    _kept: list[_Kept] = field(default_factory=lambda: [_Kept(0, 0, RunState())])
    _head: bytes = b""

    def read_on(self, limit: int) -> None:
        """Take in up to ``limit`` more events. Damaged lines and unknown kinds count as no event."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            self._restart(b"")
            self.complete = True
            return
        with file:
            head = file.readline(HEAD_BYTES)
            if self._offset and not head.startswith(self._head):
                self._restart(head)
            elif not self._offset:
                self._head = head
            size = file.seek(0, 2)
            if size < self._offset:
                self._restart(head)
            file.seek(self._offset)
            taken = 0
            while taken < limit:
                line = file.readline()
                if not line.endswith(b"\n"):
                    self.complete = True
                    return
                self._offset += len(line)
                event = decode(line)
                if event is not None:
                    self._take(event)
                    taken += 1
        self.complete = False

    def at(self, position: int) -> RunState:
        """The state after the first ``position`` events; beyond the ends, the nearer end."""
        position = max(0, min(position, self.position))
        if position == self.position:
            return self.state
        nearest = self._kept[bisect_right(self._kept, position, key=lambda kept: kept.position) - 1]
        state, count = nearest.state, nearest.position
        with self.path.open("rb") as file:
            file.seek(nearest.offset)
            while count < position:
                line = file.readline()
                if not line:
                    break
                event = decode(line)
                if event is not None:
                    state, count = advance(state, event), count + 1
        return state

    def next_mark(self, position: int, step: int, kinds: frozenset[str]) -> int:
        """Position of the next mark (step 1) or the one before (step -1) of these kinds, else an end."""
        places = [mark.position for mark in self.marks if mark.kind in kinds]
        if step > 0:
            return min((p for p in places if p > position), default=self.position)
        return max((p for p in places if p < position), default=0)

    def _restart(self, head: bytes) -> None:
        self.position, self._offset, self._stride = 0, 0, FIRST_STRIDE
        self.state, self.marks, self._kept = RunState(), [], [_Kept(0, 0, RunState())]
        self._head = head

    def _take(self, event: RunEvent) -> None:
        self.state = advance(self.state, event)
        self.position += 1
        mark = _mark(event, self.position)
        if mark is not None:
            self.marks.append(mark)
            if len(self.marks) > MAX_MARKS:
                self.marks = [m for m in self.marks if m.kind != "checkpoint"][-MAX_MARKS:]
        if self.position % self._stride == 0:
            self._kept.append(_Kept(self.position, self._offset, self.state))
            if len(self._kept) > MAX_KEPT:
                self._kept = self._kept[::2]
                self._stride *= 2


def _mark(event: RunEvent, position: int) -> Mark | None:
    match event:
        case RunStarted():
            return Mark(position, "start", "resumed" if event.resumed else "started")
        case PhaseStarted():
            return Mark(position, "phase", f"phase {event.phase} {event.name}")
        case EpochEvaluated():
            known = "" if math.isnan(event.rank_ic) else f", RankIC {event.rank_ic:+.4f}"
            return Mark(position, "epoch", f"epoch {event.epoch}{known}")
        case CheckpointSaved():
            return Mark(position, "checkpoint", f"checkpoint, step {event.step}")
        case Diagnosed():
            return Mark(position, "finding", event.code)
        case RunFinished():
            return Mark(position, "end", event.status)
        case _:
            return None
