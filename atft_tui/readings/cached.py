"""Files that are read again only when they changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

V = TypeVar("V")
Stamp = tuple[int, int, int] | None
"""Inode, modification time (ns) and size; None = no such file."""


class FileCache:
    """One value for each (maker, path); kept while inode, time and size of the file stay the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[object, Path], tuple[Stamp, Any]] = {}

    def get(self, path: Path, make: Callable[[Path], V]) -> V:
        stamp, key = stamp_of(path), (make, path)
        kept = self._kept.get(key)
        if kept is not None and kept[0] == stamp:
            found: V = kept[1]
            return found
        value = make(path)
        self._kept[key] = (stamp, value)
        return value


def stamp_of(path: Path) -> Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)
