"""How sure a Sharpe ratio is. All functions take and return annualised ratios unless they say daily."""

import math
from statistics import NormalDist
from typing import Literal

import numpy as np

from engine.backtest.performance import NAN, Series, sharpe, sharpe_rows
from engine.evaluation.inference import stationary_bootstrap

_Verdict = Literal["above", "below", "undecided"]
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


def verdict(low: float, high: float, target: float) -> _Verdict:
    """``above`` or ``below`` only if the whole interval is; an undefined interval decides nothing."""
    if np.isfinite(low) and low > target:
        return "above"
    if np.isfinite(high) and high < target:
        return "below"
    return "undecided"
