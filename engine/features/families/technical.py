"""Classic indicators, in a form that is comparable across stocks."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.bars import true_range
from engine.features.feature import Family, Feature, ratio
from engine.features.rolling import lookback_ewm

_tech = Family(name="technical")


def _rsi(x: Context, window: int) -> Array:
    def compute() -> Array:
        up_NS = rolling.mean(np.maximum(x.return_NS, 0.0), window)
        down_NS = rolling.mean(np.maximum(-x.return_NS, 0.0), window)
        return ratio(up_NS, up_NS + down_NS)

    return x.once(("rsi", window), compute)


def _ema(x: Context, span: int) -> Array:
    return x.once(("ema", span), lambda: rolling.ewm(x.close, span))


def _macd_line(x: Context) -> Array:
    return (_ema(x, 12) - _ema(x, 26)) / x.close


def _macd(x: Context) -> Array:
    line_NS = _macd_line(x)
    return line_NS - rolling.ewm(line_NS, 9)


def _position(x: Context, window: int) -> Array:
    """Close within the range of the window, 0 at its low and 1 at its high."""
    low_NS = x.lowest(window)
    return ratio(x.close - low_NS, x.highest(window) - low_NS)


def _directional(x: Context) -> tuple[Array, Array]:
    """Directional movement up and down over 14 sessions as shares of the true range, Wilder 1978."""
    up_NS = x.high - rolling.shift(x.high, 1)
    down_NS = rolling.shift(x.low, 1) - x.low
    known_NS = np.isfinite(up_NS) & np.isfinite(down_NS)
    plus_NS = np.where(known_NS, np.where((up_NS > down_NS) & (up_NS > 0), up_NS, 0.0), np.nan)
    minus_NS = np.where(known_NS, np.where((down_NS > up_NS) & (down_NS > 0), down_NS, 0.0), np.nan)
    range_NS = rolling.mean(true_range(x) * x.close, 14)
    return ratio(rolling.mean(plus_NS, 14), range_NS), ratio(rolling.mean(minus_NS, 14), range_NS)


def _direction(x: Context) -> Array:
    plus_NS, minus_NS = _directional(x)
    return ratio(plus_NS - minus_NS, plus_NS + minus_NS)


def _adx(x: Context) -> Array:
    return rolling.mean(np.abs(_direction(x)), 14)


def _channel_index(x: Context, window: int) -> Array:
    typical_NS = (x.high + x.low + x.close) / 3.0
    centre_NS = typical_NS - rolling.mean(typical_NS, window)
    return ratio(centre_NS, rolling.mean(np.abs(centre_NS), window))


def _aroon(x: Context, window: int) -> Array:
    high_NS = rolling.since_maximum(x.high, window)
    return (rolling.since_minimum(x.low, window) - high_NS) / window


def _average_gap(short: int, long: int, *, core: bool = False) -> Feature:
    return _tech(
        f"ma_gap_{short}_{long}",
        f"mean(c, {short}) / mean(c, {long}) - 1",
        "fraction",
        long,
        lambda x: x.mean_close(short) / x.mean_close(long) - 1.0,
        core=core,
    )


FEATURES: tuple[Feature, ...] = (
    _tech("rsi_14", "up / (up + down), mean moves of 14 sessions, Wilder 1978", "0..1", 15,
          lambda x: _rsi(x, 14), core=True),
    _tech("rsi_2", "the same of 2 sessions", "0..1", 3, lambda x: _rsi(x, 2), core=True),
    _tech("rsi_28", "the same of 28 sessions", "0..1", 29, lambda x: _rsi(x, 28)),
    _tech("rsi_change_5", "rsi_14 - rsi_14[-5]", "-1..1", 20,
          lambda x: _rsi(x, 14) - rolling.shift(_rsi(x, 14), 5)),
    _tech("macd_line", "(ema12 - ema26) / c, Appel", "fraction", lookback_ewm(26), _macd_line),
    _tech("macd_histogram", "(ema12 - ema26) / c less its ema9, Appel", "fraction",
          lookback_ewm(26) + lookback_ewm(9), _macd, core=True, depth=2),
    _tech("ema_gap_20", "c / ema20 - 1", "fraction", lookback_ewm(20),
          lambda x: x.close / _ema(x, 20) - 1.0),
    _tech("ema_slope_20", "ema20 / ema20[-5] - 1", "fraction", lookback_ewm(20) + 5,
          lambda x: _ema(x, 20) / rolling.shift(_ema(x, 20), 5) - 1.0),
    _tech("bollinger_20", "(c - mean(c, 20)) / sd(c, 20), Bollinger", "sd", 20,
          lambda x: ratio(x.close - x.mean_close(20), rolling.std(x.close, 20)), core=True),
    _tech("bollinger_width_20", "sd(c, 20) / mean(c, 20)", "fraction", 20,
          lambda x: rolling.std(x.close, 20) / x.mean_close(20)),
    _tech("atr_14", "mean(true range / c, 14)", "fraction", 15,
          lambda x: rolling.mean(true_range(x), 14), core=True),
    _tech("atr_ratio_5_60", "mean(true range / c, 5) / mean(true range / c, 60)", "1", 61,
          lambda x: ratio(rolling.mean(true_range(x), 5), rolling.mean(true_range(x), 60))),
    _tech("adx_14", "mean(|+di - -di| / (+di + -di), 14), Wilder 1978", "0..1", 29, _adx, depth=2),
    _tech("direction_14", "(+di - -di) / (+di + -di), 14 sessions", "-1..1", 15, _direction),
    _tech("stochastic_14", "(c - min l) / (max h - min l), 14 sessions, Lane", "0..1", 14,
          lambda x: _position(x, 14), core=True),
    _tech("stochastic_14_3", "mean(stochastic_14, 3)", "0..1", 17,
          lambda x: rolling.mean(_position(x, 14), 3)),
    _tech("donchian_20", "(c - min l) / (max h - min l), 20 sessions", "0..1", 20,
          lambda x: _position(x, 20)),
    _tech("donchian_60", "the same of 60 sessions", "0..1", 60, lambda x: _position(x, 60)),
    _tech("channel_index_20", "(p - mean p) / mean|p - mean p|, p = (h + l + c) / 3, Lambert", "1",
          40, lambda x: _channel_index(x, 20), depth=2),
    _tech("aroon_25", "(sessions since min l - since max h) / 25, Chande", "-1..1", 25,
          lambda x: _aroon(x, 25)),
    _tech("since_high_252", "sessions since max(h, 252)", "sessions", 252,
          lambda x: rolling.since_maximum(x.high, 252)),
    *_tech.over((60, 252), "close_rank_{w}", "share of the last {w} closes below c", "0..1",
                lambda x, w: rolling.rank(x.close, w)),
    _tech("upper_quantile_gap_60", "80 % quantile(c, 60) / c - 1", "fraction", 60,
          lambda x: rolling.quantile(x.close, 60, 0.8) / x.close - 1.0),
    _tech("lower_quantile_gap_60", "20 % quantile(c, 60) / c - 1", "fraction", 60,
          lambda x: rolling.quantile(x.close, 60, 0.2) / x.close - 1.0),
    _average_gap(5, 20),
    _average_gap(20, 60, core=True),
    _average_gap(60, 240),
    *_tech.over((5, 20, 60, 120, 200), "price_gap_{w}", "c / mean(c, {w}) - 1", "fraction",
                lambda x, w: x.close / x.mean_close(w) - 1.0),
)  # fmt: skip
