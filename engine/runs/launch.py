"""Starting a command as a process of its own: a child that outlives its starter, or one that is asked.

What a person wants of a child at work, checkpoint, rollback or pause, are files in the run's ``control/``: a
file that is there is a wish. The training looks at the end of every step, carries the wish out and removes
the file with its answer in the events; only ``pause`` lasts as long as the file does. Nothing is lost or half
asked when either side is killed, and a new process starts without the wishes of the one before.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, get_args

from engine.commands import Command
from engine.errors import EngineError, EnvironmentProblem, UsageError
from engine.files import Json, write_bytes
from engine.runs.store import Run, RunStore

if TYPE_CHECKING:
    from engine.config import Config

ENGINE = (sys.executable, "-P", "-m", "engine")
"""-P: a file ``engine.py`` or a folder ``strategies/`` where the user stands is not what is started."""
RESUMABLE = ("train", "walkforward", "tune", "compare")
"""Commands with --resume."""
_SUPERVISOR = '"$@"; echo $? > "$0"'
"""A shell of about 1 MiB that waits for the process and notes how it ended, though the starter be gone."""
LIMITS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
Wish = Literal["checkpoint", "rollback", "pause"]
_WISHES: tuple[Wish, ...] = get_args(Wish)
_PAUSED = "paused"
"""The training's own mark that it waits."""
_STEPPING = ("train", "walkforward", "trial", "demo")
"""Commands whose process takes the steps; a search or a comparison leaves them to its runs."""
Option = str | int | float | bool | Sequence[str] | None
"""What an option of a command takes; None leaves it out."""
_ERRORS = {kind.exit_code: kind for kind in reversed(EngineError.__subclasses__())}
_TOLD = 20
"""Last lines of a command's own words that go into an error."""


def start(workspace: Path, command: str, config: "Config", arguments: Sequence[str] = ()) -> Run:
    """Create the run and start ``python -m engine COMMAND --run ID`` in a session of its own.

    The child reads its configuration from the run directory; its output goes to ``log.txt``.
    """
    run = RunStore(workspace / "runs").create(command, config)
    _spawn(workspace, run, [command, "--run", run.id, *arguments])
    return run


def resume(workspace: Path, run: Run) -> None:
    """Go on with a stopped or crashed run in a new child."""
    if run.command not in RESUMABLE:
        raise UsageError(f"{run.id}: a {run.command} run is not resumed", hint="start it again")
    _spawn(workspace, run, [run.command, "--resume", run.id])


def request_stop(run: Run) -> None:
    """SIGTERM to the process that holds the run's lock: it finishes its step and saves a checkpoint."""
    pid = run.holder()
    if pid is None:
        raise UsageError(f"{run.id}: nobody is working on it", hint=f"its status is {run.status()}")
    os.kill(pid, signal.SIGTERM)


def fatal_signal(run: Run) -> str:
    """Name of the signal that ended the run's process; empty if it is not known or there was none.

    Known where this module started the process: its supervisor outlives it and notes how it ended.
    """
    try:
        status = int(run.exit_path.read_text(encoding="ascii"))
        return signal.Signals(status - 128).name if status > 128 else ""
    except (OSError, ValueError):
        return ""


def argv(workspace: Path, words: Sequence[str]) -> list[str]:
    """The process that carries out a command in this workspace and answers with one JSON object.

    The common options come first: the words may end with ``--`` and arguments that look like options.
    """
    own = ["--workspace", str(workspace), "--json"]
    return [*ENGINE, *words[:1], *own, *words[1:]]


def _spawn(workspace: Path, run: Run, words: Sequence[str]) -> None:
    run.exit_path.unlink(missing_ok=True)
    supervised = ["/bin/sh", "-c", _SUPERVISOR, str(run.exit_path), *argv(workspace, words)]
    with run.log_path.open("ab") as log:
        subprocess.Popen(
            supervised,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )


def limit_threads(*, safe: bool) -> None:
    """Set the limits that the user has not set: 1 in safe mode, all processors otherwise.

    OpenMP threads sleep at a barrier instead of spinning: with another busy process on the machine,
    spinning made 300 small LightGBM rounds take 141 s in place of 2 s.

    Must run before numpy, torch or polars are imported. polars and numba keep their own pools, whose
    results do not depend on the number of threads.
    """
    count = "1" if safe else str(os.cpu_count() or 1)
    for name in LIMITS:
        os.environ.setdefault(name, count)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def world_size() -> int:
    """Processes that `torchrun`, or whoever sets its variables, has started for one training; else 1."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def ranks_here() -> int:
    """Those of them on this machine."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) if world_size() > 1 else 1


@dataclass(frozen=True, slots=True)
class ControlFiles:
    directory: Path

    @classmethod
    def of(cls, run: Run, task: str = "") -> "ControlFiles":
        """Of a run, or of the part of it that a process of its own does."""
        return cls(run.path(f"tasks/{task}/control" if task else "control"))

    def asked(self) -> frozenset[Wish]:
        """The wishes that are open. A few microseconds: asked at the end of every step."""
        try:
            names = os.listdir(self.directory)
        except FileNotFoundError:
            return frozenset()
        return frozenset(wish for wish in _WISHES if wish in names) if names else frozenset()

    def ask(self, wish: Wish) -> None:
        write_bytes(self.directory / wish, b"", listed=False)

    def withdraw(self, wish: Wish) -> None:
        (self.directory / wish).unlink(missing_ok=True)

    def take_over(self, asked: frozenset[Wish]) -> None:
        """Open the wishes that were asked of the whole run; a pause that is over there is over here."""
        for wish in asked - self.asked():
            self.ask(wish)
        if "pause" not in asked:
            self.withdraw("pause")

    def mark_paused(self) -> None:
        write_bytes(self.directory / _PAUSED, b"", listed=False)

    def unmark_paused(self) -> None:
        (self.directory / _PAUSED).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget everything that was asked of an earlier process."""
        for name in (*_WISHES, _PAUSED):
            (self.directory / name).unlink(missing_ok=True)


def request(run: Run, wish: Wish) -> None:
    """Leave a wish with a run; UsageError where nobody would read it."""
    _require_stepping(run)
    files = ControlFiles.of(run)
    if wish == "pause" and wish in files.asked():
        raise UsageError(
            f"{run.id}: is paused already", hint=f"`atft-tui continue {run.id}` lets it go on"
        )
    files.ask(wish)


def go_on(run: Run) -> None:
    """Let a paused run go on."""
    _require_stepping(run)
    files = ControlFiles.of(run)
    if "pause" not in files.asked():
        if (files.directory / _PAUSED).exists():
            raise UsageError(
                f"{run.id}: waits for room on its disk",
                hint="free space; it then goes on by itself",
            )
        raise UsageError(f"{run.id}: is not paused", hint=f"its status is {run.status()}")
    files.withdraw("pause")


def _require_stepping(run: Run) -> None:
    if run.command not in _STEPPING:
        raise UsageError(
            f"{run.id}: a {run.command} run takes no steps of its own",
            hint="ask one of the runs it has started; `atft-tui runs` lists them",
        )
    if not run.is_alive():
        raise UsageError(f"{run.id}: nobody is working on it", hint=f"its status is {run.status()}")


def as_words(command: Command, options: Mapping[str, Option]) -> Iterable[str]:
    """Options as words of the command line; UsageError for one that the command has not."""
    known = {one.name: one for one in command.parameters if one.kind != "argument"}
    for name, value in options.items():
        if name not in known:
            hint = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"{command.name} has no option {name!r}", hint=hint)
        flag = f"--{name.replace('_', '-')}"
        if known[name].kind == "flag":
            yield from [flag] if value else []
        elif value is not None:
            many = known[name].multiple and not isinstance(value, str)
            values = value if many and isinstance(value, Sequence) else [value]
            yield from (f"{flag}={one}" for one in values)


def answer_of(command: str, words: Sequence[str]) -> Json:
    """Start it by its whole command line and wait; interrupted, it is asked to stop and waited for.

    What it tells goes to stderr. Its error is raised here, in the class that its exit code names;
    EnvironmentProblem, with its last words, where it gives no answer.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        assert child.stderr is not None
        try:
            lines = _passed_on(child.stderr)
        except KeyboardInterrupt:
            child.terminate()
            lines = _passed_on(child.stderr)
        code = child.wait()
        out.seek(0)
        said = out.read()
    try:
        answer: Json = json.loads(said)
    except ValueError:
        last = "".join(lines[-_TOLD:])
        raise EnvironmentProblem(f"{command}: ended with code {code}: {last.strip()}") from None
    if "exit_code" in answer and "error" in answer:
        kind = _ERRORS.get(code, EnvironmentProblem)
        raise kind(answer["error"], hint=answer.get("hint", ""), details=answer)
    return answer


def _passed_on(stream: IO[str]) -> list[str]:
    lines = []
    for line in stream:
        sys.stderr.write(line)
        lines.append(line)
    return lines
