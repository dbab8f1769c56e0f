"""The report of a bug: what went wrong and where, in a file without values of variables or secrets."""

import datetime as dt
import os
import platform
import select
import sys
import traceback
from functools import partial
from pathlib import Path

from rich.segment import Segments
from rich.text import Text
from textual.app import App
from textual.worker import WorkerFailed

from atft_tui import format as fmt
from engine.errors import EngineError
from engine.files import write_text
from engine.secrets import redact

_PACKAGES = ("atft-tui", "textual", "rich", "polars", "plotext", "pydantic")
KEPT = 20
"""Reports in ``logs``; older ones are removed when a new one is written."""
_TERMINAL_POLL_S = 1.0


def report(error: BaseException, *, screen: str, size: tuple[int, int], now: dt.datetime) -> str:
    """The report's text: versions, screen, traceback with lines of code, no variables."""
    found = traceback.TracebackException.from_exception(error, capture_locals=False)
    trace = "".join(found.format())
    lines = [
        f"atft-tui stopped because of a bug, {now:%Y-%m-%d %H:%M:%S} UTC",
        "",
        f"screen     {screen}",
        f"terminal   {size[0]}x{size[1]}, TERM={fmt.clean(os.environ.get('TERM', ''))}",
        f"python     {platform.python_version()} on {platform.system()} {platform.machine()}",
        *(f"{name:<10} {_version(name)}" for name in _PACKAGES),
        "",
        redact("\n".join(fmt.clean(line) for line in trace.splitlines())),
        "",
        "Runs that were started go on. This file holds no data, no settings and no environment.",
    ]
    return "\n".join(lines) + "\n"


def write_report(
    workspace: Path, error: BaseException, *, screen: str, size: tuple[int, int], now: dt.datetime
) -> Path:
    """Write ``logs/crash-TIME.txt`` and return its path; the oldest ones go."""
    path = workspace / "logs" / f"crash-{now:%Y%m%d-%H%M%S-%f}.txt"
    write_text(path, report(error, screen=screen, size=size, now=now), listed=False)
    for old in sorted(path.parent.glob("crash-*.txt"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path


def _last_line(error: BaseException) -> str:
    """What is said on stderr: kind and message, one line, redacted."""
    told = f"{type(error).__name__}: {error}"
    return fmt.clean(redact(told.splitlines()[0]))[:200]


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def is_lost(terminal: int) -> bool:
    """Whether nobody is at the other end of this terminal (a descriptor) any more.

    A lost one is always ready to be read and holds nothing: Textual would ask it without a pause.
    """
    poll = select.poll()
    poll.register(terminal, 0)
    return any(event & (select.POLLHUP | select.POLLNVAL) for _, event in poll.poll(0))


class ReportingApp(App[None]):
    """An application that turns an uncaught exception into a report file and a line on stderr."""

    workspace: Path

    def __init__(self) -> None:
        super().__init__()
        self.crash: BaseException | None = None
        """The first exception that nobody caught."""
        self.crash_told = ""
        """What is said of it on stderr."""

    def on_mount(self) -> None:
        """Watch the terminal where there is one."""
        if sys.__stdin__ is not None and sys.__stdin__.isatty():
            lost = partial(is_lost, sys.__stdin__.fileno())
            self.set_interval(_TERMINAL_POLL_S, lambda: self.exit() if lost() else None)

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
        stack = self._screen_stacks.get(self.current_mode, [])
        screen = type(stack[-1]).__name__ if stack else "none"
        size, now = (self.size.width, self.size.height), dt.datetime.now(dt.UTC)
        told = f"atft-tui stopped because of a bug: {_last_line(error)}"
        try:
            path = write_report(self.workspace, error, screen=screen, size=size, now=now)
        except (EngineError, OSError) as problem:
            return f"{told}\nno report could be written: {problem}"
        return f"{told}\nreport: {path}"
