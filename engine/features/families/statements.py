"""Financial statements and guidance, stock by stock; only ranks within the day reach the network.

"Before" is the same period a year before, TTM the last four quarters, guidance the company's forecast for
the fiscal year, all in the newest version known. Growth is set against the absolute value of its base, so
that a loss turned into a profit is growth. Figures of the newest disclosure with results, or with
forecasts, are held until the next one.

Rows are a stock's disclosures in the order in which they became known. A row may hold results, forecasts,
or both (a revision between two quarters holds forecasts alone); every look back finds the newest version.
"""

# Shape suffixes: R rows.

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.data.publication import Alignment, Days
from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, per_stock
from engine.features.feature import Family, Feature, ratio

_statements = Family(
    name="statements",
    prefix="statement_",
    source="statements",
    published="day of disclosure if before the close, else the next session",
)
_DECAY = 5.0
"""Weekdays in which the attention after a disclosure falls to 1/e."""
_QUARTER = {"1Q": 1, "2Q": 2, "3Q": 3, "FY": 4}
_FULL_YEAR = 4
_RESULTS = ("sales", "operating_profit", "net_profit")
_Index = NDArray[np.int64]
"""Positions of rows; -1 = there is none."""


@dataclass(frozen=True, slots=True)
class _Disclosures:
    """All statements of the stocks, and which earlier row each is compared with."""

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
        quarters_R = own_R + _at(own_R, self.full_year_R) - _at(own_R, self.year_before_R)
        return np.where(self.quarter_R == _FULL_YEAR, own_R, quarters_R)


def _at(value_R: Array, row_R: _Index) -> Array:
    """``[R]``: the values at the given rows; NaN where there is none."""
    if not value_R.size:
        return value_R
    return np.asarray(np.where(row_R >= 0, value_R[row_R], np.nan))


def _disclosures(x: Context) -> _Disclosures:
    """The context's statements, each linked to those it is compared with."""
    return x.once("disclosures", lambda: _link(per_stock(x, "statements")))


def _link(rows: Rows) -> _Disclosures:
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
    return _Disclosures(
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


_Figure = Callable[[_Disclosures], Array]


def _over(a: Array, base: Array) -> Array:
    """a / base - 1, by the base's size."""
    return ratio(a - base, np.abs(base))


def _growth(name: str) -> _Figure:
    return lambda d: _over(d.rows.column(name), _at(d.rows.column(name), d.year_before_R))


def _level(top: str, bottom: str) -> _Figure:
    return lambda d: ratio(d.rows.column(top), d.rows.column(bottom))


def _since_year_before(figure: _Figure) -> _Figure:
    def change(d: _Disclosures) -> Array:
        value_R = figure(d)
        return value_R - _at(value_R, d.year_before_R)

    return change


def _progress(name: str) -> _Figure:
    """Share of the year's guidance reached, less the share of the year gone."""

    def progress(d: _Disclosures) -> Array:
        guidance_R = _at(d.rows.column(f"forecast_{name}"), d.guidance_R)
        reached_R = ratio(d.rows.column(name), np.where(guidance_R > 0, guidance_R, np.nan))
        return reached_R - d.quarter_R / 4.0

    return progress


def _surprise(name: str) -> _Figure:
    return lambda d: _over(
        d.rows.column(name), _at(d.rows.column(f"forecast_{name}"), d.guidance_R)
    )


def _guided_growth(name: str) -> _Figure:
    return lambda d: _over(
        d.rows.column(f"forecast_{name}"), _at(d.rows.column(name), d.full_year_R)
    )


def _revision(name: str) -> _Figure:
    def revision(d: _Disclosures) -> Array:
        forecast_R = d.rows.column(f"forecast_{name}")
        return _over(forecast_R, _at(forecast_R, d.revised_R))

    return revision


def _yield(name: str, base: str) -> _Figure:
    return lambda d: ratio(d.ttm(name), d.rows.column(base))


def _age(x: Context) -> Array:
    return _disclosures(x).results().age()


def _held(
    kind: Callable[[_Disclosures], Alignment], name: str, formula: str, figure: _Figure
) -> Feature:
    """A fraction, of the newest disclosure of a kind."""

    def compute(x: Context) -> Array:
        d = _disclosures(x)
        return kind(d).values(figure(d))

    return _statements(name, formula, "fraction", 0, compute)


_results = partial(_held, _Disclosures.results)
_forecasts = partial(_held, _Disclosures.forecasts)
_years = partial(_held, _Disclosures.full_years)
_operating, _net = _level("operating_profit", "sales"), _level("net_profit", "sales")

FEATURES: tuple[Feature, ...] = (
    _results("sales_growth", "sales / before - 1", _growth("sales")),
    _results("operating_growth", "(operating profit - before) / |before|",
             _growth("operating_profit")),
    _results("net_growth", "(net profit - before) / |before|", _growth("net_profit")),
    _results("operating_margin", "operating profit / sales", _operating),
    _results("net_margin", "net profit / sales", _net),
    _results("operating_margin_change", "operating margin less before",
             _since_year_before(_operating)),
    _results("net_margin_change", "net margin less before", _since_year_before(_net)),
    _results("operating_progress", "operating profit / guidance less quarters / 4",
             _progress("operating_profit")),
    _results("net_progress", "net profit / guidance less quarters / 4", _progress("net_profit")),
    _results("roe", "net profit TTM / equity", _yield("net_profit", "equity")),
    _results("roa", "net profit TTM / assets", _yield("net_profit", "assets")),
    _results("asset_turnover", "sales TTM / assets", _yield("sales", "assets")),
    _results("equity_ratio", "equity / assets", _level("equity", "assets")),
    _results("asset_growth", "assets / before - 1", _growth("assets")),
    _years("sales_surprise", "full year: sales / last guidance - 1", _surprise("sales")),
    _years("operating_surprise", "full year: (operating profit - last guidance) / |guidance|",
           _surprise("operating_profit")),
    _forecasts("sales_guidance", "guided sales / last full year - 1", _guided_growth("sales")),
    _forecasts("operating_guidance", "(guided operating profit - last full year) / |last|",
               _guided_growth("operating_profit")),
    _forecasts("operating_revision", "(guided operating profit - guided before) / |before|, same year",
               _revision("operating_profit")),
    _forecasts("net_revision", "(guided net profit - guided before) / |before|, same year",
               _revision("net_profit")),
    _statements("age", "weekdays since the newest results became available", "weekdays", 0, _age),
    _statements("decay", "exp(-age / 5)", "0..1", 0, lambda x: np.exp(-_age(x) / _DECAY)),
)  # fmt: skip
