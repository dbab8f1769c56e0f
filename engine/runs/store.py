"""The run store: one directory per run. Nothing here knows torch, polars or the network.

Configuration and package versions are imported where they are needed: a screen that only lists runs
starts without them.
"""

import datetime as dt
import os
import platform
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine import hashes
from engine.errors import IntegrityError, UsageError
from engine.records import record
from engine.records.run import MANIFEST, RunManifest
from engine.runs import lock, settings
from engine.runs.events import RunEvent, RunFinished
from engine.runs.sink import decode, is_whole, read_new
from engine.workspace_code import hashes_of

if TYPE_CHECKING:
    from engine.config import Config

_Status = Literal["created", "running", "paused", "done", "stopped", "failed", "crashed"]
RUN_ID = re.compile(r"\d{8}-\d{6}-([a-z]+)-[0-9a-f]{4}")
"""The name of a run, with its command."""
_PREFIX = re.compile(r"^[0-9a-z-]{1,60}$")
_POLL_S = 0.2
_TAIL_BYTES, _MAX_LINE = 64 * 1024, 4 * 2**20
TRASH = ".deleting-"
"""Begins the name of a run that is being deleted."""
_PACKAGES = (
    "atft-tui",
    "torch",
    "torch-geometric",
    "polars",
    "numpy",
    "vectorbt",
    "lightgbm",
    "scikit-learn",
    "skops",
)


@dataclass(frozen=True, slots=True)
class Run:
    directory: Path

    @property
    def id(self) -> str:
        return self.directory.name

    @property
    def manifest(self) -> RunManifest:
        """Command, versions, commit, creation time; never changed after creation."""
        return record.read(self.directory / MANIFEST, RunManifest)

    @property
    def command(self) -> str:
        return self.id.split("-")[2]

    @property
    def created(self) -> dt.datetime:
        """When the run was made, from its id: UTC, to the second."""
        return dt.datetime.strptime(self.id[:15], "%Y%m%d-%H%M%S").replace(tzinfo=dt.UTC)

    @property
    def events_path(self) -> Path:
        return self.directory / "events.jsonl"

    @property
    def log_path(self) -> Path:
        return self.directory / "log.txt"

    @property
    def exit_path(self) -> Path:
        """Exit status of the process that `launch` started, written by its supervisor."""
        return self.directory / "exit"

    def path(self, name: str) -> Path:
        return self.directory / name

    def config(self) -> "Config":
        """The complete configuration that the run was started with."""
        from engine.config.file import read_resolved

        return read_resolved(self.directory / "config.toml")

    def lock(self) -> AbstractContextManager[None]:
        return lock.hold(self.directory / "lock")

    def is_alive(self) -> bool:
        return lock.is_held(self.directory / "lock")

    def holder(self) -> int | None:
        return lock.holder(self.directory / "lock")

    def events(self) -> Iterator[RunEvent]:
        """All events that this version understands, in order; none before the run has begun."""
        if not self.events_path.is_file():
            return
        with self.events_path.open("rb") as file:
            for line in file:
                if event := decode(line):
                    yield event

    def batches(
        self,
        *,
        follow: bool,
        stopped: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[list[RunEvent]]:
        """All events, several at once, each once; with ``follow`` also those to come, until the run ends.

        A run ends when its process is gone; what it wrote by then is read first. ``stopped`` is asked five
        times a second, and after every batch.
        """
        offset = 0
        while True:
            alive = (
                self.is_alive()
            )  # first: what a run that ends meanwhile has written is read below
            events, offset = read_new(self.events_path, offset)
            if events:
                yield events
            if stopped() or not (events or (follow and alive)):
                return
            if not events:
                sleep(_POLL_S)

    def last_event(self) -> RunEvent | None:
        """The newest whole event, read from the end of the file; damaged lines after it are passed over."""
        whole = filter(is_whole, self._lines_back())
        return next((event for line in whole if (event := decode(line))), None)

    def has_lost_its_end(self) -> bool:
        """Whether the newest line of the events is damaged, so that it may have been the end of the run."""
        return not is_whole(next(self._lines_back(), b"{}"))

    def _lines_back(self) -> Iterator[bytes]:
        """Lines of the events, the newest first, read in pieces that grow; blank ones are left out."""
        try:
            with self.events_path.open("rb") as file:
                end, size = file.seek(0, os.SEEK_END), _TAIL_BYTES
                rest = b""
                while end > 0:
                    start = max(0, end - size)
                    file.seek(start)
                    rest, *lines = (file.read(end - start) + rest).split(b"\n")
                    yield from filter(bytes.strip, reversed(lines))
                    end, size = start, size * 2
                    if len(rest) > _MAX_LINE:  # no event is so long: it is passed over
                        rest = b""
                if rest.strip():
                    yield rest
        except FileNotFoundError:
            return

    def status(self) -> _Status:
        """A run is alive if its lock is held; free and without an end it has crashed.

        Also one whose process ended before it had written anything.
        """
        return self.standing()[0]

    def standing(self) -> tuple[_Status, RunEvent | None]:
        """The status, and the newest whole event, which is read once for both."""
        alive = self.is_alive()  # first: a run that ends meanwhile has written its end by then
        last = self.last_event()
        if alive:
            return "paused" if self.path("control/paused").exists() else "running", last
        if isinstance(last, RunFinished):
            return last.status, last
        began = last is not None or self.exit_path.exists() or self.has_lost_its_end()
        return "crashed" if began else "created", last


@dataclass(frozen=True, slots=True)
class RunStore:
    root: Path
    """``WORKSPACE/runs``."""
    now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC)

    def create(self, command: str, config: "Config", extra: Mapping[str, Any] | None = None) -> Run:
        """A new run directory with its manifest and resolved configuration.

        ``extra``: what the run is a part of, by the names of `RunManifest`.
        """
        from engine.config.file import write_resolved

        created = self.now()
        directory = self._new_directory(f"{created:%Y%m%d-%H%M%S}-{command}")
        if self.root.name == hashes.RUNS:
            hashes.begin(self.root.parent)
        hashes.begin(directory)
        write_resolved(directory / "config.toml", config)
        manifest = RunManifest(
            id=directory.name,
            command=command,
            created=created.isoformat(),
            python=platform.python_version(),
            platform=platform.platform(),
            packages=_versions(),
            git_commit=_commit(),
            config_digest=settings.settings_digest(config),
            settings=settings.of_config(config),
            hashed=True,
            code=_own_code(self.root.parent, config),
            **(extra or {}),
        )
        record.write(directory / MANIFEST, manifest)
        return Run(directory)

    def _new_directory(self, stem: str) -> Path:
        """An empty directory ``STEM-xxxx``; runs of one second that drew the same tail draw again."""
        self.root.mkdir(parents=True, exist_ok=True)
        while True:
            directory = self.root / f"{stem}-{secrets.token_hex(2)}"
            with suppress(FileExistsError):
                directory.mkdir()
                return directory

    def open(self, run_id: str) -> Run:
        """A run by id, unique prefix, or ``last``. Anything else is a UsageError."""
        if run_id == "last":
            newest = next(iter(self), None)
            if newest is None:
                raise UsageError(
                    f"{self.root}: no runs yet", hint="start one with `atft-tui train`"
                )
            return newest
        if not _PREFIX.match(run_id):
            raise UsageError(f"{run_id!r} is not a run id", hint="`atft-tui runs` lists them")
        found = [run for run in self if run.id.startswith(run_id) or run.id.endswith(run_id)]
        exact = [run for run in found if run.id == run_id]
        if len(found) > 1 and not exact:
            names = ", ".join(run.id for run in found[:5])
            raise UsageError(f"{run_id!r} fits several runs: {names}")
        if not found:
            raise UsageError(f"no run {run_id!r}", hint="`atft-tui runs` lists them")
        return (exact or found)[0]

    def __iter__(self) -> Iterator[Run]:
        """All complete run directories, newest first; links and strange names are passed over."""
        if not self.root.is_dir():
            return
        names = sorted(
            (entry.name for entry in os.scandir(self.root) if _is_run(entry)), reverse=True
        )
        for name in names:
            yield Run(self.root / name)

    def tagged(self, command: str, **tags: Any) -> Iterator["Run"]:
        """Runs of a command whose manifest carries all these fields, newest first.

        One whose manifest cannot be read carries none: `runs` tells what is wrong with it.
        """
        for run in self:
            if run.command != command:
                continue
            carries = False
            with suppress(IntegrityError):
                manifest = run.manifest
                carries = all(getattr(manifest, name) == value for name, value in tags.items())
            if carries:
                yield run

    def sweep(self) -> list[str]:
        """Remove what killed writers and killed deletions left; runs at work are let alone.

        The ids of the runs whose deletion was finished so.
        """
        left = sorted(self.root.glob(f"{TRASH}*")) if self.root.is_dir() else []
        for path in left:
            shutil.rmtree(path, ignore_errors=True)
        for run in self:
            if not run.is_alive():
                for path in run.directory.glob(".*.tmp"):
                    path.unlink(missing_ok=True)
        return [path.name.removeprefix(TRASH) for path in left]


def _own_code(workspace: Path, config: "Config") -> dict[str, str]:
    """Place and hash of each module of the workspace that a configuration names."""
    return {
        **hashes_of(workspace, "models", config.own_models),
        **hashes_of(workspace, "strategies", [config.portfolio.strategy]),
    }


def _is_run(entry: "os.DirEntry[str]") -> bool:
    plain = entry.is_dir(follow_symlinks=False) and RUN_ID.fullmatch(entry.name) is not None
    return plain and os.path.exists(os.path.join(entry.path, "manifest.json"))


def _versions() -> dict[str, str]:
    from importlib import metadata

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """Commit of the checkout that this code runs from; None for an installed package."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def require_file(path: Path, hint: str) -> Path:
    """The path if the file is there, else an IntegrityError with what to run."""
    if not path.is_file():
        raise IntegrityError(f"{path.parent.name}: no {path.name}", hint=hint)
    return path
