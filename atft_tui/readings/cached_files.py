"""Files that are read again only when they have changed, and what is made from what they held."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

V = TypeVar("V")
Stamp = tuple[int, int, int]


class FileCache:
    """What was made from each file, kept while its time, size and inode stay the same."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Path, str], tuple[Stamp, object]] = {}
        self._derived: dict[str, tuple[tuple[object, ...], object]] = {}

    def get(self, path: Path, make: Callable[[Path], V], key: str = "") -> V:
        """``make(path)``, or what it gave before; a missing file is an OSError.

        ``key`` tells apart several values made from one file, and what else they depend on.
        """
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        kept = self._kept.get((path, key))
        if kept is None or kept[0] != stamp:
            kept = (stamp, make(path))
            self._kept[path, key] = kept
        return kept[1]  # type: ignore[return-value]

    def derive(self, name: str, inputs: tuple[object, ...], make: Callable[[], V]) -> V:
        """``make()``, or what it gave before from the very same inputs (by identity)."""
        kept = self._derived.get(name)
        same = kept is not None and len(kept[0]) == len(inputs)
        if (
            kept is None
            or not same
            or any(a is not b for a, b in zip(kept[0], inputs, strict=True))
        ):
            kept = (inputs, make())
            self._derived[name] = kept
        return kept[1]  # type: ignore[return-value]
