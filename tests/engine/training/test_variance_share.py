"""What goes with a part of a model, on arrays small enough to reckon by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.training.worth import _variance_share, _worth_without

UP = np.arange(10.0)
"""Ten stocks, ranked as they stand."""
DOWN = UP[::-1]


def test_the_share_by_hand() -> None:
    """Centred (-1, 0, 1) and (-1, 1, 0): products sum to 1, squares to 2 and 2, so r = 1/2."""
    assert _variance_share(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0])) == pytest.approx(
        3 / 4
    )


@pytest.mark.parametrize(
    ("without", "share"),
    [
        (UP, 0.0),
        (3.0 * UP + 7.0, 0.0),
        (DOWN, 1.0),
        (np.full(10, 4.0), 1.0),
        (np.full(10, np.nan), math.nan),
    ],
    ids=["the same", "the same ranks, other scale", "turned round", "all alike", "unknown"],
)
def test_shares_at_the_ends(without: NDArray[np.float64], share: float) -> None:
    assert _variance_share(UP, without) == pytest.approx(share, nan_ok=True)


def test_scores_that_are_all_alike_have_no_variance_to_lose() -> None:
    assert math.isnan(_variance_share(np.full(10, 4.0), UP))


def test_a_stock_that_one_of_them_does_not_know_is_left_out() -> None:
    hole = np.append(UP, np.nan)
    assert _variance_share(hole, np.append(UP, 99.0)) == 0.0
    assert _variance_share(np.append(UP, -99.0), hole) == 0.0


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=40))
def test_equal_scores_lose_exactly_nothing(values: list[float]) -> None:
    score_N = np.array(values, dtype=np.float32)
    share = _variance_share(score_N, score_N.copy())
    assert share == 0.0 or (math.isnan(share) and np.ptp(score_N) == 0)


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3, width=32), st.floats(-1e3, 1e3, width=32)),
        min_size=2,
        max_size=40,
    )
)
def test_a_share_is_a_share(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs, dtype=np.float32).T
    share = _variance_share(a, b)
    assert math.isnan(share) or 0.0 <= share <= 1.0


def test_a_worth_is_a_mean_over_days_with_a_paired_error() -> None:
    """Days on which scores turn from right to wrong, or stay: RankIC lost 2, 0, 2, 0, 0.

    Mean 0.8; deviations 1.2, -0.8, 1.2, -0.8, -0.8, squares 4.8 in all: with lag 1 the covariance is
    (-0.96 - 0.96 - 0.96 + 0.64) / 5 = -0.448, so the variance is 0.96 - 0.448 = 0.512, over 5 days 0.1024.
    """
    scores, returns = [UP] * 5, [UP] * 5
    found = _worth_without(scores, [DOWN, UP, DOWN, UP, UP], returns, horizon=1)
    assert found.share == pytest.approx(2 / 5)
    assert found.rank_ic == pytest.approx(0.8)
    assert found.rank_ic_se == pytest.approx(0.32)
    assert found.n_dates == 5


def test_scores_that_rank_better_without_the_part_lose_less_than_nothing() -> None:
    found = _worth_without([DOWN] * 4, [UP] * 4, [UP] * 4, horizon=1)
    assert found.rank_ic == pytest.approx(-2.0)
    assert found.rank_ic_se == pytest.approx(0.0)


def test_a_day_with_too_few_returns_counts_for_the_share_alone() -> None:
    few = np.where(UP < 5, UP, np.nan)
    found = _worth_without([UP, UP], [UP, DOWN], [UP, few], horizon=1)
    assert (found.share, found.rank_ic, found.n_dates) == (0.5, 0.0, 1)


def test_without_a_day_everything_is_unknown() -> None:
    found = _worth_without([], [], [], horizon=5)
    assert math.isnan(found.share)
    assert math.isnan(found.rank_ic)
    assert found.n_dates == 0
