"""Starting a command as a child that outlives its starter, and asking one to stop."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import UsageError
from engine.runs.store import Run, RunStore

if TYPE_CHECKING:
    from engine.config import Config

RESUMABLE = ("train", "walkforward", "tune", "compare")
"""Commands with --resume."""
SUPERVISOR = '"$@"; echo $? > "$0"'
"""A shell of about 1 MiB that waits for the process and notes how it ended, though the starter be gone."""


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
    return [sys.executable, "-m", "engine", *words[:1], *own, *words[1:]]


def _spawn(workspace: Path, run: Run, words: Sequence[str]) -> None:
    run.exit_path.unlink(missing_ok=True)
    supervised = ["/bin/sh", "-c", SUPERVISOR, str(run.exit_path), *argv(workspace, words)]
    with run.log_path.open("ab") as log:
        subprocess.Popen(
            supervised,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
            close_fds=True,
        )
