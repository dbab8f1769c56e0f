"""`ingest`: what it answers and stores, on a price file that can be counted by hand."""

from pathlib import Path
from typing import Any

import pytest

from engine.data.store import PanelStore
from engine.errors import DataError, UsageError
from engine.records import record
from engine.records.snapshot import SourceReading
from engine.stages.ingest import ingest
from engine.stages.ingest_sources import parse_columns
from tests.engine.stages.market_files import DAYS, bars, context, taken

NONE: dict[str, Any] = {"prices": None, "securities": None, "index": None, "columns": None}
NINE = "".join(map(bars, DAYS[:9]))


def test_the_answer_counts_what_is_stored(tmp_path: Path) -> None:
    done = taken(tmp_path, NINE).json
    snapshot = PanelStore(tmp_path / "data").snapshot()
    assert (done["snapshot"], done["stored"]) == (snapshot.id, True)
    assert (done["rows"], done["symbols"]) == (27, 3)
    assert (done["first"], done["last"]) == ("2024-01-02", "2024-01-12")
    assert (done["exchange"], done["currency"]) == ("XNYS", "USD")
    manifest = snapshot.manifest
    assert manifest.days == tuple(map(str, DAYS[:9]))
    assert manifest.names == (3,) * 9
    assert manifest.bars == 27
    assert manifest.change(None) == "the first"


def test_a_dry_run_answers_the_same_and_stores_nothing(tmp_path: Path) -> None:
    shown = taken(tmp_path, NINE, dry_run=True)
    assert PanelStore(tmp_path / "data").is_empty
    assert shown.json["stored"] is False
    read = record.convert(shown.json, SourceReading, "answer")
    assert read.reading_verdict in ("ok", "warned")
    words = dict(read.reading_lines())
    assert words["rows"] == "27 of 3 codes, 2024-01-02 to 2024-01-12"
    assert "symbol <- symbol" in words["columns"]


def test_an_appended_session_is_a_new_snapshot_that_says_what_changed(tmp_path: Path) -> None:
    taken(tmp_path, NINE)
    store = PanelStore(tmp_path / "data")
    before = store.snapshot().manifest
    done = taken(tmp_path, bars(DAYS[8]) + bars(DAYS[9]), append=True)
    after = store.snapshot().manifest
    assert after.days == tuple(map(str, DAYS))
    assert after.change(before) == "+1 session"
    assert (after.revision.equal, after.revision.changed) == (3, 0)
    assert done.json["revision"] == record.as_json(after.revision)
    assert "against the store: 3 bars as they were" in done.text
    [read] = after.read
    assert read.endswith("prices-1.csv")


def test_undo_goes_back_and_stands_alone(tmp_path: Path) -> None:
    first = taken(tmp_path, NINE).json["snapshot"]
    second = taken(tmp_path, bars(DAYS[9]), append=True).json["snapshot"]
    undone = ingest(context(tmp_path), source=None, undo=True, **NONE)
    assert undone.json == {
        "snapshot": first,
        "undone": second,
        "first": "2024-01-02",
        "last": "2024-01-12",
    }
    with pytest.raises(UsageError, match="stands alone"):
        ingest(context(tmp_path), source="files", undo=True, **NONE)


def test_a_new_session_with_too_few_names_is_not_stored(tmp_path: Path) -> None:
    """Three names are usual; one is fewer than 70 % of them."""
    first = taken(tmp_path, NINE).json["snapshot"]
    with pytest.raises(DataError, match="1 of 3 names; nothing was stored") as refused:
        taken(tmp_path, bars(DAYS[9], symbols="A"), append=True)
    assert refused.value.details["session"] == "2024-01-16"
    assert PanelStore(tmp_path / "data").current() == first


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"source": None}, "ingest needs --source"),
        ({"source": "yahoo", "append": True}, "--append is for files"),
        ({"source": "files", "until": "2024-01-02"}, "--until is for the synthetic market"),
        ({"source": "files"}, "needs --prices FILE"),
        ({"source": "synthetic", "until": "soon"}, "is not a date"),
    ],
)
def test_what_does_not_go_together_is_said(
    tmp_path: Path, given: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        ingest(context(tmp_path), **(NONE | given))


def test_columns_of_the_command_line() -> None:
    assert parse_columns(" symbol=code, volume=vol*100,") == {
        "symbol": "code",
        "volume": "vol*100",
    }
    assert parse_columns(None) == {}
    with pytest.raises(UsageError, match="not OUR_NAME=COLUMN"):
        parse_columns("symbol")
