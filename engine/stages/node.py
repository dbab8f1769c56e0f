"""A worker on a machine of a cluster: a copy of the workspace there, and a process that works in it.

Nothing here knows which cluster it is; `engine.stages.cluster` carries the calls.

The folder of a run is kept alike on two machines (`Mirror`). Files that only grow (events, logs) travel by
their new end, all others whole. What came from the other side is known there and is not sent back. Locks and
hash lists belong to a machine, hidden names are half written.
"""

import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, Self

import psutil
from msgspec import Struct

from engine import hashes
from engine.config import Config
from engine.errors import IntegrityError
from engine.files import own_folder, write_bytes
from engine.runs.launch import ControlFiles, Wish
from engine.runs.sink import NullSink
from engine.runs.store import Run
from engine.signals.models import code_digest
from engine.stages.context import StageContext, StopFlag
from engine.stages.processes import LocalWorker
from engine.stages.tasks import Answer, Task

_GROWING = ("events.jsonl", "log.txt")
_OWN = ("lock", "exit", hashes.LIST)
"""Of one machine: who holds the run here, how its process ended, what this disk was told to hold."""
_OWN_FOLDERS = ("control",)
_Stamp = tuple[int, int]
"""Size and time of the last change, ns."""

_DATA_FOLDERS = ("data", "panels", "universe", "graphs", "features")
"""What a training reads of a workspace."""
_LIBRARIES = ("torch", "numpy", "numba", "polars", "lightgbm", "scikit-learn")
"""Those whose version may move the last bits."""


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


class NodeFacts(Struct, frozen=True, kw_only=True):
    """What has to be the same on all machines for the same bytes."""

    code: str
    """Digest of the program's source."""
    python: str
    libraries: dict[str, str]
    processor: str
    data: str
    """Digest of what is learned from."""

    @classmethod
    def here(cls, data: str) -> Self:
        """Of this machine, with the digest of its data."""
        import torch

        kind = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()} {_model()}"
        return cls(
            code=code_digest()["sha256"],
            python=platform.python_version(),
            libraries={name: metadata.version(name) for name in _LIBRARIES},
            processor=kind,
            data=data,
        )

    def differences(self, other: "NodeFacts") -> dict[str, str]:
        """What is not the same -> what this machine has and the other one has."""
        ours, theirs = self._flat(), other._flat()
        return {
            key: f"{ours[key]} here, {theirs[key]} there"
            for key in ours
            if ours[key] != theirs[key]
        }

    def _flat(self) -> dict[str, str]:
        names = ("code", "python", "processor", "data")
        return {name: getattr(self, name) for name in names} | self.libraries


def _model() -> str:
    """Name of the processor as the system tells it; empty where it does not."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


class Report(NamedTuple):
    """What has happened on the node since the last one."""

    facts: NodeFacts
    code: int | None
    """Exit code of the process; None while it lives."""
    answer: Answer | None
    pieces: list[Piece]


def data_files(workspace: Path) -> dict[str, Path]:
    """Name -> file, of everything that a task reads of the workspace: data, models and strategies of one's
    own.
    """
    read = [path for folder in _DATA_FOLDERS for path in sorted((workspace / folder).rglob("*"))]
    code = [
        path
        for kind in ("models", "strategies")
        for path in sorted((workspace / kind).glob("*.py"))
    ]
    return {
        path.relative_to(workspace).as_posix(): path
        for path in (*read, *code)
        if path.is_file() and not path.name.startswith(".") and path.name != "lock"
    }


def digest_of(listing: Mapping[str, str]) -> str:
    """One digest of names and what is said of each."""
    whole = "".join(f"{name}\0{value}\n" for name, value in sorted(listing.items()))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def shared_digest(workspace: Path) -> str:
    """Digest of a directory that all machines see: names and sizes, and the hashes in its manifests."""
    return digest_of(
        {
            name: hashes.sha256(path)
            if path.name == hashes.MANIFEST or path.suffix == ".py"
            else str(path.stat().st_size)
            for name, path in data_files(workspace).items()
        }
    )


def place_data(listing: Mapping[str, str], fetch: Callable[[str], bytes]) -> Path:
    """A folder of this machine with these files (name -> SHA-256); made once, for all workers on it.

    IntegrityError where a file arrives with other bytes.
    """
    place = own_folder() / digest_of(listing)
    if place.is_dir():
        return place
    staging = Path(tempfile.mkdtemp(dir=place.parent))
    for name, wanted in listing.items():
        content = fetch(name)
        if hashlib.sha256(content).hexdigest() != wanted:
            raise IntegrityError(f"{name}: arrived with other bytes")
        write_bytes(staging / name, content)
    try:
        staging.rename(place)
    except OSError:  # another worker was first
        shutil.rmtree(staging)
    return place


def takes_part(part: str) -> Callable[[str], bool]:
    """Which files of a run a worker of one of its parts shares: not what its starter alone writes, nor what
    other parts tell. Of a whole run (no part) all.
    """
    if not part:
        return lambda name: True

    def wanted(name: str) -> bool:
        if name.startswith("tasks/"):
            return name.startswith(f"tasks/{part}/")
        return name not in ("events.jsonl", "log.txt")

    return wanted


def workspace_on(data: Path) -> Path:
    """A new workspace beside the data that `place_data` put on this machine; those of dead workers go."""
    for old in data.parent.glob("worker-*"):
        if not psutil.pid_exists(int(old.name.split("-")[1])):
            shutil.rmtree(old, ignore_errors=True)
    workspace = Path(tempfile.mkdtemp(dir=data.parent, prefix=f"worker-{os.getpid()}-"))
    for folder in data.iterdir():
        (workspace / folder.name).symlink_to(folder)
    (workspace / "runs").mkdir()
    return workspace


@dataclass(slots=True)
class NodeWorker:
    """A process in a workspace of this machine, and what the starter of a run may ask of it."""

    workspace: Path
    config: Config
    facts: NodeFacts
    shared: bool = False
    """The starter sees the same directory: nothing is carried."""
    _worker: LocalWorker | None = None
    _mirrors: dict[str, Mirror] = field(default_factory=dict)

    def begin(self, run: str, part: str, pieces: Iterable[Piece]) -> None:
        """Begin a run, or the part of it with this name; ``pieces``: what the starter has of it."""
        context = StageContext(
            workspace=self.workspace, config=self.config, sink=NullSink(), stop=StopFlag()
        )
        directory = self.workspace / "runs" / run
        if not self.shared:
            mirror = self._mirrors.setdefault(run, Mirror(directory))
            mirror.wanted = takes_part(part)
            mirror.apply(pieces)
        task = Task(Run(directory), part)
        if self._worker is None:
            self._worker = LocalWorker.start(context, os.cpu_count() or 1, task)
        self._worker.begin(task)

    def report(self, wishes: frozenset[Wish] = frozenset()) -> Report:
        """What is new; ``wishes``: what a person asks of the task."""
        worker = self._worker
        if worker is None or worker.task is None:
            return Report(self.facts, worker.ended() if worker else None, None, [])
        task = worker.task
        if not self.shared:
            ControlFiles.of(task.run, task.part).take_over(wishes)
        code = worker.ended()
        answer = worker.answer()
        pieces = [] if self.shared else self._mirrors[task.run.id].changes()
        return Report(self.facts, code, answer, pieces)

    def stop(self) -> None:
        """Ask the process to save its work and end."""
        if self._worker:
            self._worker.stop()

    def dismiss(self) -> None:
        """No more tasks for it."""
        if self._worker:
            self._worker.dismiss()

    def clear(self) -> None:
        """End the process, and remove a workspace of its own."""
        if self._worker:
            self._worker.bury(0.0)
        if not self.shared:
            shutil.rmtree(self.workspace, ignore_errors=True)
