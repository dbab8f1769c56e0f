"""One price scale a row, and actions beside it. Every right value is worked out by hand."""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ReadingConfig
from engine.data.reading.numbers import BadValue
from engine.data.reading.scale import Scaled, to_quoted

AUTO = ReadingConfig()


def days(count: int, first: int = 1) -> list[dt.date]:
    return [dt.date(2024, 1, first) + dt.timedelta(days=at) for at in range(count)]


def table(symbol: str = "A", **columns: Sequence[float | None]) -> pl.DataFrame:
    """Rows of one stock on days in a row; numbers become Float64."""
    count = len(next(iter(columns.values())))
    numbers = {name: pl.Series(values, dtype=pl.Float64) for name, values in columns.items()}
    return pl.DataFrame({"date": days(count), "symbol": [symbol] * count, **numbers})


def column(scaled: Scaled, name: str) -> list[Any]:
    return scaled.bars[name].to_list()


def quiet(count: int, level: float = 100.0) -> list[float]:
    """Closes that move by a tenth of a per cent up and down."""
    return [round(level * (1.001 if at % 2 else 1.0), 2) for at in range(count)]


def test_quoted_prices_alone_stay_as_they_are() -> None:
    frame = table(
        open=[1.0, 2.0], high=[2.0, 3.0], low=[1.0, 2.0], close=[2.0, 2.5], volume=[5.0, 6.0]
    )
    scaled = to_quoted(frame, AUTO)
    assert (scaled.price_scale, scaled.factor, scaled.notes) == ("raw", None, ())
    assert scaled.bars.columns == [
        *("date", "symbol", "open", "high", "low", "close", "volume"),
        *("adjustment_factor", "dividend"),
    ]
    assert scaled.bars.rows()[1][2:] == (2.0, 3.0, 2.0, 2.5, 6.0, 1.0, 0.0)


def test_a_dividend_comes_from_the_adjusted_close() -> None:
    """2.00 on 100.00: what was before is multiplied by 0.98. The quoted prices stay."""
    frame = table(close=[100.0, 99.0, 99.5], adj_close=[98.0, 99.0, 99.5], open=[100.0, 98.5, 99.0])
    scaled = to_quoted(frame, AUTO)
    assert scaled.price_scale == "raw_and_adjusted_close"
    assert column(scaled, "close") == [100.0, 99.0, 99.5]
    assert column(scaled, "open") == [100.0, 98.5, 99.0]
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 1.0]
    assert column(scaled, "dividend") == [0.0, pytest.approx(2.0), 0.0]
    assert scaled.factor is not None
    assert (scaled.factor.events, scaled.factor.dividends) == (0, 1)


def test_splits_and_spin_offs_show_in_the_quoted_close() -> None:
    """7:1 with a rise of 1 %; then a spin-off worth 58 % of the price, in a flat market."""
    frame = table(
        close=[700.0, 707.0, 102.01, 42.84],
        adj_close=[42.0, 42.42, 42.8442, 42.84],
    )
    scaled = to_quoted(frame, AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 1 / 7, pytest.approx(0.42, rel=1e-3)]
    assert column(scaled, "dividend") == [0.0] * 4
    assert scaled.factor is not None
    assert scaled.factor.events == 2
    assert scaled.factor.jump_before > 10 * scaled.factor.jump_after


def test_a_ratio_that_the_quoted_close_contradicts_is_told_and_left_out() -> None:
    """A reverse split in the ratio a day too early, and a 40 % dividend on a price that does not fall."""
    early = to_quoted(table(close=[0.37, 0.38], adj_close=[5.55, 0.38]), AUTO)
    assert column(early, "adjustment_factor") == [1.0, 1.0]
    grand = to_quoted(table(close=[100.0, 101.0], adj_close=[60.0, 101.0]), AUTO)
    assert column(grand, "dividend") == [0.0, 0.0]
    assert "not applied: 1" in early.notes[0]
    assert "not applied: 1" in grand.notes[0]


def test_a_twentieth_of_a_share_is_no_cash() -> None:
    """1.2 new shares an old one; the adjusted close is rounded to a tenth, the stock rises by 0.5 %."""
    frame = table(close=[2400.0, 2400.0, 2010.0], adj_close=[2000.0, 2000.0, 2010.0])
    scaled = to_quoted(frame, AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, pytest.approx(1 / 1.2)]
    assert column(scaled, "dividend") == [0.0] * 3


def test_a_row_without_a_price_hides_no_dividend() -> None:
    frame = table(close=[100.0, None, 98.0], adj_close=[98.0, None, 98.0])
    assert column(to_quoted(frame, AUTO), "dividend") == [0.0, 0.0, pytest.approx(2.0)]


@given(
    ratio=st.floats(0.02, 1.0),
    cents=st.lists(st.integers(50, 500_000), min_size=60, max_size=120),
    places=st.integers(2, 6),
)
def test_rounding_makes_no_events(ratio: float, cents: list[int], places: int) -> None:
    closes = [cent / 100 for cent in cents]
    adjusted = [round(close * ratio, places) for close in closes]
    scaled = to_quoted(table(close=closes, adj_close=adjusted), AUTO)
    assert set(column(scaled, "adjustment_factor")) == {1.0}
    assert set(column(scaled, "dividend")) == {0.0}


@given(st.integers(0, 2**32 - 1))
def test_dividends_come_back_from_a_rounded_adjusted_close(seed: int) -> None:
    """240 days, 50 cents on 60 dollars each 60 days, the ratio rounded by four decimals of the price."""
    rng = np.random.default_rng(seed)
    closes = np.round(60 * np.exp(np.cumsum(rng.normal(0, 0.005, 240))), 2)
    factor = np.ones(240)
    for at in (60, 120, 180):
        factor[:at] *= 1 - 0.5 / closes[at - 1]
    frame = table(close=list(closes), adj_close=list(np.round(closes * factor, 4)))
    paid = to_quoted(frame, AUTO).bars["dividend"]
    assert (paid > 0).arg_true().to_list() == [60, 120, 180]
    assert (paid.filter(paid > 0) - 0.5).abs().max() < 4e-4  # type: ignore[operator]


def evenings() -> list[pl.DataFrame]:
    """Two stocks, two sessions a file, newest first, each adjusted as of its evening; A pays 2 on day 3."""
    rows = {
        2: [
            ("A", 2, 101.0, 101.0),
            ("A", 1, 100.0, 100.0),
            ("B", 2, 50.0, 50.0),
            ("B", 1, 50.0, 50.0),
        ],
        3: [
            ("A", 3, 99.0, 99.0),
            ("A", 2, 101.0, 98.98),
            ("B", 3, 25.0, 25.0),
            ("B", 2, 50.0, 25.0),
        ],
        4: [("A", 4, 99.0, 99.0), ("A", 3, 99.0, 99.0), ("B", 4, 25.0, 25.0), ("B", 3, 25.0, 25.0)],
    }
    return [
        pl.DataFrame(
            [
                (dt.date(2024, 1, day), symbol, close, adj)
                for symbol, day, close, adj in rows[evening]
            ],
            schema={
                "date": pl.Date,
                "symbol": pl.String,
                "close": pl.Float64,
                "adj_close": pl.Float64,
            },
            orient="row",
        )
        for evening in (2, 3, 4)
    ]


@pytest.mark.parametrize("numbered", [True, False])
def test_a_ratio_is_compared_inside_its_evening_only(numbered: bool) -> None:
    """2 on 101 and 2:1, once each; whether the files are numbered or were pasted together."""
    files = evenings()
    number = pl.concat([pl.repeat(at, len(file), eager=True) for at, file in enumerate(files)])
    scaled = to_quoted(pl.concat(files), AUTO, vintage=number if numbered else None)
    events = scaled.bars.filter((pl.col("adjustment_factor") != 1) | (pl.col("dividend") > 0))
    assert events.select("date", "symbol", "adjustment_factor").rows() == [
        (dt.date(2024, 1, 3), "A", 1.0),
        (dt.date(2024, 1, 3), "B", 0.5),
    ]
    assert events["dividend"].to_list() == [pytest.approx(2.02), 0.0]
    alone = pl.concat([to_quoted(file, AUTO).bars for file in files])
    assert alone.equals(scaled.bars)


def test_files_that_repeat_nothing_are_one_vintage() -> None:
    frame = table(close=[100.0, 99.0], adj_close=[98.0, 99.0])
    scaled = to_quoted(frame, AUTO, vintage=pl.Series([0, 1]))
    assert column(scaled, "dividend") == [0.0, pytest.approx(2.0)]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("factor", 0.5, "earlier prices times factor"),
        ("factor", 2.0, "new shares per old share"),
        ("split", 2.0, "new shares per old share"),
        ("split", 0.5, "earlier prices times factor"),
    ],
)
@pytest.mark.parametrize("nothing", [0.0, 1.0, None])
def test_the_jump_tells_what_a_factor_means(
    name: str, value: float, words: str, nothing: float | None
) -> None:
    told = pl.Series(name, [nothing, nothing, value, nothing], dtype=pl.Float64)
    frame = table(close=[100.0, 101.0, 50.5, 50.0]).with_columns(told)
    scaled = to_quoted(frame, AUTO)
    assert scaled.price_scale == "raw_and_factor"
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 0.5, 1.0]
    assert column(scaled, "close") == [100.0, 101.0, 50.5, 50.0]
    assert scaled.factor is not None
    assert (scaled.factor.convention, scaled.factor.events) == (words, 1)
    assert scaled.factor.jump_before == pytest.approx(np.log(2.0))
    assert scaled.factor.jump_after == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("level", "words"),
    [
        ([0.5, 0.5, 1.0, 1.0], "level: adjusted price = price x level"),
        ([30.0, 30.0, 60.0, 60.0], "level: adjusted price = price x level"),
        ([2.0, 2.0, 1.0, 1.0], "level: adjusted price = price / level"),
    ],
)
def test_a_level_acts_where_it_changes(level: list[float | None], words: str) -> None:
    scaled = to_quoted(table(close=[100.0, 101.0, 50.5, 50.0], factor=level), AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 0.5, 1.0]
    assert scaled.factor is not None
    assert scaled.factor.convention == words


def test_a_factor_that_makes_the_jump_larger_is_refused() -> None:
    frame = table(close=[100.0, 101.0, 100.5, 100.0], factor=[1.0, 1.0, 0.5, 1.0])
    with pytest.raises(BadValue, match="larger whichever way") as caught:
        to_quoted(frame, AUTO)
    assert "--factor" in caught.value.hint
    told = to_quoted(frame, ReadingConfig(factor="earlier_times"))
    assert column(told, "adjustment_factor") == [1.0, 1.0, 0.5, 1.0]
    assert told.factor is not None
    assert told.factor.decided_by == "option"
    untouched = to_quoted(frame, ReadingConfig(price_scale="raw"))
    assert column(untouched, "adjustment_factor") == [1.0] * 4


@pytest.mark.parametrize(("sign", "words"), [(1.0, "price x level"), (-1.0, "price / level")])
def test_many_small_factors_tell_their_direction(sign: float, words: str) -> None:
    """100 dividends of 2 % among moves of 1 % a day; one alone would be left to the likely reading."""
    rng = np.random.default_rng(4)
    paid = np.zeros(1000)
    paid[5::10] = -0.02
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 1000) + paid))
    level = np.exp(-sign * np.cumsum(paid))
    scaled = to_quoted(table(close=list(closes), factor=list(level)), AUTO)
    assert scaled.factor is not None
    assert words in scaled.factor.convention
    assert scaled.factor.dividends == 100
    cash, before = scaled.bars["dividend"].to_numpy()[5::10], closes[4::10]
    assert cash == pytest.approx(before * (1 - np.exp(-0.02)))
    few = to_quoted(
        table(close=list(closes[:10]), factor=list(np.exp(-np.cumsum(paid))[:10])), AUTO
    )
    assert few.factor is not None
    assert few.factor.decided_by == "name"


def test_prices_divided_by_later_splits_are_quoted_again() -> None:
    """As Yahoo has them: 2:1 on day 3 and 3:1 on day 5, prices and dividends in shares of day 5."""
    frame = table(
        close=[20.0, 20.2, 20.0, 20.2, 20.0],
        open=[20.0] * 5,
        volume=[600.0] * 5,
        split=[0.0, 0.0, 2.0, 0.0, 3.0],
        dividend=[0.0, 0.5, 0.0, 0.5, 0.0],
    )
    scaled = to_quoted(frame, AUTO)
    assert column(scaled, "close") == pytest.approx([120.0, 121.2, 60.0, 60.6, 20.0])
    assert column(scaled, "open") == [120.0, 120.0, 60.0, 60.0, 20.0]
    assert column(scaled, "volume") == [100.0, 100.0, 200.0, 200.0, 600.0]
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 0.5, 1.0, 1 / 3]
    assert column(scaled, "dividend") == [0.0, 3.0, 0.0, 1.5, 0.0]
    assert scaled.factor is not None
    assert "divided by later splits" in scaled.factor.convention
    assert scaled.factor.jump_before > scaled.factor.jump_after


def test_dividends_beside_a_column_of_splits_come_from_the_adjusted_close() -> None:
    """Quoted 2:1 on day 3 with 1.00 a new share on the same day: 200 before is 99 after, of 100."""
    raw = table(close=[200.0, 200.0, 99.0], adj_close=[99.0, 99.0, 99.0], split=[1.0, 1.0, 2.0])
    scaled = to_quoted(raw, AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 0.5]
    assert column(scaled, "dividend") == [0.0, 0.0, pytest.approx(1.0)]
    divided = table(close=[100.0, 100.0, 99.0], adj_close=[99.0, 99.0, 99.0], split=[0.0, 0.0, 2.0])
    scaled = to_quoted(divided, AUTO)
    assert column(scaled, "close") == [200.0, 200.0, 99.0]
    assert column(scaled, "dividend") == [0.0, 0.0, pytest.approx(1.0)]


def test_small_factors_are_dividends_unless_they_are_so_many_new_shares() -> None:
    """0.993 on 100 are 70 cents; 0.952381 are 1.05 new shares an old one; 0.5 is 2:1."""
    closes: list[float | None] = [100.0, 99.3, 94.6, 47.3]
    frame = table(close=closes, factor=[1.0, 0.993, 0.952381, 0.5])
    scaled = to_quoted(frame, AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 0.952381, 0.5]
    assert column(scaled, "dividend") == [0.0, pytest.approx(0.7), 0.0, 0.0]
    assert scaled.factor is not None
    assert (scaled.factor.events, scaled.factor.dividends) == (2, 1)
    paid = table(close=closes, factor=[1.0, 0.993, 1.0, 0.5], dividend=[0.0, 0.7, 0.0, 0.0])
    scaled = to_quoted(paid, AUTO)
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, 1.0, 0.5]
    assert column(scaled, "dividend") == [0.0, 0.7, 0.0, 0.0]


def test_quoted_and_adjusted_prices_and_a_factor_are_quoted_and_a_factor() -> None:
    """As J-Quants has them; 1.2 for 1 on the last day, which is flat."""
    frame = table(
        open=[2400.0, 2400.0, 2000.0],
        close=[2400.0, 2400.0, 2000.0],
        adj_open=[2000.0] * 3,
        adj_close=[2000.0] * 3,
        factor=[1.0, 1.0, 1 / 1.2],
    )
    scaled = to_quoted(frame, AUTO)
    assert scaled.price_scale == "raw_and_factor"
    assert column(scaled, "close") == [2400.0, 2400.0, 2000.0]
    assert column(scaled, "adjustment_factor") == [1.0, 1.0, pytest.approx(1 / 1.2)]
    assert column(scaled, "dividend") == [0.0] * 3


def test_a_column_of_ones_knows_no_events() -> None:
    scaled = to_quoted(table(close=quiet(4), factor=[1.0] * 4), AUTO)
    assert scaled.factor is not None
    assert (scaled.factor.convention, scaled.factor.events) == ("no events", 0)
    beside = to_quoted(table(close=[100.0, 99.0], adj_close=[98.0, 99.0], split=[0.0, 0.0]), AUTO)
    assert beside.price_scale == "raw_and_adjusted_close"
    assert column(beside, "dividend") == [0.0, pytest.approx(2.0)]


def test_a_day_alone_goes_by_the_name() -> None:
    """Nothing before it says what 2.0 means; a column of splits has new shares an old one."""
    scaled = to_quoted(table(close=[50.0], split=[2.0]), AUTO)
    assert column(scaled, "adjustment_factor") == [0.5]
    assert scaled.factor is not None
    assert scaled.factor.decided_by == "name"
    assert column(to_quoted(table(close=[50.0], factor=[0.5]), AUTO), "adjustment_factor") == [0.5]
    market = [table(name, close=[50.0], factor=[134.5]) for name in "ABCDEFGHIJ"]
    assert set(column(to_quoted(pl.concat(market), AUTO), "adjustment_factor")) == {1.0}


def test_a_dividend_that_stays_is_no_payment() -> None:
    scaled = to_quoted(table(close=quiet(5), dividend=[2.0] * 5), AUTO)
    assert column(scaled, "dividend") == [0.0] * 5
    assert "repeats" in scaled.notes[0]
    paid = to_quoted(table(close=quiet(5), dividend=[0.0, None, 0.5, 0.0, 0.5]), AUTO)
    assert column(paid, "dividend") == [0.0, 0.0, 0.5, 0.0, 0.5]
    assert paid.factor is not None
    assert paid.factor.dividends == 2


def test_adjusted_prices_alone_are_used_throughout() -> None:
    frame = table(
        adj_open=[9.0, 10.0], adj_close=[9.5, 10.5], volume=[5.0, 6.0], dividend=[0.0, 0.5]
    )
    scaled = to_quoted(frame, AUTO)
    assert scaled.price_scale == "adjusted"
    assert column(scaled, "open") == [9.0, 10.0]
    assert column(scaled, "close") == [9.5, 10.5]
    assert column(scaled, "volume") == [5.0, 6.0]
    assert column(scaled, "dividend") == [0.0, 0.0]
    assert "dividend not applied" in scaled.notes[0]


def test_the_user_may_want_the_adjusted_scale_of_both() -> None:
    """Open, high and low follow the close; the traded value stays that of the quoted price."""
    frame = table(
        open=[102.0, 99.0], close=[100.0, 99.0], adj_close=[50.0, 99.0], volume=[3.0, 4.0]
    )
    scaled = to_quoted(frame, ReadingConfig(price_scale="adjusted"))
    assert column(scaled, "open") == [51.0, 99.0]
    assert column(scaled, "close") == [50.0, 99.0]
    assert column(scaled, "turnover") == [300.0, 396.0]


@pytest.mark.parametrize(
    "frame",
    [
        table(open=[1.0], high=[1.0], low=[1.0], adj_close=[0.9]),
        table(adj_open=[0.9], adj_high=[0.9], adj_low=[0.9], close=[1.0]),
    ],
)
def test_scales_are_never_mixed(frame: pl.DataFrame) -> None:
    with pytest.raises(BadValue, match="The scales are mixed") as caught:
        to_quoted(frame, AUTO)
    assert "--price-scale" in caught.value.hint


def test_a_scale_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadValue, match="raw_and_factor needs columns"):
        to_quoted(table(close=[1.0]), ReadingConfig(price_scale="raw_and_factor"))


def test_rows_keep_their_order_and_stocks_do_not_meet() -> None:
    """Newest first, two stocks interleaved; the jump from one to the other is no event."""
    a = table("A", close=[100.0, 99.0], adj_close=[98.0, 99.0])
    b = table("B", close=[7.0, 7.0], adj_close=[3.5, 3.5])
    frame = pl.concat([b, a]).sort("date", descending=True, maintain_order=True)
    scaled = to_quoted(frame, AUTO)
    assert scaled.bars.select("date", "symbol", "close").equals(
        frame.select("date", "symbol", "close")
    )
    assert column(scaled, "dividend") == [0.0, pytest.approx(2.0), 0.0, 0.0]


@pytest.mark.parametrize("named", ["dividend", "split", "factor"])
def test_values_stay_with_their_row_whatever_the_order(named: str) -> None:
    """Two stocks by day: the dividend, or the 2:1, of the second stays with the second."""
    a, b = table("A", close=quiet(3)), table("B", close=[50.0, 25.0, 25.0])
    quoted = pl.concat([a, b]).with_columns(
        pl.when(symbol="B", date=dt.date(2024, 1, 2)).then(2.0).otherwise(0.0).alias(named)
    )
    bars = to_quoted(quoted.sort("date", "symbol"), AUTO).bars
    event = bars.filter((pl.col("dividend") > 0) | (pl.col("adjustment_factor") != 1))
    assert event.select("date", "symbol").rows() == [(dt.date(2024, 1, 2), "B")]


@pytest.mark.parametrize("splits", [False, True])
def test_prices_that_hold_the_dividends_already_are_adjusted(splits: bool) -> None:
    """2.00 on 100.11: a vendor that adjusts multiplies what was before by 0.980022, off the grid of cents."""
    held = round(1 - 2.0 / 100.11, 6)
    close = [100.03 * held, 100.17 * held, 100.05 * held, 100.11 * held, 98.05, 98.1]
    frame = table(close=close, dividend=[0.0] * 4 + [2.0, 0.0])
    scaled = to_quoted(frame.with_columns(split=pl.lit(0.0)) if splits else frame, AUTO)
    assert scaled.price_scale == "adjusted"
    assert column(scaled, "close") == close
    assert column(scaled, "dividend") == [0.0] * 6
    assert "dividend not applied" in scaled.notes[0]


def test_prices_divided_by_a_split_that_hold_dividends_are_adjusted() -> None:
    """4:1 on the last day but one, 2.00 of 100.11 before: quoted again, rows before are still no cents."""
    held = round(1 - 2.0 / 100.11, 6) / 4
    close = [100.03 * held, 100.17 * held, 100.05 * held, 100.11 * held, 98.05 / 4, 24.55, 24.5]
    frame = table(close=close, dividend=[0.0] * 4 + [0.5, 0.0, 0.0], split=[0.0] * 5 + [4.0, 0.0])
    assert to_quoted(frame, AUTO).price_scale == "adjusted"


def test_quoted_prices_keep_their_dividends_whatever_their_decimals() -> None:
    """Cents, halves of yen, and prices that are nowhere on cents: nothing says that they were adjusted."""
    for step in (0.01, 0.5, 0.0013):
        close = [round(100.0 / step + at) * step for at in range(8)]
        frame = table(close=close, dividend=[0.0] * 5 + [1.0, 0.0, 0.0])
        assert (to_quoted(frame, AUTO).price_scale, column(to_quoted(frame, AUTO), "dividend")) == (
            "raw",
            [0.0] * 5 + [1.0, 0.0, 0.0],
        )


@pytest.mark.parametrize("name", ["factor", "split"])
@pytest.mark.parametrize(("at", "said"), [(2, "before"), (4, "after")])
def test_a_factor_beside_the_day_of_its_jump_is_refused(name: str, at: int, said: str) -> None:
    """The close halves on the fourth day; a 2:1 on the third or fifth would leave it and make another."""
    values = [1.0] * 6
    values[at] = 2.0
    frame = table(close=[100.0, 101.0, 100.5, 50.5, 50.2, 50.4], events=values)
    frame = frame.rename({"events": name})
    with pytest.raises(BadValue, match=f"a row {said} the jump") as caught:
        to_quoted(frame, AUTO)
    assert "--price-scale raw" in caught.value.hint
    left = to_quoted(frame, AUTO.model_copy(update={"price_scale": "raw"}))
    assert column(left, "adjustment_factor") == [1.0] * 6
