"""Wishes as files, the status of a paused run, and how a run's process ended."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import UsageError
from engine.runs import launch
from engine.runs.launch import ControlFiles
from engine.runs.store import Run, RunStore

PATIENCE_S = 30.0


def make(root: Path, command: str = "train") -> Run:
    return RunStore(root / "runs").create(command, Config())


def test_a_wish_lasts_until_it_is_withdrawn(tmp_path: Path) -> None:
    files = ControlFiles(tmp_path / "control")
    assert files.asked() == frozenset()
    files.ask("checkpoint")
    files.ask("pause")
    files.mark_paused()
    assert files.asked() == {"checkpoint", "pause"}
    files.withdraw("checkpoint")
    files.withdraw("checkpoint")
    assert files.asked() == {"pause"}
    files.clear()
    assert files.asked() == frozenset()
    assert list((tmp_path / "control").iterdir()) == []


def test_only_a_run_at_work_that_takes_steps_is_asked(tmp_path: Path) -> None:
    run = make(tmp_path)
    with pytest.raises(UsageError, match="nobody is working on it"):
        launch.request(run, "checkpoint")
    search = make(tmp_path, "tune")
    with search.lock(), pytest.raises(UsageError, match="no steps of its own"):
        launch.request(search, "pause")
    assert not run.path("control").exists()
    assert not search.path("control").exists()


def test_pause_and_go_on(tmp_path: Path) -> None:
    run = make(tmp_path)
    with run.lock():
        with pytest.raises(UsageError, match="is not paused"):
            launch.go_on(run)
        ControlFiles.of(run).mark_paused()  # by itself, on a full disk
        with pytest.raises(UsageError, match="waits for room on its disk"):
            launch.go_on(run)
        ControlFiles.of(run).unmark_paused()
        launch.request(run, "pause")
        assert run.status() == "running", "asked, but the step is not over"
        with pytest.raises(UsageError, match="paused already"):
            launch.request(run, "pause")
        ControlFiles.of(run).mark_paused()
        assert run.status() == "paused"
        launch.go_on(run)
        assert ControlFiles.of(run).asked() == frozenset()
    assert run.status() == "created", "the mark of a process that died says nothing"


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", "SIGTERM"),
        ("raise SystemExit(4)", ""),
        ("pass", ""),
    ],
)
def test_the_supervisor_notes_how_the_process_ended(tmp_path: Path, code: str, name: str) -> None:
    run = make(tmp_path)
    words = ["/bin/sh", "-c", launch._SUPERVISOR, str(run.exit_path), sys.executable, "-c", code]
    subprocess.run(words, check=True, timeout=PATIENCE_S)
    assert launch.fatal_signal(run) == name


def test_without_a_supervisor_the_signal_is_not_known(tmp_path: Path) -> None:
    run = make(tmp_path)
    assert launch.fatal_signal(run) == ""
    run.exit_path.write_text("rubbish")
    assert launch.fatal_signal(run) == ""
    run.exit_path.write_text("999")
    assert launch.fatal_signal(run) == ""


WORK = """
import sys, time
from pathlib import Path
from engine.runs.store import Run
with Run(Path(sys.argv[1])).lock():
    time.sleep(600)
"""


def test_a_launched_run_that_is_killed_names_the_signal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        launch,
        "argv",
        lambda workspace, words: [sys.executable, "-c", WORK, str(workspace / "runs" / words[2])],
    )
    run = launch.start(tmp_path, "train", Config())
    end = time.monotonic() + PATIENCE_S
    while (pid := run.holder()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    while not run.exit_path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    assert launch.fatal_signal(run) == "SIGKILL"
    assert run.status() == "crashed"
