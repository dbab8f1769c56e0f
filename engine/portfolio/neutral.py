"""Scores without what the stocks' styles explain of them."""

# Shape suffixes: K decisions, N stocks, M scored stocks of a day, X styles.
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.config import Style
from engine.features.normalise import normal_scores, residual
from engine.portfolio.market_data import MarketData, Matrix
from engine.portfolio.strategy import Decisions

STYLES: dict[str, Callable[[MarketData], Matrix]] = {
    "beta": lambda market: market.beta_DN,
    "volatility": lambda market: market.volatility_DN,
    "size": lambda market: market.adv_DN,
    "momentum": lambda market: market.momentum_DN,
}
"""Known at the close of each session; only their order within the day counts."""
NAMES_PER_STYLE = 10
"""Fewer scored names of a day for each coefficient say nothing about it."""


def neutralised(decisions: Decisions, styles: Sequence[Style]) -> Decisions:
    """The decisions with the residuals of their scores on the styles.

    Day by day: normal scores of the scores, less their least-squares fit on the normal scores of the styles
    (a style that is not known counts as the mean) and, with ``sector``, on a constant for each sector. So the
    chosen book leans on no style by its scores, as far as ranks are linear in it (feature neutralisation;
    residuals on risk factors: Grinold & Kahn, Active Portfolio Management, ch. 3). A day with fewer than ten
    scored names for each coefficient gets equal scores, which decide nothing.
    """
    if not styles:
        return decisions
    known = decisions.neutral
    if tuple(styles) not in known:
        known[tuple(styles)] = decisions.with_scores(_residuals(decisions, styles))
    return known[tuple(styles)]


def _residuals(decisions: Decisions, styles: Sequence[Style]) -> Matrix:
    market, row_K = decisions.market, decisions.row_K
    if "sector" in styles:
        market.require_sectors("portfolio.neutral_to sector")
    scored_KN = np.isfinite(decisions.score_KN)
    exposure_XKN = np.empty((sum(name != "sector" for name in styles), *scored_KN.shape))
    for x, name in enumerate(name for name in styles if name != "sector"):
        known_KN = np.where(scored_KN, STYLES[name](market)[row_K], np.nan)
        exposure_XKN[x] = np.nan_to_num(normal_scores(known_KN))
    group_N = market.sector_N if "sector" in styles else np.zeros_like(market.sector_N)
    out_KN = np.full_like(decisions.score_KN, np.nan)
    for k, scored_N in enumerate(scored_KN):
        names_M = np.flatnonzero(scored_N)
        out_KN[k, names_M] = _residual(
            decisions.normal_KN[k, names_M], exposure_XKN[:, k, names_M].T, group_N[names_M]
        )
    return out_KN


def _residual(
    score_M: NDArray[np.float64], exposure_MX: Matrix, group_M: NDArray[np.int64]
) -> NDArray[np.float64]:
    """On a constant for each group and the exposures; 0 with too few names for so many coefficients."""
    constant_MG = group_M[:, None] == np.unique(group_M)
    design_MK = np.column_stack([constant_MG, exposure_MX])
    if score_M.size < NAMES_PER_STYLE * design_MK.shape[1]:
        return np.zeros_like(score_M)
    return residual(score_M, design_MK)
