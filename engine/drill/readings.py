"""What the commands of a workspace say, and which files each of them opens: found out by running them."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from engine.drill.bench import Ending, Workbench, figures
from engine.drill.child import Handicap
from engine.files import from_json
from engine.records.seal import seal_places
from engine.runs.store import Run, RunStore

_AT_ONCE = 2
_OUT = "{out}"
"""Stands in a command for a folder to export into."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A command that reads, and the files that hold the rest of its answer."""

    words: tuple[str, ...]
    results: tuple[str, ...] = ()
    """Patterns in the workspace."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader without a fault."""

    reader: Reader
    code: int
    figures: Mapping[str, str]
    opened: frozenset[str]
    """Names of files in the workspace."""
    seconds: float


def readers(workspace: Path) -> Iterator[Reader]:
    """The commands that read whatever this workspace holds."""
    yield from (Reader(words) for words in (("runs",), ("check",), ("champion", "history")))
    yield Reader(("features", "list"))
    yield Reader(("ledger",), ("signals/ledger.*",))
    yield Reader(("data", "export", "--output", f"{_OUT}/bars.csv"))
    yield Reader(("schedule", "status"))
    for run in RunStore(workspace / "runs"):
        yield from _of_run(run)
    seals = seal_places(workspace / "signals")
    if (workspace / "models" / "champion.json").exists():
        yield Reader(("champion",))
        yield Reader(("signals",))
    if seals:
        yield Reader(("replay", seals[-1].name))


def _of_run(run: Run) -> Iterator[Reader]:
    yield Reader(("show", run.id))
    if run.path("train.json").exists() or run.path("walkforward.json").exists():
        formats = "json,csv" if run.path("backtest.json").exists() else "json"
        yield Reader(("report", run.id, "--format", formats, "--output", _OUT))
    if run.path("checkpoints").exists() and run.command == "train":
        yield Reader(("predict", run.id, "--in-sample"), (f"runs/{run.id}/predictions.parquet",))


@dataclass
class Readings:
    """Readers of the user's workspace, run when they are first asked for."""

    bench: Workbench
    readers: Sequence[Reader]
    _found: list[Reading] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, name: str) -> list[Reading]:
        """The readings that opened the file, the quickest first."""
        with self._lock:
            if not self._found:
                with ThreadPoolExecutor(_AT_ONCE) as pool:
                    self._found = list(pool.map(self._made, self.readers))
        return sorted((r for r in self._found if name in r.opened), key=lambda r: r.seconds)

    def ask(self, reader: Reader, place: Path, handicap: Handicap) -> tuple[Ending, dict[str, str]]:
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

    def other(self, reading: Reading, found: Mapping[str, str]) -> list[str]:
        """Names of figures that are not those of the reading, and that are when it is read once more."""
        changed = [name for name, value in reading.figures.items() if found.get(name) != value]
        if not changed:
            return []
        _, again = self.ask(reading.reader, self.bench.copy("reading"), Handicap())
        return [name for name in changed if again.get(name) == reading.figures[name]]

    def _made(self, reader: Reader) -> Reading:
        listed = self.bench.folder("opened") / "names"
        began = time.monotonic()
        place = self.bench.copy("reading")
        answer, found = self.ask(reader, place, Handicap(opened=str(listed)))
        names = listed.read_text(errors="surrogateescape").splitlines()
        inside = (name for name in names if name.startswith(f"{place}/"))
        return Reading(
            reader=reader,
            code=answer.code,
            figures=found,
            opened=frozenset(name.removeprefix(f"{place}/") for name in inside),
            seconds=time.monotonic() - began,
        )
