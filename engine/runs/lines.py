"""An event as a line of ``events.jsonl``, and back.

A reader skips kinds and fields that it does not know, so an old screen can watch a new run.
Non-finite numbers are written as null and read back as NaN.
"""

from typing import Any, Union

import msgspec

from engine.records import record
from engine.runs.events import RunEvent

KINDS: tuple[type[RunEvent], ...] = tuple(RunEvent.__subclasses__())
_ANY: Any = Union[KINDS]  # noqa: UP007 - made of a tuple
_DECODER: "msgspec.json.Decoder[RunEvent]" = msgspec.json.Decoder(_ANY)
_ENCODER = msgspec.json.Encoder(enc_hook=float)  # numpy's numbers are floats


def encode(event: RunEvent) -> str:
    """One line of strict JSON, without the newline."""
    return _ENCODER.encode(event).decode()


def decode(line: str | bytes) -> RunEvent | None:
    """The event of one line; None for a kind this version does not know or a damaged line."""
    content = line.encode() if isinstance(line, str) else line
    try:
        return _DECODER.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        pass  # perhaps a null, which stands for a number that is not known
    try:
        found: RunEvent = record.parse(content, _ANY, "event")
    except record.RecordError:
        return None
    return found
