"""The Yahoo source on frames as yfinance makes them; no network."""

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.jquants.client import Api, Pace
from engine.data.tables import RawTables, drop_untraded
from engine.data.yahoo import _Download, read_yahoo
from engine.errors import DataError, EnvironmentProblem
from engine.runs.sink import NullSink

FIRST = dt.date(2024, 1, 4)
QUOTED = (100.0, 102.0, 51.0, 52.0, 26.5)
SPLITS = (0.0, 0.0, 2.0, 0.0, 2.0)


def as_yahoo(
    quoted: Sequence[float | None],
    splits: Sequence[float],
    volume: Sequence[float | None],
    dividends: Sequence[float] = (0.0,) * 8,
) -> "pd.DataFrame":
    """Quoted closes, dividends and volumes of one code, divided and multiplied as Yahoo does up to today."""
    rows = []
    for i, (close, traded) in enumerate(zip(quoted, volume, strict=True)):
        later = 1.0
        for split in splits[i + 1 :]:
            later *= split or 1.0
        price = None if close is None else close / later
        shares = None if traded is None else traded * later
        rows.append(
            {"Open": price, "High": price, "Low": price, "Close": price, "Adj Close": 1.0}
            | {"Volume": shares, "Dividends": dividends[i] / later, "Stock Splits": splits[i]}
        )
    index = pd.DatetimeIndex([FIRST + dt.timedelta(days=i) for i in range(len(rows))], name="Date")
    return pd.DataFrame(rows, index=index, dtype=float)


def download(**frames: "pd.DataFrame") -> _Download:
    """What `yfinance.download` gives for these codes."""

    def fake(codes: Sequence[str], first: dt.date) -> Any:
        assert first == FIRST
        known = {code: frames[code] for code in codes if code in frames}
        return pd.concat(known, axis=1) if known else pd.DataFrame()

    return fake


def read(fake: _Download, *codes: str) -> RawTables:
    return read_yahoo(codes, first=FIRST, market="us", download=fake)


def test_prices_are_as_quoted_and_the_factor_is_on_its_day() -> None:
    raw = read(download(A=as_yahoo(QUOTED, SPLITS, [1000.0] * 5)), "A")
    assert raw.bars["close"].to_list() == pytest.approx(QUOTED)
    assert raw.bars["volume"].to_list() == pytest.approx([1000.0] * 5)
    assert raw.bars["adjustment_factor"].to_list() == [1, 1, 0.5, 1, 0.5]
    assert raw.bars["turnover"].to_list() == pytest.approx([1000 * close for close in QUOTED])
    assert any("survivor" in note for note in raw.notes)


def test_dividends_are_cash_a_share_of_their_day() -> None:
    """1 paid before both 2:1 splits (Yahoo shows 0.25), 0.6 on the day of the first (0.3), 0.2 after them."""
    paid = [0.0, 1.0, 0.6, 0.0, 0.2]
    frame = as_yahoo(QUOTED, SPLITS, [1000.0] * 5, paid)
    assert frame["Dividends"].tolist() == [0.0, 0.25, 0.3, 0.0, 0.2]
    assert read(download(A=frame), "A").bars["dividend"].to_list() == pytest.approx(paid)
    none = read(download(A=frame.drop(columns="Dividends")), "A").bars
    assert none["dividend"].to_list() == [0.0] * 5


def test_a_dividend_of_a_day_without_a_bar_goes_to_the_next_one_in_its_shares() -> None:
    """1.0 on a day without a close; then 2:1: half of it for each of the new shares, and 0.1 of their own."""
    frame = as_yahoo([10.0, None, 5.0], [0, 0, 2.0], [1.0] * 3, [0.0, 1.0, 0.1])
    bars = read(download(A=frame), "A").bars
    assert bars["dividend"].to_list() == pytest.approx([0.0, 0.5 + 0.1])
    assert bars["adjustment_factor"].to_list() == [1.0, 0.5]


def test_a_later_split_changes_no_earlier_row() -> None:
    volume = [1000.0] * 5
    before = read(download(A=as_yahoo(QUOTED[:4], SPLITS[:4], volume[:4])), "A").bars
    after = read(download(A=as_yahoo(QUOTED, SPLITS, volume)), "A").bars
    assert after.head(4).equals(before)


@given(
    st.lists(
        st.tuples(st.floats(1, 1e5), st.sampled_from([0.0, 0.0, 2.0, 3.0, 0.1])),
        min_size=2,
        max_size=8,
    )
)
def test_factors_lead_back_to_yahoos_own_adjusted_close(days: list[tuple[float, float]]) -> None:
    quoted, splits = [day[0] for day in days], [day[1] for day in days]
    frame = as_yahoo(quoted, splits, [10.0] * len(days))
    bars = read(download(A=frame), "A").bars
    assert bars["close"].to_list() == pytest.approx(quoted)
    later = bars["adjustment_factor"].reverse().cum_prod().reverse().shift(-1, fill_value=1.0)
    assert (bars["close"] * later).to_list() == pytest.approx(frame["Close"].tolist())


def test_missing_and_negative_volume_is_null_and_a_day_without_a_close_is_no_bar() -> None:
    frame = as_yahoo([10.0, None, 11.0, 12.0], [0, 2.0, 0, 0], [None, 5.0, -3.0, 7.0])
    bars = read(download(A=frame), "A").bars
    assert bars["date"].to_list() == [FIRST, FIRST + dt.timedelta(2), FIRST + dt.timedelta(3)]
    assert bars["volume"].to_list() == [None, None, 7.0]
    assert bars["turnover"].to_list() == [None, None, 84.0]
    assert bars["adjustment_factor"].to_list() == [1.0, 0.5, 1.0]


def test_codes_stay_text_and_unknown_ones_are_named() -> None:
    one = as_yahoo([10.0], [0.0], [1.0])
    empty = as_yahoo([None], [0.0], [None])
    fake = download(**{"7203.T": one, "TRUE": one, "GONE": empty})
    raw = read(fake, "7203.T", "TRUE", "GONE", "NEVER", "TRUE")
    assert raw.bars["symbol"].to_list() == ["7203.T", "TRUE"]
    assert raw.securities["symbol"].to_list() == ["7203.T", "TRUE"]
    assert "Yahoo has no prices for GONE, NEVER" in raw.notes


def test_nothing_at_all_is_an_error() -> None:
    with pytest.raises(DataError, match="NEVER"):
        read(download(), "NEVER")


def read_from_jquants() -> None:
    Api(base_url="", key="k", timeout=1, pace=Pace(60), sink=NullSink())


def read_from_yahoo() -> None:
    read_yahoo(["A"], first=FIRST, market="us")


@pytest.mark.parametrize(
    ("package", "use", "extra"),
    [("yfinance", read_from_yahoo, "yahoo"), ("jquantsapi", read_from_jquants, "jquants")],
)
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, package: str, use: Callable[[], None], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EnvironmentProblem, match="not installed") as caught:
        use()
    assert f"atft-tui[{extra}]" in caught.value.hint


def test_an_untraded_day_hands_factor_and_dividend_to_the_next_bar_and_to_no_other() -> None:
    days = [FIRST + dt.timedelta(i) for i in range(4)]
    bars = pl.DataFrame(
        {
            "date": days * 2,
            "symbol": ["A"] * 4 + ["B"] * 4,
            "close": [1.0, None, None, 4.0, 5.0, 6.0, 7.0, None],
            "adjustment_factor": [1.0, 0.5, 0.5, 0.1, None, 2.0, 1.0, 0.5],
            "dividend": [0.0, 3.0, 1.0, 0.2, 0.0, 0.7, 0.0, 5.0],
        }
    )
    kept = drop_untraded(bars)
    assert kept.rows() == [
        (days[0], "A", 1.0, 1.0, 0.0),
        (days[0], "B", 5.0, 1.0, 0.0),
        (days[1], "B", 6.0, 2.0, 0.7),
        (days[2], "B", 7.0, 1.0, 0.0),
        (days[3], "A", 4.0, 0.5 * 0.5 * 0.1, pytest.approx(3.0 * 0.5 * 0.1 + 1.0 * 0.1 + 0.2)),
    ]
    for end in range(1, 4):
        early = drop_untraded(bars.filter(pl.col("date") < days[end]))
        assert early.equals(kept.filter(pl.col("date") < days[end]))
