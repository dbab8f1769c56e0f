"""The lines of a search's journal: JSON with a sum of its own, so that no changed value is taken for one."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

from engine.errors import IntegrityError

_SUM = "crc"


def summed(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry as it is written and, keys being text then, as it is read back."""
    plain = json.loads(json.dumps(entry))
    return {**plain, _SUM: _sum_of(plain)}


def damaged_lines(path: Path) -> list[int]:
    """Numbers of the lines that are not what was written.

    Those of a version before have no sum. They stand in front, and there are two or more: name and identity
    of a search are written together.
    """
    lines = [line for line in path.read_bytes().split(b"\n") if line]
    first = next((n for n, line in enumerate(lines) if _SUM.encode() in line), len(lines))
    old = first if first > 1 else 0
    return [n for n, line in enumerate(lines, 1) if not _is_whole(line, summed=n > old)]


def require_whole(path: Path) -> None:
    """IntegrityError where a line is damaged: a search must not go on from a value that nobody told it."""
    if path.is_file() and (damaged := damaged_lines(path)):
        raise IntegrityError(
            f"{path}: line {damaged[0]} is damaged",
            hint="choose another --study, or bring the file back from a copy",
        )


def _is_whole(line: bytes, *, summed: bool) -> bool:
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict):
            return False
        told = entry.pop(_SUM, None)
        return told == _sum_of(entry) or (told is None and not summed)
    except (ValueError, RecursionError):
        return False


def _sum_of(entry: Mapping[str, Any]) -> str:
    return f"{crc32(json.dumps(entry, sort_keys=True).encode()):08x}"
