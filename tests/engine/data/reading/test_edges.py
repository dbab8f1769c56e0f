"""Words below a table and names between its rows are no rows; a row that was cut off is one."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.errors import DataError
from tests.engine.data.reading.given import BARS, HEAD, ROWS, bars, frame, reading, text, write_xlsx

FOOTERS = (
    "Data provided by ACME\n",
    '"Data provided by ACME",,,,,,\n',
    "\n* Prices in USD, not adjusted.\n",
    "\nSource: ACME\nDownloaded on 2024-06-01",
    "說明:\n符號說明:+/-/X\n",
)


@pytest.mark.parametrize("footer", FOOTERS)
def test_words_below_the_rows_are_passed_over_and_said(tmp_path: Path, footer: str) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text() + footer)
    assert bars(file) == BARS
    assert "words below the rows were passed over" in reading(file).plans[0].notes[0]


@pytest.mark.parametrize(
    "last", ["2024-01-04,AAPL", "2024-01-04", "AAP", "Total,,,,,,8", "Jan 4,AAPL,1"]
)
def test_a_row_that_was_cut_off_is_no_footer(tmp_path: Path, last: str) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text() + last)
    with pytest.raises(DataError, match="line 4"):
        reading(file)


def test_rows_that_begin_with_a_name_are_not_taken_for_words(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    rows = [f"Apple Inc,{row}" for row in text().splitlines()[1:]]
    file.write_text(text(*rows, head=f"company,{HEAD}") + "Apple Inc")
    with pytest.raises(DataError, match="line 4"):
        reading(file)


def test_names_said_again_between_the_rows_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    head, first, second = text().splitlines()
    file.write_text(text(first, head, second, head))
    assert bars(file) == BARS
    assert "2 lines that say the names again" in reading(file).plans[0].notes[0]
    assert reading(file).origin.where(1) == f"{file}: line 4"


def test_a_sheet_of_excel_with_words_above_and_below_and_one_of_notes(tmp_path: Path) -> None:
    rows = [[row[0].isoformat(), *row[1:]] for row in frame().rows()]
    names = HEAD.split(",")
    prices = [["Price history"], [""], names, rows[0], names, rows[1], [""], ["Source: ACME data"]]
    write_xlsx(tmp_path / "p.xlsx", {"Prices": prices, "Notes": [["Of prices"], ["by ACME"]]})
    assert bars(tmp_path / "p.xlsx") == BARS
    plan = reading(tmp_path / "p.xlsx").plans[0]
    assert [one.file for one in plan.unread] == [f"{tmp_path / 'p.xlsx'}[Notes]"]


def test_a_wide_file_whose_days_have_no_name(tmp_path: Path) -> None:
    """As pandas writes a frame with an unnamed index; codes of digits are names, no row."""
    for codes in ("AAPL,MSFT", "7203,6758"):
        for field, values in (("open", "1,2"), ("high", "3,4"), ("low", "1,2"), ("close", "2,3")):
            (tmp_path / f"{field}.csv").write_text(f",{codes}\n2024-01-04,{values}\n")
        (tmp_path / "volume.csv").write_text(f",{codes}\n2024-01-04,5,6\n")
        first, second = codes.split(",")
        right = [(first, 1.0, 3.0, 1.0, 2.0, 5.0), (second, 2.0, 4.0, 2.0, 3.0, 6.0)]
        assert [row[1:] for row in bars(tmp_path)] == sorted(right)


def test_codes_that_a_spreadsheet_was_kept_from_reading_as_numbers(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    first, second = (row.replace("AAPL", "{}") for row in text().splitlines()[1:])
    file.write_text(text(first.format("'000001"), second.format('"=""0050"""')))
    assert [row[1] for row in bars(file)] == ["000001", "0050"]


def test_a_line_of_types_is_no_line_of_tickers(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    file.write_text(text("date,string,float,float,float,float,int", *text().splitlines()[1:]))
    with pytest.raises(DataError, match="line 2, column `date`: 'date' is not a date"):
        reading(file)


def test_codes_that_a_column_of_floats_wrote(tmp_path: Path) -> None:
    file = tmp_path / "prices.csv"
    rows = text().splitlines()[1:]
    file.write_text(text(*(row.replace("AAPL", "7203.0") for row in rows)))
    assert [row[1] for row in bars(file)] == ["7203", "7203"]
    file.write_text(text(rows[0].replace("AAPL", "7203.0"), rows[1]))
    assert [row[1] for row in bars(file)] == ["7203.0", "AAPL"]


def test_names_in_a_guessed_encoding_are_said_to_be_a_guess(tmp_path: Path) -> None:
    """A Greek file is read as Latin; its names are listed wrong, and the hint says what mends it."""
    file = tmp_path / "005930.csv"
    greek = "Ημερομηνία,Κλείσιμο,Άνοιγμα,Υψηλό,Χαμηλό,Όγκος"
    file.write_text(f"{greek}\n2024/01/02,4,2,5,1,6\n", encoding="cp1253")
    with pytest.raises(DataError) as caught:
        reading(file)
    assert "--encoding" in str(caught.value.hint)
    ours = ("date", "close", "open", "high", "low", "volume")
    columns = ",".join(f"{one}={name}" for one, name in zip(ours, greek.split(","), strict=True))
    assert [row[1:] for row in bars(file, columns, encoding="cp1253")] == [
        ("005930", 2, 5, 1, 4, 6)
    ]


FIELDS = ("open", "high", "low", "close")


def test_a_file_of_one_field_whose_days_are_written_otherwise_is_not_lost(tmp_path: Path) -> None:
    for field in FIELDS:
        (tmp_path / f"{field}.csv").write_text("Date,AAPL,MSFT\n2024-01-04,5,6\n")
    (tmp_path / "volume.csv").write_text("Date,AAPL,MSFT\n2024/01/04,7,8\n")
    with pytest.raises(DataError, match=r"volume.csv: none of .*'2024-01-04' and '2024/01/04'"):
        reading(tmp_path)


def test_days_and_midnights_of_parquet_files_of_one_field_are_the_same_days(tmp_path: Path) -> None:
    day = pl.DataFrame({"Date": [dt.date(2024, 1, 4)], "AAPL": [5.0], "MSFT": [6.0]})
    for field in FIELDS:
        day.write_parquet(tmp_path / f"{field}.parquet")
    moment = day.with_columns(pl.col("Date").cast(pl.Datetime("ns")))
    moment.write_parquet(tmp_path / "volume.parquet")
    assert [row[-1] for row in bars(tmp_path)] == [5.0, 6.0]


def test_a_stock_in_two_currencies_is_refused_and_several_stocks_in_several_are_said(
    tmp_path: Path,
) -> None:
    file = tmp_path / "prices.csv"
    head = f"{HEAD},Currency"
    file.write_text(text(f"{ROWS[0]},USD", f"{ROWS[1]},GBp", head=head))
    with pytest.raises(DataError, match="`Currency`: the prices of AAPL are in GBp, USD"):
        reading(file)
    other = ROWS[0].replace("AAPL", "VOD")
    file.write_text(text(*(f"{row},USD" for row in ROWS), f"{other},GBp", head=head))
    assert "`Currency` says GBp, USD" in reading(file).plans[0].notes[0]
    file.write_text(text(*(f"{row},USD" for row in ROWS), head=head))
    assert reading(file).plans[0].notes == ()


def test_of_two_kinds_of_a_bar_the_commoner_is_kept_and_equal_numbers_are_refused(
    tmp_path: Path,
) -> None:
    file = tmp_path / "prices.csv"
    head = f"{HEAD},exchange"
    other = ROWS[0].replace("187.15", "147.15")
    file.write_text(text(*(f"{row},US" for row in ROWS), f"{other},XLON", head=head))
    assert bars(file) == BARS
    file.write_text(text(f"{ROWS[0]},US", f"{other},XLON", head=head))
    with pytest.raises(DataError, match="`exchange`, and US, XLON have 1 rows each"):
        reading(file)


def test_the_sign_of_a_midpoint_is_left_out_and_a_negative_price_is_not(tmp_path: Path) -> None:
    """CRSP: PRC is -(bid + ask) / 2 on a day without a trade; BIDLO and ASKHI are then bid and ask."""
    head = "PERMNO,date,BIDLO,ASKHI,PRC,VOL,OPENPRC"
    rows = ["10107,20150102,46,47,46.5,100,46.2", "10107,20150105,45,46,-45.5,0,"]
    path = tmp_path / "dsf.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    read = reading(path)
    assert read.raw.bars["close"].to_list() == [46.5, 45.5]
    assert any("The sign is left out of 1." in note for note in read.plans[0].notes)
    path.write_text("\n".join([head, *rows, "10107,20150106,45,46,-4,0,"]) + "\n")
    assert reading(path).raw.bars["close"].to_list() == [46.5, -45.5, -4.0]


def test_the_time_and_the_ticker_of_one_letter(tmp_path: Path) -> None:
    """Aggregates of a REST service: T is the ticker, t its time in ms, v, o, c, h, l as one would think."""
    path = tmp_path / "aggregates.csv"
    path.write_text("T,v,o,c,h,l,t\nAAPL,82488700,187.15,185.64,188.44,183.89,1704171600000\n")
    assert bars(path) == BARS[:1]


def test_two_heads_whose_lower_one_names_the_days(tmp_path: Path) -> None:
    fields = "PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME"
    path = tmp_path / "grid.csv"
    path.write_text(
        f",{','.join(['AAPL US Equity'] * 5)}\nDates,{fields}\n"
        "01/02/2024,187.15,188.44,183.89,185.64,82488700\n"
        "01/16/2024,184.22,185.88,183.43,184.25,58414500\n"
    )
    first = bars(path)[0]
    assert (first[1], first[2:]) == ("AAPL US Equity", BARS[0][2:])


def test_bars_within_the_day_are_said_to_be_so(tmp_path: Path) -> None:
    """Two half hours of one price each would be one bar and a repetition; nothing of it may be guessed."""
    rows = [f"2024-01-0{day} {at},AAPL,1,2,1,2,50" for day in (2, 3) for at in ("09:30", "10:00")]
    path = tmp_path / "p.csv"
    path.write_text(text(*rows))
    with pytest.raises(DataError, match="AAPL has 2 bars on 2024-01-02, each at another time"):
        reading(path)
    path.write_text(text(*(row.replace("10:00", "09:30") for row in rows)))
    assert len(bars(path)) == 4  # The same moment twice is a bar given again.


def test_a_year_behind_the_code_and_a_name_of_metastock(tmp_path: Path) -> None:
    for code in ("AAPL", "BRK-B"):
        (tmp_path / f"{code}-2024.csv").write_text(
            "<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>\n20240102,000000,1,2,1,2,5\n"
        )
    assert [row[:2] for row in bars(tmp_path)] == [
        (dt.date(2024, 1, 2), "AAPL"), (dt.date(2024, 1, 2), "BRK-B")
    ]  # fmt: skip
