"""What the stock's own bars say: returns, momentum and trend; how much and how unevenly the price moves;
trading activity and liquidity; products of two of these; and how much is known of a stock.
"""

import numpy as np

from engine.data.tables import SECTORS
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, log, ratio

_price = Family(name="price")
_vol = Family(name="volatility")
_volume = Family(name="volume")
_both = Family(name="interaction")
_by_sector = Family(name="interaction", source=SECTORS, own=False)
_valid = Family(name="validity")


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


_PRICE: tuple[Feature, ...] = (
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


_VOLATILITY: tuple[Feature, ...] = (
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


def _illiquidity(x: Context) -> Array:
    return x.once("illiquidity", lambda: ratio(np.abs(x.return_NS), x.turnover))


def volume_shock(x: Context) -> Array:
    """``[N, S]``: ln volume less its mean of 20 sessions; NaN without volume."""
    return x.log_volume - rolling.mean(x.log_volume, 20)


def _signed_volume(x: Context) -> Array:
    return x.once("signed volume", lambda: np.sign(x.return_NS) * x.volume)


def _zero_share(x: Context, window: int) -> Array:
    still_NS = np.where(np.isfinite(x.return_NS), (x.return_NS == 0.0).astype(float), np.nan)
    return rolling.mean(still_NS, window)


def _average_price_gap(x: Context, window: int) -> Array:
    """Close over the volume-weighted mean close of the window."""
    paid_NS = rolling.mean(x.close * x.volume, window)
    return x.close / ratio(paid_NS, x.mean_volume(window)) - 1.0


def _money_flow(x: Context, window: int) -> Array:
    typical_NS = (x.high + x.low + x.close) / 3.0
    flow_NS = typical_NS * x.volume
    change_NS = typical_NS - rolling.shift(typical_NS, 1)
    up_NS = rolling.mean(
        np.where(change_NS > 0, flow_NS, np.where(change_NS <= 0, 0, np.nan)), window
    )
    down_NS = rolling.mean(
        np.where(change_NS < 0, flow_NS, np.where(change_NS >= 0, 0, np.nan)), window
    )
    return ratio(up_NS, up_NS + down_NS)


_VOLUME: tuple[Feature, ...] = (
    *_volume.over((5, 20, 60), "log_turnover_{w}", "ln mean(a, {w})", "ln currency",
                  lambda x, w: log(rolling.mean(x.turnover, w)), core=(20,)),
    _volume("volume_ratio_5_60", "mean(v, 5) / mean(v, 60)", "1", 60,
            lambda x: ratio(x.mean_volume(5), x.mean_volume(60)), core=True),
    _volume("volume_ratio_1_20", "v / mean(v, 20)", "1", 20,
            lambda x: ratio(x.volume, x.mean_volume(20))),
    _volume("volume_ratio_20_120", "mean(v, 20) / mean(v, 120)", "1", 120,
            lambda x: ratio(x.mean_volume(20), x.mean_volume(120))),
    _volume("volume_shock", "ln v - mean(ln v, 20)", "ln", 20,
            volume_shock, core=True),
    _volume("volume_level_10_120", "mean(ln v, 10) - mean(ln v, 120)", "ln", 120,
            lambda x: rolling.mean(x.log_volume, 10) - rolling.mean(x.log_volume, 120), core=True),
    _volume("volume_level_10_250", "mean(ln v, 10) - mean(ln v, 250)", "ln", 250,
            lambda x: rolling.mean(x.log_volume, 10) - rolling.mean(x.log_volume, 250)),
    *_volume.over((5, 20, 60), "amihud_{w}", "mean(|r| / a, {w}), Amihud 2002", "1 / currency",
                  lambda x, w: rolling.mean(_illiquidity(x), w), before=1, core=(20,)),
    *_volume.over((20, 60), "signed_volume_{w}", "mean(sign(r) v, {w}) / mean(v, {w})", "1",
                  lambda x, w: ratio(rolling.mean(_signed_volume(x), w), x.mean_volume(w)),
                  before=1, core=(20,)),
    *_volume.over((20, 60), "volume_volatility_{w}", "sd(ln v, {w})", "ln",
                  lambda x, w: rolling.std(x.log_volume, w)),
    _volume("volume_trend_20", "slope of ln v on time, 20 sessions", "ln a session", 20,
            lambda x: rolling.trend(x.log_volume, 20)[0]),
    _volume("zero_return_share_60", "mean(r = 0, 60), Lesmond, Ogden & Trzcinka 1999", "0..1", 61,
            lambda x: _zero_share(x, 60)),
    *_volume.over((10, 20, 60), "price_volume_correlation_{w}", "correlation(ln c, ln v, {w})", "-1..1",
                  lambda x, w: rolling.correlation(x.log_close, x.log_volume, w)),
    _volume("return_volume_correlation_20", "correlation(r, ln v - ln v[-1], 20)", "-1..1", 21,
            lambda x: rolling.correlation(
                x.return_NS, x.log_volume - rolling.shift(x.log_volume, 1), 20)),
    *_volume.over((5, 20), "average_price_gap_{w}", "c / (mean(c v, {w}) / mean(v, {w})) - 1", "fraction",
                  _average_price_gap),
    _volume("money_flow_14", "up / (up + down) of typical price times volume, 14 sessions", "0..1",
            15, lambda x: _money_flow(x, 14)),
)  # fmt: skip

FEATURES = (*_PRICE, *_VOLATILITY, *_VOLUME)


def _illiquid(x: Context) -> Array:
    return -log(rolling.mean(x.turnover, 20))


INTERACTION: tuple[Feature, ...] = (
    *_both.over((20, 60), "return_to_volatility_{w}", "return_{w} / sd(r, {w})", "1",
                lambda x, w: ratio(x.total_return(w), x.volatility(w)), before=1),
    _both("return_1_volume", "r volume_shock", "ln", 20, lambda x: x.return_NS * volume_shock(x)),
    _both("return_5_volume", "return_5 volume_shock", "ln", 20,
          lambda x: x.total_return(5) * volume_shock(x)),
    _both("gap_volume", "overnight_gap volume_shock", "ln", 20,
          lambda x: x.overnight_NS * volume_shock(x)),
    _both("reversal_illiquid", "residual_5 x -ln mean(a, 20)", "ln", 67,
          lambda x: x.sum_of(x.residual_NS, 5) * _illiquid(x), depth=2),
    _both("beta_market_20", "beta_60 x market_return_20", "fraction", 61,
          lambda x: x.beta(60) * x.sum_of(x.market_S[None, :], 20)),
    _both("momentum_market_20", "return_120 x sign(market_return_20)", "fraction", 120,
          lambda x: x.total_return(120) * np.sign(x.sum_of(x.market_S[None, :], 20))),
    _by_sector("relative_sector_20", "sector_relative_20 x sector_return_20", "fraction^2", 21,
               lambda x: x.sum_of(x.return_NS - x.sector_return_NS, 20)
               * x.sum_of(x.sector_return_NS, 20)),
    _both("volatility_direction_20", "sd(r, 20) x sign(return_20)", "fraction a day", 21,
          lambda x: x.volatility(20) * np.sign(x.total_return(20))),
    _both("high_momentum", "c / max(h, 252) x return_120", "fraction", 252,
          lambda x: x.close / x.highest(252) * x.total_return(120)),
)  # fmt: skip


def _share(x_NS: Array, window: int) -> Array:
    return rolling.mean(np.isfinite(x_NS).astype(float), window)


def _age(x: Context) -> Array:
    bars_NS = np.cumsum(np.isfinite(x.close), axis=1) + x.dense.bars_before_N[:, None]
    return np.log(np.maximum(bars_NS, 1))


VALIDITY: tuple[Feature, ...] = (
    *_valid.over((20, 60, 252), "bar_share_{w}", "share of the last {w} sessions with a bar", "0..1",
                 lambda x, w: _share(x.close, w)),
    _valid("open_share_20", "share of the last 20 sessions with an opening price", "0..1", 20,
           lambda x: _share(x.open, 20)),
    _valid("traded_share_20", "share of the last 20 sessions with volume", "0..1", 20,
           lambda x: rolling.mean((np.nan_to_num(x.volume) > 0).astype(float), 20)),
    _valid("age", "ln of the number of bars so far", "ln sessions", 1, _age),
    _valid("sector_known", "1 where the sector is known", "0 or 1", 1,
           lambda x: np.repeat((x.dense.sector_N >= 0).astype(float)[:, None],
                               x.dense.dates_S.size, axis=1)),
)  # fmt: skip
