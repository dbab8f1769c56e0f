"""How much is known of a stock: flags and shares in place of imputed values."""

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature

_valid = Family(name="validity")


def _share(x_NS: Array, window: int) -> Array:
    return rolling.mean(np.isfinite(x_NS).astype(float), window)


def _age(x: Context) -> Array:
    bars_NS = np.cumsum(np.isfinite(x.close), axis=1) + x.dense.bars_before_N[:, None]
    return np.log(np.maximum(bars_NS, 1))


FEATURES: tuple[Feature, ...] = (
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
