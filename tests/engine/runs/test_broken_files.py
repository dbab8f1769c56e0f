"""A broken file of a run hides nothing but itself, and is named."""

from pathlib import Path

import pytest

from engine.config.file import resolve
from engine.files import write_json
from engine.hashes import LIST
from engine.runs.events import StageStarted
from engine.runs.sink import JsonlSink
from engine.runs.store import Run, RunStore
from engine.runs.summary import summarise
from tests.engine.runs.ended import ended_run

FIGURES = {"test": {"rank_ic": 0.031, "rank_ic_se": 0.005, "n_dates": 60, "null_band": 0.01}}
GARBAGE = [b"\x00" * 200_000, b"\xff\xfe\n" * 40_000, b"[" * 100_000 + b"\n", b'{"type": "StepLo']


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Ended well, with figures and a backtest."""
    made = ended_run(tmp_path)
    write_json(made.path("train.json"), FIGURES)
    write_json(made.path("backtest.json"), {"sharpe": 1.25, "sharpe_low": 0.5})
    return made


def flip(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


@pytest.mark.parametrize("garbage", GARBAGE, ids=["zeros", "bytes", "deep", "torn"])
def test_a_finished_run_with_garbage_after_its_end_has_finished(run: Run, garbage: bytes) -> None:
    """More of it than one piece that is read from the end."""
    with run.events_path.open("ab") as file:
        file.write(garbage)
    assert run.status() == "done"
    assert summarise(run).status == "done"


def test_a_damaged_end_is_said_to_be_one(run: Run) -> None:
    flip(run.events_path, run.events_path.stat().st_size * 8 - 100)
    about = summarise(run)
    assert "its last line is damaged, so how it ended is not known" in about.trouble


@pytest.mark.parametrize("name", ["train.json", "backtest.json", "manifest.json", "labels.json"])
@pytest.mark.parametrize(
    "content", [b"{", b'{"id": "2', b"[" * 100_000, b"\x00\xff"], ids=["{", "cut", "deep", "bytes"]
)
@pytest.mark.parametrize("hashed", [True, False])
def test_the_other_files_of_the_run_are_shown(
    run: Run, name: str, content: bytes, hashed: bool
) -> None:
    if not hashed:
        run.path(LIST).unlink()
    elif name == "labels.json":
        write_json(run.path(name), {"note": "mine"})
    run.path(name).write_bytes(content)
    about = summarise(run)
    assert about.trouble.startswith(f"unreadable: {name}: ")
    assert ("damaged" in about.trouble) == hashed
    assert about.status == "done"
    assert (about.test is None) == (name == "train.json")
    assert (about.sharpe is None) == (name == "backtest.json")


def test_a_run_whose_manifest_is_broken_is_no_part_of_anything(run: Run, tmp_path: Path) -> None:
    """The search that looks for its trials passes over it."""
    store = RunStore(tmp_path / "runs")
    other = store.create("train", resolve([]).config, {"study": "s"})
    assert [one.id for one in store.tagged("train", study="s")] == [other.id]
    run.path("manifest.json").write_bytes(b"{")
    assert [one.id for one in store.tagged("train", study="s")] == [other.id]


def test_a_long_file_is_read_from_its_end(run: Run) -> None:
    """200 kB of events after the end of an earlier process: the newest one counts."""
    sink = JsonlSink(run.events_path)
    for _ in range(2000):
        sink.emit(StageStarted(stage="x" * 100))
    sink.close()
    assert run.status() == "crashed"
    assert run.last_event() == list(run.events())[-1]
