"""The sums of a journal's lines."""

import json
from pathlib import Path

import pytest

from engine.errors import IntegrityError
from engine.tuning.journal import damaged_lines, require_whole, summed


def test_what_was_written_is_whole_and_no_flipped_bit_is_another_value(tmp_path: Path) -> None:
    """Every bit of a line is tried; keys that are numbers become text on the way."""
    path = tmp_path / "journal.jsonl"
    line = json.dumps(summed({"op_code": 6, "values": [0.0205], "steps": {2: 1.0, 10: 0.5}}))
    whole = f"{line}\n{line}\n".encode()
    path.write_bytes(whole)
    require_whole(path)
    for bit in range(len(whole) * 8):
        wrong = bytearray(whole)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        assert damaged_lines(path), bytes(wrong)


def test_lines_of_a_version_before_pass_and_damaged_ones_are_numbered(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    require_whole(path)
    old, new = '{"op_code": 1}\n', json.dumps(summed({"op_code": 2})) + "\n"
    path.write_text(old + old + new)
    assert damaged_lines(path) == []
    path.write_text(old + '{"op_code"\n[]\n' + new + old)
    assert damaged_lines(path) == [2, 3, 5]
    with pytest.raises(IntegrityError, match="line 2 is damaged"):
        require_whole(path)
