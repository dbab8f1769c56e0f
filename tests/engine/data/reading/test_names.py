"""Columns are known by what they mean, in three languages, and units behind names are multiplied in."""

from pathlib import Path

import pytest

from engine.data.reading.names import ALL_BARS, _forms, field_of, match, normal
from engine.errors import DataError, UsageError
from engine.stages.ingest_sources import parse_columns
from tests.engine.data.reading.given import reading

SAME = [
    ("close", "close"), ("Close", "close"), (" CLOSE ", "close"), ("<CLOSE>", "close"), ("$close", "close"),
    ("4. close", "close"), ("Close/Last", "closelast"), ("Ｃｌｏｓｅ", "close"), ("Adj. Close", "adjclose"),
    ("adj_close", "adjclose"), ("AdjClose*", "adjclose"), ("終値", "終値"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "form"), SAME)
def test_case_width_and_marks_do_not_count(name: str, form: str) -> None:
    assert normal(name) == form
    assert normal(normal(name)) == form


MEANT = {
    "date": ["Dates", "Datum", "Fecha", "Data", "일자", "Date",
             "日付", "trade_date", "TIMESTAMP", "<DATE>", "交易日期", "TradDt", "datetime"],
    "symbol": ["act_symbol", "ts_code", "銘柄コード", "证券代码", "SYMBOL", "<TICKER>", "TckrSymb", "Code",
               "PERMNO", "종목코드"],
    "open": ["始値", "开盘", "O", "OPEN_PRICE", "1. open", "PX_OPEN", "OPENPRC",
             "Eröffn.", "Otwarcie", "ouv", "Apertura", "시가"],
    "high": ["ASKHI", "Hoch", "Najwyzszy", "+haut", "Máximo", "고가"],
    "low": ["BIDLO", "Tief", "Najnizszy", "+bas", "Mínimo", "저가"],
    "close": ["終値", "收盘", "C", "Last", "last price", "Close/Last", "ClsPric", "Price",
              "PRC", "Zuletzt", "Zamkniecie", "clôture", "Cierre", "종가"],
    "adj_close": ["Adj Close", "adjClose", "AdjC", "adjusted_close", "AdjustmentClose", "調整後終値*",
                  "closeadj", "5. adjusted close", "前复权收盘价"],
    "adj_volume": ["AdjVo", "adjVolume", "AdjustmentVolume"],
    "volume": ["出来高", "成交量", "vol", "TOTTRDQTY", "Vo", "Vol.", "<VOL>", "TTL_TRD_QNTY",
               "Wolumen", "거래량"],
    "turnover": ["amount", "売買代金", "成交额", "TOTTRDVAL", "Va", "TurnoverValue"],
    "factor": ["AdjFactor", "AdjustmentFactor", "adj_factor", "复权因子", "CFACPR"],
    "split": ["splitFactor", "split_coefficient", "split_ratio", "Stock Splits"],
    "dividend": ["Dividends", "divCash", "dividend_amount", "Ex-Dividend", "Dividend"],
}  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), [(k, v) for k, names in MEANT.items() for v in names])
def test_names_of_many_sources(ours: str, theirs: str) -> None:
    assert field_of(theirs) == ours
    assert match([theirs], ALL_BARS, {}, "bars")[ours].theirs == theirs


@pytest.mark.parametrize(
    "name",
    [
        "pre_close",
        "PREVCLOSE",
        "change",
        "SERIES",
        "UL",
        "Shares Outstanding",
        "SimFinId",
        "ISIN code?",
    ],
)
def test_other_columns_are_left(name: str) -> None:
    assert field_of(name) is None


def test_no_name_means_two_of_ours() -> None:
    owners: dict[str, str] = {}
    for ours, names in ALL_BARS.items():
        for name in (ours, *names):
            assert owners.setdefault(normal(name), ours) == ours, name


UNITS = [
    ("出来高(千株)", "volume", 1e3), ("売買代金（百万円）", "turnover", 1e6), ("成交量(手)", "volume", 100.0),
    ("成交额(万元)", "turnover", 1e4), ("TURNOVER_LACS", "turnover", 1e5), ("Close (USD)", "close", 1.0),
    ("Volume [shares]", "volume", 1.0), ("Volume ('000)", "volume", 1e3), ("終値(円)", "close", 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours", "times"), UNITS)
def test_units_behind_a_name(theirs: str, ours: str, times: float) -> None:
    assert match([theirs], ALL_BARS, {}, "bars")[ours].times == times


def test_an_unknown_unit_is_no_unit() -> None:
    assert _forms("Volume (bushels)") == [("volumebushels", 1.0)]
    assert "volume" not in match(["Volume (bushels)"], ALL_BARS, {}, "bars")


def test_the_surest_name_wins_and_the_others_are_left(tmp_path: Path) -> None:
    head = "ISIN,Symbol,Date,Last,Close,Open,High,Low,Volume,Value"
    (tmp_path / "p.csv").write_text(f"{head}\nUS0,A,2024-01-02,9,2,1,2,1,5,10\n")
    read = reading(tmp_path / "p.csv")
    assert read.raw.bars.select("symbol", "close", "turnover").row(0) == ("A", 2.0, 10.0)
    assert read.plans[0].left == ("ISIN", "Last")


def test_factors_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "ts_code,trade_date,open,high,low,close,vol,amount\nA,20240102,1,2,1,2,5.5,1.1\n"
    )
    read = reading(tmp_path / "p.csv", "volume=vol*100, turnover = amount * 1e3")
    assert read.raw.bars.select("volume", "turnover").row(0) == (550.0, 1100.0)
    plan = {column.ours: column for column in read.plans[0].columns}
    assert (plan["volume"].times, plan["volume"].decided_by) == (100.0, "option")


def test_names_with_a_dollar_sign(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text(
        "instrument,datetime,$open,$high,$low,$close,$volume\nSH600000,2024-01-02,1,2,1,1.5,100\n"
    )
    assert reading(tmp_path / "q.csv").raw.bars["close"].to_list() == [1.5]
    assert reading(tmp_path / "q.csv", "close=$open").raw.bars["close"].to_list() == [1.0]
    with pytest.raises(UsageError) as caught:
        parse_columns("open=,close=")
    assert "'symbol=$code'" in caught.value.hint


def test_a_mapping_to_nothing_and_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(
        "date,symbol,open,high,low,close,volume\n2024-01-02,A,1,2,1,2,5\n"
    )
    with pytest.raises(
        DataError, match=r"no column for `close` .looked for px; the file has date, symbol"
    ):
        reading(tmp_path / "p.csv", "close=px")
    with pytest.raises(DataError, match="no column 'colse' of ours"):
        reading(tmp_path / "p.csv", "colse=close")


def test_codes_under_a_name_that_may_mean_companies(tmp_path: Path) -> None:
    head = "date,open,high,low,close,volume,Name"
    (tmp_path / "all_stocks.csv").write_text(
        f"{head}\n2024-01-02,1,2,1,2,5,AAL\n2024-01-02,1,2,1,2,5,BRK.B\n"
    )
    assert reading(tmp_path).raw.bars["symbol"].to_list() == ["AAL", "BRK.B"]
    (tmp_path / "all_stocks.csv").write_text(
        f"{head}\n2024-01-02,1,2,1,2,5,American Airlines Group\n"
    )
    with pytest.raises(DataError, match="no column for `symbol`"):
        reading(tmp_path / "all_stocks.csv")


@pytest.mark.parametrize("theirs", ["\x1b[2Jopen", "\x1b]0;PWN\x07"])
def test_messages_and_plans_hold_no_escapes(tmp_path: Path, theirs: str) -> None:
    (tmp_path / "p.csv").write_text(f"date,{theirs},high,low,close\n2024-01-02,1,2,1,2\n")
    with pytest.raises(DataError) as caught:
        reading(tmp_path / "p.csv")
    assert caught.value.message.isprintable()
