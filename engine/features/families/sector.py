"""The stock against the other members of its sector; NaN where the sector is unknown or has no other."""

import numpy as np

from engine.data.sectors import SECTORS
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.volume import volume_shock
from engine.features.feature import Family, Feature, ratio

_sector = Family(name="sector", source=SECTORS, own=False)


def _relative(x: Context) -> Array:
    return x.once("sector relative", lambda: x.return_NS - x.sector_return_NS)


FEATURES: tuple[Feature, ...] = (
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
