"""`check` and `data export`: the verdict, its files and its picture, on days that were spoiled by hand."""

import json
from pathlib import Path

import polars as pl
import pytest

from engine.errors import IntegrityError, UsageError
from engine.files import write_json
from engine.records import record
from engine.records.quality import QUALITY, CheckedQuality
from engine.stages.check import check, data
from tests.engine.stages.market_files import DAYS, bars, context, taken

LENIENT = {"max_bad_share": 0.9}


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Ten sessions without 5 January; A has no close on the 8th, and only A and B trade on the 16th."""
    text = "".join(bars(day) for day in DAYS[:9] if day != DAYS[3])
    text = text.replace("2024-01-08,A,10.04,10.14,9.94,10.04,", "2024-01-08,A,10.04,10.14,9.94,,")
    taken(tmp_path, text + bars(DAYS[9], symbols="AB"))
    return tmp_path


def test_the_file_holds_what_the_answer_says(market: Path) -> None:
    done = check(context(market, quality=LENIENT))
    checked = record.read(market / QUALITY, CheckedQuality)
    assert done.json == record.as_json(checked)
    assert checked.verdict == "degraded"
    assert (checked.rows_in, checked.rows_out, checked.symbols) == (26, 25, 3)
    assert (checked.exchange, checked.sessions_per_year) == ("XNYS", 252)
    assert checked.count("non_positive_close") == 1
    assert checked.listed("missing_session") == ("2024-01-05",)
    hit = next(hit for hit in checked.hits if hit.rule == "non_positive_close")
    assert (hit.symbol, hit.date, hit.level) == ("A", "2024-01-08", "error")


def test_coverage_is_complete(market: Path) -> None:
    check(context(market, quality=LENIENT))
    coverage = record.read(market / QUALITY, CheckedQuality).coverage
    assert coverage.per_session.dates == tuple(str(day) for day in DAYS if day != DAYS[3])
    assert coverage.per_session.names == (3, 3, 3, 2, 3, 3, 3, 3, 2)
    assert (coverage.names_min, coverage.names_median, coverage.names_max) == (2, 3.0, 3)
    assert coverage.missing_sessions == ("2024-01-05",)
    assert coverage.thin_sessions == ("2024-01-16",)


def test_the_text_tells_the_verdict_and_the_hole(market: Path) -> None:
    text = check(context(market, quality=LENIENT)).text
    assert text.startswith("verdict: degraded   26 rows in, 25 kept, 3 symbols, 9 sessions")
    assert "sessions of XNYS without a bar: 1 (2024-01-05)" in text
    assert "days with bars that are no sessions of XNYS: 0" in text
    assert "last session: data incomplete 2/3; no signal from it" in text
    assert "█" in text


def test_refused_data_are_shown_in_full(market: Path) -> None:
    """One bad row of 26 is more than 1 %: training stops, the list comes."""
    done = check(context(market, quality={"max_bad_share": 0.01}))
    assert done.json["verdict"] == "refused"
    stocks = pl.read_parquet(market / "data" / "stocks.parquet")
    assert stocks["rows"].to_list() == [9, 9, 8]
    assert stocks["kept"].to_list() == [0, 0, 0]


@pytest.mark.parametrize("folder", ["data/snapshots", "panels"])
def test_a_manifest_that_lacks_a_month_is_damaged(market: Path, folder: str) -> None:
    """The ten sessions lie in January; neither the raw nor the clean bars may be without it."""
    asked = context(market, quality=LENIENT)
    check(asked)
    (path,) = (market / folder).glob("*/manifest.json")
    manifest = json.loads(path.read_text())
    del manifest["files"]["bars-2024-01.parquet"]
    write_json(path, manifest)
    with pytest.raises(IntegrityError, match=r"sessions of bars-2024-01\.parquet"):
        check(asked)


def test_stocks_count_rows_and_kept_bars(market: Path) -> None:
    check(context(market, quality=LENIENT))
    stocks = pl.read_parquet(market / "data" / "stocks.parquet")
    assert stocks["symbol"].to_list() == ["A", "B", "C"]
    assert stocks["kept"].to_list() == [8, 9, 8]
    assert str(stocks["last"][2]) == "2024-01-12"
    assert stocks["median_turnover"][1] == pytest.approx(20.05 * 1035)  # the middle of nine days


def test_export_writes_one_row_a_kept_bar(market: Path) -> None:
    path = market / "out.csv"
    done = data(context(market, quality=LENIENT), action="export", output=str(path))
    assert done.json == {"file": str(path), "rows": 25, "symbols": 3}
    frame = pl.read_csv(path)
    assert frame["factor"].unique().to_list() == [1.0]
    assert frame.row(0, named=True)["close_raw"] == 10.0
    with pytest.raises(UsageError, match=r"must end in \.parquet or \.csv"):
        data(context(market), action="export", output="out.xlsx")
