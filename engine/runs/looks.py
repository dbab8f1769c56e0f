"""The looks of a workspace: ``runs/looks.jsonl``, which is added to before a figure is shown.

Each line is synced, so no crash hides a look; a line that a crash has torn was followed by no figure and is
passed over.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from engine import hashes
from engine.files import sync_directory
from engine.records.protocol import LOOKS, CountedLook, JudgedDays
from engine.runs import lock


def add_looks(root: Path, looks: Sequence[CountedLook]) -> None:
    """Append the looks to the store at ``root``; one at the same scores, book and days stands there once."""
    with lock.waiting(root / f".{LOOKS}.lock"):
        known = {_key(look) for look in read_looks(root)}
        new = [msgspec.json.encode(look).decode() for look in looks if _key(look) not in known]
        if new:
            hashes.append(root / LOOKS, "".join(f"{line}\n" for line in new))
            sync_directory(root)


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
        with suppress(ValueError):  # torn by a crash: nothing was shown after it
            looks.append(msgspec.json.decode(line, type=CountedLook))
    return tuple(looks)


def _key(look: CountedLook) -> tuple[str, ...]:
    return (look.run, look.book, look.market, look.first, look.last)
