"""A price column that knows later dividends is named, with its size; honest data with dividends pass."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from engine.audit.scale import _overnight_and_intraday, adjusted_as_a_whole, scale_leaks
from engine.errors import DataError

SESSIONS, EVERY = 400, 60
"""A dividend of 1 % every 60 sessions."""
PRICES = ("open", "high", "low", "close")


def market(stocks: int = 12, *, sessions: int = SESSIONS) -> pl.DataFrame:
    """Quoted prices in whole cents that fall by the dividend on its day.

    ``back`` is the adjusted close's share of the close: 0.99 for each dividend still to come.
    """
    rng = np.random.default_rng(3)
    day = np.arange(sessions)
    frames = []
    for n in range(stocks):
        paid = 0.99 ** (day // EVERY)
        close = 80.0 * paid * np.exp(np.cumsum(rng.normal(0.0, 0.01, sessions)))
        opened = close * np.exp(rng.normal(0.0, 0.004, sessions))
        high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.004, sessions)))
        low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.004, sessions)))
        frames.append(
            pl.DataFrame(
                {
                    "symbol": f"S{n:02d}",
                    "date": [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in day],
                    **{
                        name: np.round(values, 2)
                        for name, values in zip(PRICES, (opened, high, low, close), strict=True)
                    },
                    "back": 0.99 ** ((sessions - 1) // EVERY - day // EVERY),
                }
            )
        )
    return pl.concat(frames)


def adjusted(bars: pl.DataFrame, *columns: str) -> pl.DataFrame:
    return bars.with_columns(pl.col(name) * pl.col("back") for name in columns)


def test_honest_prices_with_dividends_pass() -> None:
    assert list(scale_leaks(market())) == []
    assert not adjusted_as_a_whole(market())


@pytest.mark.parametrize("name", ["open", "close"])
def test_the_adjusted_column_is_named_with_its_size_and_the_way_out(name: str) -> None:
    (leak,) = scale_leaks(adjusted(market(), name))
    assert (leak.check, leak.name, leak.day) == ("prices", name, "2020-01-01")
    # Sessions 0..99 have 6 or 5 dividends before them, 300..399 have 1 or 0: at the medians 6 and 0 or 1,
    # so the column rises by five to six hundredths against its own range.
    assert "another scale: against the middle of low and high of its own bar it" in leak.detail
    size = float(leak.detail.split("moves by ")[1].split("%")[0])
    assert 4.9 < size < 6.2
    assert "of 12 stocks" in leak.detail
    assert "--price-scale raw_and_adjusted_close" in leak.detail


@pytest.mark.parametrize(("faulty", "leaks"), [(1, 0), (3, 0), (4, 1), (75, 1)])
def test_a_few_faulty_stocks_are_no_leak(faulty: int, leaks: int) -> None:
    """Of 150 stocks 1 % are 1.5, and two deviations above it 1.5 + 2 x 1.22 = 3.9."""
    bars = market(stocks=150)
    bad = pl.col("symbol").is_in([f"S{n:02d}" for n in range(faulty)])
    mixed = bars.with_columns(
        close=pl.when(bad).then(pl.col("close") * pl.col("back")).otherwise(pl.col("close"))
    )
    assert len(list(scale_leaks(mixed))) == leaks


def test_volatility_that_changes_is_no_drift() -> None:
    """High and low move apart, but the middle stays the middle."""
    bars = market()
    late = pl.col("date") > dt.date(2020, 7, 1)
    wide = bars.with_columns(
        high=pl.when(late).then(pl.col("high") * 1.05).otherwise(pl.col("high")),
        low=pl.when(late).then(pl.col("low") / 1.05).otherwise(pl.col("low")),
    )
    assert list(scale_leaks(wide)) == []


def test_a_panel_adjusted_as_a_whole_is_told_by_its_cents() -> None:
    whole = adjusted(market(), *PRICES)
    assert list(scale_leaks(whole)) == []
    assert adjusted_as_a_whole(whole)
    in_32_bits = market().with_columns(
        pl.col(name).cast(pl.Float32).cast(pl.Float64) for name in PRICES
    )
    assert not adjusted_as_a_whole(in_32_bits)
    no_cents = market().with_columns(pl.col(name) * np.pi for name in PRICES)
    assert not adjusted_as_a_whole(no_cents)


def test_overnight_and_intraday_by_hand() -> None:
    """100 -> 110 in the day, 110 -> 121 overnight, 121 -> 121 in the day; another stock stands still."""
    bars = pl.DataFrame(
        {
            "symbol": ["A", "A", "B", "B"],
            "date": [dt.date(2020, 1, 2), dt.date(2020, 1, 3)] * 2,
            "open": [100.0, 121.0, 50.0, 50.0],
            "close": [110.0, 121.0, 50.0, 50.0],
        }
    )
    night, day = _overnight_and_intraday(bars.sample(fraction=1.0, shuffle=True, seed=1))
    assert night == pytest.approx(np.log(1.1) / 2)
    assert day == pytest.approx(np.log(1.1) / 4)


def test_bars_without_a_price_and_short_histories_take_no_part() -> None:
    bars = market().with_columns(
        open=pl.when(pl.col("date").dt.day() == 1).then(0.0).otherwise(pl.col("open"))
    )
    assert list(scale_leaks(bars)) == []
    with pytest.raises(DataError, match="80 bars"):
        list(scale_leaks(market(sessions=79)))
