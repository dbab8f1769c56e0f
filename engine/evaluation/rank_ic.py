"""How well scores rank the stocks of a day, and how sure we can be of it. Numpy only.

A *day* is a pair of arrays over the stocks of one session: score and forward return, any order, NaN
where unknown. Days are the unit of averaging; a day with fewer than ``MIN_NAMES`` valid pairs counts as
undefined, never as zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import newey_west_se
from engine.evaluation.ranks import QUANTILES, quantiles
from engine.records.judgement import is_noise

_Array = NDArray[np.floating]
MIN_NAMES = 10
"""Fewer valid names than this give no daily correlation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankICSummary:
    """Means over days. Every field but ``n_dates`` is NaN when no day is defined."""

    rank_ic: float
    """Mean daily Spearman correlation of score and forward return, in [-1, 1]."""
    rank_ic_se: float
    """Newey-West standard error of that mean, lag = horizon (labels of neighbouring days overlap)."""
    rank_ic_t: float
    """Mean over that error."""
    icir: float
    """Mean / standard deviation of the daily RankIC (not annualised)."""
    ic: float
    """Mean daily Pearson correlation."""
    ic_se: float
    """Newey-West, as above."""
    hit_share: float
    """Share of days with RankIC > 0."""
    hit_se: float
    """Newey-West error of that share."""
    hit_base: float
    """The same share for shuffled scores: about one half."""
    hit_band: float
    """Half-width of the 95 % band around it."""
    decile_spread: float
    """Mean return of the best decile less that of the worst, over the horizon. Fraction."""
    decile_spread_se: float
    n_dates: int
    null_band: float
    """Half-width of the 95 % band of the mean RankIC when scores are shuffled within each day."""
    ic_null_band: float
    """The same of the mean IC."""

    @property
    def is_noise(self) -> bool:
        """True unless |RankIC| lies outside the null band."""
        return is_noise(self.rank_ic, self.null_band)


def average_ranks(values_N: _Array) -> NDArray[np.float64]:
    """Ranks 1..N; equal values share their mean rank. NaN is not allowed."""
    _, inverse, counts = np.unique(values_N, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]


def _correlation(a_N: _Array, b_N: _Array) -> float:
    """Pearson correlation in float64; NaN when either side is constant."""
    a_N = a_N.astype(np.float64) - a_N.mean(dtype=np.float64)
    b_N = b_N.astype(np.float64) - b_N.mean(dtype=np.float64)
    scale = float(np.sqrt((a_N @ a_N) * (b_N @ b_N)))
    return float(a_N @ b_N) / scale if scale > 0 else float("nan")


def rank_ic(score_N: _Array, return_N: _Array) -> float:
    """Spearman correlation of one day; pairs with a NaN are left out; NaN below ``MIN_NAMES`` pairs."""
    valid_N = np.isfinite(score_N) & np.isfinite(return_N)
    if valid_N.sum() < MIN_NAMES:
        return float("nan")
    return _correlation(average_ranks(score_N[valid_N]), average_ranks(return_N[valid_N]))


def rank_ic_series(scores: Sequence[_Array], returns: Sequence[_Array]) -> NDArray[np.float64]:
    """The daily RankIC, one value a day (NaN = undefined)."""
    pairs = zip(scores, returns, strict=True)
    return np.array([rank_ic(score_N, return_N) for score_N, return_N in pairs])


def summarise(
    scores: Sequence[_Array],
    returns: Sequence[_Array],
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
        return _undefined()
    pearson_D = pearson_D[np.isfinite(pearson_D)]
    spread_D = decile_spreads(scores, returns)
    spread_D = spread_D[np.isfinite(spread_D)]
    deviation = float(valid_D.std(ddof=1)) if valid_D.size > 1 else float("nan")
    mean, se = float(valid_D.mean()), newey_west_se(valid_D, lag=horizon)
    null = shuffled(scores, returns, draws=null_draws, seed=seed)
    return RankICSummary(
        rank_ic=mean,
        rank_ic_se=se,
        rank_ic_t=mean / se if se > 0 else float("nan"),
        icir=mean / deviation if deviation > 0 else float("nan"),
        ic=float(pearson_D.mean()) if pearson_D.size else float("nan"),
        ic_se=newey_west_se(pearson_D, lag=horizon),
        hit_share=float((valid_D > 0).mean()),
        hit_se=newey_west_se((valid_D > 0).astype(np.float64), lag=horizon),
        hit_base=null.hit_base,
        hit_band=null.hit_band,
        decile_spread=float(spread_D.mean()) if spread_D.size else float("nan"),
        decile_spread_se=newey_west_se(spread_D, lag=horizon),
        n_dates=int(valid_D.size),
        null_band=null.rank_ic,
        ic_null_band=null.ic,
    )


def _undefined() -> RankICSummary:
    names = [field.name for field in fields(RankICSummary) if field.name != "n_dates"]
    return RankICSummary(n_dates=0, **dict.fromkeys(names, math.nan))


def decile_spreads(scores: Sequence[_Array], returns: Sequence[_Array]) -> NDArray[np.float64]:
    """Mean return of the best tenth less that of the worst, each day; NaN below 20 names.

    The decile is that of all scored names; those whose return is unknown are then left out.
    """
    out_D = np.full(len(scores), np.nan)
    for d, (score_N, return_N) in enumerate(zip(scores, returns, strict=True)):
        place_N = quantiles(score_N.astype(np.float64)[None])[0]
        known_N = np.isfinite(return_N)
        best_N, worst_N = (known_N & (place_N == q) for q in (QUANTILES, 1))
        if best_N.any() and worst_N.any():
            out_D[d] = return_N[best_N].mean(dtype=float) - return_N[worst_N].mean(dtype=float)
    return out_D


@dataclass(frozen=True, slots=True, kw_only=True)
class Null:
    """What the same days show when scores are shuffled within each of them. NaN without a day."""

    rank_ic: float
    """95 % quantile of |mean RankIC|."""
    ic: float
    """95 % quantile of |mean IC|."""
    hit_base: float
    """Mean share of days with RankIC > 0."""
    hit_band: float
    """95 % quantile of that share's distance from its mean."""


def shuffled(scores: Sequence[_Array], returns: Sequence[_Array], *, draws: int, seed: int) -> Null:
    """Bands over ``draws`` sets of scores shuffled within each day.

    The shuffle keeps each day's set of scores and of returns and breaks only their pairing. A draw uses
    one permutation for all days (restricted to the day's size), so that a persistent score keeps the
    serial correlation which overlapping labels turn into a wider band: independent shuffles would make
    the band too narrow.
    """
    days = []
    for score_N, return_N in zip(scores, returns, strict=True):
        valid_N = np.isfinite(score_N) & np.isfinite(return_N)
        if valid_N.sum() >= MIN_NAMES:
            known = (score_N[valid_N].astype(np.float64), return_N[valid_N].astype(np.float64))
            ranks = tuple(_unit(average_ranks(values_N)) for values_N in known)
            days.append((*ranks, *(_unit(values_N) for values_N in known)))
    if not days:
        return Null(rank_ic=math.nan, ic=math.nan, hit_base=math.nan, hit_band=math.nan)
    rng = np.random.default_rng(seed)
    largest = max(day[0].size for day in days)
    order_KN = np.stack([rng.permutation(largest) for _ in range(draws)])
    rank_K, ic_K, hit_K = np.zeros(draws), np.zeros(draws), np.zeros(draws)
    for score_rank_N, return_rank_N, score_N, return_N in days:
        n = score_N.size
        inside_Kn = order_KN[order_KN < n].reshape(draws, n)
        daily_K = score_rank_N[inside_Kn] @ return_rank_N
        rank_K += daily_K / len(days)
        hit_K += (daily_K > 0) / len(days)
        ic_K += score_N[inside_Kn] @ return_N / len(days)
    base = float(hit_K.mean())
    return Null(
        rank_ic=float(np.quantile(np.abs(rank_K), 0.95)),
        ic=float(np.quantile(np.abs(ic_K), 0.95)),
        hit_base=base,
        hit_band=float(np.quantile(np.abs(hit_K - base), 0.95)),
    )


def _pearson(score_N: _Array, return_N: _Array) -> float:
    valid_N = np.isfinite(score_N) & np.isfinite(return_N)
    if valid_N.sum() < MIN_NAMES:
        return float("nan")
    return _correlation(score_N[valid_N], return_N[valid_N])


def _unit(values_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, length one (zero for a constant), so that a dot product is a correlation."""
    centred_N = values_N - values_N.mean()
    length = float(np.sqrt(centred_N @ centred_N))
    return np.asarray(centred_N / length if length > 0 else centred_N)
