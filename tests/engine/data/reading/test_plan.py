"""What the plan says, where each row comes from, and that the way a file is written changes nothing."""

import datetime as dt
import random
import unicodedata
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.files_source import read_files
from engine.errors import DataError
from engine.records.reading import ReadingPlan, plan_lines
from tests.engine.data.reading.given import BARS, HEAD, NOW, ROWS, bars, frame, reading, text


def test_a_plan_in_words(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text(*(f"{row},x" for row in ROWS), head=HEAD + ",extra"))
    (tmp_path / "b.md").write_text("no table")
    (plan,) = reading(tmp_path, "volume=volume*2").plans
    assert plan_lines(plan) == [
        f"bars: {tmp_path / 'a.csv'}, a row a bar, utf-8, separator `,`, decimal `.`",
        "  columns: date <- date, symbol <- symbol, open <- open, high <- high, low <- low, "
        "close <- close, volume <- volume x 2 (option)",
        "  left: extra",
        "  dates: YYYY-MM-DD (by values)",
        "  prices: as quoted",
        "  first row: 2024-01-02 AAPL o 187.15 h 188.44 l 183.89 c 185.64 v 164977400",
        f"  NOT READ, 1 file: {tmp_path / 'b.md'} (no table by its ending .md)",
    ]


@given(st.text(), st.text())
def test_no_control_character_of_a_file_reaches_the_terminal(name: str, note: str) -> None:
    plan = ReadingPlan(table="bars", path=name, files=1, left=(name,), first=name, notes=(note,))
    shown = "".join(plan_lines(plan))
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs"}
    assert not {unicodedata.bidirectional(c) for c in shown} & {
        "RLO",
        "LRO",
        "RLE",
        "LRE",
        "RLI",
        "LRI",
    }


def test_the_number_style_and_the_first_row_of_the_file_are_shown(tmp_path: Path) -> None:
    rows = ["03.01.2024;A;1.000,5;1.001;999,25;1.000;1.234.567", "02.01.2024;A;1;2;1;2;7"]
    (tmp_path / "p.csv").write_text(text(*rows, head=HEAD.replace(",", ";")))
    plan = reading(tmp_path / "p.csv", after=dt.date(2023, 12, 29)).plans[0]
    assert (plan.decimal, plan.thousands, plan.separator) == (",", ".", ";")
    assert plan.first == "2024-01-03 A o 1000.5 h 1001 l 999.25 c 1000 v 1234567"


def test_files_written_differently_are_read_each_in_its_way(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text(ROWS[0]))
    row = ROWS[1].replace("2024-01-03", "20240103").replace(",", ";").replace(".", ",")
    (tmp_path / "b.csv").write_text(text(row, head="Date;Ticker;Open;High;Low;Close;Vol"))
    assert bars(tmp_path) == BARS
    assert [plan.separator for plan in reading(tmp_path).plans] == [",", ";"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_an_error_in_the_third_of_many_files_names_it(tmp_path: Path, ending: str) -> None:
    for i, value in enumerate(("1", "2", "x", "4")):
        rows = frame((f"2024-01-0{i + 2}", "A", "1", "2", "1", value, "5"))
        rows = pl.concat([rows.with_columns(close=pl.lit("1"), symbol=pl.lit("B")), rows])
        if ending == "csv":
            rows.write_csv(tmp_path / f"{i}.csv")
        else:
            rows.write_parquet(tmp_path / f"{i}.parquet")
    line = 3 if ending == "csv" else 2
    with pytest.raises(DataError, match=rf"2\.{ending}: line {line}, column `close`: 'x' "):
        reading(tmp_path)


def test_other_tables_have_plans_and_use_the_settings_where_they_must(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(text())
    (tmp_path / "s.csv").write_bytes("コード;銘柄名;33業種区分\n0050;トヨタ;輸送\n".encode("cp932"))
    (tmp_path / "i.csv").write_text("Date;Close\n2024-01-02;1.234,5\n")
    (tmp_path / "x.csv").write_text("Ex-Date,Ticker,Action,Ratio,New Symbol\n"
                                    "2024-01-02,AAPL,Stock Split,7-for-1,\n"
                                    "2024-01-03,AAPL,reverse split,15,\n"
                                    "2024-01-03,B,Split,1:35,\n"
                                    "2024-01-04,FB,Ticker change,,META\n"
                                    "2024-01-04,C,cash dividend,$0.24,\n"
                                    "2024-01-05,D,Delisted,,\n")  # fmt: skip
    read = read_files(
        tmp_path / "p.csv", securities=tmp_path / "s.csv", index=tmp_path / "i.csv",
        actions=tmp_path / "x.csv", columns={}, market="us", now=NOW,
    )  # fmt: skip
    assert read.raw.securities.row(0)[:3] == ("0050", "トヨタ", "輸送")
    assert read.raw.index is not None
    assert read.raw.index["close"].to_list() == [1234.5]
    assert [plan.table for plan in read.plans] == ["bars", "securities", "index", "actions"]
    assert read.raw.actions is not None
    assert read.raw.actions.drop("date").rows() == [
        ("AAPL", "split", 7.0, None), ("AAPL", "split", 1 / 15, None), ("B", "split", 1 / 35, None),
        ("C", "dividend", 0.24, None), ("FB", "rename", None, "META"), ("D", "delisting", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2024-01-02,A,party,1,", "line 2, column `kind`: 'party' is no kind of action"),
        ("2024-01-02,A,split,many,", "'many' is not a number"),
        ("2024-01-02,A,split,0,", "a split needs a value above 0"),
        ("2024-01-02,A,dividend,,", "a dividend needs a value"),
        ("2024-01-02,A,rename,,", "a rename needs the new code"),
        ("2024-01-02,A,rename,,A", "a rename needs the new code, another than A"),
        ("2024-01-02,A,delisting,-5,", "a delisting needs a value of 0 or more, or none"),
        ("2024-01-02,A,split,inf,", "'inf' is not a number"),
        (
            "2024-01-02,A,split,2,\n2024-01-02,A,split,7:2,",
            "line 2 and .*line 3: A has two different splits on 2024-01-02: 2 and 3.5",
        ),
        ("2024-01-02,,split,2,", "column `symbol` is empty"),
    ],
)
def test_actions_that_cannot_be_meant(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "p.csv").write_text(text())
    (tmp_path / "x.csv").write_text(f"date,symbol,kind,value,other\n{row}\n")
    with pytest.raises(DataError, match=message) as caught:
        read_files(tmp_path / "p.csv", securities=None, index=None, columns={}, market="us", now=NOW,
                   actions=tmp_path / "x.csv")  # fmt: skip
    if "kind of action" in message:
        assert "split, dividend, spinoff" in caught.value.hint


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp932"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoted=st.booleans(),
    preamble=st.sampled_from(["", "Report\n", "# one\n\n# two\n"]),
)
def test_how_a_file_is_written_changes_no_bar(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int, separator: str, encoding: str, end: str, quoted: bool, preamble: str,
) -> None:  # fmt: skip
    order = list(range(7))
    random.Random(seed).shuffle(order)
    table = [[("日付", "銘柄コード", "始値", "高値", "安値", "終値", "出来高")[i] for i in order]]
    table += [[row.split(",")[i] for i in order] for row in ROWS]
    mark = '"' if quoted else ""
    lines = [separator.join(f"{mark}{cell}{mark}" for cell in cells) for cells in table]
    content = preamble.replace("\n", end) + end.join(lines) + end
    file = tmp_path_factory.mktemp("written") / "p.csv"
    file.write_bytes(content.encode(encoding))
    assert bars(file) == BARS


def test_actions_with_decimal_commas_and_rows_given_twice(tmp_path: Path) -> None:
    """1,5 is one and a half; a row that stands twice happened once; dividends of a day add up."""
    (tmp_path / "p.csv").write_text(text())
    (tmp_path / "x.csv").write_text("date;symbol;kind;value\n"
                                    "2024-01-02;A;split;1,5\n2024-01-02;A;split;1,5\n"
                                    "2024-01-02;B;dividend;0,25\n"
                                    "2024-01-02;B;dividend;1,00\n")  # fmt: skip
    read = read_files(tmp_path / "p.csv", securities=None, index=None, columns={}, market="us",
                      now=NOW, actions=tmp_path / "x.csv")  # fmt: skip
    assert read.raw.actions is not None
    assert read.raw.actions.select("symbol", "kind", "value").rows() == [
        ("A", "split", 1.5), ("B", "dividend", 0.25), ("B", "dividend", 1.0),
    ]  # fmt: skip
