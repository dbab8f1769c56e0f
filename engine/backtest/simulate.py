"""The simulation by vectorbt. The only module that imports vectorbt or pandas."""

# Shape suffixes: D sessions, N stocks, O orders.
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from engine.backtest.ledger import Ledger, Series, settle
from engine.backtest.prices import Matrix, PriceTable
from engine.config import CostConfig


def simulate(
    table: PriceTable, target_DN: Matrix, *, costs: CostConfig, initial_cash: float
) -> Ledger:
    """Run the target weights through ``Portfolio.from_orders``.

    vectorbt knows neither borrow fees nor delistings nor sessions per year: the price table supplies
    the exit prices, borrow is charged in `engine.backtest.result`, and none of vectorbt's annualised
    figures is used (its default year has 365 days).
    """
    used_N = np.flatnonzero(np.nan_to_num(target_DN).any(axis=0))
    if used_N.size == 0:
        used_N = np.array([0])  # nothing is ever held; vectorbt wants one column all the same
    portfolio = _from_orders(table, target_DN, used_N, costs, initial_cash)
    orders = portfolio.orders.records
    D, N = target_DN.shape
    row_O = orders["idx"].to_numpy()
    column_O = used_N[orders["col"].to_numpy()]
    size_O = orders["size"].to_numpy()
    before_slippage_O = size_O * table.fill_DN[row_O, column_O]
    slippage_O = np.abs(size_O * orders["price"].to_numpy() - before_slippage_O)
    shares_DN = np.zeros((D, N))
    shares_DN[:, used_N] = portfolio.assets().to_numpy()
    return settle(
        table,
        shares_DN=shares_DN,
        cash_D=np.asarray(portfolio.cash(), dtype=np.float64).ravel(),
        commission_D=_per_session(row_O, orders["fees"].to_numpy(), D),
        slippage_D=_per_session(row_O, slippage_O, D),
        traded_D=_per_session(row_O, before_slippage_O, D),
    )


def _per_session(row_O: Any, value_O: Any, D: int) -> Series:
    sums_D: Series = np.bincount(row_O, weights=value_O, minlength=D).astype(np.float64)
    return sums_D


def _from_orders(
    table: PriceTable, target_DN: Matrix, used_N: Any, costs: CostConfig, initial_cash: float
) -> Any:
    index = pd.DatetimeIndex(table.dates_D.astype("datetime64[ns]"))

    def frame(values_DN: Matrix) -> pd.DataFrame:
        return pd.DataFrame(values_DN[:, used_N], index=index)

    return vbt.Portfolio.from_orders(
        frame(table.mark_DN),
        size=frame(target_DN),
        size_type="targetpercent",
        direction="both",
        price=frame(np.where(np.isfinite(table.fill_DN), table.fill_DN, table.mark_DN)),
        val_price=frame(table.value_DN),
        fees=costs.commission_bps / 1e4,
        slippage=costs.slippage_bps / 1e4,
        init_cash=initial_cash,
        cash_sharing=True,
        group_by=True,
        call_seq="auto",
        freq="1D",
        engine="rust",
    )
