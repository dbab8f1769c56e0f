"""Scores without what the stocks' styles explain of them."""

# Shape suffixes: K decisions, N stocks, M scored stocks of a day, X styles.
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.config import Style
from engine.features.normalise import normal_scores
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
    market, row_K = decisions.market, decisions.row_K
    scored_KN = np.isfinite(decisions.score_KN)
    exposure_XKN = [
        np.nan_to_num(normal_scores(np.where(scored_KN, STYLES[name](market)[row_K], np.nan)))
        for name in styles
        if name != "sector"
    ]
    group_N = market.sector_N if "sector" in styles else np.zeros_like(market.sector_N)
    out_KN = np.full_like(decisions.score_KN, np.nan)
    for k, scored_N in enumerate(scored_KN):
        names_M = np.flatnonzero(scored_N)
        exposure_MX = np.array([table_KN[k, names_M] for table_KN in exposure_XKN]).T
        out_KN[k, names_M] = _residual(
            decisions.normal_KN[k, names_M],
            exposure_MX.reshape(names_M.size, len(exposure_XKN)),
            group_N[names_M],
        )
    return decisions.with_scores(out_KN)


def _residual(
    y_M: NDArray[np.float64], exposure_MX: Matrix, group_M: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Within groups, then on the exposures (Frisch & Waugh, Econometrica 1, 1933)."""
    _, group_M = np.unique(group_M, return_inverse=True)
    n_groups = int(group_M.max(initial=-1)) + 1
    if y_M.size < NAMES_PER_STYLE * (exposure_MX.shape[1] + n_groups):
        return np.zeros_like(y_M)
    size_G = np.bincount(group_M, minlength=n_groups)
    table = np.column_stack([y_M, exposure_MX])
    for column in table.T:
        column -= (np.bincount(group_M, column, n_groups) / size_G)[group_M]
    y_M, exposure_MX = table[:, 0], table[:, 1:]
    slope_X, *_ = np.linalg.lstsq(exposure_MX, y_M, rcond=None)
    return np.asarray(y_M - exposure_MX @ slope_X)
