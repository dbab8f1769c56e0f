"""Paired differences at every horizon, and the anatomy of a score."""

import numpy as np
import polars as pl
import pytest

from engine.evaluation.inference import paired_interval
from engine.evaluation.rank_ic import rank_ic_series
from engine.features.feature_set import FeatureSet
from engine.training.evaluate import against_baselines, anatomy, paired_rank_ic, scored_days
from tests.conftest import World


def scores(features: FeatureSet, sessions: np.ndarray, noise: float, seed: int = 0) -> pl.DataFrame:
    """``score_5`` = the 5-session return that will follow, plus noise; on members."""
    rng = np.random.default_rng(seed)
    h = features.horizons.index(5)
    frames = []
    for session in sessions:
        member_N = np.flatnonzero(features.member_SN[session])
        truth_N = np.nan_to_num(features.forward_return_SNH[session, member_N, h])
        score_N = truth_N + noise * rng.standard_normal(member_N.size)
        frames.append(
            pl.DataFrame(
                {
                    "date": [features.dates_S[session].item()] * member_N.size,
                    "symbol": [features.symbols[n] for n in member_N],
                    "score_5": score_N.astype(np.float32),
                }
            )
        )
    return pl.concat(frames).with_columns(pl.lit("test").alias("split"))


def test_the_interval_of_a_difference_covers_it_nine_times_of_ten() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        noise = np.convolve(rng.standard_normal(254), np.ones(5) / 5, "valid")
        found = paired_interval(
            0.1 + noise, np.zeros(250), lag=5, draws=300, confidence=0.9, seed=seed, mean_block=10.0
        )
        assert found.low < found.difference < found.high
        hits += found.low < 0.1 < found.high
    assert 160 <= hits <= 192


def test_paired_days_only_and_undefined_without_one() -> None:
    a = np.arange(40.0)
    b = a - 0.5
    b[7] = np.nan
    found = paired_interval(a, b, lag=1, draws=200, confidence=0.9, seed=0)
    assert (found.difference, found.n_dates) == (0.5, 39)
    assert found.low == found.high == 0.5
    none = paired_interval(a, np.full(40, np.nan), lag=1, draws=200, confidence=0.9, seed=0)
    assert np.isnan([none.difference, none.se, none.low, none.high]).all()


def test_differences_stand_at_every_horizon_that_both_have(world: World) -> None:
    features, test = world.features, world.split.test
    ours = scores(features, test, 0.05).with_columns(pl.col("score_5").alias("score_20"))
    theirs = scores(features, test, 0.2, seed=1).with_columns(
        pl.col("score_5").alias("score_20"), pl.lit(float("nan")).alias("score_1"),
        pl.lit("rival").alias("name"),
    )  # fmt: skip
    table = against_baselines(ours, theirs, features, world.config)["rival"]
    assert table.test_difference is not None
    assert set(table.horizons) == {"5", "20"}
    gap = table.horizons["20"].test_difference
    assert gap.low <= gap.difference <= gap.high
    assert gap.confidence == world.config.backtest.confidence
    assert table.test_difference == table.horizons["5"].test_difference
    assert table.test_difference == paired_rank_ic(
        ours, theirs, features, horizon=5, bootstrap=world.config.backtest,
        seed=world.config.training.seed,
    )  # fmt: skip
    assert table.test_difference.low > 0, "less noise ranks better"
    assert against_baselines(ours, pl.DataFrame(), features, world.config) == {}


def test_anatomy_of_a_score_that_knows_the_next_five_sessions(world: World) -> None:
    frame = scores(world.features, world.split.validation, 0.01)
    found = anatomy(frame, world.features, 5)
    daily = rank_ic_series(*scored_days(frame, world.features, 5)[1])
    assert found.decay["5"].value == pytest.approx(np.nanmean(daily), abs=1e-6)
    assert found.lags["0"] == found.decay["5"]
    lags = [found.lags[str(lag)].value for lag in (0, 1, 2, 5)]
    assert lags == sorted(lags, reverse=True)
    assert abs(lags[3]) < 0.2, "five sessions later nothing overlaps"
    assert found.skip_ratio == pytest.approx(lags[1] / lags[0])
    assert sum(year.n_dates for year in found.years) == np.isfinite(daily).sum()
