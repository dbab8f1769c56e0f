"""Figures worked out on paper."""

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from engine.data.panel import DensePanel
from engine.data.tables import OPTIONAL, complete
from engine.features.context import Array
from tests.engine.data.test_universe import dense
from tests.engine.features.families.market import FEATURES, context

FIRST = dt.date(2024, 1, 1)  # a Monday
BY_NAME = {feature.name: feature for feature in FEATURES}


def on(weekday: int) -> dt.date:
    """The weekday so many after the first."""
    return np.busday_offset(np.datetime64(FIRST), weekday).astype(dt.date)  # type: ignore[no-any-return]


def table(name: str, rows: list[dict[str, Any]]) -> dict[str, pl.DataFrame]:
    frame = pl.DataFrame(
        rows, schema_overrides={k: v for k, v in OPTIONAL[name].items() if k in rows[0]}
    )
    return {name: complete(frame, OPTIONAL[name])}


def panel(sessions: int, close: float = 10.0, volume: float = 100.0) -> DensePanel:
    """Two stocks, A of sector X and B of none."""
    from dataclasses import replace

    flat = np.full((2, sessions), close)
    return replace(
        dense(flat, flat),
        dates_S=np.busday_offset(np.datetime64(FIRST), np.arange(sessions)),
        symbols=("A", "B"),
        volume_NS=np.full((2, sessions), volume),
        sector_N=np.array([0, -1], dtype=np.int16),
        sectors=("X",),
    )


def compute(name: str, tables: dict[str, pl.DataFrame], bars: DensePanel) -> Array:
    x = context(bars, tables)
    with np.errstate(all="ignore"):
        return BY_NAME[name].compute(x)


def near(a: NDArray[np.float64], *expected: float) -> bool:
    return np.allclose(a, expected, equal_nan=True, rtol=1e-12, atol=1e-12)


def test_margin_against_volume_before_and_after_a_split() -> None:
    """2:1 at session 26: the stock counts 200 a day as quoted, the bars go on in old shares."""
    from dataclasses import replace

    bars = panel(40)
    quoted = np.where(np.arange(40) >= 26, 5.0, 10.0) * np.ones((2, 1))
    bars = replace(bars, close_raw_NS=quoted)
    tables = table("margin", [
        {"date": on(20), "available": on(22), "symbol": "A", "long": 300.0, "short": 100.0},
        {"date": on(28), "available": on(30), "symbol": "A", "long": 1000.0, "short": 100.0},
    ])  # fmt: skip
    days = compute("margin_long", tables, bars)
    assert near(days[0, [21, 22, 29, 30, 39]], np.nan, 3.0, 3.0, 5.0, 5.0)
    assert np.isnan(days[1]).all()
    # From 3 days of volume to 5, though the count of shares rose by 700 = 3.5 days of now.
    assert near(compute("margin_long_change_1w", tables, bars)[0, [29, 30]], np.nan, 2.0)
    assert near(compute("margin_credit_ratio", tables, bars)[0, [29, 30]], np.log(3), np.log(10))
    assert near(compute("margin_imbalance", tables, bars)[0, [29, 30]], 0.5, 900 / 1100)
    assert near(compute("margin_credit_change_1w", tables, bars)[0, [30]], np.log(10 / 3))
    assert near(compute("margin_age", tables, bars)[0, [21, 22, 29, 30, 33]], np.nan, 0, 7, 0, 3)


def test_a_position_too_old_for_todays_volume_is_unknown() -> None:
    row = {"date": on(20), "available": on(22), "symbol": "A", "long": 300.0, "short": 100.0}
    days = compute("margin_long", table("margin", [row]), panel(100))
    assert near(days[0, [80, 81]], 3.0, np.nan)


def test_short_ratio_reaches_the_stock_through_its_sector() -> None:
    tables = table("short", [
        {"date": on(0), "available": on(1), "sector": "X", "turnover": 100.0, "short_turnover": 40.0},
        {"date": on(0), "available": on(1), "sector": "Y", "turnover": 300.0, "short_turnover": 60.0},
        {"date": on(1), "available": on(2), "sector": "X", "turnover": 100.0, "short_turnover": 50.0},
    ])  # fmt: skip
    bars = panel(4)
    assert near(compute("short_ratio", tables, bars)[0], np.nan, 0.4, 0.5, 0.5)
    assert np.isnan(compute("short_ratio", tables, bars)[1]).all()
    assert near(compute("short_change_1", tables, bars)[0], np.nan, np.nan, 0.1, 0.1)
    assert near(compute("short_market_ratio", tables, bars), np.nan, 0.25, 110 / 400, 110 / 400)
    assert near(compute("short_relative", tables, bars)[0, 1:3], 0.15, 0.5 - 0.275)


def test_flow_balances_and_breadth() -> None:
    week = [("foreign", 60.0, 40.0), ("individual", 30.0, 70.0), ("trust", 10.0, 10.0)]
    tables = table("flow", [
        {"date": on(4), "available": on(9), "investor": who, "buy": buy, "sell": sell}
        for who, buy, sell in week
    ])  # fmt: skip
    bars = panel(12)
    assert near(compute("flow_foreign_balance", tables, bars)[[8, 9, 11]], np.nan, 0.2, 0.2)
    assert near(compute("flow_individual_balance", tables, bars)[[9]], -0.4)
    assert near(compute("flow_breadth", tables, bars)[[8, 9]], np.nan, 1 / 3)
    assert near(compute("flow_foreign_share", tables, bars)[[9]], 100 / 220)
    assert np.isnan(compute("flow_proprietary_balance", tables, bars)).all()
    assert near(compute("flow_age", tables, bars)[[8, 9, 11]], np.nan, 0, 2)


def option(expiry: int, strike: float, kind: str, iv: float, **more: object) -> dict[str, Any]:
    row = {"date": on(0), "available": on(1), "expiry": FIRST + dt.timedelta(days=expiry),
           "strike": strike, "kind": kind, "implied_volatility": iv, "open_interest": 10.0,
           "volume": 20.0, "underlying": 1000.0}  # fmt: skip
    return {**row, **more}


def test_option_figures() -> None:
    tables = table("options", [
        option(3, 1000.0, "put", 0.9),  # within a week of its end: passed over
        option(20, 900.0, "put", 0.30), option(20, 1000.0, "put", 0.20),
        option(20, 1000.0, "call", 0.22), option(20, 1100.0, "call", 0.18, volume=40.0),
        option(50, 990.0, "put", 0.24), option(50, 1010.0, "put", 0.26),
    ])  # fmt: skip
    bars = panel(3)
    assert near(compute("option_iv_near", tables, bars), np.nan, 0.21, 0.21)
    assert near(compute("option_iv_next", tables, bars)[1:], 0.25, 0.25)
    assert near(compute("option_term_slope", tables, bars)[[1]], 0.25 / 0.21 - 1)
    assert near(compute("option_skew", tables, bars)[[1]], 0.25 - 0.20)
    total = (2 / 3) * 0.21**2 * 20 + (1 / 3) * 0.25**2 * 50
    assert near(compute("option_iv_30", tables, bars)[[1]], np.sqrt(total / 30))
    assert near(compute("option_put_call_volume", tables, bars)[[1]], np.log(100 / 60))
    assert near(compute("option_put_call_interest", tables, bars)[[1]], np.log(50 / 20))


def test_a_corrected_option_counts_from_its_own_day() -> None:
    rows = [option(20, 1000.0, "put", 0.20), option(20, 1000.0, "call", 0.20),
            option(20, 1000.0, "put", 0.30, available=on(3))]  # fmt: skip
    assert near(compute("option_iv_near", table("options", rows), panel(5)),
                np.nan, 0.2, 0.2, 0.25, 0.25)  # fmt: skip


def statement(available: int, end: dt.date, period: str, sales: float | None, profit: float | None,
              forecast: float | None) -> dict[str, Any]:  # fmt: skip
    return {"available": on(available), "symbol": "A", "period_end": end, "period": period,
            "sales": sales, "operating_profit": profit, "net_profit": profit, "assets": 1000.0,
            "equity": 500.0, "forecast_operating_profit": forecast,
            "forecast_net_profit": forecast, "forecast_sales": None}  # fmt: skip


STATEMENTS = [
    statement(0, dt.date(2023, 3, 31), "FY", 400.0, 40.0, None),
    statement(1, dt.date(2023, 6, 30), "1Q", 100.0, 8.0, 50.0),
    statement(3, dt.date(2024, 3, 31), "FY", 500.0, 60.0, 70.0),
    statement(5, dt.date(2024, 6, 30), "1Q", 120.0, 14.0, 70.0),
    statement(6, dt.date(2024, 9, 30), "2Q", None, None, 77.0),  # a revision of the forecast alone
    statement(8, dt.date(2023, 6, 30), "1Q", 100.0, 10.0, None),  # corrects the year before, late
]


def test_statement_figures() -> None:
    bars = panel(8)
    tables = table("statements", STATEMENTS[:5])
    growth = compute("statement_operating_growth", tables, bars)[0]
    assert near(growth, np.nan, np.nan, np.nan, 0.5, 0.5, 14 / 8 - 1, 14 / 8 - 1, 14 / 8 - 1)
    assert near(compute("statement_operating_margin", tables, bars)[0, [0, 5]], 0.1, 14 / 120)
    progress = compute("statement_operating_progress", tables, bars)[0]
    assert near(progress[[1, 3, 5, 7]], 8 / 50 - 0.25, 60 / 50 - 1, 14 / 70 - 0.25, 14 / 70 - 0.25)
    surprise = compute("statement_operating_surprise", tables, bars)[0]
    assert near(surprise[[1, 3, 7]], np.nan, 0.2, 0.2)
    guidance = compute("statement_operating_guidance", tables, bars)[0]
    assert near(guidance[[1, 3, 5, 6]], 50 / 40 - 1, 70 / 60 - 1, 70 / 60 - 1, 77 / 60 - 1)
    revision = compute("statement_operating_revision", tables, bars)[0]
    assert near(revision[[1, 3, 5, 6]], np.nan, np.nan, 0.0, 0.1)
    roe = compute("statement_roe", tables, bars)[0]
    assert near(roe[[0, 3, 5]], 40 / 500, 60 / 500, (14 + 60 - 8) / 500)
    assert near(compute("statement_age", tables, bars)[0, [0, 2, 5, 7]], 0, 1, 0, 2)
    assert near(compute("statement_decay", tables, bars)[0, [5, 7]], 1.0, np.exp(-2 / 5))


def test_a_correction_of_the_year_before_is_used_once_known() -> None:
    later = statement(9, dt.date(2024, 6, 30), "1Q", 120.0, 14.0, None)
    bars = panel(11)
    growth = compute("statement_operating_growth", table("statements", [*STATEMENTS, later]), bars)[
        0
    ]
    assert near(growth[[7, 9]], 14 / 8 - 1, 14 / 10 - 1)


def test_earnings_calendar() -> None:
    rows = [
        {"available": on(1), "symbol": "A", "date": on(6)},
        {"available": on(3), "symbol": "A", "date": on(8)},  # postponed
        {"available": on(4), "symbol": "A", "date": on(70)},  # the one after
    ]
    bars, tables = panel(16), table("earnings", rows)
    to = compute("earnings_days_to", tables, bars)[0]
    assert near(to[:10], np.nan, 5, 4, 5, 4, 3, 2, 1, 0, 61)
    since = compute("earnings_days_since", tables, bars)[0]
    assert near(since[[8, 9, 15]], np.nan, 1, 7)
    assert near(compute("earnings_due_5", tables, bars)[0, [0, 3, 8, 9]], np.nan, 1, 1, 0)
    assert near(compute("earnings_after_5", tables, bars)[0, [8, 9, 13, 14]], 0, 1, 1, 0)
    assert near(compute("earnings_window_1", tables, bars)[0, 6:11], 0, 1, 1, 1, 0)


@pytest.mark.parametrize("name", ["earnings_days_to", "earnings_due_5"])
def test_a_stock_without_a_schedule_is_unknown(name: str) -> None:
    row = {"available": on(1), "symbol": "A", "date": on(6)}
    assert np.isnan(compute(name, table("earnings", [row]), panel(8))[1]).all()
