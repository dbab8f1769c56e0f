"""Following one run off the main thread: lines -> state, live or at any moment of it.

A state is a few tuples that share their events with its neighbours, so about two hundred of them, kept
along the way, cover a file of any length; a moment between two of them folds the events between.
"""

import datetime as dt
import math
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal

from atft_tui import format as fmt
from atft_tui.readings.files import last_lines
from engine.files import MANIFEST
from engine.records.run import RunSummary
from engine.runs import launch
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
from engine.runs.launch import ControlFiles, Wish
from engine.runs.sink import Follower
from engine.runs.state import RunState
from engine.runs.store import Run, RunStore

_SLICE_S = 0.15
"""A backlog is folded for so long before the picture is shown and the next slice begins."""


_LIVE = ("running", "paused")


@dataclass(frozen=True, slots=True)
class RunNews:
    """What is known of a run."""

    run_id: str = ""
    """Empty while there is no run."""
    state: RunState = field(default_factory=RunState)
    status: str = ""
    """created, running, paused, done, stopped, failed or crashed."""
    last_words: str = ""
    """End of ``log.txt`` of a run that died."""
    signal: str = ""
    """What ended the process of a run that died; empty if that is not known."""
    damaged: bool = False
    """Its results are there, and the newest line of its events, which was its end, cannot be read."""
    asked: frozenset[Wish] = frozenset()
    """What a person asked for and is not answered yet."""
    behind: bool = False
    """More of the file is waiting to be read."""

    @property
    def command(self) -> str:
        return self.run_id.split("-")[2] if self.run_id else ""

    @property
    def is_live(self) -> bool:
        return self.status in _LIVE


def chosen_or_newest(
    workspace: Path, chosen: str | None, fits: Callable[[Run], bool] = lambda _: True
) -> Run | None:
    """The chosen run; if none is chosen or it is gone, the one that matters of those that fit."""
    found = named_run(workspace, chosen) if chosen is not None else None
    return found or run_that_matters(workspace, fits)


def named_run(workspace: Path, run_id: str) -> Run | None:
    """The run of this id; None where it is gone."""
    directory = workspace / "runs" / run_id
    return Run(directory) if (directory / MANIFEST).is_file() else None


TRAININGS = ("train", "walkforward", "demo")
"""Commands whose runs have scores."""


_LOOKED_AT = 50
"""Runs whose lock is looked at, the newest: 20 microseconds each."""


def run_at_work(workspace: Path, fits: Callable[[Run], bool]) -> Run | None:
    """Of the runs at work the one that began first: the others may have been started by it."""
    newest = islice(filter(fits, RunStore(workspace / "runs")), _LOOKED_AT)
    return next((run for run in reversed(list(newest)) if run.is_alive()), None)


def names_at_work(workspace: Path) -> frozenset[str]:
    """Ids of the newest runs that are at work."""
    newest = islice(RunStore(workspace / "runs"), _LOOKED_AT)
    return frozenset(run.id for run in newest if run.is_alive())


def run_that_matters(workspace: Path, fits: Callable[[Run], bool]) -> Run | None:
    """The newest. Of runs that were at work at the same time it is the one that began first: the demo's run,
    and not the one without the graph that it starts beside itself.
    """
    found: Run | None = None
    for run in filter(fits, RunStore(workspace / "runs")):
        if found is not None and not _lasted_beyond(run, found.created):
            break
        found = run
    return found


def _lasted_beyond(run: Run, moment: dt.datetime) -> bool:
    """By what it told itself: a copy of a workspace has other times on its files."""
    last = run.last_event()
    end = fmt.moment(last.at) if last is not None else None
    return end is not None and end > moment


class RunFeed:
    """Follows one run: ask for `news` again and again."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._follower = Follower(run.events_path)
        self._news = RunNews(run.id)

    def news(self) -> RunNews:
        """The newest; the very same value if nothing changed since the last call."""
        status = self.run.status()
        state, behind = self._catch_up()
        died = status in ("crashed", "failed")
        news = replace(
            self._news,
            state=state,
            status=status,
            last_words=last_words(self.run) if died else "",
            damaged=status == "crashed" and is_damaged(self.run),
            signal=launch.fatal_signal(self.run) if status == "crashed" else "",
            asked=ControlFiles.of(self.run).asked() if status in _LIVE else frozenset(),
            behind=behind,
        )
        if news != self._news:
            self._news = news
        return self._news

    def _catch_up(self) -> tuple[RunState, bool]:
        """Fold what is new, for a slice of time at most; whether there is more."""
        state, end = self._news.state, time.monotonic() + _SLICE_S
        while True:
            lines, again, more = self._follower.read()
            state = fold(decoded(lines), RunState() if again else state)
            if not more or time.monotonic() > end:
                return state, more


class RunsAtWork:
    """Follows every run at work: ask for `news` again and again."""

    def __init__(self) -> None:
        self._feeds: dict[Path, RunFeed] = {}

    def news(self, workspace: Path, runs: Sequence[RunSummary]) -> tuple[RunNews, ...]:
        """Of those of these runs, newest first, that are at work: the one that began first in front."""
        places = [workspace / "runs" / run.id for run in reversed(runs) if run.status in _LIVE]
        known = self._feeds
        self._feeds = {place: known.get(place) or RunFeed(Run(place)) for place in places}
        return tuple(feed.news() for feed in self._feeds.values())


def is_damaged(run: Run) -> bool:
    """Whether it had ended, and its events do not tell so any more: nothing is left to resume."""
    return run.path("train.json").is_file() and run.has_lost_its_end()


def last_words(run: Run) -> str:
    """The last non-empty line of the run's log, cleaned."""
    return next(iter(last_lines(run.log_path, 1)), "")


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
