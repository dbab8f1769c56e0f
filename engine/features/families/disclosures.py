"""Which earlier disclosure a statement is compared with, as known when it became available.

Rows are a stock's disclosures in the order in which they became known. A row may hold results, forecasts,
or both (a revision between two quarters holds forecasts alone); every look back finds the newest version.
"""

# Shape suffixes: R rows.
from dataclasses import dataclass

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.data.publication import Alignment, Days
from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, per_stock

_QUARTER = {"1Q": 1, "2Q": 2, "3Q": 3, "FY": 4}
_FULL_YEAR = 4
_RESULTS = ("sales", "operating_profit", "net_profit")
_Index = NDArray[np.int64]
"""Positions of rows; -1 = there is none."""


@dataclass(frozen=True, slots=True)
class Disclosures:
    rows: Rows
    quarter_R: NDArray[np.int64]
    """1 to 4; 0 = unknown period."""
    results_R: NDArray[np.bool_]
    forecasts_R: NDArray[np.bool_]
    year_before_R: _Index
    """Results of the same period a year before."""
    full_year_R: _Index
    """Results of the last full year: the row itself for a full year."""
    guidance_R: _Index
    """Newest forecast of the fiscal year that the row's results belong to; its own for a quarter."""
    revised_R: _Index
    """The forecast of the same fiscal year that the row's forecast replaces."""

    def results(self) -> Alignment:
        """Newest row with results."""
        return self.rows.alignment("results", self.results_R)

    def forecasts(self) -> Alignment:
        """Newest row with forecasts."""
        return self.rows.alignment("forecasts", self.forecasts_R)

    def full_years(self) -> Alignment:
        """Newest row with the results of a full year."""
        keep_R = self.results_R & (self.quarter_R == _FULL_YEAR)
        return self.rows.alignment("full years", keep_R)

    def ttm(self, name: str) -> Array:
        """``[R]``: the last four quarters: this year's so far + last full year - the same part of it."""
        own_R = self.rows.column(name)
        quarters_R = own_R + at(own_R, self.full_year_R) - at(own_R, self.year_before_R)
        return np.where(self.quarter_R == _FULL_YEAR, own_R, quarters_R)


def at(value_R: Array, row_R: _Index) -> Array:
    """Values at the given rows; NaN where there is none."""
    if not value_R.size:
        return value_R
    return np.asarray(np.where(row_R >= 0, value_R[row_R], np.nan))


def disclosures(x: Context) -> Disclosures:
    store = x.shared
    if "disclosures" not in store:
        store["disclosures"] = _link(per_stock(x, "statements"))
    found = store["disclosures"]
    assert isinstance(found, Disclosures)
    return found


def _link(rows: Rows) -> Disclosures:
    frame = rows.frame
    quarter_R = (
        frame["period"]
        .replace_strict(_QUARTER, default=0, return_dtype=pl.Int64)
        .fill_null(0)
        .to_numpy()
    )
    results_R = _any_of(rows, _RESULTS)
    forecasts_R = _any_of(rows, tuple(f"forecast_{name}" for name in _RESULTS))
    month_R = (
        frame.select(
            pl.col("period_end").dt.year().cast(pl.Int64) * 12 + pl.col("period_end").dt.month()
        )
        .to_series()
        .fill_null(0)
        .to_numpy()
        .astype(np.int64)
    )
    # The month in which the fiscal year ends: of the results, and of the forecast (after FY: the next).
    own_R = np.where(quarter_R > 0, month_R + 3 * (4 - quarter_R), 0)
    target_R = np.where(quarter_R == _FULL_YEAR, own_R + 12, own_R)
    before_R, full_R, guidance_R, revised_R = _walk(
        rows.key_R, rows.date_R, quarter_R, results_R, forecasts_R, own_R, target_R
    )
    return Disclosures(
        rows, quarter_R, results_R, forecasts_R, before_R, full_R, guidance_R, revised_R
    )


def _any_of(rows: Rows, names: tuple[str, ...]) -> NDArray[np.bool_]:
    some_R = np.zeros(rows.key_R.size, dtype=np.bool_)
    for name in names:
        some_R |= np.isfinite(rows.column(name))
    return some_R


@njit(cache=True)
def _walk(
    key_R: NDArray[np.int32],
    end_R: Days,
    quarter_R: _Index,
    results_R: NDArray[np.bool_],
    forecasts_R: NDArray[np.bool_],
    own_R: _Index,
    target_R: _Index,
) -> tuple[_Index, _Index, _Index, _Index]:
    R = key_R.size
    before_R, full_R = np.full(R, -1), np.full(R, -1)
    guidance_R, revised_R = np.full(R, -1), np.full(R, -1)
    for r in range(R):
        quarter = quarter_R[r]
        if quarter == 0:
            continue
        if quarter == 4 and results_R[r]:
            full_R[r] = r
        if quarter != 4 and forecasts_R[r]:
            guidance_R[r] = r
        reach = 380 if quarter == 4 else 300
        j = r - 1
        while j >= 0 and key_R[j] == key_R[r]:
            apart = end_R[r] - end_R[j]
            if results_R[j]:
                if before_R[r] < 0 and quarter_R[j] == quarter and 350 <= apart <= 380:
                    before_R[r] = j
                if full_R[r] < 0 and quarter_R[j] == 4 and 0 < apart <= reach:
                    full_R[r] = j
            if forecasts_R[j]:
                if guidance_R[r] < 0 and target_R[j] == own_R[r]:
                    guidance_R[r] = j
                if revised_R[r] < 0 and target_R[j] == target_R[r]:
                    revised_R[r] = j
            j -= 1
    return before_R, full_R, guidance_R, revised_R
