"""How much, how unevenly and how far the price moves."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, log, ratio

_vol = Family(name="volatility")


def _range_square(x: Context) -> Array:
    return x.once("range square", lambda: log(x.high / x.low) ** 2)


def _garman_klass(x: Context) -> Array:
    """Garman & Klass 1980: 0.5 ln(h/l)^2 - (2 ln 2 - 1) ln(c/o)^2."""
    body_NS = log(x.close / x.open)
    return np.asarray(0.5 * _range_square(x) - (2.0 * np.log(2.0) - 1.0) * body_NS**2)


def _rogers_satchell(x: Context) -> Array:
    """Rogers & Satchell 1991: ln(h/c) ln(h/o) + ln(l/c) ln(l/o)."""
    up_NS = log(x.high / x.close) * log(x.high / x.open)
    return up_NS + log(x.low / x.close) * log(x.low / x.open)


def _yang_zhang(x: Context, window: int) -> Array:
    """Yang & Zhang 2000: overnight variance + k open-to-close variance + (1 - k) Rogers-Satchell."""
    k = 0.34 / (1.34 + (window + 1) / (window - 1))
    night_NS = rolling.std(np.log1p(x.overnight_NS), window) ** 2
    day_NS = rolling.std(np.log1p(x.intraday_NS), window) ** 2
    return night_NS + k * day_NS + (1.0 - k) * rolling.mean(_rogers_satchell(x), window)


def _downside(x: Context, window: int) -> Array:
    return np.sqrt(rolling.mean(np.minimum(x.return_NS, 0.0) ** 2, window))


def true_range(x: Context) -> Array:
    """``[N, S]``: (max(h, c[-1]) - min(l, c[-1])) / c, a fraction; NaN without a bar."""

    def compute() -> Array:
        before_NS = rolling.shift(x.close, 1)
        return (np.fmax(x.high, before_NS) - np.fmin(x.low, before_NS)) / x.close

    return x.once("true range", compute)


def _autocorrelation(x: Context, window: int) -> Array:
    return rolling.correlation(x.return_NS, rolling.shift(x.return_NS, 1), window)


FEATURES: tuple[Feature, ...] = (
    *_vol.over((5, 10, 20, 60, 120), "volatility_{w}", "sd(r, {w})", "fraction a day",
               lambda x, w: x.volatility(w), before=1, core=(5, 20, 60)),
    _vol("parkinson_20", "mean(ln(h / l)^2, 20), Parkinson 1980", "fraction^2 a day", 20,
         lambda x: rolling.mean(_range_square(x), 20), core=True),
    _vol("parkinson_60", "mean(ln(h / l)^2, 60)", "fraction^2 a day", 60,
         lambda x: rolling.mean(_range_square(x), 60)),
    _vol("garman_klass_20", "mean(ln(h/l)^2 / 2 - 0.386 ln(c/o)^2, 20), Garman & Klass 1980",
         "fraction^2 a day", 20, lambda x: rolling.mean(_garman_klass(x), 20)),
    _vol("rogers_satchell_20", "mean(ln(h/c) ln(h/o) + ln(l/c) ln(l/o), 20), 1991",
         "fraction^2 a day", 20, lambda x: rolling.mean(_rogers_satchell(x), 20)),
    _vol("yang_zhang_20", "overnight + weighted day and Rogers-Satchell variance, Yang & Zhang 2000",
         "fraction^2 a day", 21, lambda x: _yang_zhang(x, 20)),
    *_vol.over((20, 60), "downside_{w}", "sqrt mean(min(r, 0)^2, {w})", "fraction a day", _downside,
               before=1),
    _vol("max_return_20", "max(r, 20), Bali, Cakici & Whitelaw 2011", "fraction", 21,
         lambda x: rolling.maximum(x.return_NS, 20), core=True),
    _vol("min_return_20", "min(r, 20)", "fraction", 21,
         lambda x: rolling.minimum(x.return_NS, 20)),
    *_vol.over((20, 60), "skew_{w}", "skewness(r, {w})", "1",
               lambda x, w: rolling.skewness(x.return_NS, w), before=1, core=(60,)),
    _vol("kurtosis_60", "excess kurtosis(r, 60)", "1", 61,
         lambda x: rolling.kurtosis(x.return_NS, 60)),
    _vol("range_5", "mean(ln(h / l)^2, 5)", "fraction^2 a day", 5,
         lambda x: rolling.mean(_range_square(x), 5)),
    _vol("true_range_1", "(max(h, c[-1]) - min(l, c[-1])) / c", "fraction", 1, true_range),
    _vol("volatility_ratio_5_60", "sd(r, 5) / sd(r, 60)", "1", 61,
         lambda x: ratio(x.volatility(5), x.volatility(60))),
    _vol("volatility_ratio_20_120", "sd(r, 20) / sd(r, 120)", "1", 121,
         lambda x: ratio(x.volatility(20), x.volatility(120))),
    _vol("volatility_of_volatility_60", "sd(sd(r, 20), 60) / mean(sd(r, 20), 60)", "1", 81,
         lambda x: ratio(rolling.std(x.volatility(20), 60), rolling.mean(x.volatility(20), 60)), depth=2),
    *_vol.over((20, 60), "autocorrelation_{w}", "correlation(r, r[-1], {w})", "-1..1", _autocorrelation,
               before=2),
)  # fmt: skip
