"""Rolling statistics over a table's own rows, each as known when the row became available.

Rows come sorted by key, then in the order in which they became known. For each row the window is the last
``window`` different dates up to the row's own date, every date in the newest version known by then: a
correction replaces its date, and a late row of an old date takes its place in the past. Two passes over
each window, so no value depends on where the series starts further back or goes on later.
"""

# Shape suffixes: R rows, K keys.
from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.publication import Days
from engine.features.context import Array
from engine.features.rolling import needed

_MEAN, _STD, _Z, _PERCENTILE, _LAG, _BEFORE = 0, 1, 2, 3, 4, 5
_EVER = 10**6
"""Days: a span that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class History:
    """Rows in order: by key, then as they became known. Every result is ``[R]``, one value a row."""

    key_R: NDArray[np.int32]
    date_R: Days

    def mean(self, value_R: Array, window: int) -> Array:
        """``[R]``: mean of the last ``window`` dates; NaN below 60 % valid ones."""
        return self._over(value_R, window, _EVER, needed(window), _MEAN)

    def std(self, value_R: Array, window: int) -> Array:
        """``[R]``: standard deviation of the last ``window`` dates, divisor n - 1; NaN as `mean`."""
        return self._over(value_R, window, _EVER, max(2, needed(window)), _STD)

    def z(self, value_R: Array, window: int) -> Array:
        """``[R]``: own value less the `mean`, itself included, in units of `std`; NaN if constant."""
        return self._over(value_R, window, _EVER, max(2, needed(window)), _Z)

    def z_weeks(self, value_R: Array, weeks: int) -> Array:
        """``[R]``: `z` over the last ``weeks`` weeks, whether the rows are weekly or daily."""
        return self._over(value_R, 5 * weeks, 7 * weeks, max(2, needed(weeks)), _Z)

    def percentile(self, value_R: Array, window: int) -> Array:
        """``[R]``: share 0..1 of the last ``window`` dates' values not above the own one, ties half."""
        return self._over(value_R, window, _EVER, needed(window), _PERCENTILE)

    def change(self, value_R: Array, steps: int) -> Array:
        """``[R]``: own value less that of ``steps`` dates before; NaN where either is missing."""
        return value_R - self._over(value_R, steps + 1, _EVER, 1, _LAG)

    def weeks_before(self, value_R: Array, weeks: int) -> Array:
        """``[R]``: value of the newest date at least ``weeks`` weeks before the own; NaN without one.

        Weekly or daily rows; 60 dates are looked through.
        """
        return self._over(value_R, 60, 7 * weeks, 1, _BEFORE)

    def _over(self, value_R: Array, window: int, span: int, need: int, what: int) -> Array:
        return _history(_starts(self.key_R), self.date_R, value_R, window, span, need, what)


def _starts(key_R: NDArray[np.int32]) -> Days:
    """Where each key's run of rows starts, and the end."""
    cut = np.flatnonzero(key_R[1:] != key_R[:-1]) + 1
    ends = [key_R.size] if key_R.size else []
    return np.concatenate([[0], cut, ends]).astype(np.int64)


@njit(parallel=True, cache=True)
def _history(
    start_K: Days, date_R: Days, value_R: Array, window: int, span: int, need: int, what: int
) -> Array:
    out_R = np.full(value_R.size, np.nan)
    for k in prange(start_K.size - 1):
        dates = np.empty(window, dtype=np.int64)
        values = np.empty(window)
        count = 0
        for r in range(start_K[k], start_K[k + 1]):
            count, at = _insert(dates, values, count, date_R[r], value_R[r])
            if at < 0:
                continue
            low = np.searchsorted(dates[: at + 1], date_R[r] - span, side="right")
            if what != _BEFORE:
                out_R[r] = _statistic(values[low : at + 1], need, what, window)
            elif low > 0:
                out_R[r] = values[low - 1]
    return out_R


@njit(cache=True)
def _insert(dates_W: Days, values_W: Array, count: int, date: int, value: float) -> tuple[int, int]:
    """Put a value at its date among the newest ones (sorted by date): their number, its position.

    Position -1: the date is older than all of a full window, and has no past here.
    """
    at = count
    while at > 0 and dates_W[at - 1] >= date:
        at -= 1
    if at == count or dates_W[at] != date:
        if count < dates_W.size:
            for j in range(count, at, -1):
                dates_W[j], values_W[j] = dates_W[j - 1], values_W[j - 1]
            count += 1
        elif at == 0:
            return count, -1
        else:
            at -= 1
            for j in range(at):
                dates_W[j], values_W[j] = dates_W[j + 1], values_W[j + 1]
        dates_W[at] = date
    values_W[at] = value
    return count, at


@njit(cache=True)
def _statistic(values_W: Array, need: int, what: int, window: int) -> float:
    n, own = values_W.size, values_W[-1]
    if what == _LAG:
        return float(values_W[0]) if n == window else np.nan
    count, total, below = 0, 0.0, 0.0
    for v in values_W:
        if np.isfinite(v):
            count += 1
            total += v
            below += 1.0 if v < own else (0.5 if v == own else 0.0)
    if count < need:
        return np.nan
    centre = total / count
    if what == _MEAN:
        return float(centre)
    if what == _PERCENTILE:
        return float(below / count) if np.isfinite(own) else np.nan
    square = 0.0
    for v in values_W:
        if np.isfinite(v):
            square += (v - centre) ** 2
    deviation = np.sqrt(square / (count - 1))
    if what == _STD:
        return float(deviation)
    # Values that agree to 12 digits are one value: their deviation is rounding.
    flat = deviation <= 1e-12 * max(1e-300, abs(centre))
    return np.nan if flat else float((own - centre) / deviation)
