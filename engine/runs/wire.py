"""An event as one line of strict JSON, and back. What does not fit its kind is a damaged line: None."""

import json
import math
import typing
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache
from typing import Any

from engine.files import from_json, strict
from engine.runs.event import RunEvent

_Read = Callable[[Any], Any]


def encode(event: RunEvent) -> str:
    """One line of strict JSON, without the newline."""
    return json.dumps({"type": type(event).__name__, **strict(asdict(event))}, allow_nan=False)


def decode(line: str | bytes) -> RunEvent | None:
    """The event of one line; None for a kind this version does not know or a damaged line."""
    try:
        row = from_json(line)
        name = row.pop("type")
        readers = _readers(name)
        return RunEvent.kinds[name](
            **{k: readers[k](value) for k, value in row.items() if k in readers}
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


@cache
def _readers(name: str) -> dict[str, _Read]:
    return {item.name: _reader(item.type) for item in fields(RunEvent.kinds[name])}


def _reader(annotation: Any) -> _Read:
    """Takes a field's value out of JSON; TypeError where it is of another type."""
    if annotation is float:
        return _float
    if annotation is int:
        return _int
    if annotation in (str, bool):
        return _exactly(annotation)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _exactly(str)
    if origin is dict:
        return _floats if inner[1] is float else _exactly(dict)
    return _exactly(list)


def _exactly(kind: type) -> _Read:
    def read(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{value!r} is no {kind.__name__}")
        return value

    return read


def _int(value: Any) -> int:
    if type(value) is int:
        return value
    raise TypeError(f"{value!r} is no integer")


def _float(value: Any) -> float:
    """Null is NaN: strict JSON has no word for it."""
    if value is None:
        return math.nan
    if type(value) in (float, int):
        return float(value)
    raise TypeError(f"{value!r} is no number")


def _floats(value: Any) -> dict[str, float]:
    if type(value) is not dict:
        raise TypeError(f"{value!r} is no mapping")
    return {key: _float(item) for key, item in value.items()}
