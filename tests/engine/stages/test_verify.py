"""`verify` on runs and on the files beside them; seals are in `test_sealed`."""

import shutil
from pathlib import Path

import pytest

from engine.errors import UsageError
from engine.files import building, write_json, write_manifest, write_text
from engine.hashes import LIST
from engine.runs.store import Run
from engine.stages.verify import verify
from tests.engine.runs.ended import ended_run
from tests.engine.stages.seals import context_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = ended_run(tmp_path)
    write_json(made.path("backtest.json"), {"sharpe": 1.25})
    write_text(made.path("checkpoints/kept"), "kept-000001")
    made.path("checkpoints/kept-000001").mkdir()
    return made


def flip(path: Path, bit: int = 85) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_whole_run_is_ok(tmp_path: Path, run: Run) -> None:
    """Configuration, manifest, backtest and pointer."""
    found = verify(context_of(tmp_path), name=run.id)
    assert (found.exit_code, found.json["damaged"]) == (0, 0)
    (row,) = found.json["files"]
    assert (row["checked"], row["unhashed"], row["errors"]) == (4, (), ())
    assert found.text.split() == [run.id, "ok", "4", "files"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("backtest.json", "make it again with `atft-tui backtest RUN`"),
        ("config.toml", "bring it back from a copy"),
        ("checkpoints/kept", "`atft-tui train --resume RUN`"),
        ("events.jsonl", "line 1 is damaged"),
    ],
)
def test_a_damaged_file_is_named_with_the_way_back(
    tmp_path: Path, run: Run, name: str, told: str
) -> None:
    flip(run.path(name))
    for asked in (run.id, None, "all"):
        found = verify(context_of(tmp_path), name=asked)
        assert (found.exit_code, found.json["damaged"]) == (4, 1)
        (error,) = next(row for row in found.json["files"] if row["name"] == run.id)["errors"]
        assert name in error
        assert told.replace("RUN", run.id) in error
    assert "DAMAGED" in found.text


def test_a_missing_file_and_a_missing_list_are_faults(tmp_path: Path, run: Run) -> None:
    run.path("backtest.json").unlink()
    (row,) = verify(context_of(tmp_path), name=run.id).json["files"]
    assert row["errors"] == (f"{run.path('backtest.json')}: listed but missing",)
    run.path(LIST).unlink()
    (row,) = verify(context_of(tmp_path), name=run.id).json["files"]
    assert row["errors"] == (f"{run.path(LIST)}: is missing; bring it back from a copy",)


def test_a_run_of_a_version_before_is_said_to_be_unhashed(tmp_path: Path, run: Run) -> None:
    run.path(LIST).unlink()
    told = run.path("manifest.json").read_text()
    run.path("manifest.json").write_text(told.replace('"hashed": true,', ""))
    found = verify(context_of(tmp_path), name=run.id)
    assert found.exit_code == 0
    assert found.text.split()[:2] == [run.id, "unhashed"]


def test_the_line_that_a_run_at_work_is_writing_is_no_damage(tmp_path: Path, run: Run) -> None:
    with run.events_path.open("ab") as file:
        file.write(b'{"type": "StepLogged", "se')
    with run.lock():
        assert verify(context_of(tmp_path), name=run.id).exit_code == 0
    assert verify(context_of(tmp_path), name=run.id).exit_code == 4


def test_a_sum_that_lost_its_name_is_found(tmp_path: Path, run: Run) -> None:
    """The event is what it was, so readers take it; its line is not."""
    content = run.events_path.read_bytes()
    run.events_path.write_bytes(content.replace(b'"crc"', b'"crb"', 1))
    assert len(list(run.events())) == 2
    assert verify(context_of(tmp_path), name=run.id).exit_code == 4


def test_files_beside_the_runs_and_built_folders_are_read_once(tmp_path: Path, run: Run) -> None:
    write_json(tmp_path / "audit.json", {"leaks": 0})
    for name in ("a", "b"):
        with building(tmp_path / "panels" / name) as staging:
            if name == "a":
                (staging / "bars.txt").write_text("1,2,3")
            else:
                (staging / "bars.txt").hardlink_to(tmp_path / "panels" / "a" / "bars.txt")
            write_manifest(staging, {})
    found = verify(context_of(tmp_path), name=None)
    assert found.exit_code == 0, found.text
    # the audit and two manifests in the list, and one file under two names
    assert found.json["files"][-1]["name"] == "workspace"
    assert found.json["files"][-1]["checked"] == 4
    flip(tmp_path / "panels" / "a" / "bars.txt", 1)
    found = verify(context_of(tmp_path), name=None)
    assert len(found.json["files"][-1]["errors"]) == 2
    assert "built again" in found.text


@pytest.mark.parametrize("folder", ["checkpoints", "checkpoints/mlp-fold-0-seed-1"])
def test_a_pointer_that_is_an_older_one_again_is_told(
    tmp_path: Path, run: Run, folder: str
) -> None:
    """Its words are known, the version that they name is gone."""
    pointer = run.path(f"{folder}/kept")
    pointer.parent.mkdir(exist_ok=True)
    write_text(pointer, "kept-000001")
    write_text(pointer, "kept-000003")
    (pointer.parent / "kept-000003").mkdir()
    shutil.rmtree(pointer.parent / "kept-000001", ignore_errors=True)
    assert verify(context_of(tmp_path), name=run.id).exit_code == 0
    flip(pointer, 81)
    assert pointer.read_text() == "kept-000001"
    found = verify(context_of(tmp_path), name=run.id)
    assert found.exit_code == 4
    (error,) = found.json["files"][0]["errors"]
    assert "that is not there" in error
    assert f"train --resume {run.id}" in error


def test_a_name_that_is_neither_is_refused(tmp_path: Path, run: Run) -> None:
    for name in ("2016-12-30", "nobody"):
        with pytest.raises(UsageError, match=name):
            verify(context_of(tmp_path), name=name)
    assert verify(context_of(tmp_path), name=run.id[-4:]).exit_code == 0
