"""The only way out of a stage: an event goes into a sink."""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from msgspec import structs

from engine.runs.events import RunEvent
from engine.runs.lines import encode


class EventSink(Protocol):
    def emit(self, event: RunEvent) -> None: ...


@dataclass(slots=True)
class ListSink:
    """Keeps events in memory; for tests and for commands without a run."""

    events: list[RunEvent] = field(default_factory=list)

    def emit(self, event: RunEvent) -> None:
        self.events.append(structs.replace(event, seq=len(self.events)))


class NullSink:
    def emit(self, event: RunEvent) -> None:
        """Drop it."""


@dataclass(slots=True)
class TeeSink:
    """Hands every event to several sinks, in order."""

    sinks: Sequence[EventSink]

    def emit(self, event: RunEvent) -> None:
        for sink in self.sinks:
            sink.emit(event)


class JsonlSink:
    """Appends to ``events.jsonl``: one `write` per event, so a reader never sees half of two lines.

    Continues the numbering of an existing file. A torn last line (the writer was killed) is ended with
    a newline first, so that it damages nothing but itself.
    """

    def __init__(self, path: Path, *, now: Callable[[], dt.datetime] | None = None) -> None:
        self._now = now or (lambda: dt.datetime.now(dt.UTC))
        path.parent.mkdir(parents=True, exist_ok=True)
        content = path.read_bytes() if path.exists() else b""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        if content and not content.endswith(b"\n"):
            os.write(self._file, b"\n")
        self._seq = sum(1 for line in content.splitlines() if line.endswith(b"}"))

    def emit(self, event: RunEvent) -> None:
        at = self._now().isoformat(timespec="milliseconds")
        os.write(self._file, (encode(structs.replace(event, seq=self._seq, at=at)) + "\n").encode())
        self._seq += 1

    def close(self) -> None:
        os.close(self._file)
