"""Who bought: turnover by investor type over a period, mostly a week. All of market scope.

Balance = (buy - sell) / (buy + sell) of a type. Statistics run over the table's own periods as they
were known; a type that the table lacks gives NaN.
"""

from collections.abc import Callable

import numpy as np

from engine.features.context import Array
from engine.features.families.aligned import Rows, per_investor, summed
from engine.features.feature import Family, Feature, ratio

_flow = Family(
    name="flow",
    prefix="flow_",
    source="flow",
    published="about a week after the period; J-Quants: Thursday 18:00, so Friday's close",
    scope="market",
)
_TYPES = ("foreign", "individual", "trust", "proprietary")
_YEAR = 52
"""Periods."""
_Figure = Callable[[Rows], Array]


def _gross(r: Rows) -> Array:
    return r.column("buy") + r.column("sell")


def _balance(r: Rows) -> Array:
    return ratio(r.column("buy") - r.column("sell"), _gross(r))


def _balance_z(r: Rows) -> Array:
    return r.z(_balance(r), _YEAR)


def _activity(r: Rows) -> Array:
    return ratio(_gross(r), r.mean(_gross(r), _YEAR)) - 1.0


def _of(r: Rows, value_KS: Array, investor: str) -> Array:
    """``[S]``: the series of one type; NaN where the table does not have it."""
    if investor not in r.keys:
        return np.full(r.dates_S.size, np.nan)
    return np.asarray(value_KS[r.keys.index(investor)])


def _market(name: str, formula: str, unit: str, compute: _Figure) -> Feature:
    return _flow(name, formula, unit, 0, lambda x: compute(per_investor(x, "flow")))


def _each(name: str, formula: str, unit: str, figure: _Figure) -> tuple[Feature, ...]:
    def make(investor: str) -> Feature:
        of_type: _Figure = lambda r: _of(r, r.at_close(figure(r)), investor)  # noqa: E731
        return _market(f"{investor}_{name}", formula, unit, of_type)

    return tuple(make(investor) for investor in _TYPES)


def _smart(r: Rows, figure_R: Array) -> Array:
    """``[S]``: foreigners' figure less individuals'."""
    figure_KS = r.at_close(figure_R)
    return _of(r, figure_KS, "foreign") - _of(r, figure_KS, "individual")


def _breadth(r: Rows) -> Array:
    balance_KS = r.at_close(_balance(r))
    known_S = np.isfinite(balance_KS).sum(axis=0).astype(np.float64)
    return ratio((balance_KS > 0).sum(axis=0).astype(np.float64), known_S)


def _foreign_share(r: Rows) -> Array:
    gross_KS = r.at_close(_gross(r))
    return ratio(_of(r, gross_KS, "foreign"), summed(gross_KS))


def _impulse(r: Rows) -> Array:
    balance_R = _balance(r)
    return _of(r, r.at_close(balance_R - r.mean(balance_R, 4)), "foreign")


def _age(r: Rows) -> Array:
    """``[S]``: weekdays since the type that reported last did so; NaN before any has."""
    age_KS = r.age()
    youngest_S = np.where(np.isnan(age_KS), np.inf, age_KS).min(axis=0, initial=np.inf)
    return np.asarray(np.where(np.isfinite(youngest_S), youngest_S, np.nan))


FEATURES: tuple[Feature, ...] = (
    *_each("balance", "(buy - sell) / (buy + sell)", "-1..1", _balance),
    *_each("momentum_4w", "mean balance of 4 periods", "-1..1", lambda r: r.mean(_balance(r), 4)),
    *_each("z_52w", "z of the balance against its last 52 periods", "sd", _balance_z),
    *_each("activity", "(buy + sell) / its mean of 52 periods - 1", "1", _activity),
    _market("smart_index", "z_52w of foreigners less z_52w of individuals", "sd",
            lambda r: _smart(r, _balance_z(r))),
    _market("smart_change_4w", "smart index less that of 4 periods before", "sd",
            lambda r: _smart(r, r.change(_balance_z(r), 4))),
    _market("foreign_impulse", "foreign balance less its mean of 4 periods", "-1..1", _impulse),
    _market("foreign_share", "foreign turnover / turnover of all types", "0..1", _foreign_share),
    _market("breadth", "share of investor types that bought more than they sold", "0..1", _breadth),
    _market("age", "weekdays since the newest figures became available", "weekdays", _age),
)  # fmt: skip
