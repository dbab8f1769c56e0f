import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from engine.evaluation.inference import (
    _bootstrap_indices,
    newey_west_se,
    paired_difference,
    stationary_bootstrap,
)
from engine.evaluation.rank_ic import (
    RankedDays,
    _decile_spreads,
    rank_ic,
    rank_ic_series,
    summarise,
)
from engine.evaluation.ranks import average_ranks, shuffled_products


def test_ranks_share_ties_by_hand() -> None:
    assert average_ranks(np.array([3.0, 1.0, 3.0, 2.0])).tolist() == [3.5, 1.0, 3.5, 2.0]


def test_products_of_each_order_by_hand() -> None:
    left = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    right = np.array([[1.0, 1.0], [0.0, 2.0], [-1.0, 3.0]])
    orders = np.array([[0, 1, 2], [2, 0, 1]])
    assert shuffled_products(orders, left, right).tolist() == [[-2.0, 140.0], [1.0, 110.0]]


def test_days_that_are_ranked_once_have_the_series_and_the_summary_of_each_alone() -> None:
    rng = np.random.default_rng(3)
    scores = [rng.normal(size=n) for n in (30, 5, 41, 12, 33)]
    returns = [rng.normal(size=n) for n in (30, 5, 41, 12, 33)]
    ranked = RankedDays.of(scores, returns)
    by_hand = [rank_ic(s, r) for s, r in zip(scores, returns, strict=True)]
    np.testing.assert_array_equal(ranked.daily_D, by_hand)
    np.testing.assert_array_equal(rank_ic_series(scores, returns), by_hand)
    assert np.isnan(by_hand).tolist() == [False, True, False, False, False]
    assert ranked.summary(horizon=2, seed=5) == summarise(scores, returns, horizon=2, seed=5)


@given(st.lists(st.tuples(st.integers(-5, 5), st.integers(-5, 5)), min_size=10, max_size=60))
def test_rank_ic_equals_scipy_with_ties(pairs: list[tuple[int, int]]) -> None:
    a, b = np.array(pairs, dtype=float).T
    ours = rank_ic(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert np.isnan(ours)
    else:
        assert ours == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_nan_pairs_are_left_out_and_few_names_are_undefined() -> None:
    a = np.arange(12.0)
    b = a.copy()
    b[0], a[1] = np.nan, np.nan
    assert rank_ic(a, b) == pytest.approx(1.0)
    b[2] = np.nan
    assert np.isnan(rank_ic(a, b))


def test_newey_west_by_hand() -> None:
    series = np.array([1.0, 2.0, 4.0, 1.0])  # mean 2; deviations -1 0 2 -1
    gamma0, gamma1 = 6 / 4, (0 + 0 - 2) / 4
    assert newey_west_se(series, lag=1) == pytest.approx(np.sqrt((gamma0 + gamma1) / 4))
    assert newey_west_se(series, lag=0) == pytest.approx(np.sqrt(gamma0 / 4))


def test_newey_west_widens_for_overlapping_labels() -> None:
    noise = np.random.default_rng(0).normal(size=2000)
    overlapping = np.convolve(noise, np.ones(5), "valid")
    assert newey_west_se(overlapping, lag=5) > 1.6 * newey_west_se(overlapping, lag=0)


def random_days(seed: int, days: int, names: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    rng = np.random.default_rng(seed)
    return list(rng.normal(size=(days, names))), list(rng.normal(size=(days, names)))


def test_null_band_matches_theory_for_independent_days() -> None:
    """The mean of D independent daily Spearman correlations has deviation 1 / sqrt(D (N - 1))."""
    scores, returns = random_days(1, 60, 50)
    band = summarise(scores, returns, horizon=1, null_draws=2000, seed=0).null_band
    assert band == pytest.approx(1.96 / np.sqrt(60 * 49), rel=0.08)


def test_null_band_is_wider_for_persistent_scores() -> None:
    scores, returns = random_days(2, 60, 50)
    independent = summarise(scores, returns, horizon=1, null_draws=400, seed=0).null_band
    frozen = summarise(
        [scores[0]] * 60, [returns[0]] * 60, horizon=1, null_draws=400, seed=0
    ).null_band
    assert frozen > 4 * independent


def test_shuffled_scores_hit_every_second_day_and_more_unevenly_when_persistent() -> None:
    scores, returns = random_days(1, 60, 50)
    null = summarise(scores, returns, horizon=1, null_draws=2000, seed=0)
    assert null.hit_base == pytest.approx(0.5, abs=0.01)
    assert null.hit_band == pytest.approx(1.96 * np.sqrt(0.25 / 60), rel=0.1)
    assert null.ic_null_band == pytest.approx(null.null_band, rel=0.1)
    frozen = summarise([scores[0]] * 60, [returns[0]] * 60, horizon=1, null_draws=400, seed=0)
    assert frozen.hit_band == pytest.approx(0.5, abs=0.1), "every day the same: all or none"


def test_decile_spread_by_hand() -> None:
    score = np.arange(30.0)
    gains = np.where(score >= 27, 0.03, np.where(score < 3, -0.01, 0.0))
    assert _decile_spreads([score, score[:19]], [gains, gains[:19]])[0] == pytest.approx(0.04)
    assert np.isnan(_decile_spreads([score[:19]], [gains[:19]])[0]), "fewer than two a decile"
    gains[29], gains[0] = np.nan, np.nan
    assert _decile_spreads([score], [gains])[0] == pytest.approx(0.04), "unknown returns left out"
    assert _decile_spreads([-score], [gains])[0] == pytest.approx(-0.04)


def test_random_scores_fall_inside_the_band_19_times_of_20() -> None:
    inside = 0
    for seed in range(100):
        scores, returns = random_days(seed + 10, 30, 30)
        inside += summarise(scores, returns, horizon=1, null_draws=200, seed=seed).is_noise
    assert 88 <= inside <= 100


def test_summary_of_a_perfect_score() -> None:
    _, returns = random_days(3, 20, 30)
    out = summarise(returns, returns, horizon=5)
    assert out.rank_ic == pytest.approx(1.0)
    assert out.ic == pytest.approx(1.0)
    assert out.hit_share == 1.0
    assert out.hit_base == pytest.approx(0.5, abs=0.05)
    assert out.decile_spread > 2.0
    assert np.isnan(out.rank_ic_t), "no error to divide by"
    assert out.n_dates == 20
    assert not out.is_noise


def test_summary_without_a_defined_day_is_nan_and_noise() -> None:
    out = summarise([np.ones(20)], [np.arange(20.0)], horizon=5)
    assert np.isnan(out.rank_ic)
    assert out.n_dates == 0
    assert out.is_noise


def test_paired_difference_ignores_undefined_days() -> None:
    a = np.array([0.3, np.nan, 0.2, 0.4, 0.1])
    mean, se = paired_difference(a, a - 0.1, lag=1)
    assert mean == pytest.approx(0.1)
    assert se == pytest.approx(0.0, abs=1e-12)


def test_bootstrap_rows_are_wrapped_blocks() -> None:
    rows = _bootstrap_indices(50, draws=400, mean_block=10, rng=np.random.default_rng(0))
    continued = (rows[:, 1:] - rows[:, :-1]) % 50 == 1
    assert rows.min() == 0
    assert rows.max() == 49
    assert continued.mean() == pytest.approx(0.9, abs=0.02)


def test_bootstrap_interval_covers_the_mean() -> None:
    rng = np.random.default_rng(4)
    hits = 0
    for seed in range(60):
        sample = rng.normal(0.5, 1.0, 300)
        low, high = stationary_bootstrap(
            sample,
            lambda rows: rows.mean(axis=1),
            draws=400,
            mean_block=5,
            confidence=0.9,
            seed=seed,
        )
        hits += low <= 0.5 <= high
    assert 46 <= hits <= 60
