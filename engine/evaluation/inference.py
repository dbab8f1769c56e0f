"""Standard errors and intervals for daily series whose days depend on each other.

Series have the shape ``[D]``, one value a session; NaN days are left out by the functions that say so.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.records.rank_ic import MeanFigure, PairedDifference

Series = NDArray[np.float64]
"""A daily series of shape ``[D]``."""
_MIN_DAYS = 20
"""Fewer days give no bootstrap interval."""


def newey_west_se(series_D: Series, *, lag: int) -> float:
    """Standard error of the mean of a series ``[D]`` under autocorrelation up to ``lag`` sessions.

    Newey & West (Econometrica 55, 1987): Bartlett weights 1 - j / (lag + 1). NaN below 3 values; the
    series itself has none. With lag 0 it is the usual standard error with divisor n.
    """
    n = series_D.size
    if n < 3:
        return float("nan")
    centred_D = series_D - series_D.mean()
    variance = float(centred_D @ centred_D) / n
    for j in range(1, min(lag, n - 1) + 1):
        covariance = float(centred_D[j:] @ centred_D[:-j]) / n
        variance += 2.0 * (1.0 - j / (lag + 1.0)) * covariance
    return float(np.sqrt(max(variance, 0.0) / n))


def mean_figure(daily_D: Series, *, lag: int) -> MeanFigure:
    """Mean of a series ``[D]`` over its finite days with its Newey-West error; NaN without a day."""
    known_D = daily_D[np.isfinite(daily_D)]
    value = float(known_D.mean()) if known_D.size else float("nan")
    return MeanFigure(value=value, se=newey_west_se(known_D, lag=lag), n_dates=int(known_D.size))


def paired_difference(a_D: Series, b_D: Series, *, lag: int) -> tuple[float, float]:
    """Mean of a - b over the days ``[D]`` on which both are finite, and its Newey-West standard error.

    Both are NaN without such a day.
    """
    found = mean_figure(a_D - b_D, lag=lag)
    return found.value, found.se


def paired_interval(
    a_D: Series,
    b_D: Series,
    *,
    lag: int,
    draws: int,
    confidence: float,
    seed: int,
    mean_block: float | None = None,
) -> PairedDifference:
    """Mean of a - b over the days ``[D]`` on which both are finite, with error and bootstrap interval.

    Days are drawn in blocks, together for both. ``mean_block`` is their mean length in sessions; None is
    the cube root of the number of days, at least ``lag`` sessions, over which labels overlap. The mean is
    NaN without a common day, the interval below 20.
    """
    difference_D = a_D - b_D
    difference_D = difference_D[np.isfinite(difference_D)]
    found = mean_figure(difference_D, lag=lag)
    low, high = stationary_bootstrap(
        difference_D,
        lambda rows: np.asarray(rows.mean(axis=1)),
        draws=draws,
        mean_block=mean_block or max(float(lag), difference_D.size ** (1 / 3)),
        confidence=confidence,
        seed=seed,
    )
    return PairedDifference(
        difference=found.value,
        se=found.se,
        low=low,
        high=high,
        confidence=confidence,
        n_dates=found.n_dates,
    )


def _bootstrap_indices(
    n: int, *, draws: int, mean_block: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Row indices of the shape ``[draws, n]``, each in 0..n-1, of the stationary bootstrap.

    Politis & Romano (JASA 89, 1994): blocks of geometric length with mean ``mean_block`` sessions,
    wrapped around the end.
    """
    start = rng.integers(0, n, size=(draws, n))
    is_new = rng.random((draws, n)) < 1.0 / mean_block
    is_new[:, 0] = True
    position = np.arange(n)
    block_start = np.maximum.accumulate(np.where(is_new, position, 0), axis=1)
    return (np.take_along_axis(start, block_start, axis=1) + position - block_start) % n


def stationary_bootstrap(
    series_D: Series,
    statistic: Callable[[Series], Series],
    *,
    draws: int,
    mean_block: float,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Percentile interval of a statistic of a dependent series ``[D]``, in the statistic's unit.

    ``statistic`` maps resampled rows ``[draws, D]`` to values ``[draws]``, of which NaN are left out. NaN,
    NaN below 20 days.
    """
    if series_D.size < _MIN_DAYS:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = _bootstrap_indices(series_D.size, draws=draws, mean_block=mean_block, rng=rng)
    values = statistic(series_D[rows])
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(values, [tail, 1.0 - tail])
    return float(low), float(high)
