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

KEEP, BAD_CLOSE, ABSURD, BAD_PRINT, JUMP, SPLIT_EXCLUDED = 0, 1, 2, 3, 4, 5
"""What happened to a row. JUMP: held out as a possible bad print, then confirmed by the next row."""
ZERO_OPEN, HIGH_BELOW_LOW, RANGE, SPLIT, FROZEN = 1, 2, 4, 8, 16
"""Bit flags of a kept row."""
RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 10.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10])
"""Old price over new price of the splits that are looked for. 3:2 is left out: too near a real move."""
MEMORY = 20
CROWD = 4.0
"""A split leaves the traded value as it was; beyond this multiple of its 20-session median it is news."""
CALM = 0.15
"""On a split day, open, high and low lie within this fraction of the close: the move came overnight."""


@njit(cache=True)
def walk(
    first_M: NDArray[np.bool_],
    prices_M4: NDArray[np.float64],
    turnover_M: NDArray[np.float64],
    max_price: float,
    max_move: float,
    tolerance: float,
    frozen: int,
    policy: int,
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float64], NDArray[np.float64]]:
    """Clean rows sorted by (symbol, date); ``first_M`` marks the first row of each symbol.

    ``prices_M4``: open, high, low, close (0 or NaN = missing). ``policy``: 0 keep, 1 adjust, 2 exclude.
    Returns fate, flags, mended quoted prices, and the factor that brings quoted prices to the scale of
    the first bar.
    """
    M = prices_M4.shape[0]
    fate_M = np.zeros(M, dtype=np.int8)
    flag_M = np.zeros(M, dtype=np.int8)
    out_M4 = prices_M4.copy()
    factor_M = np.ones(M)
    recent = np.zeros(MEMORY)
    n_recent, last, factor, run = 0, 0.0, 1.0, 0
    held, held_row, excluded = 0.0, -1, False
    for m in range(M):
        if first_M[m]:
            n_recent, last, factor, run, held, held_row, excluded = 0, 0.0, 1.0, 0, 0.0, -1, False
        close = prices_M4[m, 3]
        if not (close > 0.0 and np.isfinite(close)):
            fate_M[m] = BAD_CLOSE
            continue
        if close > max_price:
            fate_M[m] = ABSURD
            continue
        if excluded:
            fate_M[m] = SPLIT_EXCLUDED
            continue
        flag_M[m] |= _mend(out_M4[m])
        if last > 0.0:
            confirms = held_row >= 0 and abs(close / held - 1.0) <= max_move
            ratio = 0.0
            if not confirms:
                ratio = _split_ratio(
                    last, out_M4[m], turnover_M[m], recent[: min(n_recent, MEMORY)], tolerance
                )
            if ratio > 0.0:
                flag_M[m] |= SPLIT
                held_row = -1
                if policy == 2:
                    excluded = True
                    fate_M[m] = SPLIT_EXCLUDED
                    continue
                if policy == 1:
                    factor *= ratio
            elif abs(close / last - 1.0) > max_move:
                if confirms:
                    fate_M[held_row] = JUMP
                    held_row = -1
                else:
                    fate_M[m] = BAD_PRINT
                    held, held_row = close, m
                    continue
            else:
                held_row = -1
        run = run + 1 if close == last else 1
        if run == frozen:
            flag_M[m] |= FROZEN
        last = close
        factor_M[m] = factor
        recent[n_recent % MEMORY] = turnover_M[m]
        n_recent += 1
    return fate_M, flag_M, out_M4, factor_M


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
    tolerance: float,
) -> float:
    """Old price over new price of a suspected split, 0 if it does not look like one.

    Evidence, all of the day itself: open or close is within ``tolerance`` of an exact ratio, the whole
    bar is near it (the move came overnight), and the traded value is not that of a day with news.
    """
    open_, high, low, close = prices_4
    first = close if np.isnan(open_) else open_
    best = 0.0
    for ratio in RATIOS:
        near = min(abs(last / close / ratio - 1.0), abs(last / first / ratio - 1.0))
        if near <= tolerance and abs(last / close / ratio - 1.0) <= CALM:
            best = ratio
    if best == 0.0:
        return 0.0
    calm = high <= close * (1.0 + CALM) and low >= close * (1.0 - CALM)
    if recent.size >= 5:
        usual = np.median(recent)
        calm = calm and turnover <= CROWD * usual
    return best if calm else 0.0
