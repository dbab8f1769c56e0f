"""Reading a record: what is unknown, what is missing, what is damaged."""

import math
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from engine.records.record import RecordError, as_json, parse, read, read_if_there, write


class Inner(Struct, frozen=True, kw_only=True):
    value: float
    note: str | None = None


class Outer(Struct, frozen=True, kw_only=True):
    name: str
    mean: float
    by_day: dict[str, float] = {}
    pairs: tuple[tuple[str, float], ...] = ()
    inner: Inner | None = None
    several: tuple[Inner, ...] = ()


class Left(Struct, frozen=True, tag="left"):
    x: float


class Right(Struct, frozen=True, tag="right"):
    y: float | None


class Sides(Struct, frozen=True):
    several: tuple[Left | Right, ...]


def test_what_is_not_known_is_nan_in_memory_and_null_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "outer.json"
    made = Outer(
        name="a",
        mean=math.nan,
        by_day={"2016-01-04": math.nan, "2016-01-05": 0.5},
        pairs=(("p", math.nan),),
        inner=Inner(value=math.nan),
        several=(Inner(value=1.0, note="n"), Inner(value=math.nan)),
    )
    write(path, made)
    assert "NaN" not in path.read_text()
    found = read(path, Outer)
    assert math.isnan(found.mean)
    assert math.isnan(found.by_day["2016-01-04"])
    assert found.by_day["2016-01-05"] == 0.5
    assert math.isnan(found.pairs[0][1])
    assert found.inner is not None
    assert math.isnan(found.inner.value)
    assert found.inner.note is None
    assert math.isnan(found.several[1].value)


def test_null_stays_none_where_the_record_allows_none() -> None:
    assert parse(b'{"name":"a","mean":1,"inner":null}', Outer, "f").inner is None
    either: Any = Left | Right
    assert parse(b'{"type":"right","y":null}', either, "f") == Right(y=None)
    left = parse(b'{"type":"left","x":null}', either, "f")
    assert isinstance(left, Left)
    assert math.isnan(left.x)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert parse(b'{"name":"a","mean":1.5,"new":[1]}', Outer, "f") == Outer(name="a", mean=1.5)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"name":"a","mean":"high"}', "$.mean"),
        (b'{"name":"a","mean":null,"several":[{"value":1},{"value":[]}]}', "$.several[1].value"),
        (b'{"mean":1}', "`name`"),
        (b"[1]", "object"),
        (b'{"name":"a","mean":1', "truncated"),
        (b'{"name":"\xff","mean":1}', "f.json"),
        (b"[" * 100_000, "f.json"),
        (b'{"name":"a","mean":null,"by_day":' + b"[" * 100_000, "f.json"),
        (b"", "f.json"),
    ],
)
def test_a_damaged_file_is_one_kind_of_error_that_names_the_field(
    content: bytes, told: str
) -> None:
    with pytest.raises(RecordError) as caught:
        parse(content, Outer, "f.json")
    assert caught.value.message.startswith("f.json: ")
    assert told in caught.value.message


def test_a_missing_file(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "none.json", Outer) is None
    with pytest.raises(RecordError, match=r"none\.json: cannot be read"):
        read(tmp_path / "none.json", Outer)
    with pytest.raises(RecordError, match="cannot be read"):
        read(tmp_path, Outer)


def test_as_json_is_what_the_file_holds() -> None:
    assert as_json(Inner(value=1.0)) == {"value": 1.0, "note": None}


@pytest.mark.parametrize("tag", ["[]", "{}", "3", "null"])
def test_a_tag_that_is_no_word_is_told_as_a_damaged_field(tag: str) -> None:
    content = b'{"several": [{"type": %s, "y": null}]}' % tag.encode()
    with pytest.raises(RecordError, match="sides: "):
        parse(content, Sides, "sides")
