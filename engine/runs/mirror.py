"""A folder that two machines keep alike: what changed in it here, to be applied there, and the other way.

Files that only grow (events, logs) travel by their new end, all others whole. What came from the other side
is known there and is not sent back. Locks and hash lists belong to a machine, hidden names are half written.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from engine import hashes
from engine.errors import IntegrityError
from engine.files import write_bytes

_GROWING = ("events.jsonl", "log.txt")
_OWN = ("lock", "exit", hashes.LIST)
"""Of one machine: who holds the run here, how its process ended, what this disk was told to hold."""
_OWN_FOLDERS = ("control",)
_Stamp = tuple[int, int]
"""Size and time of the last change, ns."""


class Piece(NamedTuple):
    """A change of one file."""

    name: str
    """Path inside the folder, with ``/``."""
    content: bytes | None
    """None: the file is gone."""
    offset: int = 0
    """Of a growing file: where the content begins."""


@dataclass(slots=True)
class Mirror:
    """One side of such a folder."""

    root: Path
    wanted: Callable[[str], bool] = lambda _: True
    """Which names take part."""
    _known: dict[str, _Stamp] = field(default_factory=dict)

    def changes(self) -> list[Piece]:
        """What is new, changed or gone since the last call, in the order in which it was written."""
        found = {name: path for name, path in self._files() if self.wanted(name)}
        pieces = [Piece(name, None) for name in self._known if name not in found]
        fresh = []
        for name, path in found.items():
            stamp = _stamp(path)
            if stamp is not None and stamp != self._known.get(name):
                fresh.append((stamp[1], name, stamp))
        for piece in pieces:
            del self._known[piece.name]
        for _, name, stamp in sorted(fresh):
            grows = found[name].name in _GROWING
            offset = self._known.get(name, (0, 0))[0] if grows else 0
            content = _read(found[name], offset)
            if content is None or (not grows and _stamp(found[name]) != stamp):
                continue  # written anew meanwhile: it comes next time, after what it may point to
            self._known[name] = (offset + len(content), stamp[1])
            pieces.append(Piece(name, content, offset))
        return pieces

    def apply(self, pieces: Iterable[Piece]) -> None:
        """Write what the other side sent. IntegrityError for a name that leads out of the folder."""
        for piece in pieces:
            path = self._inside(piece.name)
            if piece.content is None:
                path.unlink(missing_ok=True)
                self._known.pop(piece.name, None)
                continue
            if path.name in _GROWING:
                _continue_file(path, piece.content, piece.offset)
            else:
                write_bytes(path, piece.content)
            if stamp := _stamp(path):
                self._known[piece.name] = stamp

    def _inside(self, name: str) -> Path:
        path = (self.root / name).resolve()
        if not path.is_relative_to(self.root.resolve()):
            raise IntegrityError(f"{name}: leads out of {self.root}")
        return path

    def _files(self) -> Iterator[tuple[str, Path]]:
        for folder, folders, names in os.walk(self.root):
            folders[:] = [f for f in folders if not f.startswith(".") and f not in _OWN_FOLDERS]
            for name in names:
                if not name.startswith(".") and name not in _OWN:
                    path = Path(folder, name)
                    yield path.relative_to(self.root).as_posix(), path


def _read(path: Path, offset: int) -> bytes | None:
    """The bytes from there on; None: it has gone meanwhile."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return None


def _stamp(path: Path) -> _Stamp | None:
    """None: it has gone meanwhile."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _continue_file(path: Path, content: bytes, offset: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("r+b" if path.exists() else "w+b") as file:
        file.seek(offset)
        file.write(content)
        file.truncate()
