"""Names are read as what they mean, codes as they are."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.files_source import read_files
from engine.data.tables import RawTables
from engine.plain_text import readable

NOW = dt.datetime(2026, 11, 28, tzinfo=dt.UTC)

BY_HAND = [
    ("Art&#39;s-Way Manufacturing Co., Inc.", "Art's-Way Manufacturing Co., Inc."),
    ("Bed Bath &amp; Beyond", "Bed Bath & Beyond"),
    ("Soci&eacute;t&eacute; G&#xe9;n&#XE9;rale", "Société Générale"),
    ("AT&T; S&REGAL; B&nothing;", "AT&T; S&REGAL; B&nothing;"),
    ("AT&T, S&REGAL, Marks & Notts", "AT&T, S&REGAL, Marks & Notts"),
    ("a &amp;lt; b", "a &lt; b"),
    ("one\ttwo\r\nthree\u2028four\x00", "one two three four"),
    ("line&#10;break&#x1b;[2J", "line break[2J"),
    ("safe\u202egnp.exe\u202c", "safegnp.exe"),
    ("トヨタ自動車　Ｇ", "トヨタ自動車　Ｇ"),
    ("", ""),
]


@pytest.mark.parametrize(("raw", "meant"), BY_HAND)
def test_names_by_hand(raw: str, meant: str) -> None:
    assert readable(raw) == meant


@given(st.text())
def test_no_control_character_is_left_whatever_comes(text: str) -> None:
    shown = readable(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in shown)
    if "&" not in shown:
        assert readable(shown) == shown


def source(tmp_path: Path, securities: Path) -> RawTables:
    prices = tmp_path / "prices.csv"
    prices.write_text(
        "date,code,open,high,low,close,volume\n2020-01-02,A&amp;B,1,2,1,2,100\n", encoding="utf-8"
    )
    return read_files(
        prices, securities=securities, index=None, columns={}, market="us", now=NOW
    ).raw


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_both_kinds_of_files_and_no_code_is_changed(tmp_path: Path, suffix: str) -> None:
    table = pl.DataFrame(
        {
            "code": ["A&amp;B", "TRUE"],
            "company": ["Art&#39;s-Way", None],
            "sector": ["Oil &amp; Gas", "Energy"],
        }
    )
    file = tmp_path / f"securities{suffix}"
    if suffix == ".csv":
        table.write_csv(file)
    else:
        table.write_parquet(file)
    raw = source(tmp_path, file)
    assert raw.securities["symbol"].to_list() == ["A&amp;B", "TRUE"]
    assert raw.bars["symbol"].to_list() == ["A&amp;B"]
    assert raw.securities["name"].to_list() == ["Art's-Way", None]
    assert raw.securities["sector"].to_list() == ["Oil & Gas", "Energy"]
    assert raw.securities["industry"].to_list() == [None, None]


def test_a_table_with_codes_only(tmp_path: Path) -> None:
    file = tmp_path / "securities.csv"
    file.write_text("code\nA\n", encoding="utf-8")
    assert source(tmp_path, file).securities["name"].to_list() == [None]
