"""The cache of the screens' files: read again when a file changed, and only then."""

from pathlib import Path

import pytest
from msgspec import Struct

from atft_tui.readings.files import FileCache
from engine.records.record import RecordError


class Kept(Struct, frozen=True):
    n: int


def test_a_record_is_read_again_when_its_file_changed(tmp_path: Path) -> None:
    files, path = FileCache(), tmp_path / "kept.json"
    assert files.record_if_there(path, Kept) is None
    path.write_text('{"n": 1}')
    first = files.record(path, Kept)
    assert first == Kept(1)
    assert files.record(path, Kept) is first
    path.write_text('{"n": "?"}')
    with pytest.raises(RecordError, match=r"\$\.n"):
        files.record(path, Kept)
    path.write_text('{"n": 234}')
    assert files.record(path, Kept) == Kept(234)


def test_what_is_made_of_several_files_is_made_anew_when_one_changed(tmp_path: Path) -> None:
    files, made, paths = FileCache(), [], [tmp_path / "a", tmp_path / "b"]

    def count() -> int:
        made.append(1)
        return len(made)

    assert [files.together("both", paths, count) for _ in range(3)] == [1, 1, 1]
    paths[1].write_text("there now")
    assert [files.together("both", paths, count) for _ in range(2)] == [2, 2]
    assert files.together("both", paths[:1], count) == 3
