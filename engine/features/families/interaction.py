"""Products of two families: what one says when the other is strong."""

import numpy as np

from engine.data.tables import SECTORS
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.bars import volume_shock
from engine.features.feature import Family, Feature, log, ratio

_both = Family(name="interaction")
_by_sector = Family(name="interaction", source=SECTORS, own=False)


def _illiquid(x: Context) -> Array:
    return -log(rolling.mean(x.turnover, 20))


FEATURES: tuple[Feature, ...] = (
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
