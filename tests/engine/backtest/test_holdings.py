"""The tables behind a curve of equity: what was held adds up to what was earned."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.backtest.fast import run_orders
from engine.backtest.frictions import Frictions
from engine.backtest.holdings import Trades, annual_parts, holdings, sector_exposures
from engine.backtest.prices import PriceTable
from engine.backtest.result import BacktestResult
from engine.config import CostConfig
from tests.engine.backtest.markets import (
    day,
    panel_of,
    random_book,
    random_walks,
    table_of,
    targets,
)

CASH = 1e6
COSTS = CostConfig(commission_bps=7.0, slippage_bps=11.0, impact_bps=0.0)
FREE = CostConfig(commission_bps=0.0, slippage_bps=0.0, impact_bps=0.0, borrow_bps_per_year=0.0)


def traded(
    table: PriceTable, target_DN: np.ndarray, frictions: Frictions
) -> tuple[Trades, pl.DataFrame]:
    """A simulation and the daily figures of its result."""
    ledger, orders, _ = run_orders(table, target_DN, frictions=frictions, initial_cash=CASH)
    result = BacktestResult.from_ledger(
        ledger, costs=COSTS, sessions_per_year=252, entry="close", strategy="s", run_id="r"
    )
    return Trades(table=table, orders=orders, equity_D=ledger.equity_D), result.daily


def test_two_stocks_by_hand() -> None:
    """Half the million long A, half short B at 100 and 50; A +10 %, B +4 %; then B is closed."""
    panel = panel_of({"A": [100.0, 100.0, 110.0, 110.0], "B": [50.0, 50.0, 52.0, 52.0]})
    table = table_of(panel, last=2)
    target = targets(table, {"A": [0.5, 0.5, 0.5], "B": [-0.5, -0.5, 0.0]})
    target[2] = np.nan  # nothing is ordered on the third day
    trades, _ = traded(table, target, Frictions.from_costs(FREE, 252))
    score = np.array([[2.0, 1.0], [2.0, np.nan], [1.0, 1.0]])
    rows = holdings(trades, score)
    assert rows["date"].to_list() == [day(1)] * 2 + [day(2)] * 2 + [day(3)] * 2
    assert rows["symbol"].to_list() == ["A", "B"] * 3
    equity = 1e6 + 50_000 - 20_000
    expected = [0.5, -0.5, 550_000 / equity, -520_000 / equity, 0.5, 0.0]
    np.testing.assert_allclose(rows["weight"], expected, rtol=1e-6)
    np.testing.assert_allclose(rows["contribution"], [0, 0, 0.05, -0.02, 0, 0], rtol=1e-6)
    assert rows["rank"].to_list() == [1, 2, 1, None, 1, 1]
    assert rows["scored"].to_list() == [2, 2, 1, 1, 2, 2]


@pytest.mark.parametrize("entry", ["close", "open"])
def test_contributions_of_a_day_add_up_to_its_gross_return(entry: str) -> None:
    closes, book = random_walks(12, 60, seed=1), random_book(12, 59, seed=2)
    opens: dict[str, list[float | None]] = {
        name: [value and value * (1.0 + 0.01 * (d % 3 - 1)) for d, value in enumerate(values)]
        for name, values in closes.items()
    }
    closes["S03"][20:] = [None] * 40  # delisted
    closes["S05"][10:13] = [None] * 3  # halted
    opens["S03"][20:] = [None] * 40
    opens["S05"][10:13] = [None] * 3
    table = table_of(panel_of(closes, opens), last=58, entry=entry, haircut=0.2)
    trades, daily = traded(table, targets(table, book), Frictions.from_costs(COSTS, 252))
    rows = holdings(trades, np.zeros((59, 12)))
    summed = rows.group_by("date").agg(
        pl.col("contribution").sum(), pl.col("weight").clip(lower_bound=0).sum().alias("long")
    )
    both = daily.join(summed, on="date").sort("date")
    assert len(both) == len(daily)
    np.testing.assert_allclose(both["contribution"], both["gross_return"], atol=1e-7)
    np.testing.assert_allclose(both["long"], both["long_exposure"], atol=1e-6)
    assert (rows.filter(pl.col("weight") != 0).group_by("date").len().sort("date")["len"]
            == daily["n_names"]).all()  # fmt: skip


@given(st.integers(0, 10_000))
@settings(max_examples=25)
def test_ranks_equal_counting_one_by_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    closes, book = random_walks(8, 12, seed=seed), random_book(8, 11, seed=seed + 1)
    score = rng.integers(0, 4, (11, 8)).astype(float)
    score[rng.random((11, 8)) < 0.3] = np.nan
    table = table_of(panel_of(closes), last=10)
    trades, _ = traded(table, targets(table, book), Frictions.from_costs(FREE, 252))
    for row in holdings(trades, score).iter_rows(named=True):
        d = int(np.searchsorted(table.dates_D, np.datetime64(row["date"]))) - 1
        own = score[d, table.symbols.index(row["symbol"])]
        better = sum(other > own for other in score[d])
        assert row["rank"] == (None if np.isnan(own) else better + 1)
        assert row["scored"] == int(np.isfinite(score[d]).sum())


def test_sectors_are_sums_of_the_holdings() -> None:
    closes, book = random_walks(9, 80, seed=3), random_book(9, 79, seed=4)
    table = table_of(panel_of(closes), last=78)
    trades, _ = traded(table, targets(table, book), Frictions.from_costs(COSTS, 252))
    names = ("Energy", "Tech", "unknown")
    sector_N = np.arange(9) % 3
    found = sector_exposures(trades, sector_N, names)
    sector = {symbol: names[n % 3] for n, symbol in enumerate(table.symbols)}
    rows = holdings(trades, np.zeros((79, 9)))
    expected = (
        rows.with_columns(sector=pl.col("symbol").replace_strict(sector))
        .group_by("date", "sector")
        .agg(net=pl.col("weight").sum(), gross=pl.col("weight").abs().sum())
        .sort("date", "sector")
    )
    found = found.sort("date", "sector")
    assert found.select("date", "sector").equals(expected.select("date", "sector"))
    np.testing.assert_allclose(found["net"], expected["net"], atol=1e-6)
    np.testing.assert_allclose(found["gross"], expected["gross"], atol=1e-6)


def test_slippage_is_half_spread_plus_impact_by_hand() -> None:
    """Half a million each at 10 bp; impact 100 bp of each tenth of ADV: 5 million ADV, a tenth."""
    panel = panel_of({"A": [100.0, 100.0, 100.0], "B": [50.0, 50.0, 50.0]})
    table = table_of(panel, last=1)
    target = targets(table, {"A": [0.5], "B": [-0.5]})
    frictions = Frictions(
        commission_limit_M=np.array([np.inf]),
        commission_rate_M=np.array([0.0]),
        half_spread=10e-4,
        impact=0.1,
        max_slippage=1.0,
        borrow_N=np.array([0.0]),
        adv_DN=np.full(table.mark_DN.shape, 5e6),
    )
    trades, daily = traded(table, target, frictions)
    found = annual_parts(trades, frictions, 252)
    sessions = len(daily)
    assert found["spread"] == pytest.approx(10e-4 / sessions * 252)
    assert found["impact"] == pytest.approx(0.1 * 0.1 / sessions * 252)


@pytest.mark.parametrize("cap", [1.0, 12e-4])
def test_spread_and_impact_add_up_to_the_slippage(cap: float) -> None:
    closes, book = random_walks(10, 60, seed=5), random_book(10, 59, seed=6)
    table = table_of(panel_of(closes), last=58)
    rng = np.random.default_rng(7)
    frictions = Frictions(
        commission_limit_M=np.array([np.inf]),
        commission_rate_M=np.array([5e-4]),
        half_spread=6e-4,
        impact=0.02,
        max_slippage=cap,
        borrow_N=np.array([1e-4]),
        adv_DN=rng.lognormal(14.0, 1.0, table.mark_DN.shape),
        half_tick_DN=rng.uniform(2e-4, 9e-4, table.mark_DN.shape),
    )
    trades, daily = traded(table, targets(table, book), frictions)
    found = annual_parts(trades, frictions, 252)
    slippage = float(daily["slippage"].to_numpy().mean()) * 252
    assert found["spread"] + found["impact"] == pytest.approx(slippage, rel=1e-12)
    assert found["spread"] > 0
    assert found["impact"] > 0


def test_a_book_without_a_trade_has_no_holdings_and_no_slippage() -> None:
    closes = random_walks(4, 9, seed=8)
    table = table_of(panel_of(closes), last=7)
    frictions = Frictions.from_costs(COSTS, 252)
    trades, daily = traded(table, targets(table, {name: [0.0] * 8 for name in closes}), frictions)
    rows = holdings(trades, np.zeros((8, 4)))
    assert rows.is_empty()
    assert rows.columns == [
        "date", "symbol", "weight", "contribution", "rank", "scored", "dividend", "received",
    ]  # fmt: skip
    found = sector_exposures(trades, np.zeros(4, dtype=np.int64), ("all",))
    assert len(found) == len(daily)
    assert (found["gross"] == 0).all()
    assert set(annual_parts(trades, frictions, 252).values()) == {0.0}
