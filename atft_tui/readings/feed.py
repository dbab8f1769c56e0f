"""Following one run off the main thread: lines -> state; the same value while nothing changed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from atft_tui.readings.files import last_lines
from engine.runs import launch
from engine.runs.control import ControlFiles, Wish
from engine.runs.fold import decoded, fold
from engine.runs.follow import Follower
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
    """The chosen run; the newest that fits if none is chosen or the chosen one is gone."""
    store = RunStore(workspace / "runs")
    if chosen is not None and (store.root / chosen / "manifest.json").is_file():
        return Run(store.root / chosen)
    return next(filter(fits, store), None)


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


def last_words(run: Run) -> str:
    """The last non-empty line of the run's log, cleaned."""
    return next(iter(last_lines(run.log_path, 1)), "")
