"""The book of accounts and its orders, day by day: what every simulation returns."""

# Shape suffixes: D sessions, N stocks.
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.backtest.frictions import Frictions
from engine.backtest.prices import PriceTable
from engine.errors import DataError
from engine.portfolio.market_data import Matrix

Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One simulation in quote currency. Row 0 is the first decision: all cash.

    Borrow fees are known here but not paid from this cash: `engine.backtest.result` takes them from the
    daily returns.
    """

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
    borrow_D: Series
    """Fee on the short positions of the night before."""
    dividend_D: Series
    """Cash that longs received less cash that shorts paid, at the open; also inside ``equity_D``."""
    names_D: NDArray[np.int64]
    """Stocks held at the end of the session."""

    def __post_init__(self) -> None:
        if not np.all(self.equity_D > 0):
            d = int(np.argmax(~(self.equity_D > 0)))
            raise DataError(
                f"the portfolio lost everything on {self.dates_D[d]} (equity {self.equity_D[d]:.4g})",
                hint="lower portfolio.gross, or look for an unadjusted price on that day",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What was ordered and at what price of trading, ``[D, N]``."""

    target_DN: Matrix
    """Targets after stops and price limits; NaN = no order."""
    change_DN: Matrix
    """Shares bought (+) or sold (-); 0 = none."""
    slippage_DN: Matrix
    """Slippage of the order as a share of its value."""
    commission_DN: Matrix
    """Commission as a share of the value after slippage."""
    shares_DN: Matrix
    """Held at the end of the session."""
    unpaid_D: Series
    """Value of buys for which the cash of the session did not suffice."""


def settle(
    table: PriceTable,
    frictions: Frictions,
    *,
    shares_DN: Matrix,
    cash_D: Series,
    commission_D: Series,
    slippage_D: Series,
    traded_D: Series,
    dividend_D: Series,
) -> Ledger:
    """The ledger of shares ``[D, N]`` and cash (dividends in it) at the end of each session."""
    position_DN = shares_DN * table.mark_DN
    short_DN = np.maximum(-position_DN, 0.0)
    borrow_D = np.zeros(len(cash_D))
    borrow_D[1:] = (short_DN[:-1] * frictions.borrow_N).sum(axis=1)
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
        short_D=short_DN.sum(axis=1),
        borrow_D=borrow_D,
        dividend_D=dividend_D,
        names_D=(np.abs(position_DN) > DUST * table.mark_DN).sum(axis=1),
    )


DUST = 1e-9
"""Shares that rounding may leave of a closed position."""
