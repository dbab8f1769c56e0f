"""The looks of a workspace: ``runs/looks.jsonl``, which is added to before a figure is shown.

Each line is synced, so no crash hides a look; a line that a crash has torn was followed by no figure and is
passed over. Each has a sum, so that no look is lost to a damaged line without a word.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from engine import hashes
from engine.errors import IntegrityError
from engine.files import sync_directory
from engine.records import record
from engine.records.protocol import LOOKS, CountedLook, JudgedDays
from engine.runs import lock
from engine.runs.lines import SUM, is_whole, summed


def add_looks(root: Path, looks: Sequence[CountedLook]) -> None:
    """Append the looks to the store at ``root``; one at the same scores, book and days stands there once."""
    with lock.waiting(root / f".{LOOKS}.lock"):
        known = {_key(look) for look in read_looks(root)}
        fresh = [look for look in looks if _key(look) not in known]
        new = [summed(msgspec.json.encode(look)).decode() for look in fresh]
        if new:
            hashes.append(root / LOOKS, "".join(f"{line}\n" for line in new))
            sync_directory(root)


def read_looks(root: Path) -> tuple[CountedLook, ...]:
    """All looks of the store, oldest first; none without a file, IntegrityError for a damaged line."""
    try:
        found = (root / LOOKS).stat()
    except FileNotFoundError:
        return ()
    return _read(root / LOOKS, found.st_mtime_ns, found.st_size)


def day_words(root: Path, days: JudgedDays | None) -> str:
    """What kind of days a figure rests on and how often they were looked at; empty without a protocol."""
    if days is None:
        return ""
    try:
        return days.words(days.looks(read_looks(root)))
    except IntegrityError:
        return f"{LOOKS} is damaged"


@lru_cache(maxsize=4)
def _read(path: Path, _changed: int, _size: int) -> tuple[CountedLook, ...]:
    """The file as it is at this time and size: a list of runs asks for it once a run."""
    looks = list[CountedLook]()
    sums = False
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        if is_whole(line, summed=sums):
            sums = sums or SUM in line
            looks.append(record.parse(line, CountedLook, f"{path}: line {number}"))
        elif SUM in line or line.endswith(b"}"):
            raise IntegrityError(
                f"{path}: line {number} is damaged", hint="bring the file back from a copy"
            )
        # What is left was torn by a crash: nothing was shown after it.
    return tuple(looks)


def _key(look: CountedLook) -> tuple[str, ...]:
    return (look.run, look.book, look.market, look.first, look.last)
