"""Files that people really have, with the values they were misread at once."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.config import Market
from engine.errors import DataError
from tests.engine.data.reading.given import reading

CASES = Path(__file__).parents[5] / "shared" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="needs the given cases in ../shared")

WALLS = "09-walls-of-common-files"
RIGHT: list[tuple[str, Market, int, int, str, str, str, float]] = [
    ("01-adj-close-mixed-with-raw-open/prices.csv", "us", 1040, 4, "2015-01-12", "AAPL", "low", 108.8),
    ("01-adj-close-mixed-with-raw-open/prices.csv", "us", 1040, 4, "2015-01-12", "AAPL", "close", 109.25),
    ("02-us-dates-read-day-first/two-digit-year.csv", "us", 2, 1, "2024-01-02", "AAPL", "close", 185.64),
    ("03-parquet-integer-dates/good.csv", "us", 2, 1, "2024-01-02", "AAPL", "close", 185.64),
    ("03-parquet-integer-dates/prices.parquet", "us", 2, 1, "2024-01-03", "AAPL", "close", 184.25),
    ("03-parquet-integer-dates/prices_ms.parquet", "us", 2, 1, "2024-01-03", "AAPL", "close", 184.25),
    ("04-tokyo-parquet-a-day-early/tokyo.parquet", "jp", 243, 3, "2023-10-02", "7203", "close", 2450.0),
    ("05-jquants-v2-csv-split-twice/jq_v2.csv", "jp", 1464, 6, "2022-01-04", "11110", "close", 2049.6),
    ("08-folder-silently-partial", "us", 10, 5, "2024-01-03", "F", "close", 184.25),
    (f"{WALLS}/yfinance-multiindex.csv", "us", 3, 1, "2016-01-04", "AAPL", "close", 23.834373),
    (f"{WALLS}/yfinance-multiindex-two.csv", "us", 2, 2, "2016-01-04", "MSFT", "close", 48.0),
    (f"{WALLS}/stooq", "us", 4, 1, "1984-09-07", "AAPL.US", "close", 0.0996047),
    (f"{WALLS}/one-file-a-ticker", "us", 4, 2, "2024-01-02", "MSFT", "close", 185.64),
    (f"{WALLS}/nasdaq-com.csv", "us", 2, 1, "2024-12-13", "GOOGL", "close", 191.38),
    (f"{WALLS}/nasdaq-com.csv", "us", 2, 1, "2024-12-13", "GOOGL", "volume", 18_883_220.0),
    (f"{WALLS}/tushare.csv", "us", 39, 1, "2019-01-02", "000001.SZ", "close", 9.19),
    (f"{WALLS}/simfin.csv", "us", 1, 1, "2024-01-02", "A", "close", 139.6),
    (f"{WALLS}/nse-bhavcopy.csv", "us", 2, 2, "2019-01-01", "INFY", "close", 810.0),
    ("12-jreit-absurd-price/reit.csv", "jp", 968, 8, "2021-01-04", "89510", "close", 595208.0),
    ("16-one-bad-pair-blocks-all/CBS_data.csv", "us", 3, 1, "2019-12-03", "CBS", "close", 39.34),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "market", "rows", "symbols", "day", "symbol", "field", "value"), RIGHT
)
def test_right_values(
    path: str,
    market: Market,
    rows: int,
    symbols: int,
    day: str,
    symbol: str,
    field: str,
    value: float,
) -> None:
    bars = reading(CASES / "door" / path, market=market).raw.bars
    assert (len(bars), bars["symbol"].n_unique()) == (rows, symbols)
    row = bars.filter((pl.col("date") == dt.date.fromisoformat(day)) & (pl.col("symbol") == symbol))
    assert row[field].to_list() == [value]


@pytest.mark.parametrize(
    ("day", "after"), [("2024-01-02", dt.date(2023, 12, 29)), ("2024-01-03", dt.date(2024, 1, 2))]
)
def test_the_day_after_the_last_session_and_not_the_first_of_next_month(
    day: str, after: dt.date
) -> None:
    file = CASES / "door" / "02-us-dates-read-day-first" / f"today-{day}.csv"
    bars = reading(file, after=after).raw.bars
    assert bars["date"].unique().to_list() == [dt.date.fromisoformat(day)]
    with pytest.raises(DataError) as caught:
        reading(file)
    assert "--date-format" in caught.value.hint
    bars = reading(file, date_format="MM/DD/YYYY").raw.bars
    assert bars["date"].unique().to_list() == [dt.date.fromisoformat(day)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("append_cut.csv", "line 13, the last one, has no line end"),
        ("append_future.csv", "2031"),
        ("append_future2.csv", "2031"),
        ("esc_header.csv", "no column for `symbol`"),
    ],
)
def test_faults_are_refused_in_clean_words(name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        reading(CASES / "faults" / name)
    assert caught.value.message.isprintable()


def test_a_symbol_with_escapes_is_read_as_it_is_and_shown_cleaned() -> None:
    read = reading(CASES / "faults" / "esc_symbol.csv")
    assert "\x1b" in read.raw.bars["symbol"][0]
    assert read.plans[0].first.isprintable()
