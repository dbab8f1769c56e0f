"""Optional tables from files: our names, J-Quants v2's, and the day from which a row may be used."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.data.files_source import read_files
from engine.data.store import PanelStore
from engine.data.tables import OPTIONAL, RawTables
from engine.errors import DataError
from engine.stages.ingest_sources import parse_columns

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)

DAY = dt.date(2024, 1, 5)  # a Friday


def read(folder: Path, columns: str = "", **tables: str) -> RawTables:
    """Tables as CSV text, read beside one bar."""
    prices = folder / "prices.csv"
    prices.write_text("date,code,open,high,low,close,volume\n2024-01-05,A,1,2,1,2,100\n")
    paths = {}
    for name, text in tables.items():
        paths[name] = folder / f"{name}.csv"
        paths[name].write_text(text, encoding="utf-8")
    return read_files(
        prices,
        securities=None,
        index=None,
        columns=parse_columns(columns),
        market="jp",
        optional=paths,
        now=NOW,
    ).raw


def after(days: int) -> dt.date:
    return DAY + dt.timedelta(days=days)


def test_our_own_names_come_back_typed_and_sorted(tmp_path: Path) -> None:
    raw = read(
        tmp_path,
        margin="date,available,symbol,long,short\n2024-01-05,2024-01-10,B,5,1\n2024-01-05,2024-01-10,A,7,\n",
        earnings="available,symbol,date\n2024-01-10,A,2024-02-01\n",
    )
    assert set(raw.optional) == {"margin", "earnings"}
    assert raw.optional["margin"]["symbol"].to_list() == ["A", "B"]
    assert dict(raw.optional["margin"].schema) == OPTIONAL["margin"]
    store = PanelStore(tmp_path / "store")
    again = store.snapshot(store.save(raw)).raw().optional
    assert all(again[name].equals(table) for name, table in raw.optional.items())


def test_jquants_options_kinds_and_percent(tmp_path: Path) -> None:
    raw = read(
        tmp_path,
        options="Date,Strike,PCDiv,SQD,IV,OI,Vo,UnderPx\n"
        "2024-01-05,33000,2,2024-02-09,18.5,10,5,33100\n"
        "2024-01-05,33000,1,2024-02-09,19.5,11,6,33100\n",
    )
    rows = raw.optional["options"]
    assert rows["kind"].to_list() == ["call", "put"]
    assert rows["implied_volatility"].to_list() == pytest.approx([0.185, 0.195])
    assert rows["available"].to_list() == [after(1)] * 2
    assert "percent" in raw.notes[0]


def test_jquants_flow_is_made_long_and_one_section_kept(tmp_path: Path) -> None:
    header = "PubDate,StDate,EnDate,Section,FrgnSell,FrgnBuy,IndSell,IndBuy,FrgnTot\n"
    row = "2024-01-11,2024-01-01,2024-01-05,{},10,30,5,4,40\n"
    raw = read(tmp_path, flow=header + row.format("TSEPrime") + row.format("TokyoNagoya"))
    rows = raw.optional["flow"].rows(named=True)
    assert [row["investor"] for row in rows] == ["foreign", "individual"]
    assert (rows[0]["buy"], rows[0]["sell"]) == (30.0, 10.0)
    # Published on Thursday evening: usable at Friday's close.
    assert rows[0]["date"] == DAY
    assert rows[0]["available"] == dt.date(2024, 1, 12)
    with pytest.raises(DataError, match="several market sections"):
        read(tmp_path, flow=header + row.format("TSEPrime") + row.format("TSEStandard"))


def test_jquants_short_ratio_is_summed(tmp_path: Path) -> None:
    raw = read(
        tmp_path,
        short="Date,S33,SellExShortVa,ShrtWithResVa,ShrtNoResVa\n2024-01-05,0050,60,30,10\n",
    )
    assert raw.optional["short"].rows() == [(DAY, after(1), "0050", 100.0, 40.0)]


def test_jquants_statements_time_of_day_and_next_year(tmp_path: Path) -> None:
    raw = read(
        tmp_path,
        statements="DiscDate,DiscTime,Code,CurPerType,CurPerEn,Sales,OP,NP,TA,Eq,FSales,NxFSales\n"
        "2024-01-05,14:59:00,A,1Q,2023-12-31,1,2,3,4,5,100,\n"
        "2024-01-05,15:00:00,B,FY,2023-12-31,1,2,3,4,5,100,110\n",
    )
    rows = raw.optional["statements"].rows(named=True)
    assert [row["available"] for row in rows] == [DAY, after(1)]
    assert [row["forecast_sales"] for row in rows] == [100.0, 110.0]
    assert rows[0]["forecast_net_profit"] is None
    assert rows[0]["assets"] == 4.0


@pytest.mark.parametrize(
    ("name", "text", "days"),
    [
        ("options", "date,expiry,strike,kind\n2024-01-05,2024-02-09,1,p\n", 1),
        ("flow", "date,investor,buy,sell\n2024-01-05,Foreign,1,1\n", 10),
        ("margin", "date,symbol,long,short\n2024-01-05,A,1,1\n", 7),
        ("margin", "date,PubDate,symbol,long,short\n2024-01-05,2024-01-09,A,1,1\n", 5),
        ("margin", "date,PubDate,symbol,long,short\n2024-01-05,,A,1,1\n", 7),
        ("short", "date,sector,turnover,short_turnover\n2024-01-05,X,1,1\n", 1),
        ("earnings", "symbol,date\nA,2024-01-05\n", 0),
    ],
)
def test_day_of_use_where_the_file_does_not_say(
    tmp_path: Path, name: str, text: str, days: int
) -> None:
    assert read(tmp_path, **{name: text}).optional[name]["available"].to_list() == [after(days)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("statements", "symbol,period_end,period\nA,2023-12-31,FY\n", "no column for `available`"),
        ("statements", "symbol,period_end,period,DiscDate\nA,2023-12-31,FY,\n", "line 2 has no day"),
        ("margin", "date,symbol,long\n2024-01-05,A,1\n", r"margin\.csv: no column for `short`"),
        ("margin", "date,symbol,long,short\n2024-01-05,A,1,1\n2024-01-05,A,x,1\n",
         "line 3, column `long`: 'x'"),
        ("margin", "date,symbol,long,short\n2024-01-05,,1,1\n", "line 2, column `symbol` is empty"),
        ("options", "date,expiry,strike,kind\n2024-01-05,2024-02-09,1,3\n", "line 2, column `kind`: '3'"),
        ("short", "Date,S33,ShrtNoResVa\n2024-01-05,0050,1\n", "SellExShortVa, ShrtWithResVa"),
        ("flow", "date,FrgnBuy\n2024-01-05,1\n", "no investor type has both"),
        ("flow", "date,investor\n2024-01-05,foreign\n", "no column for `buy`"),
    ],
)  # fmt: skip
def test_errors_name_file_column_and_row(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path, **{name: text})


def test_mapping_for_one_table_or_for_all(tmp_path: Path) -> None:
    text = "day,code,L,short\n2024-01-05,A,8,1\n"
    raw = read(tmp_path, "margin.date=day,margin.long=L,close=open", margin=text)
    assert raw.optional["margin"]["long"].to_list() == [8.0]
    assert raw.bars["close"].to_list() == [1.0]
    # Without the table's name it is tried, but the common names still do.
    assert read(tmp_path, "long=L,margin.date=day,symbol=code", margin=text).optional
    with pytest.raises(DataError, match="no column for `long`"):
        read(tmp_path, "margin.long=nothing,margin.date=day", margin=text)
    with pytest.raises(DataError, match=r"there is no option\.strike"):
        read(tmp_path, "option.strike=S")
    with pytest.raises(DataError, match=r"there is no options\.strikes"):
        read(tmp_path, "options.strikes=S")


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    folder = tmp_path / "margin"
    folder.mkdir()
    for i in (1, 0):
        pl.DataFrame(
            {"date": [after(7 * i)], "symbol": ["A"], "long": [i], "short": [1]}
        ).write_parquet(folder / f"{i}.parquet")
    prices = tmp_path / "p.csv"
    prices.write_text("date,code,open,high,low,close,volume\n2024-01-05,A,1,2,1,2,100\n")
    raw = read_files(prices, securities=None, index=None, columns={}, market="jp",
                     optional={"margin": folder}, now=NOW).raw  # fmt: skip
    assert raw.optional["margin"]["long"].to_list() == [0.0, 1.0]
    with pytest.raises(DataError, match="unknown table futures"):
        read_files(prices, securities=None, index=None, columns={}, market="jp",
                   optional={"futures": folder}, now=NOW)  # fmt: skip
