"""A table's rows in the order in which they became known, and their values at the closes of a context."""

# Shape suffixes: R rows, K keys (symbols, sectors, investors, or 1), N stocks, S sessions.
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.publication import Alignment, Days, align_rows, codes, day_column
from engine.data.tables import OPTIONAL, complete
from engine.features.context import Array, Context
from engine.features.rolling import needed

_MEAN, _STD, _Z, _PERCENTILE, _LAG, _BEFORE = 0, 1, 2, 3, 4, 5
_EVER = 10**6
"""Days: a span that leaves nothing out."""


@dataclass(frozen=True, slots=True)
class _History:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(_History):
    """Rows of known keys, sorted by key, ``available``, then ``date`` (or ``period_end``)."""

    frame: pl.DataFrame
    available_R: Days
    keys: tuple[str, ...]
    dates_S: NDArray[np.datetime64]
    _alignments: dict[str, Alignment] = field(default_factory=dict)
    _columns: dict[str, Array] = field(default_factory=dict)

    def column(self, name: str) -> Array:
        """``[R]``; NaN = null or infinite."""
        if name not in self._columns:
            values_R = self.frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
            self._columns[name] = np.where(np.isfinite(values_R), values_R, np.nan)
        return self._columns[name]

    def alignment(self, kind: str = "all", keep_R: NDArray[np.bool_] | None = None) -> Alignment:
        """Newest row known at each close, among those of ``keep_R``; kept under the name ``kind``."""
        if kind not in self._alignments:
            key_R = self.key_R if keep_R is None else np.where(keep_R, self.key_R, np.int32(-1))
            self._alignments[kind] = align_rows(
                key_R, self.available_R, self.date_R, len(self.keys), self.dates_S
            )
        return self._alignments[kind]

    def at_close(self, value_R: Array) -> Array:
        """``[K, S]``: the value of the newest row known."""
        return self.alignment().values(value_R)

    def age(self) -> Array:
        """``[K, S]``: weekdays since the newest row became available."""
        return self.alignment().age()


def table(x: Context, name: str) -> pl.DataFrame:
    """An optional table with all its columns; without rows where the context has none."""
    schema = OPTIONAL[name]
    frame = x.tables.get(name)
    return pl.DataFrame(schema=schema) if frame is None else complete(frame, schema)


def arrange(
    frame: pl.DataFrame, by: str | None, keys: Sequence[str], dates_S: NDArray[np.datetime64]
) -> Rows:
    """Rows ``[R]`` of a frame whose column ``by`` is one of ``keys``; all of them, under one key, without.

    Rows without an ``available`` day are left out.
    """
    date = "period_end" if "period_end" in frame.columns else "date"
    code = pl.Series("__key", codes(frame[by], keys) if by else np.zeros(len(frame), np.int32))
    ordered = (
        frame.with_columns(code)
        .filter((pl.col("__key") >= 0) & pl.col("available").is_not_null())
        .sort("__key", "available", date, maintain_order=True)
    )
    return Rows(
        frame=ordered,
        key_R=ordered["__key"].to_numpy(),
        available_R=day_column(ordered["available"], 0),
        date_R=day_column(ordered[date], 0),
        keys=tuple(keys) if by else ("",),
        dates_S=dates_S,
    )


def per_stock(x: Context, name: str, depth: int | None = None) -> Rows:
    """A table with a column ``symbol``: K = the context's stocks.

    ``depth``: dates that any statistic of the table looks back over. Rows before them change no value at the
    context's closes and are left out, so that a new day need not go through ten years.
    """
    return _kept(x, name, "symbol", x.dense.symbols, depth)


def per_sector(x: Context, name: str) -> Rows:
    """A table with a column ``sector``: K = all sectors of the table, sorted."""
    return _kept(x, name, "sector")


def per_investor(x: Context, name: str) -> Rows:
    """A table with a column ``investor``: K = all types of the table, sorted."""
    return _kept(x, name, "investor")


def _kept(
    x: Context, name: str, by: str, keys: Sequence[str] | None = None, depth: int | None = None
) -> Rows:
    def make() -> Rows:
        frame = table(x, name)
        distinct = frame[by].drop_nulls().unique().sort() if keys is None else keys
        rows = arrange(frame, by, tuple(distinct), x.dense.dates_S)
        return rows if depth is None else _recent(rows, depth)

    return x.once(("rows", name), make)


def _recent(rows: Rows, depth: int) -> Rows:
    """Without what lies more than ``depth`` rows before the newest row known at the first close.

    Each of these rows is a date of its own; a key with dates given again or late until then keeps them all.
    """
    start_K = _starts(rows.key_R)
    if not rows.key_R.size or not rows.dates_S.size:
        return rows
    first = rows.dates_S[:1].astype("datetime64[D]").astype(np.int64)[0]
    known_R, late_R = rows.available_R <= first, np.zeros(rows.key_R.size, dtype=np.bool_)
    late_R[1:] = (rows.date_R[1:] <= rows.date_R[:-1]) & (rows.key_R[1:] == rows.key_R[:-1])
    known_K = np.add.reduceat(known_R.astype(np.int64), start_K[:-1])
    late_K = np.logical_or.reduceat(late_R & known_R, start_K[:-1])
    left_K = np.where(late_K, 0, np.maximum(0, known_K - 1 - depth))
    keep_R = np.arange(rows.key_R.size) >= np.repeat(start_K[:-1] + left_K, np.diff(start_K))
    return Rows(
        frame=rows.frame.filter(pl.Series(keep_R)),
        key_R=rows.key_R[keep_R],
        available_R=rows.available_R[keep_R],
        date_R=rows.date_R[keep_R],
        keys=rows.keys,
        dates_S=rows.dates_S,
    )


def to_stocks(x: Context, value_KS: Array, keys: Sequence[str]) -> Array:
    """``[N, S]``: each stock's row of a per-sector array; NaN where its sector is unknown."""
    row = {key: i for i, key in enumerate(keys)}
    row_N = np.array(
        [row.get(x.dense.sectors[code], -1) if code >= 0 else -1 for code in x.dense.sector_N],
        dtype=np.int64,
    )
    padded_KS = np.vstack([value_KS, np.full((1, x.dense.dates_S.size), np.nan)])
    return np.asarray(padded_KS[row_N])


def summed(value_KS: Array) -> Array:
    """``[S]``: sum over the keys, one after the other, NaN as 0: the same bits for any number of sessions."""
    total_S = np.zeros(value_KS.shape[1])
    for value_S in value_KS:
        total_S += np.nan_to_num(value_S)
    return total_S
