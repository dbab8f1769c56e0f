"""A table's rows in the order in which they became known, and their values at the closes of a context."""

# Shape suffixes: R rows, K keys (symbols, sectors, investors, or 1), N stocks, S sessions.
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.publication import Alignment, Days, align_rows, codes, day_column
from engine.data.tables import OPTIONAL, complete
from engine.features.context import Array, Context
from engine.features.families.history import History


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows(History):
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


def per_stock(x: Context, name: str) -> Rows:
    """A table with a column ``symbol``: K = the context's stocks."""
    return _kept(x, name, "symbol", x.dense.symbols)


def per_sector(x: Context, name: str) -> Rows:
    """A table with a column ``sector``: K = all sectors of the table, sorted."""
    return _kept(x, name, "sector")


def per_investor(x: Context, name: str) -> Rows:
    """A table with a column ``investor``: K = all types of the table, sorted."""
    return _kept(x, name, "investor")


def _kept(x: Context, name: str, by: str, keys: Sequence[str] | None = None) -> Rows:
    def make() -> Rows:
        frame = table(x, name)
        distinct = frame[by].drop_nulls().unique().sort() if keys is None else keys
        return arrange(frame, by, tuple(distinct), x.dense.dates_S)

    return x.once(("rows", name), make)


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
