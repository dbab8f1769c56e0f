"""What a jump of the price over night is: news, a split, or a break that nothing explains.

News is traded: the more deviations a price jumps, the more shares change hands. A split leaves the traded
value as it was, a spin-off the number of shares; both leave the day after the open calm. So a jump whose day
is calm and not crowded for its size is *unexplained*: a split where a ratio of small whole numbers fits, a
break else. The evidence is the day itself and what came before.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.data.memory import State
from engine.records.quality import BREAK, SPLIT


def _ratios() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log of old price over new price of each split, and its weight: the smaller the numbers the commoner.

    n:1 to 100:1, 3:2, 5:2, 7:2, 4:3, 5:3, 5:4, 7:4, 6:5 ..., and their inverses.

    Beyond 10 nearly all are round (most are multiples of 5).
    """
    found = {}
    for m in range(1, 6):
        for n in range(m + 1, (101, 8)[m - 1] if m < 3 else 2 * m):
            if np.gcd(n, m) == 1:
                weight = 1.0 / (n * m) if n <= 10 or n % 5 == 0 else 0.25 / n
                found[n, m] = found[m, n] = weight
    logs = np.array([np.log(n / m) for n, m in found])
    return logs, np.array(list(found.values()))


_RATIO_K, _WEIGHT_K = _ratios()
_NO_RATIO = 0.01
"""Weight of "none of them"; that of 2:1 is 0.5."""
_SURE = 0.5
"""A ratio with more than this share of all weight is taken; else the jump is a break."""
_THIN = 5.0
"""A split is believed at once where at least a fifth of the usual value was traded at the new level."""
ENOUGH = 5
"""Sessions before that tell what value is usual."""
_DOUBLE = 0.69
"""Log of 2, rounded down."""
LEAST = 0.12
"""Log size below which a move is never a split or a break; 8:7 is 0.13."""
_FAR = 5.0
"""A split stands out: it is at least so many of the stock's daily deviations."""
_FARTHER = 12.0
"""So does a break."""
_LARGE = 0.2
"""Log size from which half as many do, on an ordinary day."""
_QUIET = 0.01
"""Deviations are taken as no smaller: funds and bonds may not move for weeks."""
_CROWD = 3.0
"""Multiple of the median traded value of 20 sessions up to which a day is ordinary."""
_SHARES, _PER_DEVIATION = 1.65, 0.85
"""Log multiple of the shares usually traded that a fall of `_FARTHER` deviations by news exceeds, and what is
added for each doubling of the deviations (times ln 2). Between spin-offs and crashes of a year."""
_MOST = 2.14
"""The largest such log multiple for a fall of less than `_DEEP`: 8.5 times the usual shares are news then,
however calm the stock was before. Deeper spin-offs were traded up to 16 times as much."""
_DEEP = 0.6
"""Log size of a fall by 45 %."""
_RISE, _PER_RISE = 0.35, 3.0
"""Log size of the smallest rise that is a break (2:3 is 0.41), and how the value that is still ordinary grows
beyond a doubling: by news a price hardly quadruples, so a day of eight times 3 the usual value is none."""
_CALM = 0.15
"""On a split day, high and low lie within this fraction of the close: the move came over night."""
_STEADY = 0.2
"""The day after the open moves less than this part of the jump, ..."""
_PART = 0.3
"""... and its log range is below this part of it, or below `LEAST`."""
_UNRELATED = float(np.log(3.0))
"""Log size that is no news without evidence of trading: little history, or a long gap."""
_GAP = 30
"""Days without a bar after which a code may have been given to another company."""


@njit(cache=True)
def _ratio_of(last: float, first: float, deviation: float) -> tuple[float, float]:
    """Old price over new price of the likeliest split, and how sure it is (share of all weight).

    ``first``: the first price at the new level; what the stock itself moved is normal with its deviation.
    """
    spread = max(_QUIET, deviation)
    total, best, ratio = _NO_RATIO, 0.0, 1.0
    for k in range(_RATIO_K.size):
        off = (np.log(last / first) - _RATIO_K[k]) / spread
        weight = _WEIGHT_K[k] * np.exp(-0.5 * off * off)
        total += weight
        if weight > best:
            best, ratio = weight, np.exp(_RATIO_K[k])
    return ratio, best / total


@njit(cache=True)
def crowding(turnover: float, recent: NDArray[np.float64]) -> float:
    """Log multiple of the usual traded value; NaN where nobody can tell: new, or nothing is ever traded."""
    if recent.size < ENOUGH:
        return np.nan
    usual = np.median(recent)
    if usual <= 0.0:
        return np.inf if turnover > 0.0 else np.nan
    return float(np.log(max(turnover, 1e-9 * usual) / usual))


@njit(cache=True)
def _ordinary(value: float, jump: float) -> bool:
    """Whether a day on which the price changed by ``jump`` (log) was no busier than without news."""
    return not value > np.log(_CROWD) + _PER_RISE * max(0.0, jump - np.log(2.0))


@njit(cache=True)
def crowded(value: float, move: float) -> bool:
    """Whether both the value and the shares traded are those of a day with news. A misprinted price alone
    multiplies the one, never both.
    """
    return bool(min(value, value - move) > np.log(_CROWD))


@njit(cache=True)
def _unexplained(
    last: float, prices_4: NDArray[np.float64], value: float, deviation: float, gap: int
) -> bool:
    """Whether no trading accounts for the jump from the close ``last`` to a bar.

    ``prices_4``: its open, high, low and close in quote currency. ``value``: see `crowding`.
    ``deviation``: of the stock's daily log returns. ``gap``: days since its last bar.
    """
    open_, high, low, close = prices_4
    first = close if np.isnan(open_) else open_
    jump = np.log(first / last)
    size = abs(jump)
    if np.isnan(value) or gap >= _GAP:
        return bool(min(size, abs(np.log(close / last))) > _UNRELATED and not value > np.log(10.0))
    far = size / max(_QUIET, deviation)
    later, spread = abs(np.log(close / first)), np.log(high / low)
    if size < LEAST or far < _FAR:
        return False
    if jump > 0.0:
        return bool(size >= _RISE and later < 0.5 * size and _ordinary(value, jump))
    calm = later < _STEADY * size and spread < max(LEAST, _PART * size)
    if not calm:
        return False
    if size >= _LARGE and far >= 0.5 * _FARTHER and _ordinary(value, jump):
        return True
    news = _SHARES + _PER_DEVIATION * np.log(far / _FARTHER)
    if size < _DEEP:
        news = min(news, _MOST)
    return bool(far >= _FARTHER and value + size < news)


@njit(cache=True)
def _is_split(
    last: float, prices_4: NDArray[np.float64], value: float, deviation: float, ratio: float
) -> bool:
    """Whether a ratio of 2:1 and more stands by itself: far beyond the stock's own moves, on an ordinary day.

    With the whole day so close to a ratio less is asked of the day than of a break; nearer to 1 real moves
    come too near. Of open and close one is very near, the other nearly so.
    The unit of prices is as in `_unexplained`.
    """
    open_, high, low, close = prices_4
    first = close if np.isnan(open_) else open_
    size = abs(np.log(ratio))
    if size < _DOUBLE or size < _FAR * deviation:
        return False
    a, b = abs(np.log(last / first / ratio)), abs(np.log(last / close / ratio))
    whole = high <= close * (1.0 + _CALM) and low >= close * (1.0 - _CALM)
    return bool(
        whole
        and min(a, b) <= max(2.0 * _QUIET, 2.5 * deviation)
        and max(a, b) <= max(4.0 * _QUIET, min(4.0 * deviation, _CALM))
        and _ordinary(value, -np.log(ratio))
    )


@njit(cache=True)
def judge(
    state: State,
    n: int,
    last: float,
    prices_4: NDArray[np.float64],
    value: float,
    gap: int,
    confirms: bool,
    beyond: bool,
) -> tuple[int, float]:
    """SPLIT or BREAK and old price over new, or 0 where the price moved by itself.

    A large jump that is no split on an ordinary day may be a bad print: it waits for the next row;
    ``state.base`` keeps where it ended (0 = the trading of that row explains it). A jump from a price at
    which nothing was traded tells nothing. The unit of prices is as in `_unexplained`.
    """
    open_, close = prices_4[0], prices_4[3]
    first = close if np.isnan(open_) else open_
    deviation = np.sqrt(state.variance[n])
    if confirms:
        if state.base[n] <= 0.0:
            return 0, 1.0
        first = state.base[n]
        ratio, sure = _ratio_of(last, first, deviation)
        sure = sure if gap < _GAP else 0.0
    else:
        state.base[n] = 0.0
        ratio, sure = _ratio_of(last, first, deviation)
        stale = state.turnover[n, (state.seen[n] - 1) % state.turnover.shape[1]] == 0.0
        if stale and gap < _GAP and not np.isnan(value):
            return 0, 1.0
        if not _unexplained(last, prices_4, value, deviation, gap):
            if not sure > _SURE:
                ratio, sure = _ratio_of(last, close, deviation)
            if not (sure > _SURE and _is_split(last, prices_4, value, deviation, ratio)):
                return 0, 1.0
        sure = sure if gap < _GAP and _ordinary(value, np.log(first / last)) else 0.0
        if beyond and not (sure > _SURE and value > -np.log(_THIN)):
            state.base[n] = first
            return 0, 1.0
    if sure > _SURE:
        return SPLIT, ratio
    return BREAK, last / first
