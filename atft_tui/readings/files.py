"""Files as the screens read them: kept while they do not change, tables with polars, ends of logs."""

import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from operator import is_
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from atft_tui import format as fmt
from engine import hashes
from engine.errors import EngineError
from engine.records import record
from engine.records.record import RecordError

if TYPE_CHECKING:
    import polars as pl

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
        if kept is None or not all(map(is_, kept[0], inputs)):
            kept = self._derived[name] = (inputs, make())
        return kept[1]  # type: ignore[return-value]


def _maker(make: Callable[..., object]) -> object:
    """What a function is known by; a partial one also by what it was given."""
    if isinstance(make, partial):
        return _maker(make.func), make.args, tuple(sorted(make.keywords.items()))
    return make.__module__, make.__qualname__


def stamp_of(path: Path) -> Stamp:
    """What tells whether a file has changed."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def checked(path: Path) -> Path:
    """The path of a file that is read in parts, compared with its hash once until it changes."""
    return FILES.get(path, hashes.checked)


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


@contextmanager
def readable(name: str) -> Iterator[None]:
    """A RecordError in place of what polars raises for a table it cannot read or that lacks a column."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise RecordError(f"{name}: cannot be read ({str(error).splitlines()[0]})") from error


def read_table(source: Path | bytes, columns: Sequence[str], *, name: str) -> "pl.DataFrame":
    """These columns; IntegrityError for a torn or damaged file, RecordError for one that lacks a column."""
    import polars as pl

    with readable(name):
        content = source if isinstance(source, bytes) else hashes.read(source)
        frame = pl.read_parquet(io.BytesIO(content))
        return frame.select(columns)


TAIL_BYTES = 16_384


def last_lines(path: Path, lines: int) -> list[str]:
    """The last non-empty lines, cleaned, oldest first; none without a file.

    What keeps a file from being read is told in place of its lines. A line that begins before the part
    that is read is left out, unless it is the only one.
    """
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES)
            file.seek(start)
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    except OSError as error:
        return [f"{path.name}: cannot be read ({error.strerror})"]
    whole = text.replace("\r", "\n").split("\n")
    told = [line for line in whole if line.strip()]
    if start and len(told) > 1 and told[0] is whole[0]:
        told = told[1:]
    return [fmt.clean(line) for line in told[-lines:]]
