"""A full or read-only disk is one sentence with exit code 4, whichever library found it out."""

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import SafetensorError

from engine import disk, hashes
from engine.cli import main
from engine.disk import DiskFull
from engine.errors import EnvironmentProblem
from engine.files import building, write_bytes, write_json, write_parquet
from engine.portfolio.prediction import write_table
from engine.records.database import Database
from engine.runs.events import Noted, Warned
from engine.runs.launch import ControlFiles
from engine.runs.sink import JsonlSink, ListSink, read_new
from engine.stages.context import waiting_for_room
from engine.training.snapshots import _save_checkpoint
from tests.full_disk import full_disk

ROWS = pl.DataFrame({"a": np.random.default_rng(0).random(20_000)})


def build(path: Path) -> None:
    with building(path) as staging:
        np.save(staging / "a.npy", ROWS["a"].to_numpy())


def insert(path: Path) -> None:
    database = Database(path, ["create table if not exists t (a blob)"], version=1)
    with database.transaction() as connection:
        connection.execute("insert into t values (?)", (bytes(200_000),))


WRITERS: dict[str, Callable[[Path], None]] = {
    "bytes": lambda path: write_bytes(path, bytes(100_000)),
    "json": lambda path: write_json(path, {"a": "x" * 100_000}),
    "polars": lambda path: write_parquet(path, ROWS),
    "pyarrow": lambda path: write_table(path, ROWS, {}),
    "safetensors": lambda path: _save_checkpoint(path, "best", {"a": torch.zeros(50_000)}, {}),
    "folder": build,
    "sqlite": insert,
    "events": lambda path: JsonlSink(path).emit(Noted(message="x" * 100_000)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_says_that_a_file_may_not_grow_and_leaves_nothing_half(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name == "bytes":
        path.write_bytes(b"old")
    with pytest.raises(EnvironmentProblem) as told, full_disk(20_000):
        WRITERS[name](path)
    words = "only a part of the file" if name == "folder" else "no file may be so large here"
    assert told.value.exit_code == 4
    assert told.value.message.startswith(str(path))
    assert words in told.value.message
    left = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    if name != "sqlite":
        assert left == {"bytes": {"bytes": b"old"}, "events": {"events": b""}}.get(name, {})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError("No space left on device (os error 28)"), "the disk is full"),
        (SafetensorError("Error: I/O error: No space left (os error 28)"), "the disk is full"),
        (pl.exceptions.ComputeError("parquet: IO error (os error 28)"), "the disk is full"),
        (OSError("1000000 requested and 24984 written"), "only a part"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full"),
        (RuntimeError("(sqlite3.OperationalError) database or disk is full"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "the quota"),
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (RuntimeError("open file failed with strerror: Read-only file system"), "read-only"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "read-only"),
        (PermissionError(errno.EACCES, "Permission denied"), "no permission"),
        (OSError(errno.EIO, "Input/output error"), "I/O error"),
        (
            RuntimeError("cannot cache function 'f': no locator available for file 'f.py'"),
            "cannot be opened",
        ),
    ],
)
def test_each_library_has_its_own_words_for_the_same_disk(error: Exception, words: str) -> None:
    found = disk.problem(error, Path("there"))
    assert found is not None
    assert found.exit_code == 4
    assert found.message.startswith(f"there: {words}") or words in found.message
    assert isinstance(found, DiskFull) is (words in ("the disk is full", "the quota"))


def test_other_errors_are_not_the_disk() -> None:
    for error in (ValueError("no room"), FileNotFoundError(errno.ENOENT, "gone"), KeyError("a")):
        assert disk.problem(error) is None
    assert disk.problem(DiskFull("told already")) is None


def test_how_much_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(disk, "free", lambda _: 1024)
    full = disk.problem(OSError(errno.ENOSPC, "full"), tmp_path, needs=3 * 1024)
    assert full is not None
    assert "3.0 KiB needed and 1.0 KiB free: 2.0 KiB are missing" in full.message
    with pytest.raises(DiskFull, match=r"too full, 4\.0 KiB needed and 1\.0 KiB free: 3\.0 KiB"):
        disk.require(tmp_path / "run", 4096)
    disk.require(tmp_path / "run", 1024)


def test_an_error_of_a_library_ends_a_command_with_4(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError("underlying IO error: No space left (os error 28)")

    monkeypatch.setattr("engine.cli._execute", full)
    assert main(["runs", "--workspace", str(tmp_path)]) == 4
    assert "error: the disk is full" in capsys.readouterr().err


def test_a_line_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Half a line of hashes or events would damage the one after it."""
    lines = tmp_path / hashes.LIST
    hashes.append(lines, "first\n")
    with pytest.raises(OSError, match="File too large"), full_disk(20):
        hashes.append(lines, "a second line that does not fit\n")
    hashes.append(lines, "third\n")
    assert lines.read_text() == "first\nthird\n"


class Room:
    """A disk that is full for some writes, and what is told meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, full: int) -> None:
        self.full, self.space, self.slept = full, 0, 0
        monkeypatch.setattr(disk, "free", lambda _: self.space)

    def write(self) -> str:
        if self.full:
            self.full -= 1
            raise DiskFull("there: the disk is full")
        return "written"

    def sleep(self, _: float) -> None:
        self.slept += 1
        if self.slept > 2:
            self.space += 2**21


def test_a_run_waits_for_room_says_so_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room, told, files = Room(monkeypatch, full=2), ListSink(), ControlFiles(tmp_path / "control")
    with waiting_for_room(tmp_path, told, files, lambda: False, room.sleep):
        assert (tmp_path / ".reserve.tmp").stat().st_size > 0
        assert disk.again(room.write) == "written"
    assert [type(event) for event in told.events] == [Warned, Noted] * 2
    first = told.events[0]
    assert isinstance(first, Warned)
    assert first.message == "there: the disk is full; waiting for room"
    assert room.slept == 4
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_stop_ends_the_waiting_and_without_a_run_nobody_waits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room, files = Room(monkeypatch, full=9), ControlFiles(tmp_path / "control")
    with (
        pytest.raises(DiskFull),
        waiting_for_room(tmp_path, ListSink(), files, lambda: room.slept > 1, room.sleep),
    ):
        disk.again(room.write)
    assert room.slept == 2
    with pytest.raises(EnvironmentProblem):
        disk.again(room.write)


def test_events_are_counted_in_pieces_when_a_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However long the file grew, one piece of it is in memory; every border is tried."""
    path = tmp_path / "events.jsonl"
    sink = JsonlSink(path)
    for message in ("one", "two"):
        sink.emit(Noted(message=message))
    sink.close()
    whole = path.read_bytes()
    for piece in range(1, 40):
        path.write_bytes(whole + b'{"torn')
        with monkeypatch.context() as patch:
            patch.setattr("engine.runs.sink._MAX_BYTES", piece)
            again = JsonlSink(path)
        again.emit(Noted(message="three"))
        again.close()
        assert [event.seq for event in read_new(path, 0)[0]][-1] == 2
