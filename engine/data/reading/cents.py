"""Whether prices hold the dividends beside them already, told by the cents in which they are quoted.

A vendor that adjusts for dividends multiplies all prices before an ex-date, and they fall off the grid of
cents; from the last ex-date on they are as quoted.
"""

import numpy as np
from numpy.typing import NDArray

from engine.data.reading.vintages import Order

_Floats = NDArray[np.float64]
_ROWS = 60
"""Rows before a stock's last dividend that are looked at: a quarter, to the dividend before it."""
_FEW = 3
ON, OFF = 0.9, 0.3
"""Shares of rows on the grid that tell quoted from adjusted prices; by chance 2 to 6 % are on it."""
NEAR, NOISE = 0.01, 1e-5
"""Distance from a cent, in cents, that is none; the second a unit of price, for 32-bit floats."""


def hold_dividends(close: _Floats, dividend: _Floats, order: Order) -> bool:
    """Closes, as quoted but for dividends, and cash on ex-dates, in the order; NaN counts as neither."""
    at = np.arange(close.size)
    last = np.full(close.size, -1)
    paid = np.flatnonzero(dividend > 0)
    last[order.start[paid]] = paid  # The latest of a stock comes last and stays.
    event = last[order.start]
    there = (event >= 0) & (close > 0)
    after, before = there & (at >= event), there & (at < event) & (at >= event - _ROWS)
    cents = 100 * close
    grid = np.abs(cents - np.round(cents)) < NEAR + NOISE * close
    if before.sum() < _FEW or not after.any():
        return False
    return bool(grid[after].mean() >= ON and grid[before].mean() <= OFF)
