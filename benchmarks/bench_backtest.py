"""The simulation: our numpy ledger against vectorbt on the same book; both give the same equity."""

import datetime as dt

import numpy as np

from benchmarks.pairs import compare
from engine.backtest.ledger import run_ledger
from engine.backtest.prices import PriceTable
from engine.backtest.simulate import simulate
from engine.config import CostConfig

SESSIONS, STOCKS, HELD = 504, 1000, 100


def main() -> None:
    rng = np.random.default_rng(0)
    price_DN = 20.0 * np.exp(rng.normal(0.0, 0.02, (SESSIONS, STOCKS)).cumsum(axis=0))
    dates_D = np.datetime64(dt.date(2020, 1, 1)) + np.arange(SESSIONS)
    table = PriceTable(
        dates_D=dates_D,
        symbols=tuple(f"S{n:04d}" for n in range(STOCKS)),
        fill_DN=price_DN,
        value_DN=price_DN,
        mark_DN=price_DN,
        exit_DN=np.zeros(price_DN.shape, dtype=bool),
    )
    order_DN = rng.normal(size=(SESSIONS, STOCKS)).argsort(axis=1)
    target_DN = np.zeros((SESSIONS, STOCKS))
    rows = np.arange(SESSIONS)[:, None]
    target_DN[rows, order_DN[:, -HELD:]] = 1.0 / HELD
    target_DN[rows, order_DN[:, :HELD]] = -1.0 / HELD
    target_DN[0] = np.nan
    costs = CostConfig()
    runs = {
        run.__name__: lambda run=run: run(table, target_DN, costs=costs, initial_cash=1e8)
        for run in (run_ledger, simulate)
    }
    gap = np.abs(runs["run_ledger"]().equity_D / runs["simulate"]().equity_D - 1.0).max()
    compare(
        f"long-short book, {SESSIONS} x {STOCKS}, equity within {gap:.0e}",
        runs["run_ledger"],
        {"vectorbt from_orders (rust)": runs["simulate"]},
        pairs=5,
    )


if __name__ == "__main__":
    main()
