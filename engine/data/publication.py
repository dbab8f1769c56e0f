"""Point-in-time alignment: of a table's rows, the newest that was known at each session's close.

A row counts from the first session on or after its ``available`` day. Where several are known, the one
with the latest ``available`` is the newest, then the latest ``date`` (or ``period_end``), then the later
row of the table: so a correction replaces what it corrects. A row never matters before it is available,
and the sessions asked for decide nothing but what is returned.
"""

# Shape suffixes: R rows of the table, K keys (symbols, sectors, or 1), S sessions.
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit, prange
from numpy.typing import NDArray

_Array = NDArray[np.float64]
Days = NDArray[np.int64]
"""Days since 1970-01-01."""
_NEVER = np.iinfo(np.int64).max
_ORDER = ("date", "period_end")
"""Columns that decide between rows which became available on the same day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Which row is known at which close."""

    row_KS: NDArray[np.int32]
    """Position of the newest row known; -1 = none yet."""
    available_R: Days
    dates_S: NDArray[np.datetime64]

    def values(self, value_R: _Array) -> _Array:
        """``[K, S]``: the newest row's value; NaN before the first row, or where that row has none."""
        return _gather(self.row_KS, value_R)

    def age(self, calendar_S: NDArray[np.datetime64] | None = None) -> _Array:
        """``[K, S]``: sessions since the newest row became available, 0 on its first; NaN before.

        Counted on ``calendar_S`` (all sessions, sorted). Without it weekdays are counted, which needs no
        history: the figure is the same whichever sessions are asked for, and holidays count.
        """
        first_R = ordinals(self.available_R, calendar_S).astype(np.float64)
        now_S = ordinals(days(self.dates_S), calendar_S).astype(np.float64)
        return now_S - _gather(self.row_KS, first_R)


def _align(
    table: pl.DataFrame,
    dates_S: NDArray[np.datetime64],
    *,
    keys: Sequence[str] = (),
    by: str | None = None,
) -> Alignment:
    """Align a long table with a column ``available`` to the closes of ``dates_S`` (sorted).

    ``by`` names the column whose value is one of ``keys`` (K = their number); without it K = 1. Rows of
    other keys, and rows without an ``available`` day, are never known.
    """
    order = next((name for name in _ORDER if name in table.columns), None)
    available_R = day_column(table["available"], _NEVER)
    order_R = day_column(table[order], 0) if order else np.zeros(len(table), np.int64)
    key_R = codes(table[by], keys) if by else np.zeros(len(table), np.int32)
    n_keys = len(keys) if by else 1
    return align_rows(key_R, available_R, order_R, n_keys, dates_S)


def align_rows(
    key_R: NDArray[np.int32],
    available_R: Days,
    order_R: Days,
    n_keys: int,
    dates_S: NDArray[np.datetime64],
) -> Alignment:
    """`_align` from arrays ``[R]``, into ``row_KS``; a negative key leaves the row out."""
    row_KS = _newest(key_R, available_R, order_R, days(dates_S), n_keys)
    return Alignment(row_KS=row_KS, available_R=available_R, dates_S=dates_S)


def days(dates: NDArray[np.datetime64]) -> Days:
    """Days since 1970-01-01 of an array of dates, of any shape."""
    return dates.astype("datetime64[D]").astype(np.int64)


def day_column(column: pl.Series, missing: int) -> Days:
    """A date column ``[R]`` as days since 1970; ``missing`` for null."""
    return column.cast(pl.Date).cast(pl.Int32).cast(pl.Int64).fill_null(missing).to_numpy()


def codes(column: pl.Series, keys: Sequence[str]) -> NDArray[np.int32]:
    """Position ``[R]`` of each value among the (distinct) keys; -1 = not one of them."""
    coded = column.cast(pl.Enum(list(keys)), strict=False).to_physical()
    return coded.cast(pl.Int32).fill_null(-1).to_numpy()


def ordinals(day_R: Days, calendar_S: NDArray[np.datetime64] | None = None) -> Days:
    """Number of sessions before each day: of ``calendar_S``, or weekdays since 1970 without one."""
    if calendar_S is not None:
        return np.searchsorted(days(calendar_S), day_R, side="left").astype(np.int64)
    # 1970-01-01 was a Thursday: day + 3 counts from a Monday, and a weekend is the Monday after.
    shifted_R = np.where(day_R == _NEVER, 0, day_R) + 3
    return np.asarray(shifted_R // 7 * 5 + np.minimum(shifted_R % 7, 5))


@njit(parallel=True, cache=True)
def _newest(
    key_R: NDArray[np.int32], available_R: Days, order_R: Days, day_S: Days, n_keys: int
) -> NDArray[np.int32]:
    S = day_S.size
    row_KS = np.full((n_keys, S), -1, dtype=np.int32)
    if S == 0:
        return row_KS
    first, last = day_S[0], day_S[-1]
    session = np.empty(last - first + 1, dtype=np.int32)  # first session on or after each day
    s = 0
    for day in range(first, last + 1):
        if day > day_S[s]:
            s += 1
        session[day - first] = s
    for row in range(key_R.size):
        k, day = key_R[row], available_R[row]
        if k < 0 or day > last:
            continue
        t = 0 if day <= first else session[day - first]
        old = row_KS[k, t]
        if old >= 0:
            before = available_R[old]
            if day < before or (day == before and order_R[row] < order_R[old]):
                continue
        row_KS[k, t] = row
    for k in prange(n_keys):
        for t in range(1, S):
            if row_KS[k, t] < 0:
                row_KS[k, t] = row_KS[k, t - 1]
    return row_KS


@njit(parallel=True, cache=True)
def _gather(row_KS: NDArray[np.int32], value_R: _Array) -> _Array:
    K, S = row_KS.shape
    out_KS = np.empty((K, S))
    for k in prange(K):
        for t in range(S):
            row = row_KS[k, t]
            out_KS[k, t] = value_R[row] if row >= 0 else np.nan
    return out_KS
