"""The announcement calendar as it was known: days to the next scheduled results and since the last.

A schedule published for a day within 45 days of one still to come replaces it; otherwise it is a further
announcement. What was due has taken place once its day is over. Days are weekdays, so holidays count.
"""

from collections.abc import Callable

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.publication import Days, days, ordinals
from engine.features.context import Array, Context
from engine.features.families.aligned import per_stock
from engine.features.feature import Family, Feature

_earnings = Family(
    name="earnings",
    prefix="earnings_",
    source="earnings",
    published="the day the schedule was published, or the next session if after the close",
)
_SAME = 45
"""Calendar days within which two dates mean the same announcement."""
_PENDING = 16
"""Announcements to come that are remembered for a stock; further ones replace the last."""


def calendar(x: Context) -> tuple[Array, Array]:
    """``[N, S]`` each: weekdays to the next announcement, and since the last; NaN = none known."""

    def make() -> tuple[Array, Array]:
        rows = per_stock(x, "earnings")
        start_K = np.searchsorted(rows.key_R, np.arange(len(rows.keys) + 1)).astype(np.int64)
        dated_R = np.where(rows.frame["date"].is_null().to_numpy(), -1, rows.date_R)
        next_KS, last_KS = _dates(start_K, rows.available_R, dated_R, days(x.dense.dates_S))
        now_S = ordinals(days(x.dense.dates_S))
        return (
            np.where(next_KS >= 0, ordinals(next_KS) - now_S, np.nan),
            np.where(last_KS >= 0, now_S - ordinals(last_KS), np.nan),
        )

    return x.once("calendar", make)


def _within(to_NS: Array, since_NS: Array, before: int, after: int) -> Array:
    """1 from ``before`` days before an announcement to ``after`` days after it, else 0; NaN = none known."""
    known_NS = np.isfinite(to_NS) | np.isfinite(since_NS)
    # NaN compares false: a side without an announcement is outside.
    inside_NS = (to_NS <= before) | (since_NS <= after)
    return np.asarray(np.where(known_NS, inside_NS.astype(np.float64), np.nan))


def _feature(
    name: str, formula: str, unit: str, compute: Callable[[Array, Array], Array]
) -> Feature:
    return _earnings(name, formula, unit, 0, lambda x: compute(*calendar(x)))


@njit(parallel=True, cache=True)
def _dates(
    start_K: NDArray[np.int64], available_R: Days, date_R: Days, day_S: Days
) -> tuple[Days, Days]:
    """Day of the next announcement at each session (the session itself counts) and of the last; -1 = none."""
    K, S = start_K.size - 1, day_S.size
    next_KS, last_KS = np.full((K, S), -1), np.full((K, S), -1)
    for k in prange(K):
        pending = np.empty(_PENDING, dtype=np.int64)
        count, last, r = 0, -1, start_K[k]
        for t in range(S):
            while r < start_K[k + 1] and available_R[r] <= day_S[t]:
                if date_R[r] >= 0:
                    count, last = _passed(pending, count, last, available_R[r])
                    count, last = _schedule(pending, count, last, date_R[r], available_R[r])
                r += 1
            count, last = _passed(pending, count, last, day_S[t])
            last_KS[k, t] = last
            for j in range(count):
                if next_KS[k, t] < 0 or pending[j] < next_KS[k, t]:
                    next_KS[k, t] = pending[j]
    return next_KS, last_KS


@njit(cache=True)
def _passed(pending: Days, count: int, last: int, day: int) -> tuple[int, int]:
    """Take out what was due before ``day``."""
    kept = 0
    for j in range(count):
        if pending[j] < day:
            last = max(last, pending[j])
        else:
            pending[kept] = pending[j]
            kept += 1
    return kept, last


@njit(cache=True)
def _schedule(pending: Days, count: int, last: int, date: int, today: int) -> tuple[int, int]:
    if date < today:
        return count, max(last, date)
    for j in range(count):
        if abs(pending[j] - date) <= _SAME:
            pending[j] = date
            return count, last
    at = min(count, pending.size - 1)
    pending[at] = date
    return at + 1, last


FEATURES: tuple[Feature, ...] = (
    _feature("days_to", "weekdays to the next announcement, 0 on its day", "weekdays",
             lambda to, since: to),
    _feature("days_since", "weekdays since the last announcement", "weekdays",
             lambda to, since: since),
    _feature("due_5", "1 within 5 weekdays before an announcement or on its day", "0 or 1",
             lambda to, since: _within(to, since, 5, -1)),
    _feature("after_5", "1 within 5 weekdays after an announcement", "0 or 1",
             lambda to, since: _within(to, since, -1, 5)),
    _feature("window_1", "1 from a weekday before to a weekday after an announcement", "0 or 1",
             lambda to, since: _within(to, since, 1, 1)),
    _feature("nearness", "exp(-days_to / 5)", "0..1", lambda to, since: np.exp(-to / 5.0)),
)  # fmt: skip
