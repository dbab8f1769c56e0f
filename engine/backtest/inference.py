"""How sure a Sharpe ratio is, alone, against another, and after a search among many.

All functions take and return annualised ratios unless they say daily.
"""

# Shape suffixes: D sessions, M strategies, B blocks.
import itertools
import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from engine.backtest.performance import NAN, Series, sharpe, sharpe_rows
from engine.evaluation.inference import stationary_bootstrap
from engine.records.backtest import Verdict
from engine.records.figure import Figure

_Matrix = NDArray[np.float64]
_BLOCKS = 10
"""Blocks of the combinatorial split: 252 ways to take half of them."""
_EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()


def sharpe_interval(
    returns_D: Series,
    sessions_per_year: int,
    *,
    horizon: int,
    draws: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Percentile interval by the stationary block bootstrap (Politis & Romano, JASA 89, 1994).

    Mean block: the cube root of the number of sessions, at least the holding period.
    """
    return stationary_bootstrap(
        returns_D,
        lambda rows: sharpe_rows(rows, sessions_per_year),
        draws=draws,
        mean_block=max(float(horizon), returns_D.size ** (1 / 3)),
        confidence=confidence,
        seed=seed,
    )


def sharpe_standard_error(returns_D: Series, sessions_per_year: int) -> float:
    """sqrt((1 + SR_daily^2 / 2) / D) x sqrt(sessions per year): Lo (FAJ 58, 2002), independent days."""
    daily = sharpe(returns_D, 1)
    return math.sqrt((1.0 + daily**2 / 2.0) / returns_D.size * sessions_per_year)


def probabilistic_sharpe(returns_D: Series, sessions_per_year: int, *, threshold: float) -> float:
    """Probability that the true ratio is above ``threshold``, given skewness and kurtosis.

    Bailey & Lopez de Prado (Journal of Risk 15, 2012): Phi((SR - SR*) sqrt(D - 1) /
    sqrt(1 - skew SR + (kurtosis - 1) / 4 SR^2)) with daily ratios. NaN where the ratio is.
    """
    daily = sharpe(returns_D, 1)
    if math.isnan(daily):
        return NAN
    z_D = (returns_D - returns_D.mean()) / returns_D.std()
    skew, kurtosis = float((z_D**3).mean()), float((z_D**4).mean())
    variance = 1.0 - skew * daily + (kurtosis - 1.0) / 4.0 * daily**2
    excess = daily - threshold / math.sqrt(sessions_per_year)
    return _NORMAL.cdf(excess * math.sqrt((returns_D.size - 1) / max(variance, 1e-12)))


def expected_best_of(trials: int, sessions: int, sessions_per_year: int) -> float:
    """Sharpe ratio that the best of ``trials`` worthless strategies is expected to show.

    Bailey & Lopez de Prado (Journal of Portfolio Management 40, 2014): sqrt(V) ((1 - g) Phi^-1(1 - 1/N)
    + g Phi^-1(1 - 1/(N e))), g = Euler's constant. V is the sampling variance of a ratio whose true value
    is 0: 1 / (D - 1) daily. 0 for a single trial.
    """
    if trials < 2:
        return 0.0
    quantile = (1.0 - _EULER_GAMMA) * _NORMAL.inv_cdf(1.0 - 1.0 / trials)
    quantile += _EULER_GAMMA * _NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return math.sqrt(sessions_per_year / (sessions - 1)) * quantile


def deflated_sharpe(returns_D: Series, sessions_per_year: int, *, trials: int) -> float:
    """Probability that the true ratio is above what the best of ``trials`` shows by luck alone."""
    if returns_D.size < 2:
        return NAN
    threshold = expected_best_of(trials, returns_D.size, sessions_per_year)
    return probabilistic_sharpe(returns_D, sessions_per_year, threshold=threshold)


def verdict(low: float, high: float, target: float) -> Verdict:
    """``above`` or ``below`` only if the whole interval is; an undefined interval decides nothing."""
    if np.isfinite(low) and low > target:
        return "above"
    if np.isfinite(high) and high < target:
        return "below"
    return "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharpeGap:
    """Sharpe ratio of one strategy less another's, annualised."""

    difference: float
    standard_error: float
    p_value: float
    """Two-sided: chance of a gap this large between equal ratios."""

    @property
    def figure(self) -> Figure:
        """The difference with its error."""
        return Figure(self.difference, self.standard_error)


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


def sharpe_difference(a_D: Series, b_D: Series, sessions_per_year: int, *, lag: int) -> SharpeGap:
    """Sharpe(a) - Sharpe(b) on the same days, with a standard error for dependent, non-normal returns.

    Ledoit & Wolf (Journal of Empirical Finance 15, 2008), equation 5: delta method on the first two
    moments, their long-run covariance by Newey & West with Bartlett weights over ``lag`` sessions. NaN
    where a ratio is undefined.
    """
    difference = sharpe(a_D, sessions_per_year) - sharpe(b_D, sessions_per_year)
    if math.isnan(difference) or a_D.size < 10:
        return SharpeGap(difference=NAN, standard_error=NAN, p_value=NAN)
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
        return SharpeGap(difference=difference, standard_error=0.0, p_value=1.0)
    error = math.sqrt(squared * sessions_per_year)
    p_value = 2.0 * _NORMAL.cdf(-abs(difference / error))
    return SharpeGap(difference=difference, standard_error=error, p_value=p_value)
