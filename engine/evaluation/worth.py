"""What goes with a part of a model: its scores against those it gives without the part. Numpy only."""

# Shape suffixes: D days, N stocks of a day.
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import mean_figure
from engine.evaluation.rank_ic import rank_ic_series
from engine.records.worth import Worth

_Array = NDArray[np.floating]


def variance_share(score_N: _Array, without_N: _Array) -> float:
    """Share of one day's score variance that the scores without the part do not hold, in 0..1.

    It is 1 - r^2, with r the Pearson correlation of the two over the stocks ``[N]`` that have both: what
    is left of the variance after the best linear fit on the scores without the part. A common shift or
    scale within a day takes nothing away, as it changes no rank. A correlation below zero counts as zero.
    Scores without the part that are all alike hold nothing: 1. NaN where the scores with it are.
    """
    known_N = np.isfinite(score_N) & np.isfinite(without_N)
    a_N, b_N = (values_N[known_N].astype(np.float64) for values_N in (score_N, without_N))
    if not a_N.size or not np.ptp(a_N):
        return float("nan")
    if not np.ptp(b_N):
        return 1.0
    a_N, b_N = a_N - a_N.mean(), b_N - b_N.mean()
    # Sums of products, not dot products: equal scores give equal bits, so exactly 0.
    common = (a_N * b_N).sum() / np.sqrt((a_N * a_N).sum() * (b_N * b_N).sum())
    return float(1.0 - np.clip(common, 0.0, 1.0) ** 2)


def worth(
    scores: Sequence[_Array], without: Sequence[_Array], returns: Sequence[_Array], *, horizon: int
) -> Worth:
    """What goes with the part on D days of scores with it, scores without it and forward returns ``[N]``.

    ``horizon`` in sessions is the lag of the error. Days on which a figure is undefined are left out of it.
    """
    share_D = np.array([variance_share(s, w) for s, w in zip(scores, without, strict=True)])
    lost_D = rank_ic_series(scores, returns) - rank_ic_series(without, returns)
    lost = mean_figure(lost_D, lag=horizon)
    return Worth(
        share=mean_figure(share_D, lag=horizon).value,
        rank_ic=lost.value,
        rank_ic_se=lost.se,
        n_dates=lost.n_dates,
    )
