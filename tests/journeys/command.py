"""The real command line in a process of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from engine.cli import main
from engine.runs.events import RunEvent
from engine.runs.sink import read_new
from engine.runs.store import Run, RunStore
from tests.conftest import TINY

SETTINGS = [word for setting in TINY for word in ("--set", setting)]
PATIENCE_S = 600.0


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        value = json.loads(self.out)
        assert isinstance(value, dict)
        return value


def arguments(workspace: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "engine", *words, "--workspace", str(workspace)]


def environment() -> dict[str, str]:
    """Of a user's shell; what a configured machine may add is taken out."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ATFT_")}
    return {**kept, "PYTHONWARNINGS": "ignore"}


def atft_here(workspace: Path, *words: str) -> Done:
    """The same words in this process: what is loaded and compiled for the first is there for the next."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    workspace.mkdir(parents=True, exist_ok=True)
    shell = patch.dict(os.environ, environment(), clear=True)
    try:
        with chdir(workspace), shell, redirect_stdout(out), redirect_stderr(err):
            code = main([*words, "--workspace", str(workspace)])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return Done(code, out.getvalue(), err.getvalue())


def atft(workspace: Path, *words: str) -> Done:
    """Run ``atft-tui WORDS --workspace WORKSPACE`` in an empty directory, to its end."""
    workspace.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        arguments(workspace, *words),
        cwd=workspace,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def start(workspace: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        arguments(workspace, *words),
        cwd=workspace,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_run(workspace: Path, *words: str) -> "tuple[subprocess.Popen[str], Run]":
    """Start a command that makes a run; the process and the run, as soon as that exists."""
    store = RunStore(workspace / "runs")
    known = {run.id for run in store}
    process = start(workspace, *words)
    while not (new := [run for run in store if run.id not in known]):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    return process, new[0]


def wait_for_event(events: Path, wanted: Callable[[RunEvent], bool], offset: int = 0) -> RunEvent:
    """The first event after ``offset`` that is wanted; fails when none comes in time."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found, offset = read_new(events, offset)
        for event in found:
            if wanted(event):
                return event
        time.sleep(0.01)
    raise AssertionError(f"{events}: the event did not come")
