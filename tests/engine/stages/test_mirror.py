"""Two folders kept alike: what travels, what stays, and what was taken away."""

import os
from pathlib import Path

import pytest

from engine.errors import IntegrityError
from engine.stages import node
from engine.stages.node import Mirror, Piece


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Mirror, Mirror]:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    return Mirror(tmp_path / "here"), Mirror(tmp_path / "there")


def carry(one: Mirror, other: Mirror) -> list[Piece]:
    pieces = one.changes()
    other.apply(pieces)
    return pieces


def test_new_changed_and_removed_files_follow(sides: tuple[Mirror, Mirror]) -> None:
    here, there = sides
    (here.root / "folds").mkdir()
    (here.root / "folds/a.parquet").write_bytes(b"one")
    carry(here, there)
    assert (there.root / "folds/a.parquet").read_bytes() == b"one"
    (here.root / "folds/a.parquet").write_bytes(b"other")
    (here.root / "b.json").write_bytes(b"{}")
    carry(here, there)
    assert (there.root / "folds/a.parquet").read_bytes() == b"other"
    (here.root / "b.json").unlink()
    assert carry(here, there) == [Piece("b.json", None)]
    assert not (there.root / "b.json").exists()


def test_what_came_from_the_other_side_is_not_sent_back(sides: tuple[Mirror, Mirror]) -> None:
    here, there = sides
    (here.root / "a.json").write_bytes(b"{}")
    (here.root / "events.jsonl").write_bytes(b"1\n")
    carry(here, there)
    assert there.changes() == []
    assert here.changes() == []


def test_a_growing_file_travels_by_its_new_end_and_either_side_goes_on(
    sides: tuple[Mirror, Mirror],
) -> None:
    here, there = sides
    (here.root / "events.jsonl").write_bytes(b"1\n")
    carry(here, there)
    with (there.root / "events.jsonl").open("ab") as file:
        file.write(b"2\n")
    assert carry(there, here) == [Piece("events.jsonl", b"2\n", 2)]
    assert (here.root / "events.jsonl").read_bytes() == b"1\n2\n"


def test_what_belongs_to_one_machine_stays(sides: tuple[Mirror, Mirror]) -> None:
    here, _ = sides
    (here.root / "control").mkdir()
    for name in ("lock", "exit", "files.sha256", ".a.json.1.tmp", "control/pause"):
        (here.root / name).write_bytes(b"x")
    assert here.changes() == []


def test_files_come_in_the_order_in_which_they_were_written(sides: tuple[Mirror, Mirror]) -> None:
    """A pointer that is written after what it names never arrives before it."""
    here, _ = sides
    for when, name in enumerate(("z-weights", "a-pointer")):
        (here.root / name).write_bytes(b"x")
        os.utime(here.root / name, ns=(when, when))
    assert [piece.name for piece in here.changes()] == ["z-weights", "a-pointer"]


def test_a_name_that_leads_out_is_refused(sides: tuple[Mirror, Mirror]) -> None:
    _, there = sides
    with pytest.raises(IntegrityError, match="leads out"):
        there.apply([Piece("../evil", b"x")])
    assert not (there.root.parent / "evil").exists()


def test_what_changes_while_it_is_read_comes_the_next_time(
    sides: tuple[Mirror, Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint that is replaced between the look and the reading: neither a crash nor half of it."""
    here, _ = sides
    for when, name in enumerate(("weights-1", "pointer")):
        (here.root / name).write_text("1")
        os.utime(here.root / name, ns=(when, when))
    read = node._read

    def replaced(path: Path, offset: int) -> bytes | None:
        if path.name == "weights-1" and path.exists():
            (here.root / "weights-2").write_text("2")
            (here.root / "pointer").write_text("2")
            path.unlink()
        return read(path, offset)

    monkeypatch.setattr(node, "_read", replaced)
    assert here.changes() == []
    assert [piece.name for piece in here.changes()] == ["weights-2", "pointer"]
