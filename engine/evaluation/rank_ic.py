"""How well scores rank the stocks of a day, and how sure we can be of it.

A *day* is a pair of arrays over the stocks of one session: score and forward return, any order, NaN
where unknown. Days are the unit of averaging; a day with fewer than ``MIN_NAMES`` valid pairs counts as
undefined, never as zero.
"""

# Shape suffixes: D days, N stocks of a day, K draws.
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import Series, mean_figure, newey_west_se
from engine.evaluation.ranks import QUANTILES, average_ranks, quantiles, shuffled_products
from engine.records.rank_ic import RankICSummary

_Array = NDArray[np.floating]
MIN_NAMES = 10
"""Fewer valid names than this give no daily correlation."""


def _correlation(a_N: _Array, b_N: _Array) -> float:
    """Pearson correlation in float64; NaN when either side is constant."""
    a_N = a_N.astype(np.float64) - a_N.mean(dtype=np.float64)
    b_N = b_N.astype(np.float64) - b_N.mean(dtype=np.float64)
    scale = float(np.sqrt((a_N @ a_N) * (b_N @ b_N)))
    return float(a_N @ b_N) / scale if scale > 0 else float("nan")


def _pairs(score_N: _Array, return_N: _Array) -> tuple[_Array, _Array] | None:
    """Scores and returns of the stocks that have both; None below ``MIN_NAMES`` of them."""
    valid_N = np.isfinite(score_N) & np.isfinite(return_N)
    return (score_N[valid_N], return_N[valid_N]) if valid_N.sum() >= MIN_NAMES else None


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Scores and returns ``[N]`` of the stocks of a day that have both, and the ranks of each."""

    pairs: tuple[_Array, _Array]
    ranks: tuple[NDArray[np.float64], NDArray[np.float64]]


def _ranked(score_N: _Array, return_N: _Array) -> _Ranked | None:
    pairs = _pairs(score_N, return_N)
    if pairs is None:
        return None
    return _Ranked(pairs, (average_ranks(pairs[0]), average_ranks(pairs[1])))


def rank_ic(score_N: _Array, return_N: _Array) -> float:
    """Spearman correlation in [-1, 1] of one day's scores ``[N]`` and forward returns ``[N]``.

    Values are ranked as float32. Stocks with a NaN are left out; NaN below ``MIN_NAMES`` stocks, or where a
    side is constant.
    """
    known = _ranked(score_N, return_N)
    return float("nan") if known is None else _correlation(*known.ranks)


@dataclass(frozen=True, slots=True)
class RankedDays:
    """D days of scores ``[N]`` and forward returns ``[N]``, ranked once for all that is asked of them."""

    scores: Sequence[_Array]
    returns: Sequence[_Array]
    ranked: Sequence[_Ranked | None]
    """None for a day below ``MIN_NAMES`` valid pairs."""
    daily_D: Series
    """RankIC; NaN where a day is undefined."""

    @classmethod
    def of(cls, scores: Sequence[_Array], returns: Sequence[_Array]) -> Self:
        ranked = [_ranked(s_N, r_N) for s_N, r_N in zip(scores, returns, strict=True)]
        daily = [math.nan if one is None else _correlation(*one.ranks) for one in ranked]
        return cls(scores, returns, ranked, np.array(daily))

    def summary(self, *, horizon: int, null_draws: int = 200, seed: int = 0) -> RankICSummary:
        """Everything that is printed beside a RankIC.

        ``horizon`` in sessions sets the Newey-West lag. Without a defined day every figure is NaN.
        """
        valid_D = self.daily_D[np.isfinite(self.daily_D)]
        if valid_D.size == 0:
            return RankICSummary(rank_ic=math.nan)
        known = [one for one in self.ranked if one is not None]
        pearson = mean_figure(np.array([_correlation(*one.pairs) for one in known]), lag=horizon)
        spread = mean_figure(_decile_spreads(self.scores, self.returns), lag=horizon)
        deviation = float(valid_D.std(ddof=1)) if valid_D.size > 1 else float("nan")
        mean, se = float(valid_D.mean()), newey_west_se(valid_D, lag=horizon)
        null = _shuffled(known, draws=null_draws, seed=seed)
        return RankICSummary(
            rank_ic=mean,
            rank_ic_se=se,
            rank_ic_t=mean / se if se > 0 else float("nan"),
            icir=mean / deviation if deviation > 0 else float("nan"),
            ic=pearson.value,
            ic_se=pearson.se,
            hit_share=float((valid_D > 0).mean()),
            hit_se=newey_west_se((valid_D > 0).astype(np.float64), lag=horizon),
            hit_base=null.hit_base,
            hit_band=null.hit_band,
            decile_spread=spread.value,
            decile_spread_se=spread.se,
            n_dates=int(valid_D.size),
            null_band=null.rank_ic,
            ic_null_band=null.ic,
        )


def rank_ic_series(scores: Sequence[_Array], returns: Sequence[_Array]) -> Series:
    """Daily RankIC ``[D]`` of D days, each a pair of arrays ``[N]``; NaN where a day is undefined."""
    return RankedDays.of(scores, returns).daily_D


def summarise(
    scores: Sequence[_Array],
    returns: Sequence[_Array],
    *,
    horizon: int,
    null_draws: int = 200,
    seed: int = 0,
) -> RankICSummary:
    """The summary of D days of scores ``[N]`` and returns ``[N]``, as `RankedDays.summary` says."""
    ranked = RankedDays.of(scores, returns)
    return ranked.summary(horizon=horizon, null_draws=null_draws, seed=seed)


def _decile_spreads(scores: Sequence[_Array], returns: Sequence[_Array]) -> Series:
    """Mean return of the best tenth less that of the worst ``[D]``, a fraction; NaN below 20 names.

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
class _NullBands:
    """What the same days show when scores are shuffled within each of them. NaN without a day."""

    rank_ic: float
    """95 % quantile of |mean RankIC|."""
    ic: float
    """95 % quantile of |mean IC|."""
    hit_base: float
    """Mean share of days with RankIC > 0."""
    hit_band: float
    """95 % quantile of that share's distance from its mean."""


def _shuffled(ranked: Sequence[_Ranked], *, draws: int, seed: int) -> _NullBands:
    """Bands of RankIC, IC and hit share over ``draws`` sets of scores shuffled within each day.

    The shuffle keeps each day's set of scores and of returns and breaks only their pairing. A draw uses
    one permutation for all days (restricted to the day's size), so that a persistent score keeps the
    serial correlation which overlapping labels turn into a wider band: independent shuffles would make
    the band too narrow.
    """
    days = [
        [
            np.stack([_unit(rank_N), _unit(value_N.astype(np.float64))], axis=1)
            for rank_N, value_N in zip(one.ranks, one.pairs, strict=True)
        ]
        for one in ranked
    ]
    if not days:
        return _NullBands(rank_ic=math.nan, ic=math.nan, hit_base=math.nan, hit_band=math.nan)
    rng = np.random.default_rng(seed)
    largest = max(len(score_N2) for score_N2, _ in days)
    order_KN = np.stack([rng.permutation(largest) for _ in range(draws)])
    both_DK2 = np.empty((len(days), draws, 2))
    inside_Kn = order_KN
    for d in sorted(range(len(days)), key=lambda d: -len(days[d][0])):
        score_N2, return_N2 = days[d]
        if len(score_N2) < inside_Kn.shape[1]:
            inside_Kn = inside_Kn[inside_Kn < len(score_N2)].reshape(draws, -1)
        both_DK2[d] = shuffled_products(inside_Kn, score_N2, return_N2)
    (rank_K, ic_K), hit_K = both_DK2.mean(axis=0).T, (both_DK2[..., 0] > 0).mean(axis=0)
    base = float(hit_K.mean())
    return _NullBands(
        rank_ic=float(np.quantile(np.abs(rank_K), 0.95)),
        ic=float(np.quantile(np.abs(ic_K), 0.95)),
        hit_base=base,
        hit_band=float(np.quantile(np.abs(hit_K - base), 0.95)),
    )


def _unit(values_N: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centred, length one (zero for a constant), so that a dot product is a correlation."""
    centred_N = values_N - values_N.mean()
    length = float(np.sqrt(centred_N @ centred_N))
    return np.asarray(centred_N / length if length > 0 else centred_N)
