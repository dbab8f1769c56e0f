"""Files that are read again only when they have changed, and what is made from what they held."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

from engine.errors import EngineError
from engine.records import record

V = TypeVar("V")
Stamp = tuple[int, int, int] | None
"""Inode, modification time (ns) and size; None = there is none, or none that may be looked at."""


class FileCache:
    """What was made from each file, kept while its inode, time and size stay the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, object, str], tuple[Stamp, object]] = {}
        self._derived: dict[str, tuple[tuple[object, ...], object]] = {}

    def get(self, path: Path, make: Callable[[Path], V], key: str = "") -> V:
        """``make(path)``, or what it gave before; what it raises is raised and not kept.

        ``make`` is also asked about a file that is missing. Several functions may make their values from
        one file; ``key`` tells apart what one of them makes in different ways.
        """
        stamp, name = stamp_of(path), (path, _maker(make), key)
        if name not in self._kept or self._kept[name][0] != stamp:
            self._kept[name] = (stamp, make(path))
        return self._kept[name][1]  # type: ignore[return-value]

    def record(self, path: Path, kind: type[V]) -> V:
        """The record in a file; RecordError for one that is missing or damaged."""
        return self.get(path, partial(record.read, kind=kind))

    def record_if_there(self, path: Path, kind: type[V]) -> V | None:
        """The record in a file; None without the file, RecordError for a damaged one."""
        return self.get(path, partial(record.read_if_there, kind=kind))

    def together(self, name: str, paths: Iterable[Path], make: Callable[[], V]) -> V:
        """``make()``, or what it gave under this name before any of these files changed."""
        stamps = tuple((path, stamp_of(path)) for path in paths)
        kept = self._derived.get(name)
        if kept is None or kept[0] != stamps:
            kept = self._derived[name] = (stamps, make())
        return kept[1]  # type: ignore[return-value]

    def derive(self, name: str, inputs: tuple[object, ...], make: Callable[[], V]) -> V:
        """``make()``, or what it gave before from the very same inputs (by identity)."""
        kept = self._derived.get(name)
        if kept is None or not _same(kept[0], inputs):
            kept = self._derived[name] = (inputs, make())
        return kept[1]  # type: ignore[return-value]


def _maker(make: Callable[..., object]) -> object:
    """What a function is known by; a partial one also by what it was given."""
    if isinstance(make, partial):
        return _maker(make.func), make.args, tuple(sorted(make.keywords.items()))
    return make.__module__, make.__qualname__


def _same(before: tuple[object, ...], now: tuple[object, ...]) -> bool:
    return len(before) == len(now) and all(a is b for a, b in zip(before, now, strict=True))


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file has changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


FILES = FileCache()
"""The one cache of the screens' files; a reading asks it with the path and what it makes of the file."""


@dataclass(frozen=True, slots=True)
class Readable(Generic[V]):
    """A value, or None: because there is none yet, or because of the trouble."""

    value: V | None
    trouble: str = ""


def attempted(read: Callable[[], V | None]) -> Readable[V]:
    """The value, or the trouble of a file that is missing, torn or of another shape."""
    try:
        return Readable(read())
    except (EngineError, OSError) as error:
        return Readable(None, str(error) or type(error).__name__)
