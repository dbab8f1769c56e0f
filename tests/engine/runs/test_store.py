"""Run directories: found, locked, judged alive or dead by the kernel and not by a pid."""

import datetime as dt
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import LockedError, UsageError
from engine.runs import launch
from engine.runs.events import Noted, RunFinished
from engine.runs.sink import JsonlSink
from engine.runs.store import Run, RunStore

HOLD = """
import sys, time
from pathlib import Path
from engine.runs import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def at(second: int) -> dt.datetime:
    return dt.datetime(2026, 1, 5, 9, 0, second, tzinfo=dt.UTC)


def make(tmp_path: Path, second: int = 0) -> Run:
    return RunStore(tmp_path / "runs", lambda: at(second)).create("train", Config())


def write(run: Run, *events: Noted | RunFinished) -> None:
    sink = JsonlSink(run.events_path)
    for event in events:
        sink.emit(event)
    sink.close()


def holder(run: Run) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path("lock"))], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_run_knows_itself(tmp_path: Path) -> None:
    run = make(tmp_path, 7)
    assert run.id.startswith("20260105-090007-train-")
    assert run.created == at(7)
    assert run.command == "train"
    assert run.config() == Config()
    assert run.manifest.packages["polars"]
    assert run.status() == "created"


def test_runs_of_one_second_that_draw_the_same_tail_are_still_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tails = iter(["1693", "1693", "1693", "07ab"])
    monkeypatch.setattr("engine.runs.store.secrets.token_hex", lambda _bytes: next(tails))
    assert make(tmp_path).id == "20260105-090000-train-1693"
    assert make(tmp_path).id == "20260105-090000-train-07ab"


def test_runs_are_found_by_id_prefix_end_and_last(tmp_path: Path) -> None:
    runs = [make(tmp_path, second) for second in range(3)]
    store = RunStore(tmp_path / "runs")
    assert [run.id for run in store] == [run.id for run in reversed(runs)]
    assert store.open("last").id == runs[2].id
    assert store.open(runs[1].id).id == runs[1].id
    assert store.open("20260105-090001").id == runs[1].id
    assert store.open(runs[0].id[-4:]).id == runs[0].id
    with pytest.raises(UsageError, match="fits several runs"):
        store.open("20260105")
    with pytest.raises(UsageError, match="no run"):
        store.open("19990101")
    for hostile in ("../secrets", "/etc", "", "x" * 100, "a\x00b"):
        with pytest.raises(UsageError, match="is not a run id"):
            store.open(hostile)


def test_foreign_things_in_the_directory_are_passed_over(tmp_path: Path) -> None:
    run = make(tmp_path)
    root = tmp_path / "runs"
    (root / "notes").mkdir()
    (root / "20260105-090009-train-ffff").mkdir()
    (root / "file.txt").write_text("x")
    (root / "20260105-090008-train-eeee").symlink_to(run.directory)
    assert [found.id for found in RunStore(root)] == [run.id]
    with pytest.raises(UsageError, match="no runs yet"):
        RunStore(tmp_path / "nowhere").open("last")


def test_status_follows_the_lock_and_the_last_event(tmp_path: Path) -> None:
    run = make(tmp_path)
    process = holder(run)
    write(run, Noted(message="working"))
    assert run.status() == "running"
    assert run.holder() == process.pid
    with pytest.raises(LockedError, match=f"in use by process {process.pid}"), run.lock():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run.status() == "crashed"
    assert run.holder() is None
    with run.lock():
        assert run.status() == "running"
    write(run, RunFinished(status="stopped"))
    assert run.status() == "stopped"


def test_a_pid_that_now_belongs_to_another_process_does_not_look_alive(tmp_path: Path) -> None:
    run = make(tmp_path)
    import os
    import socket

    run.path("lock").write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    write(run, Noted(message="working"))
    assert run.status() == "crashed"
    with pytest.raises(UsageError, match="nobody is working on it"):
        launch.request_stop(run)


def test_the_last_event_is_found_behind_a_torn_line(tmp_path: Path) -> None:
    run = make(tmp_path)
    write(run, *(Noted(message=f"line {i} " + "x" * 100) for i in range(2000)))
    with run.events_path.open("ab") as file:
        file.write(b'{"type": "Noted", "mess')
    last = run.last_event()
    assert isinstance(last, Noted)
    assert last.message.startswith("line 1999")


def test_a_launched_child_outlives_its_starter_and_leaves_its_last_words(tmp_path: Path) -> None:
    """An empty workspace: the child fails with the data error, in the run's log and as its status."""
    run = launch.start(tmp_path, "train", Config())
    end = time.monotonic() + 60
    while run.status() in ("created", "running") and time.monotonic() < end:
        time.sleep(0.05)
    assert run.status() == "failed"
    last = run.last_event()
    assert isinstance(last, RunFinished)
    assert "ingest" in f"{last.error} {last.hint}"
    while not run.log_path.read_text().strip() and time.monotonic() < end:
        time.sleep(0.05)
    assert "error:" in run.log_path.read_text()


def test_only_commands_with_a_way_back_are_resumed(tmp_path: Path) -> None:
    run = RunStore(tmp_path / "runs", lambda: at(3)).create("demo", Config())
    with pytest.raises(UsageError, match="a demo run is not resumed"):
        launch.resume(tmp_path, run)


def test_temporary_files_of_killed_writers_are_swept(tmp_path: Path) -> None:
    run = make(tmp_path)
    run.path(".train.json.77.tmp").write_text("half")
    RunStore(tmp_path / "runs").sweep()
    assert not run.path(".train.json.77.tmp").exists()
    assert run.path("manifest.json").exists()


def test_runs_are_found_by_the_tags_of_their_manifest(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    a = store.create("trial", Config(), {"study": "a", "trial": 0})
    b = store.create("trial", Config(), {"study": "b", "trial": 0})
    store.create("train", Config(), {"study": "a"})
    assert list(store.tagged("trial", study="a")) == [a]
    assert set(store.tagged("trial", trial=0)) == {a, b}
    assert list(store.tagged("tune", study="a")) == []
