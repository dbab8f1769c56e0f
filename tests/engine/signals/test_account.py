"""Spellings of one stock meet; those of two never do."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.signals.account import _nearest, match_codes

TOKYO = ("7203", "130A", "25935", "0050")
YORK = ("AAPL", "BRK.A", "BRK.B", "T", "DE", "HEI")


@pytest.mark.parametrize(
    ("code", "known"),
    [
        *((code, "7203") for code in (
            "72030", "7203.T", "7203 JP", "7203 JP Equity", "TYO:7203", "7203.jp", "７２０３",
            "7203.0", "'7203", "JP:7203", "XTKS:7203", "72030.T", " 7203 ", '="7203"',
        )),
        ("130A0", "130A"), ("130a.T", "130A"), ("50", "0050"), ("25935.T", "25935"),
    ],
)  # fmt: skip
def test_a_stock_of_tokyo_under_its_other_names(code: str, known: str) -> None:
    assert match_codes([code], TOKYO, market="jp").found == {code: known}
    assert match_codes([code], [f"{k}.T" for k in TOKYO], market="jp").found == {code: f"{known}.T"}


@pytest.mark.parametrize(
    ("code", "known"),
    [
        *((code, "BRK.B") for code in (
            "BRK-B", "BRK B", "BRK/B", "BRKB", "brk.b", "BRK_B", "BRK-B.US", "BRK/B US",
            "NYSE:BRK.B", "US.BRK.B", "BRK B US Equity",
        )),
        *((code, "AAPL") for code in ("AAPL US", "AAPL.US", "AAPL-US", "NASDAQ:AAPL", "AAPL.O")),
        ("T.US", "T"), ("DE.US", "DE"), ("de", "DE"),
    ],
)  # fmt: skip
def test_a_stock_of_new_york_under_its_other_names(code: str, known: str) -> None:
    assert match_codes([code], YORK, market="us").found == {code: known}


@pytest.mark.parametrize(
    ("code", "known", "market"),
    [
        ("7203.HK", ("7203",), "jp"),
        ("BHP.L", ("BHP",), "us"),
        ("BHP.L", ("BHP",), "XNYS"),
        ("BRK.A", ("BRK.B", "BRK"), "us"),
        ("HEI.A", ("HEI",), "us"),
        ("BRK-T", ("BRK",), "us"),
        ("25930", ("25935",), "jp"),
        ("25935", ("2593",), "jp"),
        ("AB.CD", ("ABCD",), "us"),
        ("12340", ("1234",), "kr"),
        ("7203.T", ("7203.HK",), ""),
        ("", ("A",), ""),
    ],
)
def test_another_stock_is_not_taken_for_it(code: str, known: tuple[str, ...], market: str) -> None:
    found = match_codes([code], known, market=market)
    assert (found.found, found.unknown) == ({}, (code,))


def test_the_exact_spelling_comes_first_and_a_doubt_is_no_match() -> None:
    known = ("S1", "S1.T", "s1")
    assert match_codes(["S1.T", "S1", "s1"], known).respelt == {}
    assert match_codes(["S1 JP"], known, market="jp").unsure == {"S1 JP": ("S1", "S1.T", "s1")}
    assert match_codes(["BRK B"], ("BRK.B", "BRK-B")).unsure == {"BRK B": ("BRK-B", "BRK.B")}
    assert match_codes(["7203"], ("7203.T", "72030.T")).unsure == {"7203": ("7203.T", "72030.T")}


def test_a_finer_spelling_wins_over_a_coarser_one() -> None:
    assert match_codes(["BRK B"], ("BRKB", "BRK.B")).found == {"BRK B": "BRK.B"}
    assert match_codes(["brk.b"], ("BRK-B", "BRK.B")).found == {"brk.b": "BRK.B"}


def test_a_market_that_names_no_country_takes_any_exchange() -> None:
    assert match_codes(["S0105.T"], ["S0105"], market="synthetic").found == {"S0105.T": "S0105"}
    assert match_codes(["VOD.L"], ["VOD"], market="24/7").found == {"VOD.L": "VOD"}


def test_codes_of_china_and_hong_kong() -> None:
    for code in ("sh600519", "600519.SS", "600519.SH", "sh.600519", "SHA:600519"):
        assert match_codes([code], ["600519"], market="XSHG").found == {code: "600519"}
    for code in ("700.HK", "00700", "HK.00700", "700 HK"):
        assert match_codes([code], ["0700.HK"], market="XHKG").found == {code: "0700.HK"}


def test_the_nearest_known_codes_are_named() -> None:
    assert _nearest("S0105.X", ["S0105", "S0106", "T9"])[0] == "S0105"
    assert _nearest("AAPPL", YORK) == ["AAPL"]
    assert _nearest("ZZZZ", TOKYO) == []


CODES = st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=6)


@given(st.lists(CODES, min_size=1, max_size=20, unique=True), st.data())
def test_known_codes_find_themselves_however_their_case(
    known: list[str], data: st.DataObject
) -> None:
    code = data.draw(st.sampled_from(known))
    assert match_codes([code], known).found == {code: code}
    assert match_codes([f" {code.lower()}"], known).found == {f" {code.lower()}": code}
