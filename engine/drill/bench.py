"""Where the drill works: hard-linked copies of workspaces in a folder that is removed, and children in them.

What the product replaces whole is linked, everything else is copied, and a file is given its own bytes before
it is damaged. So nothing that happens in a copy reaches the workspace that was copied.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from engine.drill.case import NotTriedError
from engine.drill.child import Handicap
from engine.errors import Interrupted
from engine.files import Json, from_json
from engine.runs import launch, lock
from engine.runs.store import RUN_ID
from engine.secrets import is_secret

_FOLDER = ".drill-"
_LINKED = (".parquet", ".npy", ".npz", ".safetensors")
"""Replaced whole when they change, never written into."""
_POLL_S, _LIMIT_S = 0.005, 3600.0
_HANDICAPPED = (sys.executable, "-P", "-m", "engine.drill.child")
_PLAIN = Handicap()
_WORDS = 160


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        """What it printed with ``--json``; empty where that is no object."""
        try:
            found = from_json(self.out)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def words(self) -> str:
        """Its last line of stderr that says what was wrong."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error:")] or lines
        return errors[-1][:_WORDS] if errors else "without a word"


@dataclass(frozen=True, slots=True)
class Sign:
    """A moment in a child's life: what it says, or a file of its workspace, holds these bytes."""

    text: bytes
    """Empty: the file is there."""
    pattern: str = ""
    """Empty: its stderr."""

    def seen(self, workspace: Path, said: Path) -> bool:
        """Whether the moment has come."""
        for path in workspace.glob(self.pattern) if self.pattern else (said,):
            with suppress(OSError):  # gone meanwhile, or a folder
                if not self.text or self.text in path.read_bytes():
                    return True
        return False


@dataclass
class Workbench:
    """The drill's folder, what is copied, and how children are started."""

    root: Path
    source: Path
    """The user's workspace. It is read only."""
    stopped: Callable[[], bool] = lambda: False
    seed: int = 0
    _count: Iterator[int] = field(default_factory=lambda: iter(range(1, 10**6)))
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @cached_property
    def here(self) -> Path:
        """The folder in which children stand: it has the ``config.toml`` of the user's, and nothing else."""
        folder = self.root / "here"
        folder.mkdir(parents=True)
        if Path("config.toml").is_file():
            shutil.copy2("config.toml", folder)
        return folder

    def folder(self, name: str) -> Path:
        """A new empty folder."""
        with self._lock:
            path = self.root / f"{next(self._count):03d}-{name}"
        path.mkdir(parents=True)
        return path

    def copy(self, name: str, source: Path | None = None) -> Path:
        """A copy of a workspace, the user's if none is named; of the runs the newest of each command."""
        target = self.folder(name)
        link_copy(source or self.source, target)
        return target

    def run(
        self,
        workspace: Path,
        *words: str,
        handicap: Handicap = _PLAIN,
        environment: Mapping[str, str] | None = None,
    ) -> Ending:
        """A command to its end, in the workspace."""
        with self._child(workspace, words, handicap, environment or {}) as (process, said):
            code = self._wait(process)
            return Ending(code, *(_text(path) for path in said))

    def undisturbed(
        self,
        workspace: Path,
        *words: str,
        codes: Sequence[int] = (0,),
        handicap: Handicap = _PLAIN,
    ) -> Ending:
        """A command that has to do without a fault what it does with one; else the case is not tried."""
        answer = self.run(workspace, *words, handicap=handicap)
        if answer.code not in codes:
            raise NotTriedError(f"{words[0]} without any fault: rc {answer.code}, {answer.words}")
        return answer

    def kill(
        self, workspace: Path, words: Sequence[str], sign: Sign, handicap: Handicap = _PLAIN
    ) -> None:
        """SIGKILL as soon as the sign is seen; a command that ended before is not tried."""
        with self._child(workspace, words, handicap, {}) as (process, (_, said)):
            while process.poll() is None:
                if sign.seen(workspace, said):
                    process.kill()
                    process.wait()
                    return
                self._stop_here(process)
                time.sleep(_POLL_S)
            answer = Ending(process.returncode, "", _text(said))
            why = f"{words[0]} ended before it could be killed: rc {answer.code}, {answer.words}"
            raise NotTriedError(why)

    @contextmanager
    def _child(
        self,
        workspace: Path,
        words: Sequence[str],
        handicap: Handicap,
        environment: Mapping[str, str],
    ) -> Iterator[tuple["subprocess.Popen[bytes]", tuple[Path, Path]]]:
        said = self.folder("said")
        paths = said / "out", said / "err"
        own = msgspec.json.encode(handicap).decode()
        program = launch.ENGINE if handicap == _PLAIN else (*_HANDICAPPED, own)
        common = ["--workspace", str(workspace), "--json"]
        with paths[0].open("wb") as out, paths[1].open("wb") as err:
            process = subprocess.Popen(
                [*program, words[0], *common, *words[1:]],
                cwd=self.here,
                env={**without_secrets(os.environ), **environment},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        try:
            yield process, paths
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait(self, process: "subprocess.Popen[bytes]") -> int:
        end = time.monotonic() + _LIMIT_S
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(0.1)
            self._stop_here(process)
            if time.monotonic() > end:
                raise NotTriedError(f"a child took longer than {_LIMIT_S:.0f} s")

    def _stop_here(self, process: "subprocess.Popen[bytes]") -> None:
        if self.stopped():
            process.kill()
            raise Interrupted("drill: stopped, nothing was recorded")


@contextmanager
def opened(workspace: Path, stopped: Callable[[], bool], seed: int) -> Iterator[Workbench]:
    """A bench in a folder of the workspace; also folders that killed drills left behind are removed."""
    workspace.mkdir(parents=True, exist_ok=True)
    for left in workspace.glob(f"{_FOLDER}*"):
        if not lock.is_held(left / "lock"):
            shutil.rmtree(left, ignore_errors=True)
    root = workspace / f"{_FOLDER}{os.getpid()}"
    with lock.hold(root / "lock"):
        try:
            yield Workbench(root=root, source=workspace, stopped=stopped, seed=seed)
        finally:
            shutil.rmtree(root, ignore_errors=True)


def link_copy(source: Path, target: Path) -> None:
    """Hidden files and folders are left out: locks, and what is being built."""
    for folder, inner, names in os.walk(source):
        at = Path(folder)
        inner[:] = [name for name in inner if not name.startswith(".")]
        if at == source / "runs":
            inner[:] = _newest(inner)
        there = target / at.relative_to(source)
        there.mkdir(parents=True, exist_ok=True)
        for name in names:
            if not name.startswith(".") or name == ".looks.jsonl":
                with suppress(FileNotFoundError):  # replaced meanwhile
                    _take(at / name, there / name)


def _take(source: Path, target: Path) -> None:
    if source.suffix in _LINKED:
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without hard links, or another one
            pass
    shutil.copy2(source, target)


def _newest(runs: Sequence[str]) -> list[str]:
    """The newest run of each command, with whatever else lies there."""
    by_command: dict[str, str] = {}
    for name in sorted(runs):
        found = RUN_ID.fullmatch(name)
        by_command[found[1] if found else name] = name
    return list(by_command.values())


def flip(path: Path, bit: int) -> None:
    """Turn one bit over, in a file of its own: the one it is linked to stays as it is."""
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    beside = path.with_name(f".{path.name}.flipped")
    beside.write_bytes(content)
    beside.replace(path)


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """No child of the drill sends anything to anybody, or takes the workspace of the shell."""
    ours = ("ATFT_WORKSPACE", "CREDENTIALS_DIRECTORY")
    return {k: v for k, v in environment.items() if k not in ours and not is_secret(k)}


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "surrogateescape")


def figures(answer: Json) -> dict[str, str]:
    """Every leaf of an answer by its path."""
    found: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, f"{name}.{key}")
        elif isinstance(value, list):
            for number, inner in enumerate(value):
                walk(inner, f"{name}[{number}]")
        else:
            found[name] = json.dumps(value)

    walk(answer, "")
    return found
