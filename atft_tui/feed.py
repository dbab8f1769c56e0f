"""Following one run off the main thread: events -> state, told only when something changed."""

from atft_tui import format as fmt
from engine.runs.follow import read_new
from engine.runs.state import RunState, fold
from engine.runs.store import Run

LAST_WORDS_BYTES = 2000


class RunFeed:
    """Follows one run: call `poll` again and again; it answers only when something changed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._offset = 0
        self._state = RunState()
        self._status = ""

    def poll(self) -> tuple[RunState, str, str] | None:
        """Newest state, status and last words; None if nothing changed since the last call."""
        events, offset = read_new(self.run.events_path, self._offset)
        if offset < self._offset:
            self._state = RunState()
        self._offset = offset
        status = self.run.status()
        if not events and status == self._status:
            return None
        self._state, self._status = fold(events, self._state), status
        words = last_words(self.run) if status in ("crashed", "failed") else ""
        return self._state, status, words


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
