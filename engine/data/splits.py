"""Whether a jump of the price is a split: any ratio of small whole numbers, told by the day itself."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

RATIOS = np.array([2.0, 3.0, 4.0, 5.0, 10.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 10])
"""Old price over new price of the splits that are looked for. 3:2 is left out: too near a real move."""
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


@njit(cache=True)
def split_ratio(
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
