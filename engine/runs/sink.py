"""The stream of a run: an event leaves a stage as a line, and another process follows the file.

A reader skips kinds and fields that it does not know, so an old screen can watch a new run. A line ends with
a check sum of what stands before it, so that a changed figure is not shown as one. Non-finite numbers are
written as null and read back as NaN.
"""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Union
from zlib import crc32

import msgspec
from msgspec import structs

from engine import disk
from engine.records import record
from engine.runs.events import RunEvent, Warned

_MAX_BYTES = 4 * 2**20
"""Read at most this much at once, so that a huge backlog comes in pieces."""
_MARK_BYTES = 128
"""Compared at the start and before the offset to see that the file is still the one that was read."""

_KINDS: tuple[type[RunEvent], ...] = tuple(RunEvent.__subclasses__())
_ANY: Any = Union[_KINDS]  # noqa: UP007 - made of a tuple
_DECODER: "msgspec.json.Decoder[RunEvent]" = msgspec.json.Decoder(_ANY)
_ENCODER = msgspec.json.Encoder(enc_hook=float)  # numpy's numbers are floats
SUM = b',"crc":"'
"""Stands before the sum of a line."""
DAMAGED = Warned(code="events", message="a line of events.jsonl is damaged and was left out")
"""What stands for a line that is not what was written."""


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
        self._path, self._now = path, now or (lambda: dt.datetime.now(dt.UTC))
        path.parent.mkdir(parents=True, exist_ok=True)
        with disk.named(path):
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        self._seq, torn = _whole_count(self._file)
        if torn:
            self._write(b"\n")

    def emit(self, event: RunEvent) -> None:
        at = self._now().isoformat(timespec="milliseconds")
        line = (encode(structs.replace(event, seq=self._seq, at=at)) + "\n").encode()
        disk.again(lambda: self._write(line))
        self._seq += 1

    def _write(self, line: bytes) -> None:
        with disk.named(self._path, needs=len(line)):
            disk.append(self._file, line)

    def close(self) -> None:
        os.close(self._file)


def _whole_count(file: int) -> tuple[int, bool]:
    """How many events a file has, read in pieces however long it grew, and whether its last line is torn."""
    count, last = 0, b""
    for start in range(0, os.fstat(file).st_size, _MAX_BYTES):
        block = os.pread(file, _MAX_BYTES, start)
        count += (last + block).count(b"}\n")
        last = block[-1:]
    return count + (last == b"}"), last not in (b"", b"\n")


def read_new(path: Path, offset: int) -> tuple[list[RunEvent], int]:
    """Events written since ``offset`` and the offset after the last whole line.

    A half-written last line stays for the next call; lines this version does not understand are
    skipped. A file that is missing has no events; one that became shorter is read from its start.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = offset if offset <= size else 0
            lines, end = _whole_lines(os.pread(file.fileno(), _MAX_BYTES, start), start)
    except FileNotFoundError:
        return [], 0
    return [event for line in lines if line and (event := decode(line))], end


@dataclass(slots=True)
class Follower:
    """Follows one file of lines; also notices when another file has taken its place."""

    path: Path
    offset: int = 0
    """After the last whole line that was read."""
    _file: tuple[int, int] = (0, 0)
    """Device and inode."""
    _seen: tuple[int, int] = (-1, -1)
    """Size and time of change at the last look."""
    _head: bytes = b""
    _tail: bytes = b""
    """The bytes before the offset."""

    def read(self) -> tuple[list[bytes], bool, bool]:
        """Whole lines that are new; whether they begin another stream; whether more are waiting.

        A missing file has no lines. One of another inode, a shorter one, and one whose first or last
        read bytes have changed is another stream, whatever its size.
        """
        try:
            with self.path.open("rb") as file:
                return self._read(file.fileno())
        except FileNotFoundError:
            again = self.offset > 0
            self._restart((0, 0))
            return [], again, False

    def _read(self, file: int) -> tuple[list[bytes], bool, bool]:
        status = os.fstat(file)
        identity, seen = (status.st_dev, status.st_ino), (status.st_size, status.st_mtime_ns)
        if identity == self._file and seen == self._seen and self.offset == status.st_size:
            return [], False, False
        again = self.offset > 0 and not self._is_same(file, identity, status.st_size)
        if again or identity != self._file:
            self._restart(identity)
        self._seen = seen
        lines, end = _whole_lines(os.pread(file, _MAX_BYTES, self.offset), self.offset)
        moved = end != self.offset
        if moved:
            self.offset = end
            self._head = self._head or os.pread(file, min(_MARK_BYTES, end), 0)
            self._tail = os.pread(file, _MARK_BYTES, max(0, end - _MARK_BYTES))[
                : min(end, _MARK_BYTES)
            ]
        return lines, again, moved and end < status.st_size

    def _is_same(self, file: int, identity: tuple[int, int], size: int) -> bool:
        if identity != self._file or size < self.offset:
            return False
        tail = os.pread(file, len(self._tail), self.offset - len(self._tail))
        return tail == self._tail and os.pread(file, len(self._head), 0) == self._head

    def _restart(self, identity: tuple[int, int]) -> None:
        self.offset, self._file, self._seen = 0, identity, (-1, -1)
        self._head = self._tail = b""


def _whole_lines(block: bytes, start: int) -> tuple[list[bytes], int]:
    """The lines of the block that are complete, and the offset after them.

    A line longer than the whole block is no event: it is passed over in pieces.
    """
    whole, newline, _ = block.rpartition(b"\n")
    if not newline and len(block) == _MAX_BYTES:
        return [], start + len(block)
    return whole.split(b"\n") if newline else [], start + len(whole) + len(newline)


def encode(event: RunEvent) -> str:
    """One line of strict JSON, without the newline."""
    return summed(_ENCODER.encode(event)).decode()


def summed(line: bytes) -> bytes:
    """A JSON object on one line with the sum of what it says as its last field."""
    return line[:-1] + SUM + _sum_of(line[:-1])


def decode(line: str | bytes) -> RunEvent | None:
    """The event of one line; a warning for a damaged one, None for a kind this version does not know."""
    content = line.encode() if isinstance(line, str) else line
    if not is_whole(content):
        return DAMAGED if content.strip() else None
    try:
        return _DECODER.decode(content)
    except msgspec.DecodeError:
        pass  # perhaps a null, which stands for a number that is not known
    try:
        found: RunEvent = record.parse(content, _ANY, "event")
    except record.RecordError:
        return None
    return found


def is_whole(content: bytes, *, summed: bool = False) -> bool:
    """Whether the line is what was written; one without a sum, of a version before, if it is an object.

    ``summed``: every line of its file has a sum.
    """
    body, found, told = content.removesuffix(b"\n").rpartition(SUM)
    if found:
        return told == _sum_of(body)
    try:
        return not summed and isinstance(msgspec.json.decode(content), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return False


def _sum_of(body: bytes) -> bytes:
    return b'%08x"}' % crc32(body)
