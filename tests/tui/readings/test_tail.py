"""The end of a log: what is a line, what is left out, what cannot be read."""

from pathlib import Path

import pytest

from atft_tui.readings.files import TAIL_BYTES, last_lines


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", []),
        ("one\ntwo\n\nthree", ["one", "two", "three"]),
        ("10 %\r20 %\r30 %\n", ["10 %", "20 %", "30 %"]),
        ("\x1b[31mred\x1b[0m\x07\n", [" red  "]),
        ("a\u2028b\x0bc\n", ["a b c"]),
    ],
)
def test_lines_by_hand(tmp_path: Path, content: str, expected: list[str]) -> None:
    path = tmp_path / "log"
    path.write_bytes(content.encode())
    assert last_lines(path, 9) == expected
    assert last_lines(path, 2) == expected[-2:]


def test_a_line_cut_by_the_part_that_is_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("first " + "x" * TAIL_BYTES + "\nsecond\nthird\n")
    assert last_lines(path, 9) == ["second", "third"]
    path.write_text("\n" + "x" * (TAIL_BYTES - 2) + "\n")
    assert len(last_lines(path, 9)) == 1, "all of it was read: nothing is cut"
    path.write_text("y" * 2 * TAIL_BYTES)
    assert last_lines(path, 9) == ["y" * TAIL_BYTES], "better the end of a line than nothing"


def test_no_log_has_no_lines_and_trouble_is_told(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none", 3) == []
    assert last_lines(tmp_path, 3) == [f"{tmp_path.name}: cannot be read (Is a directory)"]
