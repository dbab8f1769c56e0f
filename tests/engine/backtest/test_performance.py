"""Figures against values worked out by hand or by another library; intervals against their promise."""

import math

import numpy as np
import pytest
from scipy import stats

from engine.backtest import inference, performance
from engine.evaluation.inference import newey_west_se, paired_difference

RETURNS = np.array([0.02, -0.01, 0.03, -0.04, 0.01])


def test_figures_by_hand() -> None:
    assert performance.sharpe(RETURNS, 252) == pytest.approx(
        0.002 / math.sqrt(0.00308 / 4) * math.sqrt(252)
    )
    growth = 1.02 * 0.99 * 1.03 * 0.96 * 1.01
    assert performance.annual_return(RETURNS, 252) == pytest.approx(growth ** (252 / 5) - 1)
    assert performance.hit_rate(RETURNS) == pytest.approx(0.6)
    assert performance.equity(RETURNS)[-1] == pytest.approx(growth)


def test_the_deepest_fall_has_its_dates() -> None:
    fall = performance.max_drawdown(np.array([0.1, -0.2, -0.1, 0.5, -0.05]))
    assert fall.depth == pytest.approx(0.8 * 0.9 - 1)
    assert (fall.peak, fall.trough, fall.recovery) == (1, 3, 4)
    assert performance.max_drawdown(np.array([-0.1, 0.05])).recovery is None
    assert performance.max_drawdown(np.array([0.1, 0.1])).depth == 0.0


def test_undefined_figures_are_nan_never_zero() -> None:
    assert math.isnan(performance.sharpe(np.array([0.01]), 252))
    assert math.isnan(performance.sharpe(np.full(10, 0.01), 252))
    assert math.isnan(performance.annual_return(np.empty(0), 252))
    assert math.isnan(inference.probabilistic_sharpe(np.full(10, 0.01), 252, threshold=0.0))


def test_months_compound() -> None:
    dates = np.array(["2020-01-30", "2020-01-31", "2020-02-03"], dtype="datetime64[D]")
    months = performance.monthly_returns(dates, np.array([0.1, 0.1, -0.5]))
    assert months == {"2020-01": pytest.approx(0.21), "2020-02": pytest.approx(-0.5)}


def test_probabilistic_sharpe_is_the_published_formula() -> None:
    rng = np.random.default_rng(0)
    returns = rng.standard_t(4, 500) * 0.01 + 0.0004
    daily = returns.mean() / returns.std(ddof=1)
    skew, kurtosis = stats.skew(returns), stats.kurtosis(returns, fisher=False)
    z = (daily - 0.5 / math.sqrt(252)) * math.sqrt(499)
    z /= math.sqrt(1 - skew * daily + (kurtosis - 1) / 4 * daily**2)
    assert inference.probabilistic_sharpe(returns, 252, threshold=0.5) == pytest.approx(
        stats.norm.cdf(z)
    )


def test_more_trials_deflate_more() -> None:
    returns = np.random.default_rng(1).normal(0.0008, 0.01, 500)
    values = [inference.deflated_sharpe(returns, 252, trials=n) for n in (1, 10, 1000)]
    assert values[0] == inference.probabilistic_sharpe(returns, 252, threshold=0.0)
    assert values[0] > values[1] > values[2]


def test_the_expected_best_of_many_worthless_strategies_is_what_they_show() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(400, 20, 252))
    best = (rows.mean(axis=2) / rows.std(axis=2, ddof=1)).max(axis=1) * math.sqrt(252)
    assert inference.expected_best_of(20, 252, 252) == pytest.approx(best.mean(), rel=0.05)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    truth = 0.05 * math.sqrt(252)
    hits = 0
    for seed in range(120):
        returns = rng.normal(0.05, 1.0, 504)
        low, high = inference.sharpe_interval(
            returns, 252, horizon=5, draws=400, confidence=0.9, seed=seed
        )
        hits += low < truth < high
    assert 0.80 <= hits / 120 <= 0.98


def test_the_verdict_needs_the_whole_interval() -> None:
    nan = float("nan")
    assert inference.verdict(0.9, 2.0, 0.849) == "above"
    assert inference.verdict(-1.0, 0.8, 0.849) == "below"
    assert inference.verdict(0.1, 1.2, 0.849) == "undecided"
    assert inference.verdict(nan, nan, 0.849) == "undecided"


def test_newey_west_is_wider_for_overlapping_days() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(size=3005)
    overlapping = np.convolve(noise, np.ones(5) / 5, mode="valid")
    plain = overlapping.std(ddof=1) / math.sqrt(overlapping.size)
    assert newey_west_se(overlapping, lag=5) > 1.5 * plain
    independent = rng.normal(size=3000)
    assert newey_west_se(independent, lag=5) == pytest.approx(1 / math.sqrt(3000), rel=0.15)


def test_a_paired_difference_knows_what_both_share() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=500)
    a, b = shared + 0.1 + 0.01 * rng.normal(size=500), shared
    mean, error = paired_difference(a, b, lag=5)
    assert mean == pytest.approx(0.1, abs=0.01)
    assert error < 0.01
