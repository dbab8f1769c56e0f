"""A server that fails, and a key that is seen nowhere."""

import datetime as dt
import json
import logging
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.data.jquants.client import _ATTEMPTS, key_from
from engine.data.jquants.endpoints import ENDPOINTS
from engine.data.jquants.parts import Parts
from engine.data.jquants.tables import vendor_rules
from engine.data.tables import RawTables
from engine.errors import DataError, EngineError, EnvironmentProblem
from engine.records.record import RecordError
from engine.runs.events import Warned
from engine.runs.sink import encode
from tests.engine.data.jquants.desk import FIRST, LAST, PASSING, Desk
from tests.engine.data.jquants.server import KEY, FakeJQuants, Fault

HOME = "https://api.jquants.com/v2"


@given(st.dictionaries(st.integers(0, 60), st.sampled_from(PASSING), max_size=_ATTEMPTS - 1))
@example(dict(zip(range(0, 32, 4), PASSING, strict=True)))
@example({2: "500", 3: "cut", 4: "429", 5: "html", 6: "503"})
@settings(max_examples=2)
def test_passing_faults_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    clean: tuple[RawTables, str, int],
    faults: dict[int, Fault],
) -> None:
    with FakeJQuants(FIRST, LAST, faults=faults) as server:
        desk = Desk(tmp_path_factory.mktemp("faults"), server)
        report = desk.pull()
    struck = sum(number < report.requests for number in faults)
    assert desk.snapshot(report) == clean[1]
    assert report.requests == clean[2] + struck
    assert len(desk.said(Warned)) == struck
    assert all("again in" in line for line in desk.said(Warned))


def test_a_slow_server_is_asked_again(desk: Desk) -> None:
    desk.server.faults = {1: "slow"}
    report = desk.pull(timeout=0.5)
    assert report.requests == len(desk.server.seen)
    assert ["no answer for 0.5 s" in line for line in desk.said(Warned)] == [True]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("500", EnvironmentProblem, "failed with 500"),
        ("429", EnvironmentProblem, "too many requests"),
        ("cut", DataError, "cut off"),
        ("html", DataError, "a web page"),
        ("not-json", DataError, "not JSON"),
        ("no-data", DataError, "without rows"),
    ],
)
def test_a_lasting_fault_ends_after_bounded_attempts(
    desk: Desk, fault: Fault, error: type[EngineError], text: str
) -> None:
    desk.server.faults = dict.fromkeys(range(500), fault)
    with pytest.raises(error, match=text) as caught:
        desk.pull()
    assert len(desk.server.seen) == _ATTEMPTS
    assert "run the same command" in caught.value.hint
    assert not list(desk.folder.glob("*/*.parquet"))


@pytest.mark.parametrize(("fault", "status"), [("401", "401"), ("redirect", "302")])
def test_a_refusal_is_not_repeated(desk: Desk, fault: Fault, status: str) -> None:
    desk.server.faults = {0: fault}
    with pytest.raises(EnvironmentProblem, match=status):
        desk.pull()
    assert len(desk.server.seen) == 1


def test_nobody_there(desk: Desk) -> None:
    with FakeJQuants(FIRST, LAST) as gone:
        pass
    desk.server = gone
    with pytest.raises(EnvironmentProblem, match="no connection, 6 times"):
        desk.pull()


def test_an_answer_without_a_column_is_no_table(desk: Desk) -> None:
    desk.server.drop_column = "AdjFactor"
    with pytest.raises(DataError, match="AdjFactor"):
        desk.pull()
    assert not (desk.folder / "bars").exists()


def test_rows_of_another_day_are_not_kept(desk: Desk) -> None:
    right = desk.server.bars
    desk.server.bars = lambda day: right(FIRST)  # type: ignore[method-assign]
    with pytest.raises(DataError, match="asked for bars of 2024-01-05"):
        desk.pull()
    assert [path.stem for path in desk.folder.glob("bars/*")] == ["2024-01-04"]


def test_codes_blanks_and_dates_of_the_vendor() -> None:
    rows = pl.DataFrame(
        {
            "PubDate": ["2024-01-05"] * 4,
            "Code": ["7203", "130A", "25935", " 13010 "],
            "SchDate": ["2024-02-01T00:00:00", "", "-", "2024-02-03"],
        }
    )
    earnings = next(one for one in ENDPOINTS if one.table == "earnings")
    out = earnings.normalise(rows, vendor_rules())
    assert set(out["symbol"]) == {"72030", "130A0", "25935", "13010"}
    assert out["date"].drop_nulls().to_list() == [dt.date(2024, 2, 3), dt.date(2024, 2, 1)]
    for column, value in (("SchDate", "soon"), ("PubDate", "2024-13-01")):
        with pytest.raises(DataError, match=value):
            earnings.normalise(rows.with_columns(pl.lit(value).alias(column)), vendor_rules())
    with pytest.raises(DataError, match="a row without symbol"):
        earnings.normalise(rows.with_columns(pl.lit(None, pl.String).alias("Code")), vendor_rules())


def test_a_wrong_key_is_named_by_its_variable_and_not_repeated(desk: Desk) -> None:
    with pytest.raises(EnvironmentProblem, match="JQUANTS_API_KEY") as caught:
        desk.pull(key="wrong-key-8d2")
    assert len(desk.server.seen) == 1
    # The server repeats the key in its message.
    assert "wrong-key-8d2" not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "línea", "a\nb"])
def test_what_is_no_key_is_refused_without_being_shown(value: str | None) -> None:
    with pytest.raises(EnvironmentProblem, match="JQUANTS_API_KEY") as caught:
        key_from({} if value is None else {"JQUANTS_API_KEY": value}, HOME)
    if value and value.strip():
        assert value not in caught.value.message + caught.value.hint


def test_a_configuration_cannot_send_the_key_to_another_host() -> None:
    """Only who sets the key can name a host of his own, beside it."""
    mine = {"JQUANTS_API_KEY": "key"}
    for fine in (HOME, "http://127.0.0.1:8000", "http://localhost"):
        assert key_from(mine, fine) == "key"
    for other in (
        "https://evil.example/v2",
        "https://api.jquants.com.evil.example",
        "https://api.jquants.com:x@evil.example",
    ):
        with pytest.raises(EnvironmentProblem, match="does not go to"):
            key_from(mine, other)
    assert key_from({**mine, "JQUANTS_API_HOST": "mirror.mine"}, "https://mirror.mine/v2") == "key"


def test_the_key_is_in_no_output(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.server.faults = {2: "500", 5: "html", 7: "cut", 9: "429"}
    desk.snapshot(desk.pull())
    errors = []
    for fault in ("500", "401", "cut", "redirect", "html"):
        desk.server.faults = dict.fromkeys(range(1000), fault)
        with pytest.raises(EngineError) as caught:
            desk.pull()
        seen: BaseException | None = caught.value
        while seen is not None:
            errors.append(repr(seen) + str(vars(seen)))
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    events = "".join(encode(event) for event in desk.sink.events)
    shown = capfd.readouterr()
    for text in (caplog.text, events, shown.out, shown.err, *errors):
        assert KEY not in text
    written = [path for path in desk.root.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert all(KEY.encode() not in path.read_bytes() for path in written)


def test_the_list_of_an_update_reads_as_it_was_written_before_and_names_a_damaged_field(
    tmp_path: Path,
) -> None:
    ledger = tmp_path / "pull.json"
    ledger.write_text('{"complete": false}')
    assert not Parts(tmp_path).begin({"bars": 2})
    assert json.loads(ledger.read_text()) == {"complete": False, "renew": {}}
    ledger.write_text('{"complete": true, "renew": {"bars": 3}}')
    with pytest.raises(RecordError, match=r"pull.json.*renew"):
        Parts(tmp_path).begin({"bars": 2})
