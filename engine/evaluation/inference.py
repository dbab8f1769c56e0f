"""Standard errors and intervals for series whose days depend on each other."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]


def newey_west_se(series_D: Series, *, lag: int) -> float:
    """Standard error of the mean under autocorrelation up to ``lag`` sessions.

    Newey & West (Econometrica 55, 1987): Bartlett weights 1 - j / (lag + 1). NaN below 3 values. With
    lag 0 it is the usual standard error with divisor n.
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


def paired_difference(a_D: Series, b_D: Series, *, lag: int) -> tuple[float, float]:
    """Mean of a - b over the days on which both are defined, and its Newey-West standard error."""
    difference_D = a_D - b_D
    difference_D = difference_D[np.isfinite(difference_D)]
    if difference_D.size == 0:
        return float("nan"), float("nan")
    return float(difference_D.mean()), newey_west_se(difference_D, lag=lag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean of paired daily differences; every figure NaN without a common day."""

    difference: float
    se: float
    """Newey-West standard error."""
    low: float
    """Interval of the stationary block bootstrap; NaN below 20 days."""
    high: float
    confidence: float
    n_dates: int


def compare_paired(
    a_D: Series, b_D: Series, *, lag: int, draws: int, confidence: float, seed: int
) -> Difference:
    """a - b over the days on which both are defined; blocks of twice ``lag``, at least 5, sessions."""
    difference_D = a_D - b_D
    difference_D = difference_D[np.isfinite(difference_D)]
    mean, se = paired_difference(a_D, b_D, lag=lag)
    low, high = stationary_bootstrap(
        difference_D,
        lambda rows: np.asarray(rows.mean(axis=1)),
        draws=draws,
        mean_block=max(5.0, 2.0 * lag),
        confidence=confidence,
        seed=seed,
    )
    return Difference(
        difference=mean,
        se=se,
        low=low,
        high=high,
        confidence=confidence,
        n_dates=int(difference_D.size),
    )


def bootstrap_indices(
    n: int, *, draws: int, mean_block: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Row indices ``(draws, n)`` of the stationary bootstrap.

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
    """Percentile interval of a statistic of a dependent series.

    ``statistic`` maps ``(draws, n)`` resampled rows to ``(draws,)`` values. NaN, NaN below 20 values.
    """
    if series_D.size < 20:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    rows = bootstrap_indices(series_D.size, draws=draws, mean_block=mean_block, rng=rng)
    values = statistic(series_D[rows])
    tail = (1.0 - confidence) / 2.0
    low, high = np.nanquantile(values, [tail, 1.0 - tail])
    return float(low), float(high)
