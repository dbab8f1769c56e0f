"""One pass over each stock's bars, in order of time: what is dropped, mended or rescaled.

Every decision about a row uses that row and earlier ones only, so that whatever comes later changes no
cleaned row. Two consequences differ from the usual practice:

- A suspected split rescales what comes *after* it (prices and shares are kept on the scale of the
  stock's first bar), never the history before it.
- A move beyond ``max_move`` cannot be told from a bad print on the day it happens. The row is held out;
  the next row decides whether the new level is real. So a real jump costs the stock one session.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

KEEP, BAD_CLOSE, ABSURD, BAD_PRINT, JUMP, SPLIT_EXCLUDED, UNIT = 0, 1, 2, 3, 4, 5, 6
"""What happened to a row. JUMP: held out as a possible bad print, then confirmed by the next row. UNIT:
price in other units; the next row does not confirm it, the stock waits for its old units."""
ZERO_OPEN, HIGH_BELOW_LOW, RANGE, SPLIT, FROZEN, VENDOR_SPLIT = 1, 2, 4, 8, 16, 32
"""Bit flags of a kept row."""
RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 10.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10])
"""Old price over new price of the splits that are looked for. 3:2 is left out: too near a real move."""
UNITS = np.array([100.0, 1000.0, 1 / 100, 1 / 1000])
"""Factors of a change of units: cents for dollars, sen for yen, lots for shares, thousands."""
NEAR_UNIT = 0.2
"""Log distance from such a factor that the stock's own move of the day may make."""
PATIENCE = 20
"""Sessions that a stock waits for its old units; then what comes after is rescaled by the exact factor."""
VALUE_MOVES = 10.0
"""The traded value of a stock changes by so much from day to day without news."""
CROWD = 3.0
"""A split leaves the traded value as it was; beyond this multiple of its 20-session median it is news.
Squared for 1:4, cubed for 1:8: a stock may lose 80 % over night, but hardly gains 300 %."""
CALM = 0.15
"""On a split day, open, high and low lie within this fraction of the close: the move came overnight."""
FAR = 5.0
"""A split stands out: its log ratio is at least so many of the stock's daily deviations."""
NEARER, FARTHER = 2.5, 4.0
"""So many daily deviations may the nearer and the farther of open and close be off the exact ratio: the
stock moves on that day too."""
NARROW, WIDE = 0.05, 0.12
"""Ceiling of the nearer one's distance, as a log ratio, for 2:1 and for 10:1: the nearer a ratio is to 1
the more real moves come near it. In between by the log of the ratio."""
DECAY = 0.94
"""Of the exponential variance, a day (RiskMetrics 1996)."""


@njit(cache=True)
def walk(
    stock_M: NDArray[np.int64],
    prices_M4: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
    adjustment_M: NDArray[np.float64],
    last_N: NDArray[np.float64],
    factor_N: NDArray[np.float64],
    run_N: NDArray[np.int64],
    held_N: NDArray[np.float64],
    unit_N: NDArray[np.int64],
    excluded_N: NDArray[np.bool_],
    variance_N: NDArray[np.float64],
    seen_N: NDArray[np.int64],
    recent_NR: NDArray[np.float64],
    max_price: float,
    max_move: float,
    tolerance: float,
    frozen: int,
    policy: int,
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float64], NDArray[np.float64], int]:
    """Clean rows sorted by (stock, date) and bring the memory (``*_N``) up to date.

    ``prices_M4``: open, high, low, close (0 or NaN = missing). ``adjustment_M``: the vendor's factor for
    what came before the row (0.5 at a 2:1 split), 1 = none. ``policy``: 0 keep, 1 adjust, 2 exclude.
    Returns fate, flags, mended quoted prices, the factor that brings quoted prices to the scale of the
    first bar, and how many rows held out by an earlier call were confirmed by this one.
    """
    M = prices_M4.shape[0]
    fate_M = np.zeros(M, dtype=np.int8)
    flag_M = np.zeros(M, dtype=np.int8)
    out_M4 = prices_M4.copy()
    factor_M = np.ones(M)
    late, held_row = 0, -1
    for m in range(M):
        n = stock_M[m]
        if m == 0 or stock_M[m - 1] != n:
            held_row = -1
        if adjustment_M[m] != 1.0:
            factor_N[n] /= adjustment_M[m]
            last_N[n] *= adjustment_M[m]
            held_N[n] *= adjustment_M[m]
            flag_M[m] |= VENDOR_SPLIT
        close = prices_M4[m, 3]
        if not (close > 0.0 and np.isfinite(close)):
            fate_M[m] = BAD_CLOSE
            continue
        if close > max_price:
            fate_M[m] = ABSURD
            continue
        if excluded_N[n]:
            fate_M[m] = SPLIT_EXCLUDED
            continue
        flag_M[m] |= _mend(out_M4[m])
        last, believed = last_N[n], True
        window = recent_NR[n, : min(seen_N[n], recent_NR.shape[1])]
        still = unit_N[n] > 0 and abs(close / held_N[n] - 1.0) <= max_move
        if still or (last > 0.0 and _other_units(last, close, turnover_M[m], window)):
            unit_N[n] = unit_N[n] + 1 if still else 1
            held_N[n], held_row = close, -1
            if unit_N[n] <= PATIENCE:
                fate_M[m] = UNIT
                continue
            unit = UNITS[np.argmin(np.abs(np.log(close / last / UNITS)))]
            factor_N[n] /= unit
            last *= unit
        if unit_N[n] > 0:
            unit_N[n], held_N[n] = 0, 0.0
        if last > 0.0:
            confirms = held_N[n] > 0.0 and abs(close / held_N[n] - 1.0) <= max_move
            ratio = 0.0
            if not confirms:
                usual = np.sqrt(variance_N[n])
                ratio = _split_ratio(last, out_M4[m], turnover_M[m], window, usual, tolerance)
            if ratio > 0.0:
                flag_M[m] |= SPLIT
                held_N[n], held_row = 0.0, -1
                if policy == 2:
                    excluded_N[n] = True
                    fate_M[m] = SPLIT_EXCLUDED
                    continue
                if policy == 1:
                    factor_N[n] *= ratio
                last /= ratio
            elif abs(close / last - 1.0) > max_move:
                if confirms:
                    if held_row >= 0:
                        fate_M[held_row] = JUMP
                    else:
                        late += 1
                    held_N[n], held_row, believed = 0.0, -1, False
                else:
                    fate_M[m] = BAD_PRINT
                    held_N[n], held_row = close, m
                    continue
            else:
                held_N[n], held_row = 0.0, -1
            if believed:
                move = np.log(close / last)
                variance_N[n] = DECAY * variance_N[n] + (1.0 - DECAY) * move * move
        run_N[n] = run_N[n] + 1 if close == last_N[n] else 1
        if run_N[n] == frozen:
            flag_M[m] |= FROZEN
        last_N[n] = close
        factor_M[m] = factor_N[n]
        recent_NR[n, seen_N[n] % recent_NR.shape[1]] = turnover_M[m]
        seen_N[n] += 1
    return fate_M, flag_M, out_M4, factor_M, late


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
            value, noise = np.log(turnover / usual), np.log(VALUE_MOVES)
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


@njit(cache=True)
def _split_ratio(
    last: float,
    prices_4: NDArray[np.float64],
    turnover: float,
    recent: NDArray[np.float64],
    deviation: float,
    tolerance: float,
) -> float:
    """Old price over new price of a suspected split, 0 if it does not look like one.

    Evidence, all of the day itself or before: of open and close the one that is nearer to an exact ratio
    is so within the stock's usual move, the other not much farther off; the whole bar is near it (the
    move came overnight); the ratio is far beyond the stock's own moves; and the traded value is not that
    of a day with news. Of several ratios the nearest.
    """
    open_, high, low, close = prices_4
    first = close if np.isnan(open_) else open_
    best, nearest = 0.0, np.inf
    for ratio in RATIOS:
        size = abs(np.log(ratio))
        if size < FAR * deviation:
            continue
        a, b = abs(np.log(last / close / ratio)), abs(np.log(last / first / ratio))
        place = (size - np.log(2.0)) / np.log(5.0)
        ceiling = NARROW + place * (WIDE - NARROW)
        near = min(a, b)
        close_by = near <= max(tolerance, min(NEARER * deviation, ceiling))
        whole = max(a, b) <= max(2 * tolerance, min(FARTHER * deviation, CALM))
        if close_by and whole and near < nearest:
            best, nearest = ratio, near
    if best == 0.0:
        return 0.0
    calm = high <= close * (1.0 + CALM) and low >= close * (1.0 - CALM)
    if recent.size >= 5:
        crowd = CROWD ** max(1.0, -np.log2(best))
        calm = calm and turnover <= crowd * np.median(recent)
    return best if calm else 0.0
