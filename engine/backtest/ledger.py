"""The book of accounts, day by day: what every simulation returns, and a fast one in numpy.

The numpy ledger gives the same equity as vectorbt (held equal to 1e-9 by a test) in a fraction of the
time; baselines and random scores run on it.
"""

# Shape suffixes: D sessions, N stocks.
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backtest.prices import Matrix, PriceTable
from engine.config import CostConfig
from engine.errors import DataError

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One simulation in quote currency, before borrow fees. Row 0 is the first decision: all cash."""

    dates_D: NDArray[np.datetime64]
    equity_D: Series
    """Cash and positions at the end of the session, after commission and slippage."""
    commission_D: Series
    slippage_D: Series
    traded_D: Series
    """Value bought plus value sold, at fill prices before slippage."""
    delisting_D: Series
    """Profit of forced exits: shares x (exit price - last close); also inside ``equity_D``."""
    long_D: Series
    """Value of long positions at the end of the session."""
    short_D: Series
    """Value of short positions, positive."""
    names_D: NDArray[np.int64]
    """Stocks held at the end of the session."""

    def __post_init__(self) -> None:
        if not np.all(self.equity_D > 0):
            d = int(np.argmax(~(self.equity_D > 0)))
            raise DataError(
                f"the portfolio lost everything on {self.dates_D[d]} (equity {self.equity_D[d]:.4g})",
                hint="lower portfolio.gross, or look for an unadjusted price on that day",
            )


def run_ledger(
    table: PriceTable, target_DN: Matrix, *, costs: CostConfig, initial_cash: float
) -> Ledger:
    """Bring each stock to its target fraction of the equity before the session's orders.

    An order of value v pays ``slippage_bps`` of v, and ``commission_bps`` of v including slippage.
    Cash may become negative; vectorbt instead buys less than wanted when cash runs out, which no book
    does whose shorts pay for its longs.
    """
    commission_rate, slippage_rate = costs.commission_bps / 1e4, costs.slippage_bps / 1e4
    D, N = target_DN.shape
    cash, shares_N = initial_cash, np.zeros(N)
    shares_DN = np.zeros((D, N))
    commission_D, slippage_D, traded_D = np.zeros(D), np.zeros(D), np.zeros(D)
    cash_D = np.full(D, initial_cash)
    for d in range(1, D):
        value = cash + float(shares_N @ table.value_DN[d])
        orders = np.flatnonzero(np.isfinite(target_DN[d]))
        price = table.fill_DN[d, orders]
        change = target_DN[d, orders] * value / price - shares_N[orders]
        flow = change * price
        bought, sold = float(flow[flow > 0].sum()), float(-flow[flow < 0].sum())
        traded_D[d] = bought + sold
        slippage_D[d] = slippage_rate * (bought + sold)
        paid = bought * (1.0 + slippage_rate) + sold * (1.0 - slippage_rate)
        commission_D[d] = commission_rate * paid
        cash -= float(flow.sum()) + slippage_D[d] + commission_D[d]
        shares_N[orders] += change
        shares_DN[d], cash_D[d] = shares_N, cash
    return settle(
        table,
        shares_DN=shares_DN,
        cash_D=cash_D,
        commission_D=commission_D,
        slippage_D=slippage_D,
        traded_D=traded_D,
    )


def settle(
    table: PriceTable,
    *,
    shares_DN: Matrix,
    cash_D: Series,
    commission_D: Series,
    slippage_D: Series,
    traded_D: Series,
) -> Ledger:
    """The ledger of shares ``[D, N]`` and cash at the end of each session."""
    position_DN = shares_DN * table.mark_DN
    exit_profit_DN = np.zeros_like(position_DN)
    exit_profit_DN[1:] = shares_DN[:-1] * np.diff(table.mark_DN, axis=0)
    return Ledger(
        dates_D=table.dates_D,
        equity_D=cash_D + position_DN.sum(axis=1),
        commission_D=commission_D,
        slippage_D=slippage_D,
        traded_D=traded_D,
        delisting_D=np.where(table.exit_DN, exit_profit_DN, 0.0).sum(axis=1),
        long_D=np.maximum(position_DN, 0.0).sum(axis=1),
        short_D=np.maximum(-position_DN, 0.0).sum(axis=1),
        names_D=(np.abs(position_DN) > 1e-9 * table.mark_DN).sum(axis=1),
    )
