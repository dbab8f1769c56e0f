"""One pass over each stock's bars, in order of time: what is dropped, mended or rescaled.

Every decision about a row uses that row and earlier ones only, so that whatever comes later changes no
cleaned row. Two consequences differ from the usual practice:

- A suspected split rescales what comes *after* it (prices and shares are kept on the scale of the
  stock's first bar), never the history before it.
- A move beyond ``max_move`` cannot be told from a bad print on the day it happens. The row is held out;
  the next row decides whether the new level is real. So a real jump costs the stock one session.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.data.memory import State
from engine.data.splits import ENOUGH, LEAST, crowded, crowding, judge
from engine.records.quality import (
    ACTION,
    BREAK,
    DIVIDEND,
    DOUBTED,
    FROZEN,
    HIGH_BELOW_LOW,
    NO_DIVIDEND,
    PROCEEDS,
    RANGE,
    VENDOR_SPLIT,
    ZERO_OPEN,
)

RULES = 7
"""Raised when a cleaning rule changes, those of `engine.data.splits` included: numba's cache of `walk` sees a
change of this file only.
"""
KEEP, BAD_CLOSE, ABSURD, BAD_PRINT, JUMP, _SPLIT_EXCLUDED, UNIT, OUT = 0, 1, 2, 3, 4, 5, 6, 7
"""What happened to a row. JUMP: held out as a possible bad print, then confirmed by the next row. UNIT:
price in other units; the next row does not confirm it, the stock waits for its old units."""
UNITS = np.array([100.0, 1000.0, 1 / 100, 1 / 1000])
"""Factors of a change of units: cents for dollars, sen for yen, lots for shares, thousands."""
NEAR_UNIT = 0.2
"""Log distance from such a factor that the stock's own move of the day may make."""
PATIENCE = 20
"""Sessions that a stock waits for its old units; then what comes after is rescaled by the exact factor."""
_VALUE_MOVES = 10.0
"""The traded value of a stock changes by so much from day to day without news."""
_FAR_OFF = float(np.log(1000.0)) + NEAR_UNIT
"""Log distance from the last believed close from which a price is absurd; after `PATIENCE` rows a break."""
_WORTHLESS = 1e-6
"""Part of the last price that stands for nothing, where a share was paid nothing in the end."""
_ABSURD_FACTOR = 0.4
"""Log jump that a factor must leave to be doubted: half as much again."""
_DECAY = 0.94
"""Decay of the exponential variance, a day (RiskMetrics 1996)."""


class Bars(NamedTuple):
    """Rows sorted by (stock, date), and what the source says happened to the shares before them."""

    stock_M: NDArray[np.int64]
    day_M: NDArray[np.int64]
    """Days since 1970."""
    prices_M4: NDArray[np.float64]
    """Open, high, low, close (0 or NaN = missing)."""
    turnover_M: NDArray[np.float64]
    adjustment_M: NDArray[np.float64]
    """What earlier prices are multiplied by (0.5 at a 2:1 split); 1 = none."""
    dividend_M: NDArray[np.float64]
    """Cash a share on the ex-date; 0 = none."""
    worth_M: NDArray[np.float64]
    """Worth, a share, of what a spin-off handed out; 0 = none."""
    told_M: NDArray[np.int32]
    """Flags of what is known of the row: VENDOR_SPLIT, ACTION, PROCEEDS."""
    out_M: NDArray[np.bool_]
    """Rows that are dropped whatever they say; what happened to the shares still counts. So is what was paid
    for a share without a believed bar: nobody can have held it."""


class CleaningRules(NamedTuple):
    """The settings of `walk`."""

    max_move: float
    """Largest believed change of a price in a session, as a fraction."""
    frozen: int
    """Sessions with one close after which a stock is flagged."""
    policy: int
    """0 keep, 1 adjust, 2 exclude."""
    reinvest: bool


class Cleaned(NamedTuple):
    """One entry a row."""

    fate_M: NDArray[np.int8]
    flag_M: NDArray[np.int32]
    prices_M4: NDArray[np.float64]
    """Mended quoted prices."""
    factor_M: NDArray[np.float64]
    """Brings quoted prices to the shares of the first bar."""
    reinvested_M: NDArray[np.float64]
    """Times this they are total returns."""
    dividend_M: NDArray[np.float64]
    """Cash a share, of rows that were dropped before too."""
    late: int
    """Rows held out by an earlier call that were confirmed by this one."""


@njit(cache=True)
def walk(bars: Bars, state: State, rules: CleaningRules) -> Cleaned:
    """Clean M rows, one stock after the other, and bring the memory (N stocks) up to date."""
    M = bars.stock_M.size
    fate_M = np.zeros(M, dtype=np.int8)
    flag_M = np.zeros(M, dtype=np.int32)
    out_M4 = bars.prices_M4
    factor_M, reinvested_M, dividend_M = np.ones(M), np.ones(M), np.zeros(M)
    late, held_row = 0, -1
    for m in range(M):
        n = bars.stock_M[m]
        if m == 0 or bars.stock_M[m - 1] != n:
            held_row = -1
        close = bars.prices_M4[m, 3]
        flag_M[m] |= _act(bars, m, state, rules.reinvest)
        if bars.told_M[m] & PROCEEDS and state.last[n] > 0.0 and not state.excluded[n]:
            close = max(close, _WORTHLESS * state.last[n])
            out_M4[m, 1:] = close
            out_M4[m, 0] = np.nan
            state.last[n], state.day[n], state.ended[n] = close, bars.day_M[m], True
            state.held[n], state.unit[n], state.run[n] = 0.0, 0, 0
            factor_M[m], reinvested_M[m] = state.factor[n], state.reinvested[n]
            dividend_M[m], state.owed[n] = state.owed[n], 0.0
            flag_M[m] |= state.told[n]
            state.told[n] = 0
            state.seen[n] += 1
            continue
        if bars.out_M[m] or bars.told_M[m] & PROCEEDS:
            fate_M[m] = OUT
            continue
        if not (close > 0.0 and np.isfinite(close)):
            fate_M[m] = BAD_CLOSE
            continue
        if state.excluded[n]:
            fate_M[m] = _SPLIT_EXCLUDED
            continue
        flag_M[m] |= _mend(out_M4[m])
        last, believed, turnover = state.last[n], True, bars.turnover_M[m]
        if not _quiet(state, n, out_M4[m], rules.max_move):
            held = state.held[n]
            window = state.turnover[n, : min(state.seen[n], state.turnover.shape[1])]
            still = state.unit[n] > 0 and held > 0.0 and abs(close / held - 1.0) <= rules.max_move
            absurd = window.size >= ENOUGH and last > 0.0 and abs(np.log(close / last)) > _FAR_OFF
            other = last > 0.0 and _other_units(last, close, turnover, window)
            if not state.ended[n] and (still or absurd or other):
                state.unit[n] = state.unit[n] + 1 if still else 1
                state.held[n], held_row = close, -1
                if state.unit[n] <= PATIENCE:
                    fate_M[m] = ABSURD if absurd else UNIT
                    continue
                flag_M[m] |= BREAK if absurd else 0
                last *= _rescale(state, n, close / last, absurd)
            if state.unit[n] > 0:
                state.unit[n], state.held[n] = 0, 0.0
            if last > 0.0:
                held = state.held[n]
                confirms = held > 0.0 and abs(close / held - 1.0) <= rules.max_move
                value = crowding(turnover, window)
                gap = int(bars.day_M[m] - state.day[n])
                beyond = abs(close / last - 1.0) > rules.max_move
                kind, by = judge(state, n, last, out_M4[m], value, gap, confirms, beyond)
                if state.ended[n]:
                    kind, by, state.ended[n] = BREAK, last / close, False
                news = state.base[n] <= 0.0 and crowded(value, np.log(close / last))
                if kind == 0 and beyond and not (confirms or news):
                    fate_M[m] = BAD_PRINT
                    state.held[n], held_row = close, m
                    continue
                if confirms and (kind > 0 or beyond):
                    if held_row >= 0:
                        fate_M[held_row] = JUMP
                    else:
                        late += 1
                    believed = False
                state.held[n], state.base[n], held_row = 0.0, 0.0, -1
                if kind > 0:
                    flag_M[m] |= kind
                    if rules.policy == 2:
                        state.excluded[n] = True
                        fate_M[m] = _SPLIT_EXCLUDED
                        continue
                    if rules.policy == 1:
                        state.factor[n] *= by
                    last /= by
        if last > 0.0 and believed:
            move = np.log(close / last)
            state.variance[n] = _DECAY * state.variance[n] + (1.0 - _DECAY) * move * move
        state.run[n] = state.run[n] + 1 if close == state.last[n] else 1
        if state.run[n] == rules.frozen:
            flag_M[m] |= FROZEN
        state.last[n], state.day[n] = close, bars.day_M[m]
        factor_M[m], reinvested_M[m] = state.factor[n], state.reinvested[n]
        dividend_M[m], state.owed[n] = state.owed[n], 0.0
        flag_M[m] |= state.told[n]
        state.told[n] = 0
        state.turnover[n, state.seen[n] % state.turnover.shape[1]] = turnover
        state.seen[n] += 1
    return Cleaned(fate_M, flag_M, out_M4, factor_M, reinvested_M, dividend_M, late)


@njit(cache=True)
def _quiet(state: State, n: int, prices_4: NDArray[np.float64], max_move: float) -> bool:
    """Whether nothing waits for the row and its price changed too little to be asked about: nearly all."""
    last, open_, close = state.last[n], prices_4[0], prices_4[3]
    first = close if np.isnan(open_) else open_
    limit = min(1.0 + max_move, np.exp(LEAST))
    waits = state.held[n] != 0.0 or state.unit[n] != 0 or state.ended[n]
    return bool(
        not waits
        and last > 0.0
        and last < first * limit
        and first < last * limit
        and last < close * limit
        and close < last * limit
    )


@njit(cache=True)
def _act(bars: Bars, m: int, state: State, reinvest: bool) -> int:
    """Bring the stock's memory to the shares of row ``m``: splits first, then what a new share was handed.

    Returns the flags of what was not believed.
    """
    n, by, worth, dividend = (
        bars.stock_M[m],
        bars.adjustment_M[m],
        bars.worth_M[m],
        bars.dividend_M[m],
    )
    told, last, flag = bars.told_M[m], state.last[n], 0
    if by != 1.0 and not told & ACTION and _disagrees(last, bars.prices_M4[m, 3], by):
        by, flag = 1.0, DOUBTED
        told &= ~VENDOR_SPLIT
    if last <= 0.0:  # both scales stand on the first bar: what was before it moves neither
        return 0
    state.owed[n] *= by
    if 0.0 < worth < last * by:
        by *= 1.0 - worth / (last * by)
    elif worth > 0.0:
        flag |= NO_DIVIDEND
    state.told[n] |= told
    if by != 1.0:
        state.factor[n] /= by
        state.last[n] *= by
        state.held[n] *= by
        state.base[n] *= by
    last = state.last[n]
    if 0.0 < dividend < last:
        state.told[n] |= DIVIDEND
        state.owed[n] += dividend
        if reinvest:
            state.reinvested[n] *= last / (last - dividend)
        state.last[n] = last - dividend
        state.held[n] = max(0.0, state.held[n] - dividend)
        state.base[n] = max(0.0, state.base[n] - dividend)
    elif dividend != 0.0:
        flag |= NO_DIVIDEND
    return flag


@njit(cache=True)
def _disagrees(last: float, close: float, by: float) -> bool:
    """Whether a factor makes the quoted jump larger, and leaves one that no day explains."""
    if not (last > 0.0 and close > 0.0 and np.isfinite(close)):
        return False
    after = abs(np.log(close / (last * by)))
    return bool(after > _ABSURD_FACTOR and after > abs(np.log(close / last)))


@njit(cache=True)
def _rescale(state: State, n: int, move: float, absurd: bool) -> float:
    """The exact factor of the units that the stock has changed to for good; of an absurd level, all of it."""
    unit = move if absurd else UNITS[np.argmin(np.abs(np.log(move / UNITS)))]
    state.factor[n] /= unit
    return float(unit)


@njit(cache=True)
def _other_units(last: float, close: float, turnover: float, recent: NDArray[np.float64]) -> bool:
    """Whether the price changed by about 100 or 1000 with the traded value unchanged or scaled alike."""
    move = np.log(close / last)
    for unit in np.log(UNITS):
        if abs(move - unit) <= NEAR_UNIT:
            if recent.size < 5:
                return True
            usual = np.median(recent)
            if not (turnover > 0.0 and usual > 0.0):
                return False
            value, noise = np.log(turnover / usual), np.log(_VALUE_MOVES)
            return bool(abs(value) <= noise or abs(value - unit) <= noise)
    return False


@njit(cache=True)
def _mend(prices_4: NDArray[np.float64]) -> int:
    """Make one bar consistent in place; returns the flags of what was wrong."""
    flag = 0
    open_, high, low, close = prices_4
    if not (open_ > 0.0 and np.isfinite(open_)):
        flag |= ZERO_OPEN
        open_ = np.nan
    top = close if np.isnan(open_) else max(open_, close)
    bottom = close if np.isnan(open_) else min(open_, close)
    if high < low:
        flag |= HIGH_BELOW_LOW
        high, low = top, bottom
    if not (high >= top and np.isfinite(high)):
        flag |= RANGE
        high = top
    if not (low <= bottom and low > 0.0):
        flag |= RANGE
        low = bottom
    prices_4[0], prices_4[1], prices_4[2] = open_, high, low
    return flag
