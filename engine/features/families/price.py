"""Returns, momentum and trend of the stock's own price."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, ratio

_price = Family(name="price")


def _momentum(first: int, last: int, name: str, *, core: bool = False) -> Feature:
    """Return from ``first`` to ``last`` sessions ago (Jegadeesh & Titman 1993)."""

    def compute(x: Context) -> Array:
        return rolling.shift(x.close, last) / rolling.shift(x.close, first) - 1.0

    return _price(name, f"c[-{last}] / c[-{first}] - 1", "fraction", first, compute, core=core)


def _up_share(x: Context, window: int) -> Array:
    up_NS = np.where(np.isfinite(x.return_NS), (x.return_NS > 0).astype(float), np.nan)
    return rolling.mean(up_NS, window)


def _trend(x: Context, window: int, part: int) -> Array:
    """Slope (part 0), r2 (1) or residual (2) of the line through ln c."""
    return x.once(("trend", window), lambda: rolling.trend(x.log_close, window))[part]


FEATURES: tuple[Feature, ...] = (
    *_price.over((1, 2, 3, 5, 10, 20, 40, 60, 120, 240), "return_{w}", "c / c[-{w}] - 1", "fraction",
                 lambda x, w: x.total_return(w), core=(1, 2, 5, 10, 20, 60, 120)),
    _momentum(252, 21, "momentum_12_1", core=True),
    _momentum(126, 21, "momentum_6_1"),
    _momentum(252, 126, "momentum_12_7"),
    _price("high_52w", "c / max(h, 252), George & Hwang 2004", "fraction", 252,
           lambda x: x.close / x.highest(252), core=True),
    _price("low_52w", "c / min(l, 252)", "fraction", 252, lambda x: x.close / x.lowest(252)),
    _price("drawdown_60", "c / max(h, 60)", "fraction", 60, lambda x: x.close / x.highest(60)),
    _price("overnight_gap", "o / c[-1] - 1", "fraction", 1, lambda x: x.overnight_NS, core=True),
    _price("overnight_20", "mean(o / c[-1] - 1, 20)", "fraction", 21,
           lambda x: rolling.mean(x.overnight_NS, 20)),
    _price("intraday_1", "c / o - 1", "fraction", 1, lambda x: x.intraday_NS),
    _price("intraday_20", "mean(c / o - 1, 20)", "fraction", 20,
           lambda x: rolling.mean(x.intraday_NS, 20), core=True),
    _price("night_less_day_20", "mean(o / c[-1] - c / o, 20), Lou, Polk & Skouras 2019",
           "fraction", 21, lambda x: rolling.mean(x.overnight_NS - x.intraday_NS, 20)),
    _price("acceleration_20", "return_20 - return_20[-20]", "fraction", 40,
           lambda x: x.total_return(20) - rolling.shift(x.total_return(20), 20)),
    _price("close_position_1", "(c - l) / (h - l)", "0..1", 1,
           lambda x: ratio(x.close - x.low, x.high - x.low)),
    _price("body_1", "(c - o) / (h - l)", "-1..1", 1,
           lambda x: ratio(x.close - x.open, x.high - x.low)),
    *_price.over((10, 20, 60), "up_share_{w}", "mean(r > 0, {w})", "0..1", _up_share, before=1),
    *_price.over((20, 60), "trend_{w}", "slope of ln c on time, {w} sessions", "ln a session",
                 lambda x, w: _trend(x, w, 0)),
    *_price.over((20, 60), "trend_r2_{w}", "r2 of ln c on time, {w} sessions", "0..1",
                 lambda x, w: _trend(x, w, 1)),
    _price("trend_residual_20", "ln c less its line on time, 20 sessions", "ln", 20,
           lambda x: _trend(x, 20, 2)),
)  # fmt: skip
