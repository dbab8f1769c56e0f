"""Intervals of paired differences, when they decide, and the test of permuted trainings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.inference import newey_west_se, paired_interval
from engine.evaluation.judging import _direction, permutation_test
from engine.records.rank_ic import PairedDifference

HORIZON = 5


def interval(a: np.ndarray, b: np.ndarray, seed: int = 1) -> PairedDifference:
    return paired_interval(a, b, lag=HORIZON, draws=2000, confidence=0.9, seed=seed)


def test_a_constant_gap_is_known_exactly_however_restless_the_days() -> None:
    b = np.random.default_rng(1).normal(0, 0.1, 200)
    found = interval(b + 0.01, b)
    assert found.difference == pytest.approx(0.01)
    assert (found.low, found.high) == pytest.approx((0.01, 0.01))
    assert found.se == pytest.approx(0.0, abs=1e-12)
    assert found.n_dates == 200


def test_days_that_one_side_lacks_are_left_out() -> None:
    a, b = np.full(40, 0.02), np.full(40, 0.01)
    a[:5], b[-3:] = np.nan, np.nan
    assert interval(a, b).n_dates == 32
    short = interval(a[:12], b[:12])
    assert np.isnan(short.low)
    assert short.difference == pytest.approx(0.01)
    assert _direction(short, [0.01, 0.01]) == "undecided"


def test_exchanging_the_sides_mirrors_the_interval() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.02, 0.1, 300), rng.normal(0, 0.1, 300)
    one, other = interval(a, b), interval(b, a)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


def test_independent_days_give_the_textbook_interval() -> None:
    """Mean +- 1.645 sd / sqrt(n) at 90 %, to 10 % of its width."""
    d = np.random.default_rng(3).normal(0.0, 0.1, 1000)
    found = interval(d, np.zeros(1000))
    half = 1.645 * d.std() / np.sqrt(1000)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.12)


def test_the_interval_covers_the_truth_as_often_as_it_says_under_overlap() -> None:
    """Moving averages of 5 days, as overlapping labels make them; plain errors would cover about half."""
    rng = np.random.default_rng(4)
    hits = 0
    for draw in range(120):
        noise = np.convolve(rng.normal(0, 0.1, 504), np.ones(5) / 5, "valid")
        found = paired_interval(
            noise, np.zeros(500), lag=HORIZON, draws=400, confidence=0.9, seed=draw
        )
        hits += found.low <= 0 <= found.high
    assert 0.78 <= hits / 120 <= 0.97


def between(low: float, high: float) -> PairedDifference:
    return PairedDifference(difference=(low + high) / 2, low=low, high=high, se=0.01, n_dates=100)


@pytest.mark.parametrize(
    ("found", "by_seed", "expected"),
    [
        (between(0.001, 0.02), [0.01, 0.02, 0.005], "better"),
        (between(0.001, 0.02), [0.01, 0.02, -0.001], "undecided"),
        (between(-0.02, -0.001), [-0.01, -0.02], "worse"),
        (between(-0.02, -0.001), [-0.01, 0.0], "undecided"),
        (between(-0.01, 0.02), [0.01, 0.02], "undecided"),
        (between(float("nan"), float("nan")), [0.01], "undecided"),
    ],
)
def test_days_and_seeds_must_agree(
    found: PairedDifference, by_seed: list[float], expected: str
) -> None:
    assert _direction(found, by_seed) == expected


@given(st.floats(-1, 1), st.floats(0, 1), st.lists(st.floats(-1, 1), max_size=4))
def test_never_better_and_worse_at_once(middle: float, width: float, seeds: list[float]) -> None:
    found = between(middle - width, middle + width)
    mirrored = between(-middle - width, -middle + width)
    one, other = _direction(found, seeds), _direction(mirrored, [-s for s in seeds])
    assert {one, other} in ({"better", "worse"}, {"undecided"})


def test_the_error_of_two_permutations_by_hand() -> None:
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
