"""Short selling by sector. A stock carries its sector's figures, by the sector's name.

Short ratio = short turnover / turnover of a session. Statistics run over the table's own days as known.
"""

from collections.abc import Callable

import numpy as np

from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, per_sector, summed, to_stocks
from engine.features.feature import Family, Feature, log, ratio

_short = Family(
    name="short",
    prefix="short_",
    source="short",
    published="after the close of the session, so the session after",
)
_Figure = Callable[[Rows], Array]


def _ratio(r: Rows) -> Array:
    return ratio(r.column("short_turnover"), r.column("turnover"))


def _change(sessions: int) -> _Figure:
    return lambda r: r.change(_ratio(r), sessions)


def _market_ratio(r: Rows) -> Array:
    """``[S]``: newest short turnover over newest turnover, summed over the sectors that have both."""
    both_R = np.isfinite(_ratio(r))
    short_KS = r.at_close(np.where(both_R, r.column("short_turnover"), np.nan))
    all_KS = r.at_close(np.where(both_R, r.column("turnover"), np.nan))
    return ratio(summed(short_KS), summed(all_KS))


def _feature(name: str, formula: str, unit: str, at_close: _Figure) -> Feature:
    """A feature of stock scope; ``at_close`` gives ``[K, S]``, a row for each sector."""

    def compute(x: Context) -> Array:
        rows = per_sector(x, "short")
        return to_stocks(x, at_close(rows), rows.keys)

    return _short(name, formula, unit, 0, compute)


def _sector(name: str, formula: str, unit: str, figure: _Figure) -> Feature:
    return _feature(name, formula, unit, lambda r: r.at_close(figure(r)))


def _market(name: str, formula: str, lookback: int, at_close: _Figure) -> Feature:
    def compute(x: Context) -> Array:
        return at_close(per_sector(x, "short"))

    return _short(name, formula, "0..1", lookback, compute, scope="market")


def _market_change(r: Rows) -> Array:
    ratio_S = _market_ratio(r)
    return np.asarray(ratio_S - rolling.shift(ratio_S[None, :], 5)[0])


FEATURES: tuple[Feature, ...] = (
    _sector("ratio", "the sector's short turnover / turnover", "0..1", _ratio),
    _sector("ratio_20", "mean of that over 20 sessions", "0..1", lambda r: r.mean(_ratio(r), 20)),
    _sector("change_1", "ratio less that of the session before", "-1..1", _change(1)),
    _sector("change_5", "ratio less that of 5 sessions before", "-1..1", _change(5)),
    _sector("momentum_5_20", "mean ratio of 5 sessions less that of 20", "-1..1",
            lambda r: r.mean(_ratio(r), 5) - r.mean(_ratio(r), 20)),
    _sector("z_60", "z of the ratio against its last 60 sessions", "sd", lambda r: r.z(_ratio(r), 60)),
    _sector("z_252", "z of the ratio against its last 252 sessions", "sd",
            lambda r: r.z(_ratio(r), 252)),
    _sector("activity_20", "ln short turnover less its mean of 20 sessions", "ln",
            lambda r: log(r.column("short_turnover")) - r.mean(log(r.column("short_turnover")), 20)),
    _feature("relative", "the sector's ratio less the market's", "-1..1",
             lambda r: r.at_close(_ratio(r)) - _market_ratio(r)),
    _market("market_ratio", "short turnover / turnover of all sectors", 0, _market_ratio),
    _market("market_change_5", "market_ratio less that of 5 sessions before", 5, _market_change),
)  # fmt: skip
