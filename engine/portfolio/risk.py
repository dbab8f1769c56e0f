"""Which risk a book takes: exposures to styles and sectors, their covariance, and what is each name's own."""

# Shape suffixes: K decisions, N stocks, M stocks of one day, F factors, X styles, T past sessions.
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.features.normalise import gauss_rank, normal_scores
from engine.portfolio.market_data import LOOK_BACK, MarketData, Matrix

STYLES: dict[str, Callable[[MarketData], Matrix]] = {
    "beta": lambda market: market.beta_DN,
    "volatility": lambda market: market.volatility_DN,
    "size": lambda market: market.adv_DN,
    "momentum": lambda market: market.momentum_DN,
}
"""Known at the close of each session; only their order within the day counts."""
_HALF_LIFE = 63.0
"""Sessions after which a past session weighs half."""
_LARGEST = 0.25
"""A return beyond it counts as this much: one bad print must not be a factor."""
_OWN_SESSIONS = 20.0
"""So many sessions the day's median variance weighs against a name's own."""
_LEAST_SHARE = 0.05
"""Least specific variance, as a share of the day's median variance of returns."""
_RIDGE = 1e-8
_LEAST_VARIANCE = 1e-8
"""Of a factor, and of a name: a deviation of 0.01 % a session."""


def style_scores(
    market: MarketData, rows: NDArray[np.int64], scored_KN: NDArray[np.bool_], styles: Sequence[str]
) -> Matrix:
    """Exposures ``[X, K, N]`` at sessions ``rows``: normal scores of each style among the scored names.

    0, the mean, where a style is not known and for names without a score. Sectors have no order and are
    not among the styles.
    """
    out_XKN = np.empty((len(styles), *scored_KN.shape))
    for x, name in enumerate(styles):
        known_KN = np.where(scored_KN, STYLES[name](market)[rows], np.nan)
        out_XKN[x] = np.nan_to_num(normal_scores(known_KN))
    return out_XKN


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorRisk:
    """Covariance of one-session returns: exposure x covariance x exposure' + diagonal of specific."""

    exposure_MF: Matrix
    """A column for each sector that has a name (1 = in it; without sectors one of ones, the market), then one
    for each style.
    """
    covariance_FF: Matrix
    specific_M: NDArray[np.float64]
    """Variance a session that no factor explains, > 0."""

    @classmethod
    def at(cls, market: MarketData, row: int, names_M: NDArray[np.int64]) -> Self:
        """As it is known at the close of session ``row``, for the stocks at these places.

        The exposures of the day meet the returns of the last 252 sessions: each session's factor returns
        are their least-squares fit on today's exposures, so nothing but closes up to ``row`` is used.
        """
        styles = [gauss_rank(values(market)[row, names_M]) for values in STYLES.values()]
        sector_M = market.sector_N[names_M]
        inside_MG = (sector_M[:, None] == np.unique(sector_M)).astype(float)
        offset = market.index_LD.size - market.dates_D.size + row + 1
        past_TM = market.returns_LDN[max(0, offset - LOOK_BACK) : offset, names_M]
        return cls.estimated(np.column_stack([inside_MG, *np.nan_to_num(styles)]), past_TM)

    @classmethod
    def estimated(cls, exposure_MF: Matrix, past_TM: Matrix) -> Self:
        """From exposures and past one-session returns, the newest last; a return of 0 counts as no bar.

        Sessions weigh by a half-life of 63; means are taken as zero, which daily returns allow. Correlations
        of the factors are drawn to zero by F / (F + effective sessions); a name's specific variance is drawn
        to the day's median as if that were 20 more sessions, so that a new listing has the median.
        """
        T, M = past_TM.shape
        F = exposure_MF.shape[1]
        weight_T = 0.5 ** (np.arange(T)[::-1] / _HALF_LIFE)
        weight_T /= weight_T.sum()
        effective = 1.0 / float(weight_T @ weight_T)
        moved_TM = np.clip(past_TM, -_LARGEST, _LARGEST)
        gram_FF = exposure_MF.T @ exposure_MF
        gram_FF += _RIDGE * np.trace(gram_FF) * np.eye(F)
        factor_TF = np.ascontiguousarray(np.linalg.solve(gram_FF, exposure_MF.T @ moved_TM.T).T)
        covariance_FF = (factor_TF * weight_T[:, None]).T @ factor_TF
        shrink = F / (F + effective)
        covariance_FF = (1.0 - shrink) * covariance_FF + shrink * np.diag(np.diag(covariance_FF))
        covariance_FF += _LEAST_VARIANCE * np.eye(F)
        exposure_MF = np.ascontiguousarray(exposure_MF)
        own_M, swing_M, share_M = _variances(moved_TM, factor_TF, exposure_MF, weight_T)
        known_M = share_M > 0
        lost = M / max(M - F, 1)  # degrees of freedom that a day's fit takes
        own_M *= lost / np.where(known_M, share_M, 1.0)
        usual = float(np.median(own_M[known_M])) if known_M.any() else 0.0
        least = _LEAST_SHARE * float(np.median(swing_M)) if M else 0.0
        days_M = effective * share_M
        mixed_M = (days_M * own_M + _OWN_SESSIONS * usual) / (days_M + _OWN_SESSIONS)
        return cls(
            exposure_MF=exposure_MF,
            covariance_FF=covariance_FF,
            specific_M=np.maximum(mixed_M, max(least, _LEAST_VARIANCE)),
        )

    def variance(self, weight_M: NDArray[np.float64]) -> float:
        """Variance a session of a book with these weights."""
        lean_F = weight_M @ self.exposure_MF
        return float(lean_F @ self.covariance_FF @ lean_F + self.specific_M @ weight_M**2)


@njit(cache=True)
def _variances(
    moved_TM: Matrix, factor_TF: Matrix, exposure_MF: Matrix, weight_T: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weighted sums ``[M]`` of squared residuals and returns, and the weight of the days with a bar."""
    T, M = moved_TM.shape
    own_M, swing_M, share_M = np.zeros(M), np.zeros(M), np.zeros(M)
    for t in range(T):
        for m in range(M):
            moved = moved_TM[t, m]
            if moved != 0.0:
                left = moved
                for f in range(factor_TF.shape[1]):
                    left -= factor_TF[t, f] * exposure_MF[m, f]
                own_M[m] += weight_T[t] * left * left
                swing_M[m] += weight_T[t] * moved * moved
                share_M[m] += weight_T[t]
    return own_M, swing_M, share_M
