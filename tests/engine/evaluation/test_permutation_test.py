"""The error of a label permutation test: by hand, and how often it calls chance a finding."""

import numpy as np
import pytest

from engine.evaluation.inference import newey_west_se
from engine.evaluation.permutation_test import permutation_test


def test_by_hand() -> None:
    a = np.array([0.3, 0.1, 0.2, 0.2])
    b = np.array([-0.1, 0.1, 0.0, np.nan])
    found = permutation_test([a, b], lag=0)
    assert found.rank_ic == pytest.approx(0.1)
    assert found.spread == pytest.approx(0.2 / np.sqrt(2))
    assert found.se_permutations == pytest.approx(0.1)
    daily = np.array([0.1, 0.1, 0.1, 0.2])
    assert found.se_days == pytest.approx(newey_west_se(daily, lag=0))
    assert found.se == pytest.approx(np.hypot(0.1, found.se_days))
    assert (found.n_permutations, found.n_dates) == (2, 4)
    assert found.verdict == "within"
    assert permutation_test([a, a + 0.01], lag=0).verdict == "outside"


def test_one_permutation_or_no_day_decides_nothing() -> None:
    alone = permutation_test([np.array([0.1, 0.2, 0.3])], lag=1)
    assert alone.verdict == "undecided"
    assert alone.rank_ic == pytest.approx(0.2)
    empty = permutation_test([np.full(3, np.nan), np.full(3, np.nan)], lag=1)
    assert (empty.verdict, empty.n_dates) == ("undecided", 0)


def test_networks_that_learned_nothing_are_within_although_each_ranks_every_day() -> None:
    """Directions with a RankIC of their own, up or down: an error over days alone takes them for findings."""
    rng = np.random.default_rng(0)
    outside, by_days_alone = 0, 0
    for _ in range(300):
        own_K1 = rng.normal(0, 0.05, (8, 1))
        series = own_K1 + 0.1 * rng.standard_normal((8, 250))
        found = permutation_test(list(series), lag=5)
        outside += found.verdict == "outside"
        by_days_alone += abs(found.rank_ic) > 2 * found.se_days
    assert outside / 300 < 0.13, "t of 7 degrees of freedom is beyond 2 in 8.6 % of cases"
    assert by_days_alone / 300 > 0.5
