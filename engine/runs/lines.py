"""An event as a line of ``events.jsonl``, and back.

A reader skips kinds and fields that it does not know, so an old screen can watch a new run. A line ends with
a check sum of what stands before it, so that a changed figure is not shown as one. Non-finite numbers are
written as null and read back as NaN.
"""

from typing import Any, Union
from zlib import crc32

import msgspec

from engine.records import record
from engine.runs.events import RunEvent, Warned

_KINDS: tuple[type[RunEvent], ...] = tuple(RunEvent.__subclasses__())
_ANY: Any = Union[_KINDS]  # noqa: UP007 - made of a tuple
_DECODER: "msgspec.json.Decoder[RunEvent]" = msgspec.json.Decoder(_ANY)
_ENCODER = msgspec.json.Encoder(enc_hook=float)  # numpy's numbers are floats
SUM = b',"crc":"'
"""Stands before the sum of a line."""
DAMAGED = Warned(code="events", message="a line of events.jsonl is damaged and was left out")
"""What stands for a line that is not what was written."""


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
