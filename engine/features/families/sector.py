"""The stock against the other members of its sector; NaN where the sector is unknown or has no other."""

import numpy as np

from engine.data.sectors import SECTORS
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Family, Feature, ratio

_sector = Family("sector", source=SECTORS, own=False).stock


def _relative(x: Context) -> Array:
    return x.once(("sector relative",), lambda: x.return_NS - x.sector_return_NS)


def _volume_shock(x: Context) -> Array:
    return x.log_volume - rolling.mean(x.log_volume, 20)


def _sector_volatility(x: Context) -> Array:
    return rolling.std(x.sector_return_NS, 20)


def _returns(sessions: int) -> Feature:
    return _sector(
        f"sector_return_{sessions}",
        f"sum over {sessions} sessions of the mean return of the sector's others",
        "fraction",
        sessions + 1,
        lambda x: x.sum_of(x.sector_return_NS, sessions),
        core=sessions in (5, 20),
    )


def _relatives(sessions: int) -> Feature:
    return _sector(
        f"sector_relative_{sessions}",
        f"sum over {sessions} sessions of r less the sector's others",
        "fraction",
        sessions + 1,
        lambda x: _relative(x) if sessions == 1 else x.sum_of(_relative(x), sessions),
        core=sessions in (1, 5, 20),
    )


def _sector_level(x: Context, values: Array) -> Array:
    """Mean of a figure over the sector's other members."""
    return x.sector_mean(values)


FEATURES: tuple[Feature, ...] = (
    *(_returns(sessions) for sessions in (1, 5, 20, 60, 120)),
    *(_relatives(sessions) for sessions in (1, 5, 20, 60, 120)),
    _sector("sector_volatility_20", "sd of the mean return of the sector's others, 20 sessions",
            "fraction a day", 21, _sector_volatility),
    _sector("volatility_to_sector_20", "sd(r, 20) / mean of the sector's others", "1", 21,
            lambda x: ratio(x.volatility(20), _sector_level(x, x.volatility(20)))),
    _sector("volume_shock_to_sector", "volume_shock less the mean of the sector's others", "ln", 20,
            lambda x: _volume_shock(x) - _sector_level(x, _volume_shock(x))),
    _sector("sector_volume_shock", "mean volume_shock of the sector's others", "ln", 20,
            lambda x: _sector_level(x, _volume_shock(x))),
    _sector("sector_correlation_60", "correlation of r and the sector's others, 60 sessions",
            "-1..1", 61, lambda x: rolling.correlation(x.return_NS, x.sector_return_NS, 60)),
    _sector("sector_gap", "mean o / c[-1] - 1 of the sector's others", "fraction", 1,
            lambda x: _sector_level(x, x.overnight_NS)),
    _sector("sector_breadth_20", "mean over the sector's others of r > 0, 20 sessions", "0..1", 21,
            lambda x: rolling.mean(_sector_level(x, np.where(
                np.isfinite(x.return_NS), (x.return_NS > 0).astype(float), np.nan)), 20)),
    _sector("sector_momentum_12_1", "sum of the sector's mean return, 252 to 21 sessions ago",
            "fraction", 253, lambda x: rolling.shift(x.sum_of(x.sector_return_NS, 231), 21)),
)  # fmt: skip
