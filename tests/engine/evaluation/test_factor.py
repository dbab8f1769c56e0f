"""Factor figures by hand, on planted markets, and against the training labels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from engine.backtest.prices import forward_returns
from engine.config import ConstraintConfig
from engine.evaluation import factor
from engine.evaluation.rank_ic import summarise
from engine.evaluation.ranks import (
    average_rank_rows,
    correlation_rows,
    counts_from_ends,
    quantiles,
    rank_correlation_rows,
)
from engine.portfolio.market_data import MarketData
from tests.conftest import World

Array = NDArray[np.float64]


def planted(seed: int, days: int = 400, stocks: int = 120) -> tuple[Array, Array]:
    """Closes with bid-ask bounce and a slow part; the score sees the bounce (it dies in a day) and it."""
    rng = np.random.default_rng(seed)
    slow = rng.normal(size=(days, stocks))
    for d in range(1, days):
        slow[d] = 0.9 * slow[d - 1] + np.sqrt(1 - 0.81) * slow[d]
    steps = rng.normal(0, 0.01, (days, stocks))
    steps[1:] += 0.0012 * slow[:-1]
    bounce = rng.normal(0, 0.01, (days, stocks))
    close = np.exp(steps.cumsum(axis=0) + bounce)
    return close, slow - 60.0 * bounce


def forward_of(close_DN: Array) -> factor.Forward:
    def forward(horizon: int, lag: int) -> Array:
        out = np.full(close_DN.shape, np.nan)
        n = len(close_DN) - horizon - lag
        out[:n] = close_DN[lag + horizon : lag + horizon + n] / close_DN[lag : lag + n] - 1.0
        return out

    return forward


def test_a_bounce_is_seen_as_microstructure_and_a_slow_signal_is_not() -> None:
    close, score = planted(0)
    dates = np.datetime64("2020-01-01") + np.arange(len(close))
    found = factor.factor_figures(score, forward_of(close), dates, horizon=1).entry
    assert found.same_close.value > 3 * found.traded.value
    assert found.microstructure_share > 0.6
    assert found.skip_ratio == pytest.approx(0.9, abs=0.25)
    shuffled = np.random.default_rng(1).permuted(score, axis=1)
    nothing = factor.factor_figures(shuffled, forward_of(close), dates, horizon=1).entry
    assert np.isnan(nothing.skip_ratio)


def test_decay_years_and_quantiles_of_a_planted_signal() -> None:
    close, score = planted(2)
    dates = np.datetime64("2020-06-01") + np.arange(len(close))
    found = factor.factor_figures(score, forward_of(close), dates, horizon=5)
    by_horizon = {row.horizon: row for row in found.decay}
    assert set(by_horizon) == {1, 2, 3, 5, 10, 20}
    assert all(row.rank_ic > 3 * row.rank_ic_se for row in by_horizon.values())
    assert [row.year for row in found.years] == [2020, 2021]
    days = sum(row.n_dates for row in found.years)
    assert days == by_horizon[5].n_dates == len(close) - 6
    means = list(found.quantile_returns.values())
    assert means[-1] > 0 > means[0]
    assert sum(means) == pytest.approx(0.0, abs=1e-12)
    assert 0 < found.rank_autocorrelation.value < 1


def test_turnover_and_quantiles_by_hand() -> None:
    up, down = np.arange(20.0), np.arange(20.0)[::-1]
    place = quantiles(np.stack([up, up, down]))
    assert place[0].tolist() == [q for q in range(1, 11) for _ in range(2)]
    turnover = factor._quantile_turnover(place)
    assert turnover["1"] == pytest.approx(0.5)  # nothing new on day 1, all new on day 2
    np.testing.assert_allclose(factor._rank_autocorrelation(np.stack([up, up, down])), [1.0, -1.0])
    tied = quantiles(np.array([[1.0] * 5 + [2.0] * 15 + [np.nan]]))
    assert set(tied[0][:5]) == {2}
    assert len(set(tied[0][5:20])) == 1
    assert tied[0][20] == 0
    assert not quantiles(np.arange(19.0)[None]).any()  # fewer than two names a decile


@given(seed=st.integers(0, 9999), n=st.integers(1, 60), levels=st.sampled_from([2, 5, 1000]))
def test_ranks_and_correlations_equal_scipy(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-levels, levels, (2, 3, n)).astype(float) / 4.0
    a[rng.random(a.shape) < 0.2] = np.nan
    b[rng.random(b.shape) < 0.2] = np.nan
    top, bottom = counts_from_ends(a)
    ranks = average_rank_rows(a)
    for d in range(3):
        known = np.isfinite(a[d])
        np.testing.assert_array_equal(ranks[d, known], stats.rankdata(a[d, known]))
        for i in np.flatnonzero(known):
            assert top[d, i] == (a[d, known] >= a[d, i]).sum()
            assert bottom[d, i] == (a[d, known] <= a[d, i]).sum()
        assert not top[d, ~known].any()
        both = known & np.isfinite(b[d])
        x, y = a[d, both], b[d, both]
        defined = both.sum() >= 3 and np.ptp(x) > 0 and np.ptp(y) > 0
        spearman = rank_correlation_rows(a, b, 3)[d]
        pearson = correlation_rows(a, b, 3)[d]
        if defined:
            assert spearman == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-12)
            assert pearson == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)
        else:
            assert np.isnan(spearman)
            assert np.isnan(pearson)


def test_signs_and_zeros_rank_in_order() -> None:
    row = np.array([[-0.0, 0.0, -1e-30, 1e-30, -5.0, 7.0, np.nan, np.inf]])
    assert average_rank_rows(row)[0].tolist()[:6] == [3.5, 3.5, 2.0, 5.0, 1.0, 6.0]
    assert np.isnan(average_rank_rows(row)[0, 6:]).all()


def test_forward_returns_equal_the_labels_of_training(world: World) -> None:
    features, config = world.features, world.config
    sessions = world.split.test
    dates = features.dates_S[sessions]
    market = MarketData.from_panel(
        world.panel,
        first=dates[0].item(),
        last=dates[-1].item(),
        symbols=features.symbols,
        constraints=ConstraintConfig(),
    )
    forward = forward_returns(world.panel, market, config)
    axis = [features.symbols.index(symbol) for symbol in market.symbols]
    for h, horizon in enumerate(features.horizons):
        ours = forward(horizon, 1)
        label = np.asarray(features.forward_return_SNH[sessions][:, axis, h], dtype=np.float64)
        # Delisted stocks may carry another haircut; both are 0 here.
        both = np.isfinite(ours) & np.isfinite(label)
        np.testing.assert_allclose(ours[both], label[both], atol=1e-6)
        assert (np.isfinite(ours) == np.isfinite(label)).mean() > 0.999


@pytest.mark.parametrize("memory", [0.0, 0.95])
def test_the_null_band_is_that_of_thousands_of_shuffles(memory: float) -> None:
    """Against drawing them; the persistent score on overlapping returns has the wider band in both."""
    rng = np.random.default_rng(3)
    score = rng.normal(size=(60, 40))
    for d in range(1, 60):
        score[d] = memory * score[d - 1] + np.sqrt(1 - memory**2) * score[d]
    table = forward_of(np.exp(0.01 * rng.normal(size=(71, 40)).cumsum(axis=0)))(10, 1)[:60]
    slow = summarise(list(score), list(table), horizon=1, null_draws=4000, seed=4)
    assert factor._null_band(score, table) == pytest.approx(slow.null_band, rel=0.06)


def test_the_null_band_of_one_day_and_of_days_alike() -> None:
    """One day of n names: 1.96 / sqrt(n - 1). The same day again and again tells nothing new."""
    rng = np.random.default_rng(5)
    score, table = rng.normal(size=(1, 26)), rng.normal(size=(1, 26))
    assert factor._null_band(score, table) == pytest.approx(1.96 / 5.0, rel=1e-6)
    again = factor._null_band(np.repeat(score, 700, axis=0), np.repeat(table, 700, axis=0))
    assert again == pytest.approx(1.96 / 5.0, rel=1e-5)
    apart = factor._null_band(rng.normal(size=(700, 26)), rng.normal(size=(700, 26)))
    assert apart == pytest.approx(1.96 / 5.0 / np.sqrt(700), rel=0.1)


def test_no_day_no_band_and_only_pairs_count() -> None:
    rng = np.random.default_rng(6)
    score, table = rng.normal(size=(5, 30)), rng.normal(size=(5, 30))
    nothing = np.full((5, 30), np.nan)
    assert np.isnan(factor._null_band(score, nothing))
    assert np.isnan(factor._null_band(nothing, table))
    few = table.copy()
    few[1:] = np.nan
    few[0, 14:] = np.nan
    assert factor._null_band(score, few) == pytest.approx(1.96 / np.sqrt(13), rel=1e-6)


def test_the_rank_ic_by_lag_fades_as_planted() -> None:
    """The slow part keeps 0.9 of itself a day, the bounce is gone before the first traded session."""
    close, score = planted(7, days=500, stocks=200)
    dates = np.datetime64("2020-01-01") + np.arange(len(close))
    found = factor.factor_figures(score, forward_of(close), dates, horizon=5)
    by_lag = {row.lag: row for row in found.lags}
    assert by_lag[1].rank_ic == pytest.approx(found.decay[0].rank_ic)
    assert by_lag[10].rank_ic / by_lag[1].rank_ic == pytest.approx(0.9**9, abs=0.25)
    assert by_lag[1].rank_ic > by_lag[1].null_band
    assert by_lag[20].n_dates == len(close) - 21


def test_what_scores_add_is_what_a_least_squares_fit_leaves_of_their_ranks() -> None:
    rng = np.random.default_rng(3)
    score, reference, forward = rng.normal(size=(3, 6, 30))
    score += reference
    score[0, 5:] = np.nan  # too few pairs: the day is left out
    reference[1, 3], forward[2, 4] = np.nan, np.nan
    added, alike = [], []
    for day in range(1, 6):
        known = np.isfinite(score[day] + reference[day] + forward[day])
        own, theirs, earned = (
            stats.zscore(stats.rankdata(row[day][known])) / np.sqrt(known.sum())
            for row in (score, reference, forward)
        )
        slope = np.linalg.lstsq(theirs[:, None], own, rcond=None)[0]
        added.append((own - slope[0] * theirs) @ earned)
        alike.append(stats.spearmanr(own, theirs)[0])
    found = factor.beyond(score, reference, forward, lag=0)
    assert found.added == pytest.approx(np.mean(added), abs=1e-6)
    assert found.added_se == pytest.approx(np.std(added) / np.sqrt(5), abs=1e-6)
    assert found.likeness == pytest.approx(np.mean(alike), abs=1e-6)


def test_a_reference_adds_nothing_to_itself_and_all_to_what_it_shares_nothing_with() -> None:
    score = np.tile(np.arange(12.0), (3, 1))
    turned = score[:, [0, 11, 10, 3, 8, 7, 6, 5, 4, 9, 2, 1]]
    same = factor.beyond(score, 2.0 * score, turned, lag=0)
    assert same.added == pytest.approx(0.0, abs=1e-6)
    assert same.likeness == pytest.approx(1.0)
    apart = np.array([5, 6, 4, 7, 3, 8, 8, 3, 7, 4, 6, 5], dtype=float)  # the same from either end
    alone = factor.beyond(score, np.tile(apart, (3, 1)), turned, lag=0)
    assert alone.likeness == pytest.approx(0.0, abs=1e-6)
    assert alone.added == pytest.approx(stats.spearmanr(score[0], turned[0])[0], abs=1e-6)
