"""The book of looks: only added to, whole after a crash, and deaf to deletions."""

from pathlib import Path

import msgspec

from engine.config import Config
from engine.records.protocol import LOOKS, CountedLook, DaySpan, JudgedDays
from engine.runs.deletion import delete
from engine.runs.store import RunStore
from engine.runs.trials import _read, add_looks, day_words, read_looks

SPAN = DaySpan(name="confirmation", first="2015-01-02", last="2016-12-30", sessions=504)
DAYS = JudgedDays(market="us", spans=(SPAN,))


def look(run: str, book: str = "") -> CountedLook:
    return CountedLook(run=run, book=book, market="us", first="2015-01-02", last="2016-12-30")


def test_looks_are_added_in_order_and_the_same_one_once(tmp_path: Path) -> None:
    assert read_looks(tmp_path) == ()
    add_looks(tmp_path, [look("a"), look("b")])
    before = (tmp_path / LOOKS).read_bytes()
    add_looks(tmp_path, [look("a")])
    assert (tmp_path / LOOKS).read_bytes() == before
    add_looks(tmp_path, [look("a", "book")])
    assert read_looks(tmp_path) == (look("a"), look("b"), look("a", "book"))
    assert (tmp_path / LOOKS).read_bytes().startswith(before)


def test_a_torn_line_takes_nothing_along(tmp_path: Path) -> None:
    add_looks(tmp_path, [look("a")])
    with (tmp_path / LOOKS).open("ab") as file:
        file.write(b'{"run": "torn", "mar')
    add_looks(tmp_path, [look("b")])
    assert [one.run for one in read_looks(tmp_path)] == ["a", "b"]


def test_no_flipped_bit_of_a_look_is_silent(tmp_path: Path) -> None:
    """Each bit of the last line but those of its line end: the file is named, or the looks are the same."""
    add_looks(tmp_path, [look("a")])
    add_looks(tmp_path, [look("b")])
    path = tmp_path / LOOKS
    content = path.read_bytes()
    for bit in range(8 * (content.index(b"\n") + 1), 8 * (len(content) - 1)):
        wrong = bytearray(content)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        _read.cache_clear()
        words = day_words(tmp_path, DAYS)
        assert words in ("looks.jsonl is damaged", "looked at 2 times"), (bit, bytes(wrong))


def test_looks_of_a_version_before_have_no_sum_and_count(tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_bytes(msgspec.json.encode(look("old")) + b"\n")
    add_looks(tmp_path, [look("a")])
    assert [one.run for one in read_looks(tmp_path)] == ["old", "a"]


def test_a_deleted_run_was_looked_at_all_the_same(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    first, second = (store.create("train", Config()) for _ in range(2))
    add_looks(store.root, [look(first.id)])
    assert day_words(store.root, DAYS) == "confirmed once"
    add_looks(store.root, [look(second.id)])
    delete(second)
    assert day_words(store.root, DAYS) == "looked at 2 times"
    assert day_words(store.root, None) == "", "without a protocol nothing is said"
