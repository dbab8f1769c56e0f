import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from engine.data.files_source import read_files
from engine.data.tables import RawTables
from engine.errors import DataError, EnvironmentProblem, UsageError
from engine.stages.ingest_sources import parse_columns

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)

HEADER = "date,code,open,high,low,close,volume\n"


def read(path: Path, columns: dict[str, str] | None = None) -> RawTables:
    return read_files(
        path, securities=None, index=None, columns=columns or {}, market="us", now=NOW
    ).raw


def write(path: Path, *rows: str, header: str = HEADER) -> Path:
    path.write_text(header + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_codes_stay_strings(tmp_path: Path) -> None:
    codes = ["0050", "130A", "NA", "TRUE", "1e5", "null"]
    file = write(tmp_path / "p.csv", *(f"2020-01-02,{code},1,2,1,2,100" for code in codes))
    assert set(read(file).bars["symbol"]) == set(codes)


def test_turnover_is_computed_and_dates_parse(tmp_path: Path) -> None:
    bars = read(write(tmp_path / "p.csv", "2020/01/02,A,1,2,1,2.5,100")).bars
    assert bars["turnover"].to_list() == [250.0]
    assert bars["date"].to_list() == [dt.date(2020, 1, 2)]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("2020-13-02,A,1,2,1,2,100", "line 3, column `date`: '2020-13-02'"),
        ("2020-01-02,A,1,2,1,abc,100", "line 3, column `close`: 'abc'"),
        ("2020-01-02,,1,2,1,2,100", "line 3, column `code` is empty"),
    ],
)
def test_bad_values_name_column_and_row(tmp_path: Path, row: str, message: str) -> None:
    file = write(tmp_path / "p.csv", "2020-01-02,A,1,2,1,2,100", row)
    with pytest.raises(DataError, match=message):
        read(file)


def test_missing_column_lists_what_there_is_and_how_to_map(tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", "2020-01-02,A,1", header="date,code,last\n")
    with pytest.raises(DataError, match="no column for `open`") as caught:
        read(file)
    assert "--columns" in caught.value.hint


def test_column_mapping(tmp_path: Path) -> None:
    file = write(
        tmp_path / "p.csv",
        "2020-01-02,A,1,2,1,9,2,5",
        header="date,code,open,high,low,close,px,vol\n",
    )
    bars = read(file, parse_columns("close=px, volume=vol")).bars
    assert bars["close"].to_list() == [2.0]
    with pytest.raises(UsageError, match="OUR_NAME=COLUMN"):
        parse_columns("close")


def test_folder_of_files_and_unsorted_rows(tmp_path: Path) -> None:
    write(tmp_path / "b.csv", "2020-01-03,B,1,2,1,2,1", "2020-01-02,A,1,2,1,2,1")
    pl.DataFrame(
        {"date": [dt.date(2020, 1, 2)], "code": ["C"], "open": [1.0], "high": [1.0], "low": [1.0],
         "close": [1.0], "volume": [1]}
    ).write_parquet(tmp_path / "a.parquet")  # fmt: skip
    bars = read(tmp_path).bars
    assert bars["symbol"].to_list() == ["A", "C", "B"]


def test_truncated_parquet_is_named(tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    pl.DataFrame({"a": list(range(1000))}).write_parquet(file)
    content = file.read_bytes()
    for size in range(0, len(content) - 1, max(1, len(content) // 25)):
        file.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"p\.parquet"):
            read(file)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentProblem, match="no such file"):
        read(tmp_path / "nothing.csv")
