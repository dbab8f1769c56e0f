"""Trading activity and liquidity."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, log, ratio

_volume = Family(name="volume")


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


FEATURES: tuple[Feature, ...] = (
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
