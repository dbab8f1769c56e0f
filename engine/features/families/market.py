"""The state of the market as a whole: the same for all stocks of a day, context rather than rank."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, log, ratio

_market = Family("market").market


def _row(compute: Array) -> Array:
    return np.asarray(compute[0])


def _sum(x: Context, sessions: int) -> Array:
    return _row(x.sum_of(x.market_S[None, :], sessions))


def _deviation(x: Context, window: int) -> Array:
    return _row(rolling.std(x.market_S[None, :], window))


def _mean(x: Context, name: str, window: int) -> Array:
    return _row(rolling.mean(x.market(name)[None, :], window))


def _drawdown(x: Context) -> Array:
    level = x.market_level_S[None, :]
    return _row(level / rolling.maximum(level, 252) - 1.0)


def _above_average(x: Context, window: int) -> Array:
    level = x.market_level_S[None, :]
    return _row(level / rolling.mean(level, window) - 1.0)


def _turnover(x: Context) -> Array:
    level = log(x.market("turnover"))[None, :]
    return _row(level - rolling.mean(level, 60))


FEATURES: tuple[Feature, ...] = (
    _market("market_return_1", "m", 1, lambda x: x.market_S),
    _market("market_return_5", "sum(m, 5)", 5, lambda x: _sum(x, 5), core=True),
    _market("market_return_20", "sum(m, 20)", 20, lambda x: _sum(x, 20), core=True),
    _market("market_return_60", "sum(m, 60)", 60, lambda x: _sum(x, 60)),
    _market("market_volatility_5", "sd(m, 5)", 5, lambda x: _deviation(x, 5)),
    _market("market_volatility_20", "sd(m, 20)", 20, lambda x: _deviation(x, 20), core=True),
    _market("market_volatility_60", "sd(m, 60)", 60, lambda x: _deviation(x, 60)),
    _market("market_volatility_ratio", "sd(m, 5) / sd(m, 60)", 60,
            lambda x: ratio(_deviation(x, 5), _deviation(x, 60))),
    _market("market_drawdown", "level / max(level, 252) - 1", 252, _drawdown, core=True),
    _market("market_gap_20", "level / mean(level, 20) - 1", 20, lambda x: _above_average(x, 20)),
    _market("market_gap_200", "level / mean(level, 200) - 1", 200,
            lambda x: _above_average(x, 200)),
    _market("market_skew_60", "skewness(m, 60)", 60,
            lambda x: _row(rolling.skewness(x.market_S[None, :], 60))),
    _market("market_up_share_20", "mean(m > 0, 20)", 20, lambda x: _row(rolling.mean(
        np.where(np.isfinite(x.market_S), (x.market_S > 0).astype(float), np.nan)[None, :], 20))),
    _market("breadth_1", "share of members that rose", 1, lambda x: x.market("breadth")),
    _market("breadth_20", "mean(breadth, 20)", 20, lambda x: _mean(x, "breadth", 20)),
    _market("above_average_60", "share of members with c > mean(c, 60)", 60,
            lambda x: x.market("above_average")),
    _market("dispersion_1", "sd of the members' r", 1, lambda x: x.market("dispersion")),
    _market("dispersion_20", "mean(dispersion, 20)", 20, lambda x: _mean(x, "dispersion", 20)),
    _market("market_turnover", "ln sum a - its mean of 60 sessions", 60, _turnover),
)  # fmt: skip
