"""The stock against the market and against the other members of its sector (NaN where the sector is unknown
or has no other); and the state of the market as a whole, the same for all stocks of a day.
"""

from collections.abc import Callable

import numpy as np

from engine.data.tables import SECTORS
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.bars import volume_shock
from engine.features.feature import Family, Feature, log, ratio

_cross = Family(name="cross_section")
_CHAIN = 61
"""Look-back of a residual: beta of 60 returns up to the session before."""
_sector = Family(name="sector", source=SECTORS, own=False)
_family = Family(name="market", scope="market")
_UNIT = "z against its last 252 sessions"
_SCALE = 252
"""Sessions that scaling looks back further."""


def _residual_deviation(x: Context, window: int) -> Array:
    return x.once(("residual sd", window), lambda: rolling.std(x.residual_NS, window))


def _residual_momentum(x: Context) -> Array:
    """Blitz, Huij & Martens 2011: mean residual over its deviation, the last month left out."""
    mean_NS = rolling.mean(x.residual_NS, 231)
    return rolling.shift(ratio(mean_NS, rolling.std(x.residual_NS, 231)), 21)


def _down_beta(x: Context, window: int) -> Array:
    """Slope on the sessions on which the market fell, Ang, Chen & Xing 2006."""
    down_S = np.where(x.market_S < 0, x.market_S, np.nan)
    known_NS = np.where(np.isfinite(down_S), x.return_NS, np.nan)
    xy_NS = rolling.mean(np.where(np.isfinite(known_NS), known_NS * down_S, 0.0), window)
    xx_S = rolling.mean(np.nan_to_num(down_S)[None, :] ** 2, window)
    held_NS = rolling.mean(np.isfinite(x.return_NS).astype(float), window)
    return np.where(held_NS >= rolling.MIN_VALID, ratio(xy_NS, xx_S), np.nan)


def _coskewness(x: Context, window: int) -> Array:
    """Harvey & Siddique 2000: mean residual times squared market move, in units of both deviations."""
    market_S = x.market_S - rolling.mean(x.market_S[None, :], window)[0]
    top_NS = rolling.mean(x.residual_NS * market_S**2, window)
    return ratio(
        top_NS, _residual_deviation(x, window) * rolling.mean(market_S[None, :] ** 2, window)
    )


_CROSS_SECTION: tuple[Feature, ...] = (
    _cross("residual_1", "r - beta60[-1] m", "fraction", _CHAIN + 1, lambda x: x.residual_NS,
           core=True),
    *_cross.over((5, 20, 60, 120), "residual_{w}", "sum(residual, {w})", "fraction",
                 lambda x, w: x.sum_of(x.residual_NS, w), before=_CHAIN + 1, core=(5, 20), depth=2),
    _cross("residual_momentum_12_1", "mean / sd of residuals 252 to 21 sessions ago, Blitz 2011",
           "1", _CHAIN + 253, _residual_momentum, depth=2),
    _cross("idio_volatility_60", "sd(residual, 60), Ang, Hodrick, Xing & Zhang 2006",
           "fraction a day", _CHAIN + 61, lambda x: _residual_deviation(x, 60), core=True, depth=2),
    _cross("idio_volatility_20", "sd(residual, 20)", "fraction a day", _CHAIN + 21,
           lambda x: _residual_deviation(x, 20), depth=2),
    _cross("idio_share_60", "sd(residual, 60) / sd(r, 60)", "1", _CHAIN + 61,
           lambda x: ratio(_residual_deviation(x, 60), x.volatility(60)), depth=2),
    _cross("idio_skew_60", "skewness(residual, 60)", "1", _CHAIN + 61,
           lambda x: rolling.skewness(x.residual_NS, 60), depth=2),
    _cross("idio_max_20", "max(residual, 20)", "fraction", _CHAIN + 21,
           lambda x: rolling.maximum(x.residual_NS, 20), depth=2),
    _cross("beta_60", "slope of r on m, 60 sessions", "1", 61, lambda x: x.beta(60), core=True),
    *_cross.over((20, 120), "beta_{w}", "slope of r on m, {w} sessions", "1", lambda x, w: x.beta(w),
                 before=1),
    _cross("beta_change_60", "beta_60 - beta_60[-20]", "1", 81,
           lambda x: x.beta(60) - rolling.shift(x.beta(60), 20)),
    _cross("beta_stability_60", "sd(beta_20, 60)", "1", 81, lambda x: rolling.std(x.beta(20), 60), depth=2),
    _cross("down_beta_120", "slope of r on m where m < 0, 120 sessions, Ang 2006", "1", 121,
           lambda x: _down_beta(x, 120)),
    *_cross.over((60, 20), "market_correlation_{w}", "correlation of r and m, {w} sessions", "-1..1",
                 lambda x, w: x.market_correlation(w), before=1, core=(60,)),
    _cross("coskewness_60", "mean(residual (m - mean m)^2) / (sd residual var m), Harvey 2000", "1",
           _CHAIN + 121, lambda x: _coskewness(x, 60), depth=2),
    _cross("price_delay_20", "correlation of r and m[-1], 20 sessions, Hou & Moskowitz 2005",
           "-1..1", 22, lambda x: rolling.regression(
               x.return_NS, rolling.shift(x.market_S[None, :], 1)[0], 20)[1]),
)  # fmt: skip


def _relative(x: Context) -> Array:
    return x.once("sector relative", lambda: x.return_NS - x.sector_return_NS)


_SECTOR: tuple[Feature, ...] = (
    *_sector.over((1, 5, 20, 60, 120), "sector_return_{w}",
                  "sum over {w} sessions of the mean return of the sector's others", "fraction",
                  lambda x, w: x.sum_of(x.sector_return_NS, w), before=1, core=(5, 20)),
    *_sector.over((1, 5, 20, 60, 120), "sector_relative_{w}",
                  "sum over {w} sessions of r less the sector's others", "fraction",
                  lambda x, w: _relative(x) if w == 1 else x.sum_of(_relative(x), w),
                  before=1, core=(1, 5, 20)),
    _sector("sector_volatility_20", "sd of the mean return of the sector's others, 20 sessions",
            "fraction a day", 21,
            lambda x: rolling.std(x.sector_return_NS, 20)),
    _sector("volatility_to_sector_20", "sd(r, 20) / mean of the sector's others", "1", 21,
            lambda x: ratio(x.volatility(20), x.sector_mean(x.volatility(20)))),
    _sector("volume_shock_to_sector", "volume_shock less the mean of the sector's others", "ln", 20,
            lambda x: volume_shock(x) - x.sector_mean(volume_shock(x))),
    _sector("sector_volume_shock", "mean volume_shock of the sector's others", "ln", 20,
            lambda x: x.sector_mean(volume_shock(x))),
    _sector("sector_correlation_60", "correlation of r and the sector's others, 60 sessions",
            "-1..1", 61, lambda x: rolling.correlation(x.return_NS, x.sector_return_NS, 60)),
    _sector("sector_gap", "mean o / c[-1] - 1 of the sector's others", "fraction", 1,
            lambda x: x.sector_mean(x.overnight_NS)),
    _sector("sector_breadth_20", "mean over the sector's others of r > 0, 20 sessions", "0..1", 21,
            lambda x: rolling.mean(x.sector_mean(np.where(
                np.isfinite(x.return_NS), (x.return_NS > 0).astype(float), np.nan)), 20)),
    _sector("sector_momentum_12_1", "sum of the sector's mean return, 252 to 21 sessions ago",
            "fraction", 253, lambda x: rolling.shift(x.sum_of(x.sector_return_NS, 231), 21)),
)  # fmt: skip


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


_MARKET: tuple[Feature, ...] = (
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

FEATURES = (*_CROSS_SECTION, *_SECTOR, *_MARKET)
