"""How well scores rank the stocks of a day, and how sure we can be of it. Numpy only.

A *day* is a pair of arrays over the stocks of one session: score and forward return, any order, NaN
where unknown. Days are the unit of averaging; a day with fewer than ``MIN_NAMES`` valid pairs counts as
undefined, never as zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import newey_west_se
from engine.judgement import is_noise

Array = NDArray[np.floating]
MIN_NAMES = 10
"""Fewer valid names than this give no daily correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankICSummary:
    """Means over days. Every field but ``n_dates`` is NaN when no day is defined."""

    rank_ic: float
    """Mean daily Spearman correlation of score and forward return, in [-1, 1]."""
    rank_ic_se: float
    """Newey-West standard error of that mean, lag = horizon (labels of neighbouring days overlap)."""
    icir: float
    """Mean / standard deviation of the daily RankIC (not annualised)."""
    ic: float
    """Mean daily Pearson correlation."""
    hit_share: float
    """Share of days with RankIC > 0; one half is chance."""
    n_dates: int
    null_band: float
    """Half-width of the 95 % band of the mean RankIC when scores are shuffled within each day."""

    @property
    def is_noise(self) -> bool:
        """True unless |RankIC| lies outside the null band."""
        return is_noise(self.rank_ic, self.null_band)


def average_ranks(values_N: Array) -> NDArray[np.float64]:
    """Ranks 1..N; equal values share their mean rank. NaN is not allowed."""
    _, inverse, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def correlation(a_N: Array, b_N: Array) -> float:
    """Pearson correlation in float64; NaN when either side is constant."""
    a_N = a_N.astype(np.float64) - a_N.mean(dtype=np.float64)
    b_N = b_N.astype(np.float64) - b_N.mean(dtype=np.float64)
    scale = float(np.sqrt((a_N @ a_N) * (b_N @ b_N)))
    return float(a_N @ b_N) / scale if scale > 0 else float("nan")


def rank_ic(score_N: Array, return_N: Array) -> float:
    """Spearman correlation of one day; pairs with a NaN are left out; NaN below ``MIN_NAMES`` pairs."""
    valid_N = np.isfinite(score_N) & np.isfinite(return_N)
    if valid_N.sum() < MIN_NAMES:
        return float("nan")
    return correlation(average_ranks(score_N[valid_N]), average_ranks(return_N[valid_N]))


def rank_ic_series(scores: Sequence[Array], returns: Sequence[Array]) -> NDArray[np.float64]:
    """The daily RankIC, one value a day (NaN = undefined)."""
    pairs = zip(scores, returns, strict=True)
    return np.array([rank_ic(score_N, return_N) for score_N, return_N in pairs])


def summarise(
    scores: Sequence[Array],
    returns: Sequence[Array],
    *,
    horizon: int,
    null_draws: int = 200,
    seed: int = 0,
) -> RankICSummary:
    """Everything that is printed beside a RankIC. ``horizon`` in sessions sets the Newey-West lag."""
    daily_D = rank_ic_series(scores, returns)
    pearson_D = np.array([_pearson(s, r) for s, r in zip(scores, returns, strict=True)])
    valid_D = daily_D[np.isfinite(daily_D)]
    if valid_D.size == 0:
        nan = float("nan")
        return RankICSummary(
            rank_ic=nan, rank_ic_se=nan, icir=nan, ic=nan, hit_share=nan, n_dates=0, null_band=nan
        )
    spread = float(valid_D.std(ddof=1)) if valid_D.size > 1 else float("nan")
    return RankICSummary(
        rank_ic=float(valid_D.mean()),
        rank_ic_se=newey_west_se(valid_D, lag=horizon),
        icir=float(valid_D.mean()) / spread if spread > 0 else float("nan"),
        ic=float(np.nanmean(pearson_D)),
        hit_share=float((valid_D > 0).mean()),
        n_dates=int(valid_D.size),
        null_band=null_band(scores, returns, draws=null_draws, seed=seed),
    )


def null_band(scores: Sequence[Array], returns: Sequence[Array], *, draws: int, seed: int) -> float:
    """95 % quantile of |mean RankIC| over ``draws`` sets of scores shuffled within each day.

    The shuffle keeps each day's set of scores and of returns and breaks only their pairing. A draw uses
    one permutation for all days (restricted to the day's size), so that a persistent score keeps the
    serial correlation which overlapping labels turn into a wider band: independent shuffles would make
    the band too narrow.
    """
    rng = np.random.default_rng(seed)
    days = []
    for score_N, return_N in zip(scores, returns, strict=True):
        valid_N = np.isfinite(score_N) & np.isfinite(return_N)
        if valid_N.sum() >= MIN_NAMES:
            score_rank_N = _unit(average_ranks(score_N[valid_N]))
            days.append((score_rank_N, _unit(average_ranks(return_N[valid_N]))))
    if not days:
        return float("nan")
    largest = max(score_N.size for score_N, _ in days)
    order_KN = np.stack([rng.permutation(largest) for _ in range(draws)])
    means = np.zeros(draws)
    for score_N, return_N in days:
        n = score_N.size
        inside_Kn = order_KN[order_KN < n].reshape(draws, n)
        means += score_N[inside_Kn] @ return_N / len(days)
    return float(np.quantile(np.abs(means), 0.95))


def _pearson(score_N: Array, return_N: Array) -> float:
    valid_N = np.isfinite(score_N) & np.isfinite(return_N)
    if valid_N.sum() < MIN_NAMES:
        return float("nan")
    return correlation(score_N[valid_N], return_N[valid_N])


def _unit(values_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, length one (zero for a constant), so that a dot product is a correlation."""
    centred_N = values_N - values_N.mean()
    length = float(np.sqrt(centred_N @ centred_N))
    return np.asarray(centred_N / length if length > 0 else centred_N)
