"""A job is a command in a process of its own: limited in time, ended with its whole group, logged.

Its process inherits a locked file. Whoever starts next sees by that lock whether a job of a dead
scheduler is still at work, and ends it first. Its log has a bounded size.
"""

import datetime as dt
import fcntl
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

import psutil

from engine.alerts.alert import without_secrets
from engine.errors import EnvironmentProblem
from engine.files import Json, from_json
from engine.runs import lock
from engine.runs.events import Noted, RunEvent, Warned
from engine.runs.launch import ENGINE

_MAX_BYTES = 5 * 1024 * 1024
_KEPT = 4
"""Older files beside the current one: NAME.1 is the newest."""
_POLL_S = 0.1
_PATIENCE_S = 15.0
"""Between asking a job to end and ending it."""
_ANSWER_BYTES = 16 * 1024 * 1024
_NICE = 10
"""Added to the priority of work that must not slow a signal down."""
_TIMED_OUT, STOPPED = 124, 130
"""Exit codes as a shell reports them."""


def _rotate(path: Path, *, limit: int = _MAX_BYTES) -> None:
    """Move a file over the limit aside, and the older ones with it; the oldest goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.stat().st_size < limit:
        return
    for number in range(_KEPT, 0, -1):
        source = path if number == 1 else _numbered(path, number - 1)
        if source.exists():
            source.replace(_numbered(path, number))


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


class LogSink:
    """Notes and warnings with their time, one line each."""

    def __init__(self, path: Path, now: Callable[[], dt.datetime]) -> None:
        self._path, self._now = path, now

    def emit(self, event: RunEvent) -> None:
        """Write a note or a warning; other events leave no line."""
        match event:
            case Noted(message=message):
                self._write(message)
            case Warned(code=code, message=message):
                self._write(f"warning {code}: {message}")
            case _:
                return

    def _write(self, text: str) -> None:
        _rotate(self._path)
        line = " ".join(text.splitlines())
        with self._path.open("a", encoding="utf-8") as file:
            file.write(f"{self._now().isoformat(timespec='seconds')} {line}\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildJob:
    """A command to run, and how long it may take."""

    name: str
    """update, signals, report, challenger or promote."""
    words: tuple[str, ...]
    limit_s: float
    in_background: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a job ended, and what it answered."""

    exit_code: int
    answer: Json = field(default_factory=dict)
    """Its JSON object; empty if it gave none."""

    @property
    def problem(self) -> str:
        """One sentence on what went wrong."""
        if error := self.answer.get("error"):
            return str(error)
        if self.exit_code == _TIMED_OUT:
            return "took longer than its limit and was ended"
        if self.exit_code < 0:
            return f"ended by {signal.Signals(-self.exit_code).name}"
        return f"exit code {self.exit_code}, see logs/"


class Runner(Protocol):
    """Whoever runs a job and waits for it."""

    def run(self, job: ChildJob) -> Ended:
        """Run the job until it ends, by itself or at its limit."""
        ...

    def recover(self) -> bool:
        """End a job that a dead scheduler left behind; whether there was one."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildRunner:
    """Runs each job as a child process, one at a time in its lane."""

    workspace: Path
    lane: str
    """session or background: each runs one job at a time."""
    configured: tuple[str, ...] = ()
    """--preset, --set ... that the scheduler was given."""
    stopped: Callable[[], bool] = lambda: False
    program: Sequence[str] = ENGINE

    @property
    def lock_path(self) -> Path:
        """The file whose lock tells that a job of this lane is at work."""
        return self.workspace / "schedule" / f"{self.lane}.job"

    def run(self, job: ChildJob) -> Ended:
        words = [*self.program, *job.words, *self.configured]
        words += ["--workspace", str(self.workspace), "--json"]
        with self._lane() as lane, tempfile.TemporaryFile() as answer, self._log(job) as log:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=log,
                env=without_secrets(os.environ),
                start_new_session=True,
                pass_fds=(lane.fileno(),),
            )
            if job.in_background:
                os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
            code = self._wait(process, job.limit_s)
            return Ended(exit_code=code, answer=_answer(answer))

    def recover(self) -> bool:
        if not lock.is_held(self.lock_path):
            return False
        end = time.monotonic() + _PATIENCE_S
        while lock.is_held(self.lock_path):
            for pid in _workers(self.lock_path):
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            if time.monotonic() > end:
                raise EnvironmentProblem(
                    f"{self.lock_path}: held by a job of another scheduler",
                    hint="end that process; jobs can be ended at any moment",
                )
            time.sleep(_POLL_S)
        return True

    def _wait(self, process: "subprocess.Popen[bytes]", limit_s: float) -> int:
        end = time.monotonic() + limit_s
        while True:
            try:
                return process.wait(_POLL_S)
            except subprocess.TimeoutExpired:
                stopped = self.stopped()
                if stopped or time.monotonic() > end:
                    _end(process)
                    return STOPPED if stopped else _TIMED_OUT

    @contextmanager
    def _lane(self) -> Iterator[IO[str]]:
        self.lock_path.parent.mkdir(parents=True, exist_ok=True)
        with self.lock_path.open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentProblem(f"{self.lock_path}: another job is at work") from None
            yield file

    @contextmanager
    def _log(self, job: ChildJob) -> Iterator[IO[bytes]]:
        path = self.workspace / "logs" / f"{job.name}.log"
        _rotate(path)
        with path.open("ab") as file:
            yield file


def _workers(path: Path) -> list[int]:
    """Processes that have the file open. A pid on paper may be another process's by now."""
    found = []
    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        try:
            files = process.open_files()
        except psutil.Error:  # another user's, or gone meanwhile
            continue
        if any(file.path == str(path.resolve()) for file in files):
            found.append(process.pid)
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask the group, then make it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _answer(file: IO[bytes]) -> Json:
    file.seek(0)
    text = file.read(_ANSWER_BYTES)
    try:
        value = from_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
