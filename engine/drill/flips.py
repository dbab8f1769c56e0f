"""One bit turned over in a file of every kind that the workspace holds.

Nobody wrote down which kinds there are: a name without its ids, dates and numbers is one. A command that
reads the file and then gives other figures without naming it was silently wrong.
"""

import random
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from engine.drill.bench import Ending, Workbench, flip
from engine.drill.case import Case, NotTriedError, Seen, failed, silent, survived, told
from engine.drill.child import Handicap
from engine.drill.readings import Reading, Readings, readers
from engine.hashes import LIST, RUNS
from engine.runs.store import RUN_ID

_NAMES = (
    (re.compile(r"(/checkpoints/)(.*/)?(best|healthy|kept|resume)(-\d+)?"), r"\1*"),
    (RUN_ID, r"*-\1-*"),
    (re.compile(r"\b[0-9a-f]{16,64}\b"), "*"),
    (re.compile(r"\d{4}-\d{2}(-\d{2})?(-r\d+)?"), "*"),
    (re.compile(r"\d+"), "*"),
)
_EDITED = re.compile(r"config\.toml|log\.txt|.*lock|.*\.job|heartbeat\.json|.*\.log(\.\*)?|exit")
"""Edited by people, said anew all the time, or without a figure: no hash is promised for these."""
_READERS = 2
"""So many commands are asked about a kind, the quickest ones."""


def kind_of(name: str) -> str:
    """``runs/20261129-204214-train-9d97/train.json`` -> ``runs/*-train-*/train.json``."""
    for pattern, put in _NAMES:
        name = pattern.sub(put, name)
    return name


def kinds(workspace: Path) -> dict[str, list[str]]:
    """Kind -> names of its files, of those that are hashed."""
    found: dict[str, list[str]] = {}
    for path in sorted(workspace.rglob("*")):
        name = path.relative_to(workspace).as_posix()
        edited = _EDITED.fullmatch(kind_of(path.name)) and not name.endswith("/config.toml")
        if path.is_file() and path.stat().st_size and not edited:
            found.setdefault(kind_of(name), []).append(name)
    return found


def cases(bench: Workbench) -> Iterator[Case]:
    """A case for each kind of the user's files."""
    flips = Flips(bench, Readings(bench, [*readers(bench.source)]), kinds(bench.copy("kinds")))
    for kind, names in flips.kinds.items():
        done = f"a bit of one of {len(names)} files turned over"
        yield Case(f"flip-{kind}", done, partial(flips.seen, kind))


@dataclass
class Flips:
    """The bit of each kind, the commands that read it, and one `verify` of all of them."""

    bench: Workbench
    readings: Readings
    kinds: dict[str, list[str]]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def chosen(self, kind: str) -> tuple[str, int]:
        """Name of the file and number of the bit: the same, who asks for other kinds or not."""
        rng = random.Random(f"{self.bench.seed} {kind}")  # noqa: S311 - a place, not a secret
        names = self.kinds[kind]
        name = rng.choice([name for name in names if self.readings.of(name)] or names)
        return name, rng.randrange((self.bench.source / name).stat().st_size * 8)

    def seen(self, kind: str, _: Workbench) -> Seen:
        """Each reader in a copy of its own: it may write. Then what `verify` makes of it."""
        name, bit = self.chosen(kind)
        said = []
        for reading in self.readings.of(name)[:_READERS]:
            seen = _judged(self.readings, reading, self._damaged(kind), name)
            if seen.verdict != "survived":
                return Seen(seen.verdict, f"bit {bit} of {name}: {seen.text}")
            said.append(seen.text)
        # A line of the list may be of a file that is gone, or one of several contents of a file.
        if name in self._verified or Path(name).name == LIST:
            return survived(f"{name}: {'; '.join([*said, 'verify finds it'])}")
        place = self._damaged(kind)
        verified = self.bench.run(place, "verify")
        if wrong := told(verified):
            return wrong
        if verified.code:
            return survived(f"{name}: {'; '.join([*said, 'verify finds it'])}")
        if name.endswith(".sqlite") and _rows(place / name) == _rows(self.bench.source / name):
            return survived(f"{name}: {'; '.join(said)}; every row is as it was")
        if _is_of_before(verified, name):
            raise NotTriedError(f"{name} is of a version before, which wrote no hashes")
        if said:
            return failed(f"bit {bit} of {name}: {'; '.join(said)}; verify finds nothing")
        return silent(f"bit {bit} of {name}: nothing that was asked finds it, verify neither")

    @property
    def _verified(self) -> frozenset[str]:
        """The damaged files that one `verify` names, of all kinds but the lists themselves.

        What it does not name, since it stops at the first fault of a folder, is asked about alone.
        """
        with self._lock:
            return self._found

    @cached_property
    def _found(self) -> frozenset[str]:
        kinds = [kind for kind in self.kinds if Path(kind).name != LIST]
        place = self._damaged(*kinds)
        text = self.bench.run(place, "verify").text
        return frozenset(name for name, _ in map(self.chosen, kinds) if f"{place}/{name}" in text)

    def _damaged(self, *kinds: str) -> Path:
        place = self.bench.copy("flipped")
        for name, bit in map(self.chosen, kinds):
            flip(place / name, bit)
        return place


def _is_of_before(verified: Ending, name: str) -> bool:
    """Whether `verify` says that nothing is known of the files of this run, or of the workspace."""
    own = name.split("/")[1] if name.startswith(f"{RUNS}/") else "workspace"
    return any(row["name"] == own and not row["hashed"] for row in verified.json.get("files", ()))


def _rows(path: Path) -> list[str] | None:
    """All that a database says; None where it cannot be read."""
    try:
        with closing(sqlite3.connect(path)) as connection:
            return [*connection.iterdump()]
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None


def _judged(readings: Readings, reading: Reading, place: Path, name: str) -> Seen:
    """What a reader makes of the damaged file."""
    answer, found = readings.ask(reading.reader, place, Handicap())
    words, file = reading.reader.words[0], Path(name).name
    if answer.code != reading.code:
        return told(answer, file) or survived(f"{words} refuses")
    new = [value for name, value in found.items() if reading.figures.get(name) != value]
    if file in answer.text or any(file in value for value in new):
        return survived(f"{words} names it")
    other = readings.other(reading, found)
    if not other:
        return survived(f"{words} is unaffected")
    return silent(f"{words} gives other figures without a word, {other[0]} first")
