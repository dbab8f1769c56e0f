"""One bit turned over in a file of every kind that the workspace holds.

Nobody wrote down which kinds there are: a name without its ids, dates and numbers is one. A command that
reads the file and then gives other figures without naming it was silently wrong.
"""

import random
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from engine.drill.bench import Bench, flip
from engine.drill.case import Case, Seen, failed, silent, survived, told
from engine.drill.child import Handicap
from engine.drill.readings import Reading, Readings, readers
from engine.hashes import LIST
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


def cases(bench: Bench) -> Iterator[Case]:
    """A case for each kind of the user's files."""
    readings = Readings(bench, [*readers(bench.source)])
    for kind, names in kinds(bench.copy("kinds")).items():
        done = f"a bit of one of {len(names)} files turned over"
        yield Case(f"flip-{kind}", done, partial(flipped, readings, kind, names))


def flipped(readings: Readings, kind: str, names: list[str], bench: Bench) -> Seen:
    """Each reader in a copy of its own: it may write. Then everything is verified."""
    rng = random.Random(f"{bench.seed} {kind}")  # noqa: S311 - a place, not a secret
    read = [name for name in names if readings.of(name)]
    name = rng.choice(read or names)
    bit = rng.randrange((bench.source / name).stat().st_size * 8)
    said = []
    for reading in readings.of(name)[:_READERS]:
        place = _damaged(bench, name, bit)
        seen = _judged(readings, reading, place, name)
        if seen.verdict != "survived":
            return Seen(seen.verdict, f"bit {bit} of {name}: {seen.text}")
        said.append(seen.text)
    verified = bench.run(_damaged(bench, name, bit), "verify")
    if wrong := told(verified):
        return wrong
    # A line of the list may be of a file that is gone, or one of several contents of a file.
    if verified.code or Path(name).name == LIST:
        return survived(f"{name}: {'; '.join([*said, 'verify finds it'])}")
    if said:
        return failed(f"bit {bit} of {name}: {'; '.join(said)}; verify finds nothing")
    return silent(f"bit {bit} of {name}: nothing that was asked finds it, verify neither")


def _damaged(bench: Bench, name: str, bit: int) -> Path:
    place = bench.copy("flipped")
    flip(place / name, bit)
    return place


def _judged(readings: Readings, reading: Reading, place: Path, name: str) -> Seen:
    """What a reader makes of the damaged file."""
    answer, found = readings.ask(reading.reader, place, Handicap())
    words, file = reading.reader.words[0], Path(name).name
    if answer.code != reading.code:
        return told(answer, file) or survived(f"{words} refuses")
    if file in answer.text:
        return survived(f"{words} names it")
    other = readings.other(reading, found)
    if not other:
        return survived(f"{words} is unaffected")
    return silent(f"{words} gives other figures without a word, {other[0]} first")
