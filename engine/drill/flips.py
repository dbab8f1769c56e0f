"""One bit turned over in a file of every kind that the workspace holds.

Nobody wrote down which kinds there are: a name without its ids, dates and numbers is one. Which commands read
a file is found out by running them. A command that reads the file and then gives other figures without naming
it was silently wrong.
"""

import random
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property, partial
from hashlib import sha256
from pathlib import Path

from engine.drill.bench import Ending, Workbench, figures, flip
from engine.drill.case import Case, NotTriedError, Seen, failed, silent, survived, told
from engine.drill.child import Handicap
from engine.files import from_json
from engine.hashes import LIST, RUNS
from engine.records.seal import seal_places
from engine.runs.store import RUN_ID, Run, RunStore

_AT_ONCE = 2
_OUT = "{out}"
"""Stands in a command for a folder to export into."""

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


@dataclass(frozen=True, slots=True)
class _Reader:
    """A command that reads, and the files that hold the rest of its answer."""

    words: tuple[str, ...]
    results: tuple[str, ...] = ()
    """Patterns in the workspace."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """A reader without a fault."""

    reader: _Reader
    code: int
    figures: Mapping[str, str]
    opened: frozenset[str]
    """Names of files in the workspace."""
    seconds: float


def _readers(workspace: Path) -> Iterator[_Reader]:
    """The commands that read whatever this workspace holds."""
    yield from (_Reader(words) for words in (("runs",), ("check",), ("champion", "history")))
    yield _Reader(("features", "list"))
    yield _Reader(("ledger",), ("signals/ledger.*",))
    yield _Reader(("data", "export", "--output", f"{_OUT}/bars.csv"))
    yield _Reader(("schedule", "status"))
    for run in RunStore(workspace / "runs"):
        yield from _of_run(run)
    seals = seal_places(workspace / "signals")
    if (workspace / "models" / "champion.json").exists():
        yield _Reader(("champion",))
        yield _Reader(("signals",))
    if seals:
        yield _Reader(("replay", seals[-1].name))


def _of_run(run: Run) -> Iterator[_Reader]:
    yield _Reader(("show", run.id))
    if run.path("train.json").exists() or run.path("walkforward.json").exists():
        formats = "json,csv" if run.path("backtest.json").exists() else "json"
        yield _Reader(("report", run.id, "--format", formats, "--output", _OUT))
    if run.path("checkpoints").exists() and run.command == "train":
        yield _Reader(("predict", run.id, "--in-sample"), (f"runs/{run.id}/predictions.parquet",))


@dataclass
class _Readings:
    """Readers of the user's workspace, run when they are first asked for."""

    bench: Workbench
    readers: Sequence[_Reader]
    _found: list[_Reading] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> list[_Reading]:
        """The readings that opened the file, the quickest first."""
        with self._lock:
            if not self._found:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    self._found = list(pool.map(self._made, self.readers))
        return sorted((r for r in self._found if name in r.opened), key=lambda r: r.seconds)

    def ask(
        self, reader: _Reader, place: Path, handicap: Handicap
    ) -> tuple[Ending, dict[str, str]]:
        """The answer in a copy, and every figure of it: what is printed and what is written."""
        out = self.bench.folder("out")
        words = [word.replace(_OUT, str(out)) for word in reader.words]
        answer = self.bench.run(place, *words, handicap=handicap)
        found = figures(answer.json)
        written = [*out.rglob("*"), *(p for pattern in reader.results for p in place.glob(pattern))]
        for path in filter(Path.is_file, written):
            content = path.read_bytes()
            inner = figures(from_json(content)) if path.suffix == ".json" else None
            found |= (
                {path.name: sha256(content).hexdigest()}
                if inner is None
                else {f"{path.name}{name}": value for name, value in inner.items()}
            )
        here = {str(place): "WORKSPACE", str(out): "OUT"}
        for folder, word in here.items():
            found = {name: value.replace(folder, word) for name, value in found.items()}
        return answer, found

    def other(self, reading: _Reading, found: Mapping[str, str]) -> list[str]:
        """Names of figures that are not those of the reading, and that are when it is read once more."""
        changed = [name for name, value in reading.figures.items() if found.get(name) != value]
        if not changed:
            return []
        _, again = self.ask(reading.reader, self.bench.copy("reading"), Handicap())
        return [name for name in changed if again.get(name) == reading.figures[name]]

    def _made(self, reader: _Reader) -> _Reading:
        listed = self.bench.folder("opened") / "names"
        began = time.monotonic()
        place = self.bench.copy("reading")
        answer, found = self.ask(reader, place, Handicap(opened=str(listed)))
        names = listed.read_text(errors="surrogateescape").splitlines()
        inside = (name for name in names if name.startswith(f"{place}/"))
        return _Reading(
            reader=reader,
            code=answer.code,
            figures=found,
            opened=frozenset(name.removeprefix(f"{place}/") for name in inside),
            seconds=time.monotonic() - began,
        )


def _kind_of(name: str) -> str:
    """``runs/20261129-204214-train-9d97/train.json`` -> ``runs/*-train-*/train.json``."""
    for pattern, put in _NAMES:
        name = pattern.sub(put, name)
    return name


def _kinds(workspace: Path) -> dict[str, list[str]]:
    """Kind -> names of its files, of those that are hashed."""
    found: dict[str, list[str]] = {}
    for path in sorted(workspace.rglob("*")):
        name = path.relative_to(workspace).as_posix()
        edited = _EDITED.fullmatch(_kind_of(path.name)) and not name.endswith("/config.toml")
        if path.is_file() and path.stat().st_size and not edited:
            found.setdefault(_kind_of(name), []).append(name)
    return found


def cases(bench: Workbench) -> Iterator[Case]:
    """A case for each kind of the user's files."""
    flips = _Flips(bench, _Readings(bench, [*_readers(bench.source)]), _kinds(bench.copy("kinds")))
    for kind, names in flips.kinds.items():
        done = f"a bit of one of {len(names)} files turned over"
        yield Case(f"flip-{kind}", done, partial(flips.seen, kind))


@dataclass
class _Flips:
    """The bit of each kind, the commands that read it, and one `verify` of all of them."""

    bench: Workbench
    readings: _Readings
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


def _judged(readings: _Readings, reading: _Reading, place: Path, name: str) -> Seen:
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
