"""vectorbt, the fast path and a simulator written out in plain Python give the same book of accounts."""

import dataclasses
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.backtest.fast import run_fast, run_orders
from engine.backtest.frictions import Frictions, Ledger
from engine.backtest.simulate import simulate
from engine.config import CostConfig
from tests.engine.backtest.independent import Day, Rules, trade_all
from tests.engine.backtest.markets import panel_of, random_walks, table_of, targets

CASH = 1e6
SPY = 252


def book_of(
    rng: np.random.Generator, n: int, days: int, gross: float, lean: float = 0.0
) -> NDArray[np.float64]:
    """Weights with a net of ``lean`` a name, some names at exactly zero: cash may run out."""
    raw = rng.normal(size=(days, n)) * (rng.random((days, n)) > 0.2)
    raw -= raw.mean(axis=1, keepdims=True)
    book = raw * (gross / np.maximum(np.abs(raw).sum(axis=1, keepdims=True), 1e-9))
    return np.asarray(book + lean)


def same(ledger: Ledger, days: list[Day]) -> None:
    def column(name: str) -> list[float]:
        return [getattr(one, name) for one in days]

    np.testing.assert_allclose(ledger.equity_D, column("equity"), rtol=1e-9)
    for ours, theirs in (
        (ledger.commission_D, "commission"),
        (ledger.slippage_D, "slippage"),
        (ledger.traded_D, "traded"),
        (ledger.borrow_D, "borrow"),
    ):
        np.testing.assert_allclose(ours, column(theirs), rtol=1e-8, atol=1e-6)


@given(
    seed=st.integers(0, 1_000_000),
    n=st.integers(2, 7),
    days=st.integers(3, 14),
    holes=st.sampled_from([0.0, 0.15, 0.4]),
    lot=st.sampled_from([0.0, 1.0, 100.0]),
    share=st.sampled_from([np.inf, 0.05, 0.5]),
    tiered=st.booleans(),
    stop=st.sampled_from([0.0, 0.02, 0.1]),
    gross=st.sampled_from([0.6, 1.9]),
    lean=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=200)
def test_three_simulations_agree_on_any_book(
    seed: int,
    n: int,
    days: int,
    holes: float,
    lot: float,
    share: float,
    tiered: bool,
    stop: float,
    gross: float,
    lean: float,
) -> None:
    """Costs by size, impact, borrow, NaN prices, delistings, lots, liquidity caps and a drawdown stop."""
    rng = np.random.default_rng(seed)
    closes = random_walks(n, days, seed)
    for values in closes.values():
        for d in range(1, days):
            if rng.random() < holes:
                values[d] = None
    names = sorted(closes)
    anchor = names[0]  # one stock always trades, so that every day is a session
    closes[anchor] = [20.0 + 0.1 * d for d in range(days)]
    table = table_of(panel_of(closes), last=days - 2, haircut=0.1)
    book_DN = book_of(rng, n, days - 1, gross, lean)
    decided = [[float(w) for w in row] if rng.random() > 0.15 else None for row in book_DN]
    turnover_DN = rng.lognormal(12.0, 1.0, (days, n))
    tiers = ((5e3, 9e-4), (2e4, 6e-4), (np.inf, 2e-4)) if tiered else ((np.inf, 7e-4),)
    rules = Rules(
        commission=tiers,
        half_spread=6e-4,
        impact=0.02,
        max_slippage=2e-3,
        lot=lot,
        max_share=share,
        stop=stop,
        pause=3,
        borrow=1e-4,
    )
    frictions = Frictions(
        commission_limit_M=np.array([limit for limit, _ in tiers]),
        commission_rate_M=np.array([rate for _, rate in tiers]),
        half_spread=rules.half_spread,
        impact=rules.impact,
        max_slippage=rules.max_slippage,
        borrow_N=np.array([rules.borrow]),
        adv_DN=np.vstack([turnover_DN[:1], turnover_DN[:-1]]),
        max_share=share,
        lot_DN=np.full(table.mark_DN.shape, lot) if lot else np.zeros((1, 1)),
        drawdown_stop=stop,
        drawdown_pause=3,
    )
    undecided = [float("nan")] * n
    weight_DN = np.array([row or undecided for row in decided])
    target_DN = table.orders(weight_DN)
    rows: list[Any] = [[closes[name][d] for name in names] for d in range(days)]
    wanted: list[Any] = [row or [None] * n for row in decided]
    expected = trade_all(rows, wanted, turnover_DN.tolist(), rules, CASH, haircut=0.1)

    fast, orders, _ = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    slow = simulate(table, target_DN, frictions=frictions, initial_cash=CASH)
    same(fast, expected)
    same(slow.ledger, expected)
    for name in ("delisting_D", "long_D", "short_D"):
        ours, theirs = getattr(fast, name), getattr(slow.ledger, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-6)
    # Cash + positions = equity, from shares and cash kept apart.
    cash_D = np.array([one.cash for one in expected])
    position_D = (orders.shares_DN * table.mark_DN).sum(axis=1)
    np.testing.assert_allclose(cash_D + position_D, fast.equity_D, rtol=1e-9)


@pytest.mark.parametrize("entry", ["close", "open"])
def test_vectorbt_sizes_whole_lots_as_we_do(entry: str) -> None:
    """Its own size_granularity on a plain book, where no rounding is on a knife's edge."""
    import pandas as pd
    import vectorbt as vbt

    closes = random_walks(6, 40, seed=3)
    opens = {name: [v * 1.01 if v else v for v in values] for name, values in closes.items()}
    table = table_of(panel_of(closes, opens), last=38, entry=entry)
    book_DN = book_of(np.random.default_rng(1), 6, 39, gross=1.0)
    target_DN = table.orders(book_DN)
    plain = Frictions.from_costs(CostConfig(), SPY)
    frictions = replace(plain, lot_DN=np.full(table.mark_DN.shape, 100.0))
    fast = run_fast(table, target_DN, frictions=frictions, initial_cash=CASH)
    portfolio = vbt.Portfolio.from_orders(
        pd.DataFrame(table.mark_DN),
        size=target_DN,
        size_type="targetpercent",
        price=np.where(np.isnan(table.fill_DN), table.mark_DN, table.fill_DN),
        val_price=table.value_DN,
        fees=5e-4,
        slippage=5e-4,
        size_granularity=100.0,
        direction="both",
        init_cash=CASH,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        freq="1D",
    )
    np.testing.assert_allclose(fast.equity_D, np.asarray(portfolio.value()).ravel(), rtol=1e-9)


def test_price_limits_stop_buys_above_and_sales_below() -> None:
    """Bought at 100; limit up at 120 on the second day, limit down at 80 on the third."""
    closes: dict[str, list[float | None]] = {
        "A": [100.0, 120.0, 120.0, 80.0, 80.0],
        "B": [50.0] * 5,
    }
    table = table_of(panel_of(closes), last=3)
    wanted = {"A": [0.5, 0.5, 0.0, 0.0], "B": [0.0] * 4}
    top = np.full(table.mark_DN.shape, 1e9)
    low = np.zeros(table.mark_DN.shape)
    top[1, 0], low[3, 0] = 120.0, 80.0
    frictions = replace(
        Frictions.from_costs(CostConfig(commission_bps=0, slippage_bps=0), SPY),
        no_buy_DN=table.fill_DN >= top,
        no_sell_DN=table.fill_DN <= low,
    )
    target_DN = targets(table, wanted)
    ledger, orders, shortfall = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    shares = CASH * 0.5 / 120.0
    np.testing.assert_allclose(orders.shares_DN[:, 0], [0.0, 0.0, shares, shares, 0.0], atol=1e-9)
    np.testing.assert_allclose(
        ledger.equity_D, [CASH, CASH, CASH, CASH - 40 * shares, CASH - 40 * shares]
    )
    np.testing.assert_allclose(shortfall.at_limit, 0.5 * CASH + 80.0 * shares)
    vectorbt = simulate(table, target_DN, frictions=frictions, initial_cash=CASH)
    np.testing.assert_allclose(vectorbt.ledger.equity_D, ledger.equity_D, rtol=1e-12)
    rows: list[Any] = [[closes[name][d] for name in "AB"] for d in range(5)]
    plan = [[0.5, 0.0], [0.5, 0.0], [0.0, 0.0], [0.0, 0.0]]
    limits: Any = (low.tolist(), top.tolist())
    days = trade_all(rows, plan, np.ones((5, 2)).tolist(), Rules(), CASH, limits=limits)
    same(ledger, days)


def test_what_the_cash_does_not_pay_for_is_not_bought() -> None:
    """150 % long without shorts: the first two names take all of it, in both engines."""
    closes = random_walks(3, 6, seed=1)
    table = table_of(panel_of(closes), last=4)
    frictions = Frictions.from_costs(CostConfig(), SPY)
    target_DN = targets(table, {name: [0.5] * 5 for name in closes})
    ledger, orders, shortfall = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    slow = simulate(table, target_DN, frictions=frictions, initial_cash=CASH)
    np.testing.assert_allclose(slow.ledger.equity_D, ledger.equity_D, rtol=1e-12)
    assert shortfall.without_cash > 0.4 * CASH
    np.testing.assert_allclose(ledger.long_D[1:], ledger.equity_D[1:], rtol=1e-9)
    assert orders.shares_DN[1, 2] < 1e-6


def test_the_drawdown_stop_closes_everything_rests_and_starts_again() -> None:
    closes: dict[str, list[float | None]] = {
        "A": [10.0, 10.0, 8.0, 8.0, 8.0, 8.0, 8.0, 8.8],
        "B": [10.0] * 8,
    }
    table = table_of(panel_of(closes), last=6)
    frictions = replace(
        Frictions.from_costs(CostConfig(commission_bps=0, slippage_bps=0), SPY),
        drawdown_stop=0.05,
        drawdown_pause=3,
    )
    target_DN = targets(table, {"A": [0.5] * 7, "B": [0.0] * 7})
    ledger, orders, shortfall = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    held = (orders.shares_DN[:, 0] > 0).tolist()
    assert held == [False, True, True, False, False, False, True, True]
    assert shortfall.stopped_sessions == 3
    assert ledger.equity_D[-1] == pytest.approx(0.9 * CASH * 1.05)


def test_every_field_of_the_frictions_is_used_by_the_pass() -> None:
    """A friction that the compiled pass ignores would be a silent zero cost."""
    closes, days = random_walks(4, 12, seed=9), 12
    table = table_of(panel_of(closes), last=days - 2)
    book_DN = book_of(np.random.default_rng(2), 4, days - 1, gross=0.8)
    target_DN = table.orders(book_DN)
    shape = table.mark_DN.shape
    base = Frictions(
        commission_limit_M=np.array([np.inf]),
        commission_rate_M=np.array([1e-3]),
        half_spread=1e-3,
        impact=0.05,
        max_slippage=0.01,
        borrow_N=np.array([1e-4]),
        adv_DN=np.full(shape, 1e6),
        max_share=0.9,
        lot_DN=np.full(shape, 1.0),
        half_tick_DN=np.full(shape, 1e-4),
        no_buy_DN=np.zeros(shape, dtype=bool),
        no_sell_DN=np.zeros(shape, dtype=bool),
        drawdown_stop=0.9,
    )
    changes: dict[str, Any] = {
        "commission_limit_M": (
            "commission_rate_M",
            np.array([1e5, np.inf]),
            np.array([5e-3, 1e-3]),
        ),
        "commission_rate_M": np.array([2e-3]),
        "half_spread": 2e-3,
        "impact": 0.5,
        "max_slippage": 1.1e-3,
        "borrow_N": np.array([1e-3]),
        "adv_DN": np.full(shape, 1e7),
        "max_share": 0.01,
        "lot_DN": np.full(shape, 500.0),
        "half_tick_DN": np.full(shape, 0.02),
        "no_buy_DN": np.ones(shape, dtype=bool),
        "no_sell_DN": np.ones(shape, dtype=bool),
        "drawdown_stop": 1e-6,
    }
    fields = {field.name for field in dataclasses.fields(Frictions)}
    assert fields - changes.keys() == {"drawdown_pause"}
    before = run_fast(table, target_DN, frictions=base, initial_cash=CASH)
    for name, value in changes.items():
        if isinstance(value, tuple):
            other = replace(base, **{name: value[1], value[0]: value[2]})
        else:
            other = replace(base, **{name: value})
        after = run_fast(table, target_DN, frictions=other, initial_cash=CASH)
        moved = not np.array_equal(before.equity_D, after.equity_D) or not np.array_equal(
            before.borrow_D, after.borrow_D
        )
        assert moved, name
