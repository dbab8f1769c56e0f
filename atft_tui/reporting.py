"""An app that writes down its own bugs: a file, its path on stderr, the terminal as it was, exit code 1."""

from datetime import UTC, datetime
from pathlib import Path

from rich.segment import Segments
from rich.text import Text
from textual.app import App
from textual.worker import WorkerFailed

from engine.errors import EngineError


class ReportingApp(App[None]):
    """An application that turns an uncaught exception into a report file and a line on stderr."""

    workspace: Path

    def __init__(self) -> None:
        super().__init__()
        self.crash: BaseException | None = None
        """The first exception that nobody caught."""
        self.crash_told = ""
        """What is said of it on stderr."""

    def _handle_exception(self, error: Exception) -> None:
        """Textual's: an exception that nobody caught ends the app. The first one is written down."""
        if self.crash is None:
            # A worker's failure holds the exception with the traceback, and has none itself.
            self.crash = error.error if isinstance(error, WorkerFailed) else error
            self.crash_told = self._report(self.crash)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        """Textual's: says what happened. Its own traceback shows the value of every variable."""
        self.bell()
        if not self._exit_renderables:
            told = Text(self.crash_told, overflow="fold")
            self._exit_renderables.append(Segments(self.console.render(told)))
        self._close_messages_no_wait()

    def _report(self, error: BaseException) -> str:
        from atft_tui import crash

        stack = self._screen_stacks.get(self.current_mode, [])
        told = f"atft-tui stopped because of a bug: {crash.last_line(error)}"
        try:
            path = crash.write_report(
                self.workspace,
                error,
                screen=type(stack[-1]).__name__ if stack else "none",
                size=(self.size.width, self.size.height),
                now=datetime.now(UTC),
            )
        except (EngineError, OSError) as problem:
            return f"{told}\nno report could be written: {problem}"
        return f"{told}\nreport: {path}"
