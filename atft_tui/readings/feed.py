"""Following one run off the main thread: events -> state; the same value while nothing changed."""

from dataclasses import dataclass, field
from pathlib import Path

from atft_tui import format as fmt
from engine.runs.follow import read_new
from engine.runs.state import RunState, fold
from engine.runs.store import Run, RunStore

LAST_WORDS_BYTES = 2000


@dataclass(frozen=True, slots=True)
class RunNews:
    """What is known of a run."""

    run_id: str = ""
    """Empty while there is no run."""
    state: RunState = field(default_factory=RunState)
    status: str = ""
    """created, running, done, stopped, failed or crashed."""
    last_words: str = ""
    """End of ``log.txt`` of a run that died."""


def chosen_or_newest(workspace: Path, chosen: str | None) -> Run | None:
    """The chosen run; the newest if none is chosen or the chosen one is gone."""
    store = RunStore(workspace / "runs")
    if chosen is not None and (store.root / chosen / "manifest.json").is_file():
        return Run(store.root / chosen)
    return next(iter(store), None)


class RunFeed:
    """Follows one run: ask for `news` again and again."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._offset = 0
        self._news = RunNews(run.id)

    def news(self) -> RunNews:
        """The newest; the very same value if nothing changed since the last call."""
        events, offset = read_new(self.run.events_path, self._offset)
        state = self._news.state if offset >= self._offset else RunState()
        self._offset = offset
        status = self.run.status()
        if events or status != self._news.status or state is not self._news.state:
            words = last_words(self.run) if status in ("crashed", "failed") else ""
            self._news = RunNews(self.run.id, fold(events, state), status, words)
        return self._news


def last_words(run: Run) -> str:
    """The last non-empty line of the run's log, cleaned."""
    try:
        with run.log_path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LAST_WORDS_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return fmt.clean(next((line for line in reversed(lines) if line.strip()), ""))
