"""vectorbt against a ledger written out by hand, and the promises of the book of accounts."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from engine.backtest.fast import run_fast
from engine.backtest.frictions import Frictions, Ledger
from engine.backtest.prices import PriceTable
from engine.backtest.result import BacktestResult
from engine.backtest.simulate import simulate
from engine.config import CostConfig
from engine.errors import DataError
from engine.portfolio.prediction import read_table, write_table
from tests.engine.backtest.markets import (
    day,
    panel_of,
    random_book,
    random_walks,
    table_of,
    targets,
)

CASH = 1e6
COSTS = CostConfig(commission_bps=7.0, slippage_bps=11.0, borrow_bps_per_year=90.0)
FREE = CostConfig(commission_bps=0.0, slippage_bps=0.0, borrow_bps_per_year=0.0)


def reference_equity(
    price_DN: NDArray[np.float64], weight_DN: NDArray[np.float64], costs: CostConfig
) -> list[float]:
    """Decided at the close of a day, filled at the next close, one order at a time."""
    commission, slippage = costs.commission_bps / 1e4, costs.slippage_bps / 1e4
    cash, shares = CASH, [0.0] * price_DN.shape[1]
    equity = [cash]
    for d in range(1, len(price_DN)):
        worth = cash + sum(s * p for s, p in zip(shares, price_DN[d], strict=True))
        for n, price in enumerate(price_DN[d]):
            order = weight_DN[d - 1, n] * worth / price - shares[n]
            paid = price * (1 + slippage) if order > 0 else price * (1 - slippage)
            cash -= order * paid + abs(order * paid) * commission
            shares[n] += order
        equity.append(cash + sum(s * p for s, p in zip(shares, price_DN[d], strict=True)))
    return equity


def matrix(book: dict[str, list[float | None]]) -> NDArray[np.float64]:
    return np.array([book[name] for name in sorted(book)], dtype=np.float64).T


def fast(table: PriceTable, target_DN: NDArray[np.float64], costs: CostConfig) -> Ledger:
    frictions = Frictions.from_costs(costs, 252)
    return run_fast(table, target_DN, frictions=frictions, initial_cash=CASH)


def by_vectorbt(table: PriceTable, target_DN: NDArray[np.float64], costs: CostConfig) -> Ledger:
    frictions = Frictions.from_costs(costs, 252)
    return simulate(table, target_DN, frictions=frictions, initial_cash=CASH).ledger


def both(table: PriceTable, target_DN: NDArray[np.float64], costs: CostConfig) -> list[Ledger]:
    return [run(table, target_DN, costs) for run in (by_vectorbt, fast)]


def result(ledger: Ledger, costs: CostConfig, sessions_per_year: int = 252) -> BacktestResult:
    return BacktestResult.from_ledger(
        ledger,
        costs=costs,
        sessions_per_year=sessions_per_year,
        entry="close",
        strategy="by hand",
        run_id="test",
    )


@pytest.mark.parametrize("costs", [FREE, COSTS], ids=["free", "with costs"])
def test_vectorbt_and_the_ledger_equal_thirty_lines_written_out(costs: CostConfig) -> None:
    closes, book = random_walks(12, 40, seed=1), random_book(12, 39, seed=2)
    table = table_of(panel_of(closes), last=38)
    expected = reference_equity(matrix(closes), matrix(book), costs)
    for ledger in both(table, targets(table, book), costs):
        np.testing.assert_allclose(ledger.equity_D, expected, rtol=1e-9)


def test_two_stocks_by_hand() -> None:
    """1,000,000: long A 100 %, short B 100 % at the second close; A +10 %, B +5 % afterwards."""
    panel = panel_of({"A": [100.0, 100.0, 110.0], "B": [50.0, 50.0, 52.5]})
    table = table_of(panel, last=1)
    target = targets(table, {"A": [1.0], "B": [-1.0]})
    fees = 2 * CASH * 10e-4  # two orders of a million, 10 bp commission, no slippage
    costs = CostConfig(commission_bps=10.0, slippage_bps=0.0, borrow_bps_per_year=252.0)
    for ledger in both(table, target, costs):
        np.testing.assert_allclose(
            ledger.equity_D, [CASH, CASH - fees, CASH - fees + 100_000 - 50_000], rtol=1e-12
        )
        daily = result(ledger, costs).daily
        assert daily["date"].to_list() == [day(1), day(2)]
        # Borrow: 252 bp a year on the short million of the night before, over 252 sessions.
        np.testing.assert_allclose(daily["borrow"], [0.0, 1e-4 * CASH / (CASH - fees)], rtol=1e-12)
        np.testing.assert_allclose(daily["turnover"], [2.0, 0.0], atol=1e-12)
        np.testing.assert_allclose(daily["cost"], daily["commission"] + daily["borrow"])
        np.testing.assert_allclose(
            daily["net_return"], daily["gross_return"] - daily["cost"], atol=1e-15
        )


@pytest.mark.parametrize("entry", ["close", "open"])
def test_a_decision_fills_one_session_later_never_on_its_own_day(entry: str) -> None:
    """The whole move of the decision's own day and of the night to the fill belongs to nobody."""
    closes = {"A": [100.0, 300.0, 330.0], "B": [100.0, 100.0, 100.0]}
    opens = {"A": [100.0, 200.0, 300.0], "B": [100.0, 100.0, 100.0]}
    table = table_of(panel_of(closes, opens), last=1, entry=entry)
    target = targets(table, {"A": [1.0, None], "B": [0.0, None]})
    gains = {"close": [0.0, 0.1], "open": [0.5, 0.1]}[entry]
    for ledger in both(table, target, FREE):
        np.testing.assert_allclose(result(ledger, FREE).net_returns(), gains, rtol=1e-9, atol=1e-12)


def test_a_delisted_stock_is_sold_at_its_last_close_less_the_haircut() -> None:
    panel = panel_of({"A": [10.0, 10.0, 10.0, None, None], "B": [10.0] * 5})
    table = table_of(panel, last=3, haircut=0.3)
    weights = {"A": [1.0, 1.0, 1.0, 0.0], "B": [0.0] * 4}
    for ledger in both(table, targets(table, weights), FREE):
        np.testing.assert_allclose(ledger.equity_D, [CASH, CASH, CASH, 0.7 * CASH, 0.7 * CASH])
        np.testing.assert_allclose(result(ledger, FREE).daily["delisting"], [0, 0, -0.3, 0])
        assert ledger.names_D.tolist() == [0, 1, 1, 0, 0]


def test_a_halted_stock_is_neither_traded_nor_revalued() -> None:
    panel = panel_of({"A": [10.0, 10.0, None, 20.0], "B": [10.0] * 4})
    table = table_of(panel, last=2)
    weights = {"A": [1.0, 0.0, 0.0], "B": [0.0] * 3}
    for ledger in both(table, targets(table, weights), FREE):
        np.testing.assert_allclose(ledger.equity_D, [CASH, CASH, CASH, 2 * CASH])


def test_zero_weights_earn_and_cost_exactly_nothing() -> None:
    closes = random_walks(5, 20, seed=3)
    table = table_of(panel_of(closes), last=18)
    flat = {name: [0.0] * 19 for name in closes}
    for ledger in both(table, targets(table, flat), COSTS):
        daily = result(ledger, COSTS).daily
        assert (daily["net_return"] == 0).all()
        assert (daily["cost"] == 0).all()
        assert np.isnan(result(ledger, COSTS).figures().sharpe)


def test_doubled_costs_double_the_cost_and_lower_the_return_by_it() -> None:
    closes, book = random_walks(12, 120, seed=4), random_book(12, 119, seed=5)
    table = table_of(panel_of(closes), last=118)
    target = targets(table, book)
    twice = CostConfig(commission_bps=14.0, slippage_bps=22.0, borrow_bps_per_year=180.0)
    once, double = (result(fast(table, target, c), c) for c in (COSTS, twice))
    np.testing.assert_allclose(double.daily["cost"], 2 * once.daily["cost"], rtol=2e-2)
    assert double.figures().annual_return < once.figures().annual_return
    np.testing.assert_allclose(
        double.daily["gross_return"], once.daily["gross_return"], rtol=0.02, atol=1e-4
    )


def test_the_sharpe_ratio_is_the_textbook_formula_of_the_saved_returns(tmp_path: Path) -> None:
    closes, book = random_walks(12, 120, seed=6), random_book(12, 119, seed=7)
    table = table_of(panel_of(closes), last=118)
    ledger = by_vectorbt(table, targets(table, book), COSTS)
    made = result(ledger, COSTS, sessions_per_year=252)
    made.write(tmp_path / "backtest.parquet")
    saved = pl.read_parquet(tmp_path / "backtest.parquet")["net_return"]
    mean, deviation = saved.mean(), saved.std(ddof=1)
    assert isinstance(mean, float)
    assert isinstance(deviation, float)
    assert made.figures().sharpe == pytest.approx(mean / deviation * 252**0.5, abs=1e-9)
    assert BacktestResult.read(tmp_path / "backtest.parquet").figures() == made.figures()


def test_a_file_from_before_dividends_were_money_is_read_with_none(tmp_path: Path) -> None:
    closes, book = random_walks(4, 30, seed=6), random_book(4, 29, seed=7)
    table = table_of(panel_of(closes), last=28)
    made = result(fast(table, targets(table, book), COSTS), COSTS)
    made.write(tmp_path / "new.parquet")
    older = without_dividends(tmp_path / "new.parquet", tmp_path / "old.parquet")
    assert "dividend" not in pl.read_parquet_schema(older)
    assert BacktestResult.read(older).figures() == made.figures()


def without_dividends(path: Path, target: Path) -> Path:
    """The file without its dividends, metadata kept."""
    daily, metadata = read_table(path, (), hint="")
    write_table(target, daily.drop("dividend"), metadata)
    return target


def test_shuffled_dates_and_bad_prices_are_refused() -> None:
    table = table_of(panel_of(random_walks(3, 10, seed=8)), last=8)
    values = {name: getattr(table, name) for name in PriceTable.__slots__}
    with pytest.raises(DataError, match="dates do not increase"):
        PriceTable(**{**values, "dates_D": table.dates_D[::-1]})
    broken = table.mark_DN.copy()
    broken[2, 1] = 0.0
    with pytest.raises(DataError, match=r"price 0.0 of S01 on 2021-01-06"):
        PriceTable(**{**values, "mark_DN": broken})


def test_a_lost_fortune_is_an_error_not_a_figure() -> None:
    panel = panel_of({"A": [10.0, 10.0, 35.0], "B": [10.0, 10.0, 10.0]})
    table = table_of(panel, last=1)
    target = targets(table, {"A": [-1.0], "B": [1.0]})
    with pytest.raises(DataError, match="lost everything on 2021-01-06"):
        fast(table, target, FREE)
