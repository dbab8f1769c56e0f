"""The fast path: the whole simulation as one compiled pass over the sessions.

It gives vectorbt's equity to 1e-9 in a fraction of its time; baselines and sweeps run on it.
"""

# Shape suffixes: D sessions, N stocks, C columns of the daily account.
from enum import IntEnum

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.backtest.frictions import DUST, Frictions, Ledger, Orders, Series
from engine.backtest.prices import PriceTable
from engine.portfolio.market_data import Matrix
from engine.records.book import OrderShortfall

_CASH_SLACK = 1e-9
"""Share by which an order may be above the cash and still count as paid: rounding."""
_LOT_SLACK = 1e-9
"""Share of a lot that rounding may be off before a lot is lost."""


class _AccountColumn(IntEnum):
    """Columns of the daily account that the compiled pass fills."""

    EQUITY = 0
    COMMISSION = 1
    SLIPPAGE = 2
    TRADED = 3
    DELISTING = 4
    LONG = 5
    SHORT = 6
    BORROW = 7
    NAMES = 8
    WANTED = 9
    AT_LIMIT = 10
    BEYOND_ADV = 11
    IN_LOTS = 12
    WITHOUT_CASH = 13
    STOPPED = 14
    DIVIDEND = 15


def run_fast(
    table: PriceTable, target_DN: Matrix, *, frictions: Frictions, initial_cash: float
) -> Ledger:
    """The ledger of targets ``[D, N]`` (fractions of equity, NaN = no order) alone; see `run_orders`."""
    account_DC, _ = _run(table, target_DN, frictions, initial_cash, record=False)
    return _ledger(table, account_DC)


def run_orders(
    table: PriceTable, target_DN: Matrix, *, frictions: Frictions, initial_cash: float
) -> tuple[Ledger, Orders, OrderShortfall]:
    """Bring each stock to its target ``[D, N]``, a fraction of the equity before the orders of the session.

    First the dividends of the session: what was held overnight receives them, what was short pays them.
    An order of value v pays slippage s(v) v with s = half-spread + impact x v / ADV (at most the cap, at
    least half a tick) and the commission of its size on v including slippage. Orders are cut to the
    liquidity cap, then rounded toward zero to lots; a target of 0 also sells the odd lot. Sales come first,
    then buys in the order of the columns, each at most for the cash that is left: nothing is bought on
    margin.
    """
    account_DC, orders = _run(table, target_DN, frictions, initial_cash, record=True)
    total_C = account_DC.sum(axis=0)
    shortfall = OrderShortfall(
        wanted=float(total_C[_AccountColumn.WANTED]),
        at_limit=float(total_C[_AccountColumn.AT_LIMIT]),
        beyond_adv=float(total_C[_AccountColumn.BEYOND_ADV]),
        in_lots=float(total_C[_AccountColumn.IN_LOTS]),
        without_cash=float(total_C[_AccountColumn.WITHOUT_CASH]),
        stopped_sessions=int(total_C[_AccountColumn.STOPPED]),
    )
    return _ledger(table, account_DC), orders, shortfall


def _ledger(table: PriceTable, account_DC: Matrix) -> Ledger:
    def column(which: _AccountColumn) -> Series:
        return np.ascontiguousarray(account_DC[:, which])

    return Ledger(
        dates_D=table.dates_D,
        equity_D=column(_AccountColumn.EQUITY),
        commission_D=column(_AccountColumn.COMMISSION),
        slippage_D=column(_AccountColumn.SLIPPAGE),
        traded_D=column(_AccountColumn.TRADED),
        delisting_D=column(_AccountColumn.DELISTING),
        long_D=column(_AccountColumn.LONG),
        short_D=column(_AccountColumn.SHORT),
        borrow_D=column(_AccountColumn.BORROW),
        dividend_D=column(_AccountColumn.DIVIDEND),
        names_D=column(_AccountColumn.NAMES).astype(np.int64),
    )


def _run(
    table: PriceTable, target_DN: Matrix, frictions: Frictions, initial_cash: float, *, record: bool
) -> tuple[Matrix, Orders]:
    D, N = target_DN.shape
    shape = (D, N) if record else (1, 1)
    account_DC = np.zeros((D, len(_AccountColumn)))
    orders = Orders(
        target_DN=np.full(shape, np.nan),
        change_DN=np.zeros(shape),
        slippage_DN=np.zeros(shape),
        commission_DN=np.zeros(shape),
        shares_DN=np.zeros(shape),
        unpaid_D=account_DC[:, _AccountColumn.WITHOUT_CASH],
    )
    _simulate(
        table.fill_DN,
        table.value_DN,
        table.mark_DN,
        table.exit_DN,
        table.dividend_DN,
        target_DN,
        frictions.adv_DN,
        frictions.max_share,
        frictions.lot_DN,
        frictions.half_tick_DN,
        frictions.no_buy_DN,
        frictions.no_sell_DN,
        frictions.borrow_N,
        frictions.commission_limit_M,
        frictions.commission_rate_M,
        frictions.half_spread,
        frictions.impact,
        frictions.max_slippage,
        frictions.drawdown_stop,
        frictions.drawdown_pause,
        initial_cash,
        record,
        account_DC,
        orders.target_DN,
        orders.change_DN,
        orders.slippage_DN,
        orders.commission_DN,
        orders.shares_DN,
    )
    return account_DC, orders


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "arcp"})
def _simulate(
    fill_DN: Matrix,
    value_DN: Matrix,
    mark_DN: Matrix,
    exit_DN: NDArray[np.bool_],
    dividend_DN: Matrix,
    target_DN: Matrix,
    adv_DN: Matrix,
    max_share: float,
    lot_DN: Matrix,
    half_tick_DN: Matrix,
    no_buy_DN: NDArray[np.bool_],
    no_sell_DN: NDArray[np.bool_],
    borrow_N: Series,
    commission_limit_M: Series,
    commission_rate_M: Series,
    half_spread: float,
    impact: float,
    max_slippage: float,
    drawdown_stop: float,
    drawdown_pause: int,
    initial_cash: float,
    record: bool,
    account_DC: Matrix,
    effective_DN: Matrix,
    change_DN: Matrix,
    slippage_DN: Matrix,
    commission_DN: Matrix,
    held_DN: Matrix,
) -> None:
    D, N = target_DN.shape
    has_adv, has_lot = adv_DN.size > 1, lot_DN.size > 1
    has_max = has_adv and np.isfinite(max_share)
    has_tick, has_limit = half_tick_DN.size > 1, no_buy_DN.size > 1
    has_dividend = dividend_DN.size > 1
    has_borrow, tiered = borrow_N.size > 1, commission_rate_M.size > 1
    shares_N = np.zeros(N)
    buy_N = np.zeros(N + 1, dtype=np.int64)
    size_N, before_N = np.zeros(N + 1), np.zeros(N + 1)
    cash, high, pause = initial_cash, initial_cash, 0
    account_DC[0, _AccountColumn.EQUITY] = initial_cash
    for d in range(1, D):
        if has_dividend:
            dividends = 0.0
            for n in range(N):
                dividends += shares_N[n] * dividend_DN[d, n]
            cash += dividends
            account_DC[d, _AccountColumn.DIVIDEND] = dividends
        worth = cash
        for n in range(N):
            worth += shares_N[n] * value_DN[d, n]
        commission_sum = slippage_sum = traded_sum = delisting_sum = 0.0
        wanted_sum = limit_sum = adv_sum = lot_sum = cash_sum = 0.0
        bill = income = 0.0
        n_buys = 0
        for n in range(N):
            target, held, forced = target_DN[d, n], shares_N[n], exit_DN[d, n]
            if pause > 0 and not forced:
                possible = held != 0.0 and not np.isnan(fill_DN[d, n])
                target = 0.0 if possible else np.nan
            if np.isnan(target) or (target == 0.0 and held == 0.0):
                continue
            price = value_DN[d, n]  # the fill price, wherever a fill is possible
            change = target * worth / price - held
            if forced:
                delisting_sum += held * (price - mark_DN[d - 1, n])
            else:
                wanted = abs(change) * price
                wanted_sum += wanted
                if has_limit and (no_buy_DN[d, n] if change > 0.0 else no_sell_DN[d, n]):
                    limit_sum += wanted
                    continue
                cut = has_max and wanted > max_share * adv_DN[d, n]
                if cut:
                    cap = max_share * adv_DN[d, n]
                    adv_sum += wanted - cap
                    change = np.sign(change) * cap / price
                if has_lot and (cut or target != 0.0):
                    lot = lot_DN[d, n]
                    whole = np.sign(change) * np.floor(abs(change) / lot + _LOT_SLACK) * lot
                    lot_sum += abs(change - whole) * price
                    change = whole
            if change == 0.0:
                continue
            value = abs(change) * price
            slip = half_spread
            if has_adv:
                slip = min(max_slippage, half_spread + impact * value / adv_DN[d, n])
            if has_tick:
                slip = max(slip, half_tick_DN[d, n])
            rate = commission_rate_M[0]
            if tiered:
                rate = _rate_of(value, commission_limit_M, commission_rate_M)
            # No branch on the side of the order: it is as good as random and would be mispredicted.
            buys = 1.0 if change > 0.0 else 0.0
            paid = value * (1.0 + (2.0 * buys - 1.0) * slip)
            fee = rate * paid
            bill += buys * (paid + fee)
            income += (1.0 - buys) * (paid - fee)
            traded_sum += value
            slippage_sum += slip * value
            commission_sum += fee
            buy_N[n_buys], size_N[n_buys], before_N[n_buys] = n, change, held
            n_buys += change > 0.0
            shares_N[n] = held + change
            if record:
                effective_DN[d, n] = target
                change_DN[d, n] = change
                slippage_DN[d, n] = slip
                commission_DN[d, n] = rate
        cash += income
        if bill > cash * (
            1.0 + _CASH_SLACK
        ):  # not all can be paid: one after the other, while it lasts
            for b in range(n_buys):
                n, change = buy_N[b], size_N[b]
                price = value_DN[d, n]
                value = change * price
                slip = half_spread
                if has_adv:
                    slip = min(max_slippage, half_spread + impact * value / adv_DN[d, n])
                if has_tick:
                    slip = max(slip, half_tick_DN[d, n])
                rate = _rate_of(value, commission_limit_M, commission_rate_M)
                each = price * (1.0 + slip) * (1.0 + rate)
                if change * each > max(cash, 0.0) * (1.0 + _CASH_SLACK):
                    change = max(cash, 0.0) / each
                    if has_lot:
                        change = np.floor(change / lot_DN[d, n]) * lot_DN[d, n]
                unpaid = value - change * price
                cash_sum += unpaid
                traded_sum -= unpaid
                slippage_sum -= slip * unpaid
                commission_sum -= rate * unpaid * (1.0 + slip)
                cash -= change * each
                shares_N[n] = before_N[b] + change
                if record:
                    change_DN[d, n] = change
                    if change == 0.0:
                        effective_DN[d, n] = np.nan
        else:
            cash -= bill
        long = short = borrow = 0.0
        names = 0
        for n in range(N):
            position = shares_N[n] * mark_DN[d, n]
            down = max(-position, 0.0)
            long += max(position, 0.0)
            short += down
            borrow += down * borrow_N[n if has_borrow else 0]
            names += abs(shares_N[n]) > DUST
        if record:
            held_DN[d] = shares_N
        equity = cash + long - short
        if pause > 0:
            pause -= 1
            high = equity
            account_DC[d, _AccountColumn.STOPPED] = 1.0
        high = max(high, equity)
        if drawdown_stop > 0.0 and pause == 0 and equity < high * (1.0 - drawdown_stop):
            pause = drawdown_pause
        account_DC[d, _AccountColumn.EQUITY] = equity
        account_DC[d, _AccountColumn.COMMISSION] = commission_sum
        account_DC[d, _AccountColumn.SLIPPAGE] = slippage_sum
        account_DC[d, _AccountColumn.TRADED] = traded_sum
        account_DC[d, _AccountColumn.DELISTING] = delisting_sum
        account_DC[d, _AccountColumn.LONG] = long
        account_DC[d, _AccountColumn.SHORT] = short
        if d + 1 < D:
            account_DC[d + 1, _AccountColumn.BORROW] = borrow
        account_DC[d, _AccountColumn.NAMES] = names
        account_DC[d, _AccountColumn.WANTED] = wanted_sum
        account_DC[d, _AccountColumn.AT_LIMIT] = limit_sum
        account_DC[d, _AccountColumn.BEYOND_ADV] = adv_sum
        account_DC[d, _AccountColumn.IN_LOTS] = lot_sum
        account_DC[d, _AccountColumn.WITHOUT_CASH] = cash_sum


@njit(cache=True, nogil=True)
def _rate_of(value: float, limit_M: Series, rate_M: Series) -> float:
    """Commission rate of an order of this size."""
    tier = 0
    while value > limit_M[tier]:
        tier += 1
    return float(rate_M[tier])
