"""Any moment of a run: the fold of its first k events, found fast by states kept along the way.

A state is a few tuples that share their events with its neighbours, so about two hundred of them cover
a file of any length; a moment between two of them folds the events between.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
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
)
from engine.runs.fold import decoded, fold
from engine.runs.follow import Follower
from engine.runs.state import RunState

_FIRST_STRIDE = 2048
"""Lines between two kept states; it doubles whenever there would be too many states."""
_MAX_KEPT = 256
_MAX_MARKS = 2000
_MarkKind = Literal["start", "phase", "epoch", "checkpoint", "finding", "end"]


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment worth jumping to."""

    position: int
    """The event and all before it are in the picture."""
    kind: _MarkKind
    label: str


_Kept = tuple[int, RunState]
"""Where in the file the lines go on, and the state up to there."""


@dataclass(slots=True)
class Timeline:
    """Grows with the run's file; starts anew when the file was replaced."""

    path: Path
    stride: int = _FIRST_STRIDE
    """Events between two kept states."""
    state: RunState = field(default_factory=RunState)
    """After all events read so far."""
    marks: list[Mark] = field(default_factory=list)
    complete: bool = False
    """No whole line was left at the last reading."""
    _kept: list[_Kept] = field(default_factory=lambda: [(0, RunState())])
    _shown: RunState = field(default_factory=RunState)
    """What `at` gave last: a position that stands still is not folded again."""
    _follower: Follower = field(init=False)

    def __post_init__(self) -> None:
        self._follower = Follower(self.path)

    @property
    def position(self) -> int:
        """Events read so far."""
        return self.state.n_events

    def read_on(self) -> None:
        """Take in the next piece of the file. Damaged lines and unknown kinds count as no event."""
        before = self._follower.offset
        lines, again, more = self._follower.read()
        if again:
            self.state, self._shown, self.marks = RunState(), RunState(), []
            self._kept, before = [(0, RunState())], 0
        self.complete = not more
        while lines:
            chunk, lines = lines[: self.stride], lines[self.stride :]
            events = list(decoded(chunk))
            self._mark(events)
            self.state = fold(events, self.state)
            before += sum(len(line) + 1 for line in chunk)
            if self.position - self._kept[-1][1].n_events >= self.stride:
                self._kept.append((before, self.state))
                if len(self._kept) > _MAX_KEPT:
                    self._kept = self._kept[::2]
                    self.stride *= 2

    def at(self, position: int) -> RunState:
        """The state after the first ``position`` events; beyond the ends, the nearer end."""
        position = max(0, min(position, self.position))
        if position == self.position:
            return self.state
        if position != self._shown.n_events:
            self._shown = self._folded(position)
        return self._shown

    def _folded(self, position: int) -> RunState:
        nearest = bisect_right(self._kept, position, key=lambda kept: kept[1].n_events) - 1
        offset, state = self._kept[nearest]
        with self.path.open("rb") as file:
            file.seek(offset)
            # A damaged line is no event: as many lines more are taken as events are missing.
            while state.n_events < position:
                lines = [line.rstrip(b"\n") for line in islice(file, position - state.n_events)]
                if not lines:
                    break
                state = fold(decoded(lines), state)
        return state

    def next_mark(self, position: int, step: int, kinds: frozenset[str]) -> int:
        """Position of the next mark (step 1) or the one before (step -1) of these kinds, else an end."""
        places = [mark.position for mark in self.marks if mark.kind in kinds]
        if step > 0:
            return min((p for p in places if p > position), default=self.position)
        return max((p for p in places if p < position), default=0)

    def _mark(self, events: Sequence[RunEvent]) -> None:
        marks = (_mark(event, n) for n, event in enumerate(events, self.position + 1))
        self.marks += [mark for mark in marks if mark is not None]
        if len(self.marks) > _MAX_MARKS:
            self.marks = [m for m in self.marks if m.kind != "checkpoint"][-_MAX_MARKS:]


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
    return None
