"""Financial statements and guidance, stock by stock; only ranks within the day reach the network.

"Before" is the same period a year before, TTM the last four quarters, guidance the company's forecast for
the fiscal year, all in the newest version known. Growth is set against the absolute value of its base, so
that a loss turned into a profit is growth. Figures of the newest disclosure with results, or with
forecasts, are held until the next one.
"""

from collections.abc import Callable

import numpy as np

from engine.features.context import Array, Context
from engine.features.families.aligned import ratio
from engine.features.families.disclosures import Disclosures, at, disclosures
from engine.features.feature import Feature

_PUBLISHED = "day of disclosure if before the close, else the next session"
_DECAY = 5.0
"""Weekdays in which the attention after a disclosure falls to 1/e."""
_Figure = Callable[[Disclosures], Array]


def _over(a: Array, base: Array) -> Array:
    """a / base - 1, by the base's size."""
    return ratio(a - base, np.abs(base))


def _growth(name: str) -> _Figure:
    return lambda d: _over(d.rows.column(name), at(d.rows.column(name), d.year_before_R))


def _margin(name: str) -> _Figure:
    return lambda d: ratio(d.rows.column(name), d.rows.column("sales"))


def _since_year_before(figure: _Figure) -> _Figure:
    def change(d: Disclosures) -> Array:
        value_R = figure(d)
        return value_R - at(value_R, d.year_before_R)

    return change


def _progress(name: str) -> _Figure:
    """Share of the year's guidance reached, less the share of the year gone."""

    def progress(d: Disclosures) -> Array:
        guidance_R = at(d.rows.column(f"forecast_{name}"), d.guidance_R)
        reached_R = ratio(d.rows.column(name), np.where(guidance_R > 0, guidance_R, np.nan))
        return reached_R - d.quarter_R / 4.0

    return progress


def _surprise(name: str) -> _Figure:
    return lambda d: _over(d.rows.column(name), at(d.rows.column(f"forecast_{name}"), d.guidance_R))


def _guided_growth(name: str) -> _Figure:
    return lambda d: _over(
        d.rows.column(f"forecast_{name}"), at(d.rows.column(name), d.full_year_R)
    )


def _revision(name: str) -> _Figure:
    def revision(d: Disclosures) -> Array:
        forecast_R = d.rows.column(f"forecast_{name}")
        return _over(forecast_R, at(forecast_R, d.revised_R))

    return revision


def _level(top: str, bottom: str) -> _Figure:
    return lambda d: ratio(d.rows.column(top), d.rows.column(bottom))


def _yield(name: str, base: str) -> _Figure:
    return lambda d: ratio(d.ttm(name), d.rows.column(base))


def _age(x: Context) -> Array:
    return disclosures(x).results().age()


def _feature(name: str, formula: str, unit: str, compute: Callable[[Context], Array]) -> Feature:
    return Feature(
        name=f"statement_{name}",
        family="statements",
        formula=formula,
        unit=unit,
        lookback=0,
        compute=compute,
        source="statements",
        published=_PUBLISHED,
    )


def _held(name: str, formula: str, unit: str, figure: _Figure, kind: str = "results") -> Feature:
    def compute(x: Context) -> Array:
        d = disclosures(x)
        alignment = {"results": d.results, "forecasts": d.forecasts, "years": d.full_years}[kind]()
        return alignment.values(figure(d))

    return _feature(name, formula, unit, compute)


def _results(name: str, formula: str, figure: _Figure) -> Feature:
    return _held(name, formula, "fraction", figure)


def _forecasts(name: str, formula: str, figure: _Figure) -> Feature:
    return _held(name, formula, "fraction", figure, "forecasts")


def _years(name: str, formula: str, figure: _Figure) -> Feature:
    return _held(name, formula, "fraction", figure, "years")


_operating, _net = _margin("operating_profit"), _margin("net_profit")

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
    _feature("age", "weekdays since the newest results became available", "weekdays", _age),
    _feature("decay", "exp(-age / 5)", "0..1", lambda x: np.exp(-_age(x) / _DECAY)),
)  # fmt: skip
