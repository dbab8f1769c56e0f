"""How every record is read from its file and written to it, and the one error of a file that cannot be read.

A number that is not known is NaN in memory and ``null`` in the file, because strict JSON has no NaN. Fields
that a version does not know are passed over, so that an older program can read a newer file.
"""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
from msgspec import inspect as shape

from engine import hashes
from engine.errors import IntegrityError
from engine.files import strict_text, write_json

_T = TypeVar("_T")
_Fill = Callable[[Any], Any]
_MAX_BYTES = 256 * 2**20
"""A larger file is no record of ours: reading it would fill the memory of the screen."""


class RecordError(IntegrityError):
    """A file does not hold the record it should; the message names the file and the field."""


def read(path: Path, kind: type[_T]) -> _T:
    """The record of a file. RecordError if it is missing, damaged or of another shape."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecordError(f"{path}: larger than any file of this kind ({_MAX_BYTES:,} bytes)")
        content = hashes.read(path)
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror})") from error
    except IntegrityError as error:
        raise RecordError(error.message, hint=error.hint) from error
    return parse(content, kind, str(path))


def read_if_there(path: Path, kind: type[_T]) -> _T | None:
    """The record of a file, or None where there is no such file."""
    return read(path, kind) if path.exists() else None


def parse(content: bytes, kind: type[_T], name: str) -> _T:
    """The record that the JSON text holds. RecordError, which begins with ``name``, if it holds none."""
    try:
        if b"null" not in content:
            return msgspec.json.decode(content, type=kind)
        return convert(msgspec.json.decode(content), kind, name)
    except msgspec.DecodeError as error:
        raise RecordError(f"{name}: {error}") from error
    except (RecursionError, UnicodeDecodeError) as error:
        raise RecordError(f"{name}: not readable as JSON ({error})") from error


def convert(value: Any, kind: type[_T], name: str) -> _T:
    """The record that parsed JSON holds: null becomes NaN wherever the record has a number."""
    try:
        return msgspec.convert(_filler(cast(Any, kind))(value), kind)
    except msgspec.ValidationError as error:
        raise RecordError(f"{name}: {error}") from error


def write(path: Path, record: msgspec.Struct) -> None:
    """Write the record as strict JSON with sorted keys; the file is whole or absent."""
    write_json(path, msgspec.to_builtins(record))


def to_bytes(record: msgspec.Struct, indent: int = 2) -> bytes:
    """The bytes that `write` puts into the file: equal records give equal bytes."""
    return (strict_text(msgspec.to_builtins(record), indent=indent) + "\n").encode()


def as_json(record: msgspec.Struct) -> dict[str, Any]:
    """The record as mappings and lists, for ``--json`` and for files that hold more than it."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found


@cache
def _filler(kind: Any) -> _Fill:
    return _fill(shape.type_info(kind))


def _fill(info: shape.Type) -> _Fill:
    """What puts NaN in the place of null where ``info`` has a float, at any depth."""
    match info:
        case shape.FloatType():
            return _nan_for_null
        case shape.StructType(cls=kind):
            return _struct_filler(kind)
        case shape.DictType(value_type=inner):
            item = _fill(inner)
            if item is _as_it_is:
                return _as_it_is
            return lambda v: {k: item(x) for k, x in v.items()} if isinstance(v, dict) else v
        case shape.ListType(item_type=inner) | shape.VarTupleType(item_type=inner):
            item = _fill(inner)
            if item is _as_it_is:
                return _as_it_is
            return lambda v: [item(x) for x in v] if isinstance(v, list) else v
        case shape.TupleType(item_types=inner_types):
            items = [_fill(inner) for inner in inner_types]
            if all(item is _as_it_is for item in items):
                return _as_it_is
            return lambda v: (
                [fill(x) for fill, x in zip(items, v, strict=True)]
                if isinstance(v, list) and len(v) == len(items)
                else v
            )
        case shape.UnionType(types=types):
            return _union_filler(types)
    return _as_it_is


def _struct_filler(kind: Any) -> _Fill:
    """Looked up at the first value, because a record may hold records of its own kind."""
    fields: dict[str, _Fill] = {}

    def fill(value: Any) -> Any:
        if not fields:
            info = shape.type_info(kind)
            assert isinstance(info, shape.StructType)
            fields.update((f.encode_name, _fill(f.type)) for f in info.fields)
        if not isinstance(value, dict):
            return value
        return {k: fields[k](x) if k in fields else x for k, x in value.items()}

    return fill


def _union_filler(types: tuple[shape.Type, ...]) -> _Fill:
    """Null stays None where the record allows None."""
    inner = [info for info in types if not isinstance(info, shape.NoneType)]
    tagged = {
        info.tag: _struct_filler(info.cls) for info in inner if isinstance(info, shape.StructType)
    }
    field = next((i.tag_field for i in inner if isinstance(i, shape.StructType)), None)
    plain = _fill(inner[0]) if len(inner) == 1 else _as_it_is
    optional = len(inner) < len(types)

    def fill(value: Any) -> Any:
        if value is None and optional:
            return None
        if len(inner) > 1 and isinstance(value, dict) and field is not None:
            tag = value.get(field)
            return tagged.get(tag if isinstance(tag, str) else None, _as_it_is)(value)
        return plain(value)

    return fill


def _nan_for_null(value: Any) -> Any:
    return math.nan if value is None else value


def _as_it_is(value: Any) -> Any:
    return value
