"""Every layout gives the same bars: long, a file a ticker or a session, wide, and heads of several lines."""

import datetime as dt
from pathlib import Path, PurePosixPath

import polars as pl
import pytest

from engine.data.reading.names import Beside, _symbol_in, beside, day_in, symbol_of
from engine.errors import DataError
from tests.engine.data.reading.given import bars, reading

DAYS = ("2024-01-02", "2024-01-03")
FIELDS = ("Open", "High", "Low", "Close", "Volume")
VALUES = {
    "AAPL": ((187.15, 188.44, 183.89, 185.64, 82488700.0), (184.22, 185.88, 183.43, 184.25, 58414500.0)),
    "MSFT": ((373.86, 375.9, 366.77, 370.87, 25258600.0), (369.01, 373.26, 368.51, 370.6, 23083500.0)),
}  # fmt: skip
BARS = [
    (dt.date.fromisoformat(day), symbol, *VALUES[symbol][i])
    for i, day in enumerate(DAYS)
    for symbol in ("AAPL", "MSFT")
]
HEAD = "Date,Open,High,Low,Close,Volume"


def own(symbol: str) -> list[str]:
    return [",".join((day, *map(str, VALUES[symbol][i]))) for i, day in enumerate(DAYS)]


def lines(*rows: str) -> str:
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "name",
    [
        "{}.csv",
        "{}_data.csv",
        "{}_daily_2020-01-01_2024-12-31.csv",
        "stock_{}.txt",
        "{} Historical Data.csv",
    ],
)
def test_a_file_a_ticker(tmp_path: Path, name: str) -> None:
    for symbol in VALUES:
        (tmp_path / name.format(symbol)).write_text(lines(HEAD, *own(symbol)))
    read = reading(tmp_path)
    assert bars(tmp_path) == BARS
    assert [plan.layout for plan in read.plans] == ["file_per_symbol"]
    assert read.plans[0].files == 2
    assert "AAPL, MSFT" in read.plans[0].notes[0]


def test_codes_of_file_names() -> None:
    assert _symbol_in("000001.SZ") == "000001.SZ"
    assert _symbol_in("aapl.us") == "AAPL.US"
    assert _symbol_in("brk-b") == "BRK-B"
    assert _symbol_in("BRK.B_prices") == "BRK.B"
    assert _symbol_in("7203.T-daily") == "7203.T"
    assert _symbol_in("all_stocks_5yr") is None
    assert _symbol_in("prices") is None
    assert (_symbol_in("ALL"), _symbol_in("D_data"), _symbol_in("all")) == ("ALL", "D", None)
    assert _symbol_in("HistoricalData_1702500000000") is None
    assert _symbol_in("HistoricalPrices") is None
    assert (_symbol_in("AAPL_2024"), _symbol_in("2001"), _symbol_in("7203_T")) == (
        "AAPL",
        "2001",
        None,
    )


@pytest.mark.parametrize(
    ("paths", "codes"),
    [
        (("AAPL_mw", "MSFT_mw"), ["AAPL", "MSFT"]),
        (("NSE_TCS", "NSE_INFY"), ["TCS", "INFY"]),
        (("AAPL_mw", "AAPL_wsj"), [None, None]),
        (("AAPL_1", "AAPL_2"), [None, None]),
        (("AAPL_2023", "AAPL_2024"), ["AAPL", "AAPL"]),
        (("AAPL/2023", "AAPL/2024", "MSFT/2024"), ["AAPL", "AAPL", "MSFT"]),
        (("TSE/7203", "TSE/2001"), ["7203", "2001"]),
        (("AAPL/prices", "MSFT/prices"), ["AAPL", "MSFT"]),
        (("AAPL/data/HistoricalPrices",), ["AAPL"]),
        (("BTCUSDT-1d-2024-01", "BTCUSDT-1d-2024-02"), ["BTCUSDT", "BTCUSDT"]),
        (("AAPL/2024-01", "AAPL/2024-02", "MSFT/2024Q1"), ["AAPL", "AAPL", "MSFT"]),
        (("SZSE/200012", "SZSE/200011"), ["200012", "200011"]),
        (("symbol=AAPL/part-0", "symbol=MSFT/part-0"), ["AAPL", "MSFT"]),
        (("Quote-Equity-TCS-EQ-02-01-2024",), [None]),
        (("my own/prices",), [None]),
    ],
)
def test_names_of_all_files_and_their_folders_tell_the_code(
    paths: tuple[str, ...], codes: list[str | None]
) -> None:
    places = [PurePosixPath(path) for path in paths]
    names = beside(place.name for place in places)
    assert [symbol_of(place, names) for place in places] == codes


def test_one_file_says_nothing_of_common_words() -> None:
    assert beside(["AAPL_mw", "AAPL_mw"]) == Beside()


def test_a_file_without_codes_whose_days_repeat_is_no_ticker(tmp_path: Path) -> None:
    (tmp_path / "world.csv").write_text(lines(HEAD, *own("AAPL"), *own("MSFT")))
    with pytest.raises(
        DataError, match=r"world\.csv: line 2: no column for `symbol`.*several codes"
    ):
        reading(tmp_path / "world.csv")
    (tmp_path / "world.csv").rename(tmp_path / "daily_prices.csv")
    with pytest.raises(DataError, match="no column for `symbol`"):
        reading(tmp_path / "daily_prices.csv")


@pytest.mark.parametrize("name", ["prices_{}.csv", "{}.csv", "{}/prices.csv"])
@pytest.mark.parametrize(
    "style", ["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "cm%d%b%Ybhav", "EQ%d%m%y", "%d-%m-%Y", "%Y/%m/%d"]
)
def test_a_file_a_session(tmp_path: Path, name: str, style: str) -> None:
    for i, day in enumerate(DAYS):
        file = tmp_path / name.format(f"{dt.date.fromisoformat(day):{style}}")
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = (",".join((symbol, *map(str, VALUES[symbol][i]))) for symbol in VALUES)
        file.write_text(lines("Ticker,Open,High,Low,Close,Volume", *rows))
    assert bars(tmp_path) == BARS
    assert [plan.layout for plan in reading(tmp_path).plans] == ["file_per_day"]


def test_days_of_file_names() -> None:
    assert day_in("nasdaq_20240102_v2") == "2024-01-02"
    assert day_in("cm02JAN2024bhav") == "2024-01-02"
    assert day_in("EQ020124") == "020124"
    assert day_in("eod_01-02-2024") == "01-02-2024"
    assert day_in("20241302") is None
    assert day_in("id_1202401025") is None


def test_one_day_in_a_name_whose_order_is_open_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "EQ020124.CSV"
    file.write_text(
        lines("Ticker,Open,High,Low,Close,Volume", "AAPL,187.15,188.44,183.89,185.64,1")
    )
    with pytest.raises(DataError, match="more than one order") as caught:
        reading(file)
    assert "--date-format" in str(caught.value.hint)
    assert bars(file, date_format="DDMMYY")[0][0] == dt.date(2024, 1, 2)


def test_a_table_beside_the_prices_with_a_column_of_codes_is_not_wide(tmp_path: Path) -> None:
    for symbol in VALUES:
        (tmp_path / f"{symbol}.csv").write_text(lines(HEAD, *own(symbol)))
    (tmp_path / "dividends.csv").write_text(lines("date,symbol,dividend", "2024-01-03,AAPL,0.24"))
    assert bars(tmp_path) == BARS
    assert [one.file for one in reading(tmp_path).plans[0].unread] == [
        str(tmp_path / "dividends.csv")
    ]


def columns(order: str) -> list[tuple[str, str]]:
    if order == "by field":
        return [(field, symbol) for field in FIELDS for symbol in VALUES]
    return [(field, symbol) for symbol in VALUES for field in FIELDS]


def cells(order: str, i: int) -> list[str]:
    return [str(VALUES[symbol][i][FIELDS.index(field)]) for field, symbol in columns(order)]


@pytest.mark.parametrize("order", ["by field", "by ticker"])
@pytest.mark.parametrize("index", ["a line of its own", "none", "old"])
def test_heads_of_two_and_three_lines(tmp_path: Path, order: str, index: str) -> None:
    pairs = columns(order)
    fields, tickers = [f for f, _ in pairs], [t for _, t in pairs]
    names = ("", "") if index == "old" else ("Price", "Ticker")
    head = [[names[0], *fields], [names[1], *tickers]]
    if order == "by ticker":
        head.reverse()
    if index != "none":
        head.append(["Date", *[""] * len(pairs)])
    rows = [[day, *cells(order, i)] for i, day in enumerate(DAYS)]
    (tmp_path / "yf.csv").write_text(lines(*(",".join(row) for row in (*head, *rows))))
    read = reading(tmp_path / "yf.csv")
    assert bars(tmp_path / "yf.csv") == BARS
    assert read.plans[0].layout == "stacked"
    assert read.origin.where(0).endswith(f"line {len(head) + 1}")


def test_two_levels_of_bare_numbers_as_codes(tmp_path: Path) -> None:
    head = (
        "Price," + ",".join(f for f in FIELDS for _ in (0, 1)),
        "Ticker," + ",".join(["7203", "6758"] * 5),
    )
    (tmp_path / "jp.csv").write_text(
        lines(*head, "Date" + "," * 10, "2024-01-04,1,2,3,4,0.5,1,2,3,100,200")
    )
    assert bars(tmp_path / "jp.csv", market="jp") == [
        (dt.date(2024, 1, 4), "6758", 2.0, 4.0, 1.0, 3.0, 200.0),
        (dt.date(2024, 1, 4), "7203", 1.0, 3.0, 0.5, 2.0, 100.0),
    ]


JOINED = [
    "('{f}', '{t}')",
    "('{t}', '{f}')",
    "{t}_{f}",
    "{f}_{t}",
    "{t}.{f}",
    "{f} {t}",
    "{t} {f}",
    "{t}|{f}",
]


@pytest.mark.parametrize("form", JOINED)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_level_within_the_names(tmp_path: Path, form: str, ending: str) -> None:
    names = [
        form.format(f=field.lower() if "(" not in form else field, t=symbol)
        for field, symbol in columns("by field")
    ]
    table = pl.DataFrame(
        {"Date": list(DAYS)}
        | {name: [float(cells("by field", i)[k]) for i in (0, 1)] for k, name in enumerate(names)}
    )
    file = tmp_path / f"wide.{ending}"
    if ending == "csv":
        table.write_csv(file)
    else:
        table.write_parquet(file)
    assert bars(file) == BARS
    assert reading(file).plans[0].layout == "wide"


def test_adjusted_closes_and_missing_cells_of_a_wide_table(tmp_path: Path) -> None:
    names = [f"{f} {t}" for t in ("OLD", "NEW") for f in ("Adj Close", *FIELDS)]
    rows = ["2024-01-02,9,20,22,19,10,5,,,,,,", "2024-01-03,11,21,23,20,11,6,4,8,8,8,4,nan"]
    (tmp_path / "w.csv").write_text(lines(",".join(["Date", *names]), *rows))
    found = [(row[0].isoformat(), row[1], row[2]) for row in bars(tmp_path / "w.csv")]  # type: ignore[attr-defined]
    assert found == [
        ("2024-01-02", "OLD", 20.0),
        ("2024-01-03", "NEW", 8.0),
        ("2024-01-03", "OLD", 21.0),
    ]


@pytest.mark.parametrize("place", ["{}.csv", "prices_{}.csv", "{}/2024.csv"])
def test_a_column_a_ticker_and_a_file_a_field(tmp_path: Path, place: str) -> None:
    for k, field in enumerate(FIELDS):
        file = tmp_path / place.format(field.lower())
        file.parent.mkdir(exist_ok=True)
        rows = (
            f"{day},{VALUES['AAPL'][i][k]},{VALUES['MSFT'][i][k]}" for i, day in enumerate(DAYS)
        )
        file.write_text(lines("Date,AAPL,MSFT", *rows))
    assert bars(tmp_path) == BARS
    plan = reading(tmp_path).plans[0]
    assert (plan.layout, len(reading(tmp_path).plans)) == ("wide", 1)


def test_factors_of_the_user_on_wide_tables(tmp_path: Path) -> None:
    names = [f"A {field}" for field in FIELDS]
    (tmp_path / "w.csv").write_text(lines(",".join(["Day", *names]), "2024-01-02,1,2,1,2,5"))
    assert bars(tmp_path / "w.csv", "volume=volume*100,date=Day")[0][-1] == 500.0
    with pytest.raises(DataError, match=r"no column for `close` .looked for px"):
        reading(tmp_path / "w.csv", "close=px")


def test_a_wide_table_of_closes_alone_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "closes.csv").write_text(lines("Date,AAPL,MSFT", "2024-01-02,1,2"))
    with pytest.raises(DataError, match="no column for `open`, `high`, `low`, `volume`"):
        reading(tmp_path / "closes.csv")


@pytest.mark.parametrize(
    "head", ["Date,Ticker", "Date,", ",Ticker", ",", "index,level_1", "Unnamed: 0,Unnamed: 1"]
)
def test_stacked_frames_and_indexes_without_a_name(tmp_path: Path, head: str) -> None:
    rows = [
        f"{day},{symbol},{','.join(map(str, VALUES[symbol][i]))}"
        for i, day in enumerate(DAYS)
        for symbol in VALUES
    ]
    (tmp_path / "s.csv").write_text(lines(f"{head},{','.join(FIELDS)}", *rows))
    assert bars(tmp_path / "s.csv") == BARS


def test_a_running_number_in_front_is_no_day(tmp_path: Path) -> None:
    rows = [f"{i},{row}" for i, row in enumerate(own("AAPL"))]
    (tmp_path / "AAPL.csv").write_text(lines("," + HEAD, *rows))
    assert bars(tmp_path / "AAPL.csv") == [bar for bar in BARS if bar[1] == "AAPL"]


def test_a_parquet_file_of_pandas_with_its_index(tmp_path: Path) -> None:
    days = [dt.datetime.fromisoformat(day) for day in DAYS]
    table = pl.DataFrame(
        {field: [VALUES["AAPL"][i][k] for i in (0, 1)] for k, field in enumerate(FIELDS)}
    )
    table.with_columns(pl.Series("__index_level_0__", days)).write_parquet(
        tmp_path / "AAPL.parquet"
    )
    assert bars(tmp_path) == [bar for bar in BARS if bar[1] == "AAPL"]


def test_a_file_without_names_is_mapped_by_position(tmp_path: Path) -> None:
    (tmp_path / "AAPL.csv").write_text(lines(*own("AAPL")))
    with pytest.raises(DataError, match="no column for `date`") as caught:
        reading(tmp_path / "AAPL.csv")
    assert "date=#1" in caught.value.hint
    mapping = "date=#1,open=#2,high=#3,low=#4,close=#5,volume=#6"
    assert bars(tmp_path / "AAPL.csv", mapping) == [bar for bar in BARS if bar[1] == "AAPL"]


def test_the_layout_can_be_insisted_on(tmp_path: Path) -> None:
    rows = [f"X,{row}" for row in own("AAPL")]
    (tmp_path / "AAPL.csv").write_text(lines("Ticker," + HEAD, *rows))
    assert {bar[1] for bar in bars(tmp_path)} == {"X"}
    assert {bar[1] for bar in bars(tmp_path, layout="file_per_symbol")} == {"AAPL"}
    (tmp_path / "w.csv").write_text(lines("Date,AAPL,MSFT", "2024-01-02,1,2"))
    with pytest.raises(DataError, match="no column for"):
        reading(tmp_path / "w.csv", layout="long")


def test_rows_of_several_series(tmp_path: Path) -> None:
    head = "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,TOTTRDQTY,TIMESTAMP"
    rows = ["A,EQ,1,2,1,2,10,02-JAN-2024", "B,EQ,3,4,3,4,10,02-JAN-2024", "B,BE,5,6,5,6,1,02-JAN-2024",
            "C,BE,7,8,7,8,10,02-JAN-2024"]  # fmt: skip
    (tmp_path / "n.csv").write_text(
        lines(
            head,
            *rows,
        )
    )
    (tmp_path / "m.csv").write_text(lines(head, "A,EQ,1,2,1,2,10,03-JAN-2024"))
    read = reading(tmp_path)
    assert [(bar[1], bar[5]) for bar in bars(tmp_path)] == [
        ("A", 2.0),
        ("B", 4.0),
        ("C", 8.0),
        ("A", 2.0),
    ]
    assert [note for note in read.plans[0].notes if "`SERIES`" in note and "1 of BE" in note]
    assert [read.origin.where(i)[-13:] for i in range(4)] == [
        "n.csv: line 2", "n.csv: line 3", "n.csv: line 5", "m.csv: line 2"
    ]  # fmt: skip


def test_rows_that_nothing_tells_apart_all_stay_in_the_order_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(lines("Ticker," + HEAD, "A,2024-01-02,1,2,1,2,5"))
    (tmp_path / "a.csv").write_text(
        lines("Ticker," + HEAD, "A,2024-01-02,1,2,1,1,5", "A,2024-01-02,0,0,0,0,0")
    )
    assert [bar[5] for bar in bars(tmp_path)] == [1.0, 0.0, 2.0]
    origin = reading(tmp_path).origin
    assert [origin.where(i)[-13:] for i in range(3)] == [
        "a.csv: line 2",
        "a.csv: line 3",
        "b.csv: line 2",
    ]
