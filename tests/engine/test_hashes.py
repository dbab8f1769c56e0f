"""The list of hashes: what it refuses, what it lets pass, and that a crash at any moment is no damage."""

import os
import tempfile
from pathlib import Path

import pytest

from engine import hashes
from engine.data.store import PanelStore
from engine.errors import EnvironmentProblem, IntegrityError
from engine.files import (
    adopt,
    atomic_path,
    building,
    inside,
    own_folder,
    read_json,
    read_text,
    verify_files,
    write_json,
    write_manifest,
    write_text,
)
from engine.hashes import LIST, MANIFEST, inventory
from engine.signals.models import ModelStore

RUN = "20260105-090000-train-5e2e"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in a workspace, each with its list."""
    home = tmp_path / "runs" / RUN
    home.mkdir(parents=True)
    hashes.begin(tmp_path)
    hashes.begin(home)
    return home


def flip(path: Path, bit: int = 5) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def test_a_line_is_what_sha256sum_writes(run: Path) -> None:
    """The digest of ``abc`` is the example of FIPS 180-2."""
    write_text(run / "folds" / "a.txt", "abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (run / LIST).read_text() == f"{digest}  folds/a.txt\n"


def test_the_nearest_list_above_a_file_has_it(run: Path, tmp_path: Path) -> None:
    write_text(run / "a.txt", "a")
    write_text(tmp_path / "data" / "b.txt", "b")
    assert [line.split("  ")[1] for line in (run / LIST).read_text().splitlines()] == ["a.txt"]
    assert (tmp_path / LIST).read_text().split("  ")[1] == "data/b.txt\n"


def test_a_damaged_file_is_named_with_the_command_that_makes_it_again(run: Path) -> None:
    write_json(run / "backtest.json", {"sharpe": 1.0})
    assert read_json(run / "backtest.json") == {"sharpe": 1.0}
    flip(run / "backtest.json")
    with pytest.raises(IntegrityError, match=r"backtest\.json: damaged") as told:
        read_json(run / "backtest.json")
    assert told.value.hint == f"make it again with `atft-tui backtest {RUN}`"
    write_json(run / "backtest.json", {"sharpe": 1.0})
    assert read_json(run / "backtest.json") == {"sharpe": 1.0}


def test_a_file_that_is_read_in_parts_is_compared_first(run: Path) -> None:
    write_text(run / "a.txt", "abc")
    assert hashes.checked(run / "a.txt") == run / "a.txt"
    flip(run / "a.txt")
    with pytest.raises(IntegrityError):
        hashes.checked(run / "a.txt")


def test_a_crash_between_line_and_rename_leaves_the_old_file_right(run: Path) -> None:
    write_text(run / "a.txt", "old")
    try:
        with atomic_path(run / "a.txt") as temporary:
            temporary.write_text("new")
            hashes.note(run / "a.txt", temporary)
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert read_text(run / "a.txt") == "old"
    write_text(run / "a.txt", "newer")
    assert read_text(run / "a.txt") == "newer"


def test_a_torn_last_line_damages_nothing_but_itself(run: Path) -> None:
    write_text(run / "a.txt", "a")
    with (run / LIST).open("a") as file:
        file.write("ba7816bf8f01")
    write_text(run / "b.txt", "b")
    assert (read_text(run / "a.txt"), read_text(run / "b.txt")) == ("a", "b")
    told = inventory(run)
    assert told is not None
    assert (told.checked, told.faults) == (2, (f"{run / LIST}: line 2 is damaged",))


def test_what_is_not_listed_passes(run: Path, tmp_path: Path) -> None:
    write_text(run / "config.toml", "a = 1", listed=False)
    write_text(tmp_path.parent / f"{tmp_path.name}.txt", "outside every list")
    write_text(run / ".cache" / "a.txt", "hidden")
    assert (run / LIST).read_text() == ""
    flip(run / "config.toml")
    assert read_text(run / "config.toml") != "a = 1"


def test_a_built_folder_is_held_against_its_manifest_and_that_against_the_list(
    tmp_path: Path,
) -> None:
    hashes.begin(tmp_path)
    with building(tmp_path / "data" / "abc") as staging:
        (staging / "bars.txt").write_text("1,2,3")
        write_manifest(staging, {"market": "jp"})
    built = tmp_path / "data" / "abc"
    assert hashes.read(built / "bars.txt") == b"1,2,3"
    flip(built / "bars.txt")
    with pytest.raises(IntegrityError, match=r"bars\.txt"):
        hashes.read(built / "bars.txt")
    flip(built / "bars.txt")
    content = (built / "manifest.json").read_text()
    (built / "manifest.json").write_text(content.replace("jp", "us"))
    for name in ("manifest.json", "bars.txt"):
        with pytest.raises(IntegrityError, match=r"manifest\.json"):
            hashes.read(built / name)


def test_an_inventory_names_every_kind_of_trouble(run: Path) -> None:
    for name in ("train.json", "sweep.json", "labels.json", "gone/kept.json"):
        write_json(run / name, {"name": name})
    flip(run / "sweep.json")
    (run / "labels.json").unlink()
    (run / "gone" / "kept.json").unlink()
    (run / "gone").rmdir()
    (run / "report.html").write_text("by hand")
    told = inventory(run)
    assert told is not None
    assert told.checked == 1
    assert told.missing == ("labels.json",)
    assert told.unlisted == ("report.html",)
    assert len(told.faults) == 1
    assert f"`atft-tui sweep {RUN}`" in told.faults[0]
    assert inventory(run / "none") is None


@pytest.mark.parametrize("name", ["..", "../../etc/passwd", "/etc/passwd", "a/../../b", "a\0b", ""])
def test_no_name_in_a_manifest_a_pointer_or_a_list_leads_out_of_its_folder(
    run: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(IntegrityError):
        inside(tmp_path, name)
    with pytest.raises(IntegrityError):
        verify_files(tmp_path, {"files": {name: {"sha256": "", "bytes": 0}}}, [name])
    with pytest.raises(IntegrityError):
        adopt(tmp_path, run, [name], {name: 1})
    with pytest.raises(IntegrityError):
        PanelStore(tmp_path / "data").snapshot(name or ".")
    with pytest.raises(IntegrityError):
        ModelStore(tmp_path / "models").open(name)
    if ".." in name or name.startswith("/"):
        (run / LIST).write_text(f"{'0' * 64}  {name}\n")
        told = inventory(run)
        assert told is not None
        assert (told.missing, len(told.faults)) == ((), 1)


def test_no_flipped_bit_of_a_list_hides_a_damaged_file(run: Path) -> None:
    """A list with one wrong bit refuses the right content or lets it pass; `inventory` tells of it."""
    write_text(run / "a.json", "abc")
    for bit in range((run / LIST).stat().st_size * 8):
        flip(run / LIST, bit)
        told = inventory(run)
        assert told is not None
        assert told.faults or told.missing or told.unlisted, bit
        flip(run / LIST, bit)


def test_of_two_builders_at_once_the_first_one_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one ends between the look and the rename; what it made is being read by then."""
    target = tmp_path / "panels" / "abc"
    look = Path.exists

    def build(content: str) -> None:
        with building(target) as staging:
            (staging / "a.txt").write_text(content)
            write_manifest(staging, {})

    def late(path: Path) -> bool:
        found = look(path)
        if path == target / MANIFEST and not found:
            monkeypatch.setattr(Path, "exists", look)
            monkeypatch.setattr("os.getpid", lambda: 1)
            build("theirs")
            monkeypatch.undo()
        return found

    monkeypatch.setattr(Path, "exists", late)
    build("ours")
    assert (target / "a.txt").read_text() == "theirs"
    (target / MANIFEST).unlink()  # left by somebody else: no folder of ours is without one
    build("again")
    assert (target / "a.txt").read_text() == "again"
    assert [path.name for path in target.parent.iterdir()] == ["abc"]


def test_what_was_built_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polars and numpy sync nothing. What is adopted has been synced, and is not again."""
    target, synced = tmp_path / "features" / "abc", set[int]()
    sync, rename = os.fsync, Path.rename

    def note(descriptor: int) -> None:
        sync(descriptor)
        synced.add(os.fstat(descriptor).st_ino)

    def look(path: Path, to: Path) -> Path:
        if to == target:
            found = {one.name: one.stat().st_ino in synced for one in path.iterdir()}
            assert found == {"a.npy": True, "old.npy": False, MANIFEST: True}
            assert path.stat().st_ino in synced
        return rename(path, to)

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(Path, "rename", look)
    (tmp_path / "old.npy").write_bytes(b"old")
    with building(target) as staging:
        (staging / "a.npy").write_bytes(b"new")
        known = adopt(tmp_path, staging, ["old.npy"], {"old.npy": {"sha256": "", "bytes": 3}})
        write_manifest(staging, {}, known)
    assert target.parent.stat().st_ino in synced


def test_a_folder_for_all_users_is_no_place_for_ours_unless_it_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else's link of the name that everybody can guess, or a folder that others write into."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    place = own_folder()
    assert (place.stat().st_mode & 0o777, own_folder()) == (0o700, place)
    place.chmod(0o777)
    with pytest.raises(EnvironmentProblem, match="not a folder that only this user"):
        own_folder()
    place.rmdir()
    (tmp_path / "theirs").mkdir()
    place.symlink_to(tmp_path / "theirs")
    with pytest.raises(EnvironmentProblem, match="not a folder that only this user"):
        own_folder()
