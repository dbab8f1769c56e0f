"""The state of the market as a whole: the same for all stocks of a day, context rather than rank."""

from collections.abc import Callable

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, log, ratio

_family = Family(name="market", scope="market")
_UNIT = "z against its last 252 sessions"
_SCALE = 252
"""Sessions that scaling looks back further."""


def _market(
    name: str, formula: str, reach: int, of: Callable[[Context], Array], *, core: bool = False
) -> Feature:
    """``reach``: sessions that the series itself looks back, before it is scaled."""
    return _family(name, formula, _UNIT, reach + _SCALE, of, core=core)


def _rolled(statistic: Callable[[Array, int], Array], series_S: Array, window: int) -> Array:
    """``[S]``: a rolling statistic of one series."""
    return np.asarray(statistic(series_S[None, :], window)[0])


def _deviation(x: Context, window: int) -> Array:
    return _rolled(rolling.std, x.market_S, window)


def _mean(x: Context, name: str, window: int) -> Array:
    return _rolled(rolling.mean, x.market(name), window)


def _over(x: Context, statistic: Callable[[Array, int], Array], window: int) -> Array:
    """The index over a rolling statistic of itself, less 1."""
    return np.asarray(x.market_level_S / _rolled(statistic, x.market_level_S, window) - 1.0)


def _turnover(x: Context) -> Array:
    level_S = log(x.market("turnover"))
    return np.asarray(level_S - _rolled(rolling.mean, level_S, 60))


FEATURES: tuple[Feature, ...] = (
    _market("market_return_1", "m", 1, lambda x: x.market_S),
    *_family.over((5, 20, 60), "market_return_{w}", "sum(m, {w})", _UNIT,
                  lambda x, w: x.sum_of(x.market_S[None, :], w)[0], before=_SCALE, core=(5, 20)),
    *_family.over((5, 20, 60), "market_volatility_{w}", "sd(m, {w})", _UNIT, _deviation,
                  before=_SCALE, core=(20,)),
    _market("market_volatility_ratio", "sd(m, 5) / sd(m, 60)", 60,
            lambda x: ratio(_deviation(x, 5), _deviation(x, 60))),
    _market("market_drawdown", "level / max(level, 252) - 1", 252,
            lambda x: _over(x, rolling.maximum, 252), core=True),
    *_family.over((20, 200), "market_gap_{w}", "level / mean(level, {w}) - 1", _UNIT,
                  lambda x, w: _over(x, rolling.mean, w), before=_SCALE),
    _market("market_skew_60", "skewness(m, 60)", 60,
            lambda x: _rolled(rolling.skewness, x.market_S, 60)),
    _market("market_up_share_20", "mean(m > 0, 20)", 20, lambda x: _rolled(rolling.mean,
        np.where(np.isfinite(x.market_S), (x.market_S > 0).astype(float), np.nan), 20)),
    _market("breadth_1", "share of members that rose", 1, lambda x: x.market("breadth")),
    _market("breadth_20", "mean(breadth, 20)", 20, lambda x: _mean(x, "breadth", 20)),
    _market("above_average_60", "share of members with c > mean(c, 60)", 60,
            lambda x: x.market("above_average")),
    _market("dispersion_1", "sd of the members' r", 1, lambda x: x.market("dispersion")),
    _market("dispersion_20", "mean(dispersion, 20)", 20, lambda x: _mean(x, "dispersion", 20)),
    _market("market_turnover", "ln sum a - its mean of 60 sessions", 60, _turnover),
)  # fmt: skip
