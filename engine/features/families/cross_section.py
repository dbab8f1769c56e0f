"""The stock against the market: sensitivity, what is left without it, and how that behaves."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, ratio

_cross = Family(name="cross_section")
_CHAIN = 61
"""Look-back of a residual: beta of 60 returns up to the session before."""


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


FEATURES: tuple[Feature, ...] = (
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
