"""Intervals of paired differences, and when they decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.evaluation.paired import Difference, direction, paired_interval

HORIZON = 5


def interval(a: np.ndarray, b: np.ndarray, seed: int = 1) -> Difference:
    return paired_interval(a, b, horizon=HORIZON, draws=2000, confidence=0.9, seed=seed)


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
    assert direction(short, [0.01, 0.01]) == "undecided"


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
            noise, np.zeros(500), horizon=HORIZON, draws=400, confidence=0.9, seed=draw
        )
        hits += found.low <= 0 <= found.high
    assert 0.78 <= hits / 120 <= 0.97


def between(low: float, high: float) -> Difference:
    return Difference(difference=(low + high) / 2, low=low, high=high, se=0.01, n_dates=100)


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
def test_days_and_seeds_must_agree(found: Difference, by_seed: list[float], expected: str) -> None:
    assert direction(found, by_seed) == expected


@given(st.floats(-1, 1), st.floats(0, 1), st.lists(st.floats(-1, 1), max_size=4))
def test_never_better_and_worse_at_once(middle: float, width: float, seeds: list[float]) -> None:
    found = between(middle - width, middle + width)
    mirrored = between(-middle - width, -middle + width)
    one, other = direction(found, seeds), direction(mirrored, [-s for s in seeds])
    assert {one, other} in ({"better", "worse"}, {"undecided"})
