"""The looks of a workspace: ``runs/looks.jsonl``, which is added to before a figure is shown.

Each line is synced, so no crash hides a look; a line that a crash has torn was followed by no figure and is
passed over.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from engine.records.protocol import LOOKS, CountedLook, JudgedDays
from engine.runs import lock


def add_looks(root: Path, looks: Sequence[CountedLook]) -> None:
    """Append the looks to the store at ``root``; one at the same scores, book and days stands there once."""
    with lock.waiting(root / f".{LOOKS}.lock"):
        path = root / LOOKS
        known = {_key(look) for look in read_looks(root)}
        new = [look for look in looks if _key(look) not in known]
        if not new:
            return
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            torn = size > 0 and os.pread(file, 1, size - 1) != b"\n"
            lines = b"".join(msgspec.json.encode(look) + b"\n" for look in new)
            os.write(file, b"\n" * torn + lines)
            os.fsync(file)
        finally:
            os.close(file)


def read_looks(root: Path) -> tuple[CountedLook, ...]:
    """All looks of the store, oldest first; none without a file."""
    try:
        found = (root / LOOKS).stat()
    except FileNotFoundError:
        return ()
    return _read(root / LOOKS, found.st_mtime_ns, found.st_size)


def day_words(root: Path, days: JudgedDays | None) -> str:
    """What kind of days a figure rests on and how often they were looked at; empty without a protocol."""
    return "" if days is None else days.words(days.looks(read_looks(root)))


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> tuple[CountedLook, ...]:
    """The file as it is at this time and size: a list of runs asks for it once a run."""
    looks = []
    for line in path.read_bytes().splitlines():
        with suppress(msgspec.DecodeError):  # torn by a crash: nothing was shown after it
            looks.append(msgspec.json.decode(line, type=CountedLook))
    return tuple(looks)


def _key(look: CountedLook) -> tuple[str, ...]:
    return (look.run, look.book, look.market, look.first, look.last)
