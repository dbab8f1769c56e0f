"""Dividends, splits, spin-offs, breaks and mergers in money: by hand, and in all three simulations."""

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.backtest.fast import run_orders
from engine.backtest.frictions import Frictions, Ledger
from engine.backtest.holdings import Trades, annual_parts, held_breaks, holdings
from engine.backtest.prices import PriceTable, forward_returns
from engine.backtest.result import BacktestResult
from engine.backtest.simulate import simulate
from engine.config import Config, ConstraintConfig, CostConfig, QualityConfig
from engine.data.panel import Panel
from engine.data.quality import examine
from engine.data.tables import RawTables
from engine.portfolio.market_data import MarketData
from engine.records.quality import BREAK, DIVIDEND, PROCEEDS, VENDOR_SPLIT
from tests.engine.backtest.independent import Rules, trade_all
from tests.engine.backtest.markets import (
    FIRST,
    Events,
    day,
    panel_of,
    random_walks,
    table_of,
    targets,
    with_actions,
)

CASH = 1e6
FREE = CostConfig(commission_bps=0.0, slippage_bps=0.0, impact_bps=0.0, borrow_bps_per_year=0.0)
COSTS = CostConfig(commission_bps=7.0, slippage_bps=11.0, impact_bps=0.0)

QUOTED: dict[str, list[float | None]] = {
    "DIV": [100.0, 100.0, 100.0, 99.0, 100.0, 100.0],
    "NEW": [20.0, 20.0, 20.0, 20.0, 22.0, None],
    "SPIN": [50.0, 50.0, 50.0, 41.0, 42.0, 42.0],
    "SPLIT": [700.0, 700.0, 700.0, 101.0, 102.0, 102.0],
}
"""Day 3: DIV pays 2 (2 % of 100), SPLIT splits 7:1, SPIN hands out a share worth 10; day 4: holders of NEW
get 22 in cash."""
UNKNOWN = 50.0 / 41.0  # what happened to SPIN is not known: the scale goes on without the jump
KNOWN = 50.0 / (50.0 - 10.0)  # the 10 are put back into SPIN at 40


def four(terms_of_spin: float) -> Panel:
    jumped = BREAK if terms_of_spin == UNKNOWN else VENDOR_SPLIT
    return with_actions(
        panel_of(QUOTED),
        terms={"SPLIT": {3: 7.0}, "SPIN": {3: terms_of_spin}},
        dividends={"DIV": {3: 2.0}},
        flags={
            "DIV": {3: DIVIDEND},
            "NEW": {4: PROCEEDS},
            "SPIN": {3: jumped},
            "SPLIT": {3: VENDOR_SPLIT},
        },
    )


def run_all(
    table: PriceTable,
    decided: dict[str, list[float | None]],
    independent: dict[str, Any],
) -> tuple[Ledger, Trades]:
    """vectorbt's ledger and the fast path's trades, after all three gave the same figures to 1e-9."""
    frictions = Frictions.from_costs(FREE, 252)
    target_DN = targets(table, decided)
    slow = simulate(table, target_DN, frictions=frictions, initial_cash=CASH)
    fast, orders, _ = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    names = sorted(decided)
    wanted = [[decided[name][d] for name in names] for d in range(len(decided[names[0]]))]
    closes: Any = [[QUOTED[name][d] for name in names] for d in range(6)]
    days = trade_all(closes, wanted, np.ones((6, 4)).tolist(), Rules(), CASH, **independent)  # type: ignore[arg-type]
    for ledger in (slow.ledger, fast):
        np.testing.assert_allclose(ledger.equity_D, [one.equity for one in days], rtol=1e-9)
        np.testing.assert_allclose(
            ledger.dividend_D, [one.dividends for one in days], rtol=1e-9, atol=1e-6
        )
    np.testing.assert_allclose(slow.ledger.delisting_D, fast.delisting_D, atol=1e-6)
    return slow.ledger, Trades(table=table, orders=orders, equity_D=fast.equity_D)


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
@pytest.mark.parametrize("terms", [UNKNOWN, KNOWN], ids=["break", "known"])
def test_a_dividend_a_split_a_spinoff_and_a_merger_by_hand(side: float, terms: float) -> None:
    """A quarter of the million in each at day 1, held; on day 4 half of the equity is put into DIV alone.

    Shares: DIV 250,000 / 100 = 2,500; NEW 12,500; SPIN 5,000; SPLIT 250,000 / 700.
    Day 3: DIV 2,500 x (99 - 100) = -2,500 and 2 x 2,500 = 5,000 in cash; SPLIT 2,500 new shares x (101 - 100)
    = 2,500; SPIN unknown: nothing; known: 5,000 x 1.25 = 6,250 shares x 41 - 250,000 = 6,250.
    Day 4: DIV 2,500 x 1 = 2,500; SPLIT 2,500; NEW 12,500 x (22 - 20) = 25,000; SPIN unknown:
    250,000 x 1/41; known: 6,250.
    Then everything is sold but DIV, half the equity at 100; day 5 moves nothing.
    """
    spin = {UNKNOWN: (0.0, 250_000.0 / 41.0), KNOWN: (6_250.0, 6_250.0)}[terms]
    third = CASH + side * (-2_500.0 + 5_000.0 + 2_500.0 + spin[0])
    fourth = third + side * (2_500.0 + 2_500.0 + 25_000.0 + spin[1])
    none: list[float | None] = [None] * 5
    decided = {name: list(none) for name in QUOTED}
    for name in QUOTED:
        decided[name][0] = side * 0.25
        decided[name][3] = side * 0.5 if name == "DIV" else 0.0
    table = table_of(four(terms), last=4, haircut=0.3)
    rows = [[1.0] * 4 for _ in range(6)]
    rows[3] = [1.0, 1.0, terms, 7.0]
    cash = [[0.0] * 4 for _ in range(6)]
    cash[3][0] = 2.0
    found = {"terms": rows, "dividends": cash, "paid_out": frozenset({(4, 1)}), "haircut": 0.3}
    ledger, trades = run_all(table, decided, found)
    expected = [CASH, CASH, CASH, third, fourth, fourth]
    np.testing.assert_allclose(ledger.equity_D, expected, rtol=1e-9)
    np.testing.assert_allclose(ledger.dividend_D, [0, 0, 0, side * 5_000.0, 0, 0], atol=1e-6)
    np.testing.assert_allclose(ledger.delisting_D, [0, 0, 0, 0, side * 25_000.0, 0], atol=1e-6)
    assert ledger.names_D.tolist() == [0, 4, 4, 4, 1, 1]
    # The equity of day 4 that sizes the order has the dividend in it: half of it at 100 a share.
    np.testing.assert_allclose(
        trades.orders.shares_DN[4, 0], side * 0.5 * fourth / 100.0, rtol=1e-9
    )


@pytest.mark.parametrize("side", [1.0, -1.0], ids=["long", "short"])
def test_a_break_is_counted_at_its_quoted_move(side: float) -> None:
    """A quarter of the book in SPIN, quoted 50 then 41: -18 %, 4.5 % of the equity, for or against it."""
    decided: dict[str, list[float | None]] = {name: [side * 0.25, None, None] for name in QUOTED}
    table = table_of(four(UNKNOWN), last=4)
    target_DN = targets(table, decided)
    ledger, orders, _ = run_orders(
        table, target_DN, frictions=Frictions.from_costs(FREE, 252), initial_cash=CASH
    )
    found = held_breaks(Trades(table=table, orders=orders, equity_D=ledger.equity_D))
    assert (found.held, found.stocks, found.in_universe) == (1, 1, 1)
    assert found.worst_case == pytest.approx(-0.045)
    assert found.as_quoted == pytest.approx(side * -0.045)
    row = found.largest[0]
    assert (row.date, row.symbol) == (str(day(3)), "SPIN")
    assert row.weight == pytest.approx(side * 0.25)
    assert row.quoted_move == pytest.approx(-0.18)
    # Known, it is none.
    known = table_of(four(KNOWN), last=4)
    again = held_breaks(Trades(table=known, orders=orders, equity_D=ledger.equity_D))
    assert (again.held, again.worst_case, again.largest) == (0, 0.0, ())


def test_the_holdings_of_an_ex_date_show_the_dividend_and_add_up() -> None:
    decided: dict[str, list[float | None]] = {
        "DIV": [0.5, None, None],
        "NEW": [-0.25, None, None],
        "SPIN": [0.0, None, None],
        "SPLIT": [0.25, None, None],
    }
    panel = with_actions(
        panel_of(QUOTED),
        terms={"SPLIT": {3: 7.0}, "SPIN": {3: UNKNOWN}},
        dividends={"DIV": {3: 2.0}, "NEW": {3: 1.0}, "SPLIT": {3: 0.7}},
    )
    table = table_of(panel, last=4)
    frictions = Frictions.from_costs(FREE, 252)
    ledger, orders, _ = run_orders(
        table, targets(table, decided), frictions=frictions, initial_cash=CASH
    )
    trades = Trades(table=table, orders=orders, equity_D=ledger.equity_D)
    rows = holdings(trades, np.zeros((5, 4))).filter(pl.col("date") == day(3))
    assert rows["symbol"].to_list() == ["DIV", "NEW", "SPLIT"]
    # 5,000 shares x 2; 12,500 shares short x 1; 250,000 / 700 x 7 = 2,500 new shares x 0.7.
    np.testing.assert_allclose(rows["dividend"], [2.0, 1.0, 0.7], rtol=1e-6)
    np.testing.assert_allclose(rows["received"], [0.01, -0.0125, 0.00175], rtol=1e-6)
    daily = BacktestResult.from_ledger(
        ledger, costs=FREE, sessions_per_year=252, entry="close", strategy="s", run_id="r"
    ).daily
    row = daily.filter(pl.col("date") == day(3)).row(0, named=True)
    np.testing.assert_allclose(
        rows["contribution"].to_numpy().sum(), row["gross_return"], atol=1e-8
    )
    np.testing.assert_allclose(row["dividend"], 0.01 - 0.0125 + 0.00175, rtol=1e-9)
    parts = annual_parts(trades, Frictions.from_costs(FREE, 252), 252)
    year = 252 / len(daily)
    assert parts["dividend_received"] == pytest.approx((0.01 + 0.00175) * year)
    assert parts["dividend_paid"] == pytest.approx(0.0125 * year)


def test_scores_are_judged_by_total_returns_without_breaks_and_haircuts() -> None:
    """From the fill at day 2 to the close of day 4. DIV: 2 reinvested at 98 make 100/98 shares, worth 100
    each; NEW: 22 / 20.
    """
    panel = four(UNKNOWN)
    market = MarketData.from_panel(
        panel, first=FIRST, last=day(1), symbols=list(QUOTED), constraints=ConstraintConfig()
    )
    config = Config.model_validate({"costs": {"delisting_haircut": 0.3}})
    forward = forward_returns(panel, market, config)
    row = forward(2, 1)[1]
    expected = [100.0 / 98.0 - 1.0, 22.0 / 20.0 - 1.0, 42.0 / 41.0 - 1.0, 102.0 / 100.0 - 1.0]
    np.testing.assert_allclose(row, expected, rtol=1e-12)
    np.testing.assert_allclose(forward(3, 1)[1, 1], 0.1, rtol=1e-12)  # paid, and that was all
    traded = MarketData.from_panel(
        panel, first=FIRST, last=day(5), symbols=list(QUOTED), constraints=ConstraintConfig()
    ).traded_DN
    assert traded[4].tolist() == [True, False, True, True]


def test_nothing_is_opened_where_holders_are_paid_out_or_at_the_open_of_a_break() -> None:
    table = table_of(four(UNKNOWN), last=4, entry="open")
    assert np.isnan(table.fill_DN[3, 2])  # SPIN
    decided: dict[str, list[float | None]] = {name: [None] * 3 + [0.25] for name in QUOTED}
    ledger, orders, _ = run_orders(
        table,
        targets(table, decided),
        frictions=Frictions.from_costs(FREE, 252),
        initial_cash=CASH,
    )
    assert (orders.shares_DN[4] != 0).tolist() == [True, False, True, True]
    assert ledger.delisting_D[4] == 0.0


def dividends_of(rng: np.random.Generator, closes: dict[str, list[float | None]]) -> Events:
    """About one day in four, 0.1 to 3 % of the price; never on the first."""
    return {
        name: {
            d: float(price * rng.uniform(0.001, 0.03))
            for d, price in enumerate(values)
            if d and price is not None and rng.random() < 0.25
        }
        for name, values in closes.items()
    }


@given(
    seed=st.integers(0, 1_000_000),
    n=st.integers(2, 6),
    days=st.integers(4, 12),
    holes=st.sampled_from([0.0, 0.2]),
    lot=st.sampled_from([0.0, 10.0]),
    share=st.sampled_from([np.inf, 0.3]),
    gross=st.sampled_from([0.6, 1.9]),
    lean=st.sampled_from([0.0, 0.2]),
)
@settings(max_examples=100)
def test_three_simulations_agree_on_any_actions(
    seed: int, n: int, days: int, holes: float, lot: float, share: float, gross: float, lean: float
) -> None:
    """Real shares with splits and dividends one by one, against the scale of the price alone."""
    rng = np.random.default_rng(seed)
    closes = random_walks(n, days, seed)
    names = sorted(closes)
    flags: dict[str, dict[int, int]] = {name: {} for name in names}
    terms: dict[str, dict[int, float]] = {name: {} for name in names}
    for name in names[1:]:  # the first one trades every day and is left alone
        if rng.random() < 0.3:
            end = int(rng.integers(2, days))
            closes[name][end + 1 :] = [None] * (days - end - 1)
            flags[name][end] = PROCEEDS
        last = closes[name][0]
        for d in range(1, days):
            price = closes[name][d]
            if price is None or (rng.random() < holes and d not in flags[name]):
                closes[name][d] = None
                continue
            if rng.random() < 0.2 and d not in flags[name]:
                more = float(rng.choice([7.0, 1.5, 0.1]))
                closes[name][d:] = [None if p is None else p / more for p in closes[name][d:]]
                terms[name][d] = more
                if rng.random() < 0.3:  # not a split: a break of whatever size
                    assert last is not None
                    terms[name][d], flags[name][d] = last / (price / more), BREAK
            last = closes[name][d]
    dividends = dividends_of(rng, closes)
    panel = with_actions(panel_of(closes), terms=terms, dividends=dividends, flags=flags)
    table = table_of(panel, last=days - 2, haircut=0.1)
    raw = rng.normal(size=(days - 1, n)) * (rng.random((days - 1, n)) > 0.2)
    book_DN = raw * (gross / np.maximum(np.abs(raw).sum(axis=1, keepdims=True), 1e-9)) + lean
    turnover_DN = rng.lognormal(12.0, 1.0, (days, n))
    rules = Rules(
        commission=((np.inf, 7e-4),), half_spread=6e-4, impact=0.02, max_slippage=2e-3,
        lot=lot, max_share=share, borrow=1e-4,
    )  # fmt: skip
    assert table.quoted_DN is not None
    frictions = Frictions(
        commission_limit_M=np.array([np.inf]),
        commission_rate_M=np.array([7e-4]),
        half_spread=rules.half_spread,
        impact=rules.impact,
        max_slippage=rules.max_slippage,
        borrow_N=np.array([rules.borrow]),
        adv_DN=np.vstack([turnover_DN[:1], turnover_DN[:-1]]),
        max_share=share,
        lot_DN=lot * table.quoted_DN if lot else np.zeros((1, 1)),
    )
    target_DN = table.orders(book_DN)
    expected = trade_all(
        [[closes[name][d] for name in names] for d in range(days)],  # type: ignore[misc]
        book_DN.tolist(),
        turnover_DN.tolist(),
        rules,
        CASH,
        haircut=0.1,
        terms=[[terms[name].get(d, 1.0) for name in names] for d in range(days)],
        dividends=[[dividends[name].get(d, 0.0) for name in names] for d in range(days)],
        paid_out=frozenset(
            (d, k) for k, name in enumerate(names) for d, bit in flags[name].items()
            if bit == PROCEEDS
        ),
    )  # fmt: skip
    slow = simulate(table, target_DN, frictions=frictions, initial_cash=CASH).ledger
    fast, _, _ = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    for ledger in (slow, fast):
        np.testing.assert_allclose(ledger.equity_D, [one.equity for one in expected], rtol=1e-9)
        for ours, theirs in (
            (ledger.dividend_D, "dividends"),
            (ledger.commission_D, "commission"),
            (ledger.slippage_D, "slippage"),
            (ledger.traded_D, "traded"),
            (ledger.borrow_D, "borrow"),
        ):
            rows = [getattr(one, theirs) for one in expected]
            np.testing.assert_allclose(ours, rows, rtol=1e-8, atol=1e-6)
    np.testing.assert_allclose(slow.delisting_D, fast.delisting_D, rtol=1e-8, atol=1e-6)


def fast_ledger(table: PriceTable, target_DN: NDArray[np.float64]) -> Ledger:
    frictions = Frictions.from_costs(COSTS, 252)
    return run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)[0]


@given(seed=st.integers(0, 10_000))
@settings(max_examples=50)
def test_doubled_dividends_add_exactly_their_cash_to_a_book_that_is_held(seed: int) -> None:
    """Bought once and held, so that the cash stays cash: equity rises by the sum of the second dividends."""
    rng = np.random.default_rng(seed)
    closes = random_walks(5, 15, seed)
    once = dividends_of(rng, closes)
    twice = {name: {d: 2 * v for d, v in rows.items()} for name, rows in once.items()}
    weights: dict[str, list[float | None]] = {name: [0.18] + [None] * 13 for name in closes}
    ledgers, nets = [], []
    for paid in (once, twice):
        table = table_of(with_actions(panel_of(closes), dividends=paid), last=13)
        ledger = fast_ledger(table, targets(table, weights))
        ledgers.append(ledger)
        nets.append(
            BacktestResult.from_ledger(
                ledger, costs=COSTS, sessions_per_year=252, entry="close", strategy="s", run_id="r"
            ).net_returns()
        )
    first, second = ledgers
    np.testing.assert_allclose(second.dividend_D, 2 * first.dividend_D, rtol=1e-12, atol=1e-9)
    extra_D = np.cumsum(first.dividend_D)
    np.testing.assert_allclose(second.equity_D, first.equity_D + extra_D, rtol=1e-12)
    grown = [np.prod(1.0 + net_D) for net_D in nets]
    assert grown[1] - grown[0] == pytest.approx(extra_D[-1] / CASH, abs=1e-12)


def test_zero_dividends_change_nothing_bit_for_bit() -> None:
    closes = random_walks(8, 40, seed=3)
    closes["S03"][30:] = [None] * 10
    plain = panel_of(closes)
    weights: dict[str, list[float | None]] = {name: [0.1, -0.1, 0.2] * 13 for name in closes}
    zero = with_actions(plain, dividends={name: {5: 0.0} for name in closes})
    tables = [table_of(panel, last=38, haircut=0.2) for panel in (plain, zero)]
    assert tables[1].dividend_DN.size == tables[1].break_DN.size == 1
    # A table that says 0 for every day runs through the code that pays.
    shape = tables[0].mark_DN.shape
    tables.append(replace(tables[0], dividend_DN=np.zeros(shape)))
    expected = fast_ledger(tables[0], targets(tables[0], weights))
    for table in tables[1:]:
        found = fast_ledger(table, targets(table, weights))
        for name in Ledger.__slots__:
            assert getattr(found, name).tobytes() == getattr(expected, name).tobytes(), name


def test_the_cleaned_panel_of_a_source_trades_like_that(raw: RawTables) -> None:
    """A 7:1 split by the source's factor moves no price here; a dividend neither, and pays its cash.

    After the split the stock pays 0.07 a new share, 0.49 for a share of the table's scale.
    """
    config = QualityConfig()
    before = examined(raw, config)
    names = before.frame.group_by("symbol").len().sort("len", "symbol")["symbol"].to_list()[-3:]
    days = before.frame["date"].unique().sort()
    split, pays = days[60], days[70]
    here = pl.col("symbol") == names[0]
    after = here & (pl.col("date") >= split)
    bars = raw.bars.with_columns(
        *(
            pl.when(after).then(pl.col(name) / 7.0).otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        ),
        pl.when(after).then(pl.col("volume") * 7.0).otherwise("volume").alias("volume"),
        pl.when(here & (pl.col("date") == split)).then(1.0 / 7.0).otherwise("adjustment_factor")
        .alias("adjustment_factor"),
        pl.when(here & (pl.col("date") == pays)).then(0.07).otherwise(0.0).alias("dividend"),
    )  # fmt: skip
    found = examined(replace(raw, bars=bars), config)
    span = {"first": days[50], "last": days[80], "symbols": names, "haircut": 0.3}
    for entry in ("close", "open"):
        ours, theirs = (
            PriceTable.from_panel(panel, entry=entry, **span) for panel in (found, before)
        )
        n = ours.symbols.index(names[0])
        for name in ("fill_DN", "value_DN", "mark_DN"):
            np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12)
        assert ours.quoted_DN is not None
        np.testing.assert_allclose(ours.quoted_DN[[9, 10], n], [1.0, 1.0 / 7.0], rtol=1e-12)
        np.testing.assert_allclose(ours.dividend_DN[20, n], 0.49, rtol=1e-12)
        assert np.count_nonzero(ours.dividend_DN) == 1
        assert theirs.dividend_DN.size == 1


def examined(raw: RawTables, config: QualityConfig) -> Panel:
    frame, report = examine(raw, config)
    return Panel(
        frame=frame,
        securities=raw.securities,
        index=None,
        market=raw.market,
        source="test",
        as_of=report.last,
        fingerprint="test",
    )
