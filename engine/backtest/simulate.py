"""The simulation by vectorbt. The only module that imports vectorbt or pandas."""

# Shape suffixes: D sessions, N stocks, O orders.
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from engine.backtest.fast import run_orders
from engine.backtest.frictions import Frictions, Ledger, Orders, Series, settle
from engine.backtest.prices import PriceTable
from engine.errors import DataError
from engine.portfolio.market_data import Matrix
from engine.records.book import OrderShortfall

_TOLERANCE = 1e-9
"""Relative gap between vectorbt's equity and the fast path's above which a backtest is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """What vectorbt made of the targets, and where wanted trading went."""

    ledger: Ledger
    """The account as vectorbt keeps it."""
    orders: Orders
    shortfall: OrderShortfall
    gap: float
    """Largest relative difference of the daily equity to the fast path's."""


def simulate(
    table: PriceTable, target_DN: Matrix, *, frictions: Frictions, initial_cash: float
) -> Simulation:
    """Run the targets through ``Portfolio.from_orders`` and hold the result against the fast path.

    vectorbt sizes the orders itself, from targets, liquidity caps and rates; with lots, whose rounding
    it does differently, it is given the shares to trade. It knows neither borrow fees nor delistings nor
    dividends nor sessions per year: the price table supplies the exit prices, borrow is charged in
    `engine.backtest.result`, dividends come through a loan (`_Loan`), and none of vectorbt's annualised
    figures is used (its default year has 365 days).
    """
    quick, orders, shortfall = run_orders(
        table, target_DN, frictions=frictions, initial_cash=initial_cash
    )
    used_N = np.flatnonzero(orders.change_DN.any(axis=0))
    if used_N.size == 0:
        used_N = np.array([0])  # nothing is ever held; vectorbt wants one column all the same
    loan = _Loan.of(quick.dividend_D, initial_cash) if table.dividend_DN.size > 1 else None
    portfolio = _from_orders(table, orders, frictions, used_N, initial_cash, loan)
    records = portfolio.orders.records
    records = records[records["col"] < used_N.size]
    D, N = target_DN.shape
    row_O = records["idx"].to_numpy()
    column_O = used_N[records["col"].to_numpy()]
    size_O = records["size"].to_numpy()
    before_slippage_O = size_O * table.fill_DN[row_O, column_O]
    slippage_O = np.abs(size_O * records["price"].to_numpy() - before_slippage_O)
    shares_DN = np.zeros((D, N))
    held_DK = portfolio.assets().to_numpy()
    shares_DN[:, used_N] = held_DK[:, : used_N.size]
    cash_D = np.asarray(portfolio.cash(), dtype=np.float64).ravel()
    dividend_D = np.zeros(D)
    if loan is not None:
        dividend_D[1:] = (shares_DN[:-1] * table.dividend_DN[1:]).sum(axis=1)
        cash_D = cash_D + held_DK[:, -1] + np.cumsum(dividend_D)
    ledger = settle(
        table,
        frictions,
        shares_DN=shares_DN,
        cash_D=cash_D,
        commission_D=_per_session(row_O, records["fees"].to_numpy(), D),
        slippage_D=_per_session(row_O, slippage_O, D),
        traded_D=_per_session(row_O, before_slippage_O, D),
        dividend_D=dividend_D,
    )
    return Simulation(ledger=ledger, orders=orders, shortfall=shortfall, gap=_gap(ledger, quick))


def _gap(ledger: Ledger, quick: Ledger) -> float:
    """Largest relative difference of the daily equities; DataError beyond `_TOLERANCE`."""
    gap_D = np.abs(ledger.equity_D / quick.equity_D - 1.0)
    if not gap_D.max() <= _TOLERANCE:
        d = int(np.argmax(gap_D > _TOLERANCE))
        raise DataError(
            f"vectorbt and the second simulation disagree from {ledger.dates_D[d]} on "
            f"({ledger.equity_D[d]:.6f} against {quick.equity_D[d]:.6f})",
            hint="one of the two is wrong: please report it with the run's config.toml",
        )
    return float(gap_D.max())


def _per_session(row_O: Any, value_O: Any, D: int) -> Series:
    sums_D: Series = np.bincount(row_O, weights=value_O, minlength=D).astype(np.float64)
    return sums_D


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loan:
    """A column beside the stocks through which vectorbt, which knows no dividends, gets and pays them.

    Before the first order it sells ``size`` shares of the loan short at 1: so much cash more, so much debt.
    The price of the loan then falls by every dividend that the book is owed and rises by every one that it
    owes, so that what vectorbt believes to be worth, and sizes its orders by, has the dividends in it on
    their day; no order is needed for them. Its cash is the book's plus what is still owed, ``size`` less
    all dividends so far. So vectorbt would not see that cash has run out: on such sessions buys are capped
    at what the fast path could pay.
    """

    size: float
    price_D: Series

    @classmethod
    def of(cls, dividend_D: Series, initial_cash: float) -> "_Loan":
        paid_D = np.cumsum(dividend_D)
        size = initial_cash + 2.0 * float(np.abs(paid_D).max())
        return cls(size=size, price_D=1.0 - paid_D / size)


def _from_orders(
    table: PriceTable,
    orders: Orders,
    frictions: Frictions,
    used_N: Any,
    initial_cash: float,
    loan: _Loan | None,
) -> Any:
    index = pd.DatetimeIndex(table.dates_D.astype("datetime64[ns]"))
    everything = used_N.size == table.mark_DN.shape[1]

    def used(values_DN: Matrix, of_loan: float | Series = 0.0) -> Matrix:
        taken_DK = values_DN if everything else values_DN[:, used_N]
        if loan is None:
            return taken_DK
        return np.column_stack([taken_DK, np.broadcast_to(of_loan, len(taken_DK))])

    fill_DN = np.where(np.isfinite(table.fill_DN), table.fill_DN, table.mark_DN)
    sold_D = np.full(len(index), np.nan)  # of the loan, on the first session
    price_D: Any = 1.0
    if loan is not None:
        sold_D[0], price_D = -loan.size, loan.price_D
    share_D = sold_D / initial_cash
    sizes: dict[str, object] = {
        "size": used(orders.target_DN, share_D),
        "size_type": "targetpercent",
    }
    if frictions.has_lots:
        change_DN = np.where(orders.change_DN != 0, orders.change_DN, np.nan)
        sizes = {"size": used(change_DN, sold_D), "size_type": "amount"}
    elif np.isfinite(frictions.max_share) or loan is not None:
        cap_DN = _caps(table, orders, frictions, fill_DN, lent=loan is not None)
        sizes["max_size"] = used(cap_DN, np.inf)
    # Sales first, so that their cash can pay for the buys: what call_seq="auto" does, at a third of its time.
    sales_first_DN = np.argsort(used(orders.change_DN) > 0, axis=1, kind="stable")
    return vbt.Portfolio.from_orders(
        pd.DataFrame(used(table.mark_DN, price_D), index=index),
        **sizes,
        direction="both",
        price=used(fill_DN, price_D),
        val_price=used(table.value_DN, price_D),
        fees=used(orders.commission_DN),
        slippage=used(orders.slippage_DN),
        init_cash=initial_cash,
        cash_sharing=True,
        group_by=True,
        call_seq=sales_first_DN,
        freq="1D",
        engine="rust",
    )


def _caps(
    table: PriceTable, orders: Orders, frictions: Frictions, fill_DN: Matrix, *, lent: bool
) -> Matrix:
    """Most shares of an order: its share of the turnover, and with a loan what the cash could pay."""
    cap_DN = np.full(fill_DN.shape, np.inf)
    if np.isfinite(frictions.max_share):
        most_DN = frictions.max_share * frictions.adv_DN / fill_DN
        cap_DN = np.where(table.exit_DN, np.inf, most_DN)
    if lent:
        short_DN = (orders.unpaid_D[:, None] > 0) & (orders.change_DN > 0)
        cap_DN = np.where(short_DN, orders.change_DN, cap_DN)
    return np.asarray(np.maximum(cap_DN, np.finfo(float).tiny))
