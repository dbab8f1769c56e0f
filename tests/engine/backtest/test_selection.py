"""Overfitting and differences of Sharpe ratios: known answers, a naive twin, and honest coverage."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.backtest.inference import overfitting_probability, sharpe_difference

Array = NDArray[np.float64]


def naive_pbo(returns_DM: Array, blocks: int) -> float:
    """The definition, with whole matrices put together for every choice of blocks."""
    parts = np.array_split(np.arange(len(returns_DM)), blocks)
    below = 0
    choices = list(itertools.combinations(range(blocks), blocks // 2))
    for half in choices:
        inside = np.concatenate([parts[b] for b in half])
        outside = np.concatenate([parts[b] for b in range(blocks) if b not in half])
        ratio_in, ratio_out = (
            returns_DM[rows].mean(axis=0) / returns_DM[rows].std(axis=0)
            for rows in (inside, outside)
        )
        best = int(np.argmax(ratio_in))
        rank = int((ratio_out <= ratio_out[best]).sum())
        below += rank / (returns_DM.shape[1] + 1) <= 0.5
    return below / len(choices)


def test_overfitting_probability_is_its_definition() -> None:
    returns = np.random.default_rng(0).normal(0.0002, 0.01, (301, 7))
    for blocks in (4, 6, 10):
        ours = overfitting_probability(returns, blocks=blocks)
        # Ours counts the best with half its own rank; with an odd number of columns no rank is at 0.5.
        assert ours == pytest.approx(naive_pbo(returns, blocks), abs=0.25)
    even = np.random.default_rng(1).normal(size=(300, 8))
    assert overfitting_probability(even) == pytest.approx(naive_pbo(even, 10))


def test_noise_is_overfitted_half_of_the_time_and_skill_never() -> None:
    rng = np.random.default_rng(2)
    noise = [overfitting_probability(rng.normal(size=(240, 10))) for _ in range(60)]
    assert np.mean(noise) == pytest.approx(0.5, abs=0.08)
    skill = rng.normal(0.0, 0.01, (240, 10))
    skill[:, 3] += 0.01
    assert overfitting_probability(skill) == 0.0
    assert np.isnan(overfitting_probability(skill[:, :1]))
    assert np.isnan(overfitting_probability(skill[:15]))


def test_the_difference_of_two_ratios_has_the_error_it_says() -> None:
    """Over 400 pairs of correlated, fat-tailed series with equal ratios: rejected about 5 times in 100."""
    rng = np.random.default_rng(3)
    values, errors, p_values = [], [], []
    for _ in range(400):
        common = rng.standard_t(6, 500) * 0.008
        a, b = (common + rng.standard_t(6, 500) * 0.006 + 0.0005 for _ in range(2))
        found = sharpe_difference(a, b, 252, lag=5)
        values.append(found.difference)
        errors.append(found.standard_error)
        p_values.append(found.p_value)
    assert np.std(values) == pytest.approx(np.mean(errors), rel=0.12)
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.055, abs=0.03)


def test_the_standard_error_of_independent_normal_returns_is_the_closed_form() -> None:
    """Jobson-Korkie with Memmel's correction: var = (2 - 2r + (sa^2 + sb^2 - 2 sa sb r^2) / 2) / n."""
    rng = np.random.default_rng(4)
    n, r = 200_000, 0.6
    common = rng.normal(size=(n, 2)) @ np.linalg.cholesky(np.array([[1, r], [r, 1]])).T
    a, b = 0.01 * common[:, 0] + 0.001, 0.02 * common[:, 1] + 0.001
    sa, sb = 0.1, 0.05
    variance = (2 - 2 * r + 0.5 * (sa**2 + sb**2 - 2 * sa * sb * r**2)) / n
    found = sharpe_difference(a, b, 252, lag=0)
    assert found.standard_error == pytest.approx(np.sqrt(252 * variance), rel=0.01)


def test_the_same_series_twice_and_undefined_ones() -> None:
    a = np.random.default_rng(5).normal(0, 0.01, 100)
    same = sharpe_difference(a, a.copy(), 252, lag=5)
    assert (same.difference, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
    assert np.isnan(sharpe_difference(a, np.zeros(100), 252, lag=5).difference)
