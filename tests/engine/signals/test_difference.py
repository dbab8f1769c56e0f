"""What `diff` answers, as scripts read it."""

import json

import pytest

from engine.records import record
from engine.records.difference import BarChange, InputChange, RankChange, SignalDifference
from engine.records.record import RecordError

FOUND = SignalDifference(
    before="2016-12-29",
    after="2016-12-30",
    changed=("session",),
    stocks=2,
    moved=1,
    ranks=(
        RankChange(
            code="A",
            before=2,
            after=1,
            move=1,
            own_rows=1,
            neighbour_rows=("B",),
            inputs=(InputChange(feature="momentum_20", before=0.5, after=1.0),),
        ),
    ),
    rows=(BarChange(date="2016-12-28", code="A", column="close", before=None, after=2.5),),
    n_rows=1,
    verdicts=("a", "b"),
)


def test_the_answer_has_its_keys_in_the_order_that_scripts_know() -> None:
    told = record.as_json(FOUND)
    assert list(told) == [
        "before", "after", "changed", "stocks", "moved", "entered", "left", "ranks", "rows", "n_rows",
        "verdicts",
    ]  # fmt: skip
    assert list(told["ranks"][0]) == [
        "code", "before", "after", "move", "own_rows", "neighbour_rows", "inputs",
    ]  # fmt: skip
    assert list(told["rows"]) == [
        {"date": "2016-12-28", "code": "A", "column": "close", "before": None, "after": 2.5}
    ]


def test_it_reads_back_what_it_told_and_names_a_damaged_field() -> None:
    told = json.dumps(record.as_json(FOUND)).encode()
    assert record.parse(told, SignalDifference, "diff") == FOUND
    with pytest.raises(RecordError, match=r"diff: .*moved"):
        record.parse(told.replace(b'"moved": 1', b'"moved": "x"'), SignalDifference, "diff")
