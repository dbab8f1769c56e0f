"""Orders by hand, and the promise that no line ever breaks a rule."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import ConstraintConfig, CostConfig, Market, PortfolioConfig, SignalConfig
from engine.errors import UsageError
from engine.records.orders import Positions
from engine.signals.orders import OrderList, Quotes, plan_orders, trading_cost
from engine.signals.seal import TradingRules


def quotes(close: list[float], market: Market = "us", **columns: list[Any]) -> Quotes:
    n = len(close)
    return Quotes(
        symbols=tuple("ABCDEFGHIJ"[:n]),
        close_N=np.array(close, dtype=float),
        traded_N=np.array(columns.get("traded", [True] * n)),
        adv_N=np.array(columns.get("adv", [1e12] * n), dtype=float),
        shortable_N=np.array(columns.get("shortable", [True] * n)),
        sector_N=np.array(columns.get("sector", list(range(n)))),
        market=market,
    )


def rules(**changes: Any) -> TradingRules:
    limits = {k: v for k, v in changes.items() if k in ConstraintConfig.model_fields}
    portfolio = {k: v for k, v in changes.items() if k in PortfolioConfig.model_fields}
    signals = {k: v for k, v in changes.items() if k in SignalConfig.model_fields}
    return TradingRules(
        portfolio=PortfolioConfig(max_weight=1.0).model_copy(update=portfolio),
        limits=ConstraintConfig(max_adv_share=0.05).model_copy(update=limits),
        costs=CostConfig(),
        signals=SignalConfig().model_copy(update=signals),
        initial_cash=0.0,
    )


def plan(
    target: list[float], table: Quotes, held: dict[str, float], cash: float, given: TradingRules
) -> OrderList:
    return plan_orders(np.array(target), table, Positions(shares=held, cash=cash), given, {})


def lines(done: OrderList) -> list[tuple[str, str, int]]:
    return [(order.symbol, order.side, order.shares) for order in done.orders]


def refusals(done: OrderList) -> list[tuple[str, float, str]]:
    return [(line.symbol, line.shares, line.rule) for line in done.refused]


def test_a_book_from_cash_by_hand() -> None:
    """Equity 10,000: 30 % at 7 is 428 shares, -20 % at 50 is 40; limits 1 % away on cents."""
    done = plan([0.3, -0.2], quotes([7.0, 50.0]), {}, 10_000.0, rules())
    assert lines(done) == [("B", "sell", 40), ("A", "buy", 428)]
    assert [order.limit for order in done.orders] == [49.5, 7.07]
    assert done.figures.turnover == pytest.approx((428 * 7 + 40 * 50) / 10_000)
    assert done.figures.net == pytest.approx((428 * 7 - 40 * 50) / 10_000)
    assert done.refused == ()


def test_japan_has_lots_of_a_hundred_and_ticks() -> None:
    """Equity 10 M: 12 % at 2,503 yen is 479 shares = 4 lots; 1 % above is 2,528.03, tick 1: 2,528."""
    done = plan([0.12], quotes([2503.0], "jp"), {}, 1e7, rules())
    assert lines(done) == [("A", "buy", 400)]
    assert (done.orders[0].lots, done.orders[0].limit) == (4, 2528.0)


def test_only_the_difference_to_what_is_held_is_traded() -> None:
    """Equity 5,000 + 100 x 50 = 10,000: half of it at 50 is held already; 30 % of it is 60 shares."""
    held = {"A": 100.0}
    assert lines(plan([0.5], quotes([50.0]), held, 5_000.0, rules())) == []
    assert lines(plan([0.3], quotes([50.0]), held, 5_000.0, rules())) == [("A", "sell", 40)]
    turned = plan([-0.1], quotes([50.0]), held, 5_000.0, rules())
    assert lines(turned) == [("A", "sell", 120)]
    assert turned.orders[0].reason.startswith("turn")


def test_each_rule_refuses_its_own_line_and_the_rest_goes_on() -> None:
    table = quotes(
        [10.0, 10.0, 10.0, np.nan, 10.0],
        traded=[True, True, True, False, False],
        adv=[1e12, 4_000.0, 1e12, 0.0, 1e12],
        shortable=[True, True, False, True, True],
    )
    done = plan([0.2, 0.2, -0.2, 0.0, 0.1], table, {"D": 7.0}, 10_000.0, rules())
    assert lines(done) == [("A", "buy", 200), ("B", "buy", 19)]  # 5 % of 4,000 at a limit of 10.10
    assert refusals(done) == [
        ("B", 181, "adv"),
        ("C", 200, "not_shortable"),
        ("D", 7.0, "unknown"),
        ("E", 100, "no_bar"),
    ]


def test_buys_stop_where_the_cash_ends() -> None:
    """Held short: 100 at 50. Covering all at 50.50 and 5 bp takes 5,052.53 of 5,060; 7 are left."""
    done = plan([0.0, 0.5], quotes([50.0, 10.0]), {"A": -100.0}, 5_060.0, rules(max_weight=1.0))
    assert lines(done) == [("A", "buy", 100)]
    assert ("B", 3, "cash") in refusals(done)
    assert done.figures.cash == pytest.approx(5_060.0 - 5_050.0 * 1.0005)


def test_odd_lots_stay_and_are_told() -> None:
    done = plan([0.0], quotes([1000.0], "jp"), {"A": 250.0}, 1e6, rules())
    assert lines(done) == [("A", "sell", 200)]
    assert refusals(done) == [("A", 50.0, "odd_lot")]
    assert done.refused[0].reason == "250 held is no multiple of a lot of 100"


def test_a_sector_cap_counts_what_is_held() -> None:
    table = quotes([10.0, 10.0], sector=[3, 3])
    done = plan([0.2, 0.2], table, {"A": 200.0}, 8_000.0, rules(max_sector=0.25))
    assert lines(done) == [("B", "buy", 50)]
    assert refusals(done) == [("B", 150, "sector_cap")]


def test_an_account_without_equity_trades_nothing() -> None:
    with pytest.raises(UsageError, match="worth"):
        plan([0.1], quotes([10.0]), {"A": -100.0}, 900.0, rules())


def test_costs_by_hand() -> None:
    """20,000 of an ADV of 1 M is 2 %: 5 bp + 2 x 1 bp slippage, 5 bp commission: 24; at most 20 + 5 bp."""
    value, price = np.array([20_000.0, 1e6]), np.array([10.0, 10.0])
    cost = trading_cost(value, price, np.array([1e6, 1e6]), "us", CostConfig())
    assert cost == pytest.approx([24.0, 2_500.0])
    tiers = CostConfig(commission_tiers=((1e5, 10.0), (2e5, 2.0)))
    cost = trading_cost(value, price, np.array([0.0, 0.0]), "us", tiers)
    assert cost == pytest.approx([20_000 * 15e-4, 1e6 * 7e-4])


@st.composite
def desks(draw: st.DrawFn) -> tuple[list[float], Quotes, dict[str, float], float, TradingRules]:
    n = draw(st.integers(1, 8))

    def several(each: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(each, min_size=n, max_size=n))

    market: Market = draw(st.sampled_from(["us", "jp"]))
    price = st.floats(2.0, 5000.0).map(lambda p: round(p, 2))
    table = quotes(
        several(st.one_of(price, st.just(float("nan")))),
        market,
        traded=several(st.booleans()),
        adv=several(st.floats(0, 1e8)),
        shortable=several(st.booleans()),
        sector=several(st.integers(0, 2)),
    )
    given = rules(
        max_adv_share=draw(st.sampled_from([0.0, 0.01, 0.05])),
        max_sector=draw(st.sampled_from([0.0, 0.2, 0.5])),
        max_weight=draw(st.sampled_from([0.1, 0.3, 1.0])),
        gross=draw(st.sampled_from([0.5, 1.0, 2.0])),
        long_only=draw(st.booleans()),
        limit_bps=draw(st.sampled_from([0.0, 100.0, 500.0])),
    )
    target = [w * given.portfolio.max_weight for w in several(st.floats(-1, 1))]
    held = dict(zip(table.symbols, several(st.integers(-3000, 3000).map(float)), strict=True))
    return target, table, held, draw(st.floats(-1e5, 1e7)), given


@given(desks())
def test_orders_and_positions_never_break_a_rule(
    desk: tuple[list[float], Quotes, dict[str, float], float, TradingRules],
) -> None:
    """After all orders, even at their limits: each limit holds, or is no more broken than it was before."""
    target, table, held, cash, given = desk
    start_N = np.array([held[s] for s in table.symbols])
    close_N = np.nan_to_num(table.close_N)
    if cash + float(start_N @ close_N) <= 0:
        with pytest.raises(UsageError):
            plan(target, table, held, cash, given)
        return
    done = plan(target, table, held, cash, given)
    equity = done.figures.equity
    place = {s: n for n, s in enumerate(table.symbols)}
    lot = 100 if table.market == "jp" else 1
    end_N, spent = start_N.copy(), 0.0
    for order in done.orders:
        n, sign = place[order.symbol], 1 if order.side == "buy" else -1
        end_N[n] += sign * order.shares
        spent += sign * order.shares * order.limit * (1 + sign * 5e-4)
        assert order.shares > 0
        assert order.shares % lot == 0
        assert table.traded_N[n]
        if given.limits.max_adv_share:
            cap = given.limits.max_adv_share * table.adv_N[n]
            assert order.shares * max(order.limit, order.close) <= cap * (1 + 1e-6) + 1e-6
    assert len({order.symbol for order in done.orders}) == len(done.orders)
    short_N = ~table.shortable_N | given.portfolio.long_only
    assert (end_N[short_N] >= np.minimum(start_N[short_N], 0.0)).all()
    assert cash - spent >= min(cash, 0.0) - 1e-3 - 1e-9 * abs(cash)
    before_N, after_N = start_N * close_N, end_N * close_N
    slack = 1e-6 * equity
    cap = given.portfolio.max_weight * equity
    assert (np.abs(after_N) <= np.maximum(cap, np.abs(before_N)) + slack).all()
    gross = given.portfolio.investable * equity
    assert np.abs(after_N).sum() <= max(gross, np.abs(before_N).sum()) + slack
    if given.limits.max_sector:
        for sector in range(3):
            for side in (1.0, -1.0):
                was, then = (
                    np.maximum(side * v[table.sector_N == sector], 0).sum()
                    for v in (before_N, after_N)
                )
                assert then <= max(given.limits.max_sector * equity, was) + slack
    aim_N = np.array(target) * equity
    toward_N = (after_N - before_N) * (aim_N - before_N)
    assert (toward_N >= -slack).all()
    assert (np.abs(after_N - before_N) <= np.abs(aim_N - before_N) + slack).all()
