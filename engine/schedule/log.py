"""What the scheduler says, as lines in ``logs/schedule.log``; files are rotated by size."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from engine.runs.events import Noted, RunEvent, Warned

_MAX_BYTES = 5 * 1024 * 1024
KEPT = 4
"""Older files beside the current one: NAME.1 is the newest."""


def rotate(path: Path, *, limit: int = _MAX_BYTES) -> None:
    """Move a file over the limit aside, and the older ones with it; the oldest goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size < limit:
        return
    for number in range(KEPT, 0, -1):
        source = path if number == 1 else _numbered(path, number - 1)
        if source.exists():
            source.replace(_numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


class LogSink:
    """Notes and warnings with their time, one line each."""

    def __init__(self, path: Path, now: Callable[[], dt.datetime]) -> None:
        self._path, self._now = path, now

    def emit(self, event: RunEvent) -> None:
        """Write a note or a warning; other events leave no line."""
        match event:
            case Noted(message=message):
                self._write(message)
            case Warned(code=code, message=message):
                self._write(f"warning {code}: {message}")
            case _:
                return

    def _write(self, text: str) -> None:
        rotate(self._path)
        line = " ".join(text.splitlines())
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{self._now().isoformat(timespec='seconds')} {line}\n")
