"""Is it the skill or the search? Tests for strategies that were chosen among many, or against another."""

import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engine.backtest.performance import NAN, Series, sharpe

# Shape suffixes: D sessions, M strategies, B blocks.
_Matrix = NDArray[np.float64]
_NORMAL = NormalDist()
_BLOCKS = 10
"""Blocks of the combinatorial split: 252 ways to take half of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Sharpe ratio of one strategy less another's, annualised."""

    difference: float
    standard_error: float
    p_value: float
    """Two-sided: chance of a gap this large between equal ratios."""


def overfitting_probability(returns_DM: _Matrix, *, blocks: int = _BLOCKS) -> float:
    """PBO: how often the best of many in one half of the days is below the median in the other half.

    Combinatorially symmetric cross-validation (Bailey, Borwein, Lopez de Prado & Zhu, Journal of
    Computational Finance 20, 2017): the days are cut into ``blocks`` consecutive blocks; for each choice
    of half of them, the strategy with the best Sharpe ratio there is ranked in the rest. The share of
    choices with a relative rank of at most one half. 0.5 for pure noise. NaN below two strategies or two
    days a block.
    """
    D, M = returns_DM.shape
    if M < 2 or 2 * blocks > D:
        return NAN
    block_B = np.array_split(np.arange(D), blocks)
    count_B = np.array([rows.size for rows in block_B], dtype=np.float64)
    sum_BM = np.stack([returns_DM[rows].sum(axis=0) for rows in block_B])
    square_BM = np.stack([(returns_DM[rows] ** 2).sum(axis=0) for rows in block_B])
    below = 0
    halves = list(itertools.combinations(range(blocks), blocks // 2))
    for half in halves:
        inside_B = np.isin(np.arange(blocks), half)
        best = int(np.argmax(_ratio(sum_BM, square_BM, count_B, inside_B)))
        outside_M = _ratio(sum_BM, square_BM, count_B, ~inside_B)
        worse = (outside_M < outside_M[best]).sum() + 0.5 * (outside_M == outside_M[best]).sum()
        below += (worse + 0.5) / (M + 1) <= 0.5
    return float(below) / len(halves)


def _ratio(
    sum_BM: _Matrix, square_BM: _Matrix, count_B: Series, used_B: NDArray[np.bool_]
) -> Series:
    """Daily Sharpe ratios from block sums; a strategy that does not vary counts as 0."""
    n = float(count_B[used_B].sum())
    mean_M = sum_BM[used_B].sum(axis=0) / n
    variance_M = square_BM[used_B].sum(axis=0) / n - mean_M**2
    ratio_M = np.zeros_like(mean_M)
    deviation_M = np.sqrt(np.maximum(variance_M, 0.0))
    np.divide(mean_M, deviation_M, out=ratio_M, where=variance_M > 1e-24)
    return np.asarray(ratio_M)


def sharpe_difference(a_D: Series, b_D: Series, sessions_per_year: int, *, lag: int) -> Difference:
    """Sharpe(a) - Sharpe(b) on the same days, with a standard error for dependent, non-normal returns.

    Ledoit & Wolf (Journal of Empirical Finance 15, 2008), equation 5: delta method on the first two
    moments, their long-run covariance by Newey & West with Bartlett weights over ``lag`` sessions. NaN
    where a ratio is undefined.
    """
    difference = sharpe(a_D, sessions_per_year) - sharpe(b_D, sessions_per_year)
    if math.isnan(difference) or a_D.size < 10:
        return Difference(difference=NAN, standard_error=NAN, p_value=NAN)
    means = np.array([a_D.mean(), b_D.mean()])
    seconds = np.array([(a_D**2).mean(), (b_D**2).mean()])
    variance = seconds - means**2
    gradient = np.concatenate([seconds / variance**1.5, -0.5 * means / variance**1.5])
    gradient *= np.array([1.0, -1.0, 1.0, -1.0])
    moments = np.stack([a_D, b_D, a_D**2, b_D**2], axis=1) - np.concatenate([means, seconds])
    n = a_D.size
    covariance = moments.T @ moments / n
    for j in range(1, min(lag, n - 1) + 1):
        step = moments[j:].T @ moments[:-j] / n
        covariance += (1.0 - j / (lag + 1.0)) * (step + step.T)
    squared = float(gradient @ covariance @ gradient) / n
    if not squared > 1e-18:  # the same returns twice
        return Difference(difference=difference, standard_error=0.0, p_value=1.0)
    error = math.sqrt(squared * sessions_per_year)
    p_value = 2.0 * _NORMAL.cdf(-abs(difference / error))
    return Difference(difference=difference, standard_error=error, p_value=p_value)
