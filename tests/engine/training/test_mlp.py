"""The perceptron: what it can learn that a line cannot, and what it must not touch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.evaluation.rank_ic import rank_ic
from engine.features.feature_set import FeatureSet
from engine.training import mlp
from engine.training.baselines import _fit_ridge

S, N, F = 90, 120, 6
TRAIN, HELD_OUT = np.arange(70), range(70, S)


def market(*, interaction: float, horizons: tuple[int, ...] = (1, 5)) -> FeatureSet:
    """Returns = interaction * x0 * x1 + noise: every single feature has correlation 0 with them."""
    rng = np.random.default_rng(3)
    x_SNF = rng.standard_normal((S, N, F)).astype(np.float16)
    signal_SN = interaction * x_SNF[..., 0].astype(np.float32) * x_SNF[..., 1]
    y_SNH = np.stack([signal_SN + rng.standard_normal((S, N)) for _ in horizons], axis=-1)
    member_SN = np.ones((S, N), dtype=bool)
    member_SN[::3, :20] = False
    return FeatureSet(
        directory=None,
        dates_S=np.datetime64("2020-01-01", "D") + np.arange(S),
        symbols=tuple(f"S{n}" for n in range(N)),
        features=tuple(f"f{n}" for n in range(F)),
        horizons=horizons,
        x_SNF=x_SNF,
        member_SN=member_SN,
        forward_return_SNH=y_SNH.astype(np.float32),
        sector_N=np.zeros(N, dtype=np.int16),
        sectors=("all",),
        fingerprint="planted",
        market="synthetic",
        source="planted",
    )


def held_out(score: mlp.Scorer, features: FeatureSet, h: int) -> float:
    days = [
        rank_ic(
            score(np.asarray(features.x_SNF[s], np.float32))[:, h],
            features.forward_return_SNH[s, :, h],
        )
        for s in HELD_OUT
    ]
    return float(np.mean(days))


def test_it_finds_an_interaction_that_ridge_cannot() -> None:
    features = market(interaction=1.0)
    score = mlp.fit_mlp(features, TRAIN, seed=1)
    x_MF = np.asarray(features.x_SNF[:70], np.float32).reshape(-1, F)
    ridge = _fit_ridge(x_MF, features.forward_return_SNH[TRAIN, :, 0].reshape(-1))
    assert held_out(score, features, 0) > 0.2
    assert held_out(score, features, 1) > 0.2
    assert abs(held_out(lambda x_NF: ridge(x_NF)[:, None], features, 0)) < 0.1


def test_noise_stays_noise() -> None:
    features = market(interaction=0.0)
    assert abs(held_out(mlp.fit_mlp(features, TRAIN, seed=1), features, 0)) < 0.08


def test_same_seed_same_scores_and_the_global_random_state_is_left_alone() -> None:
    features = market(interaction=1.0)
    x_NF = np.asarray(features.x_SNF[80], np.float32)
    before = torch.get_rng_state()
    told: list[int] = []
    first = mlp.fit_mlp(features, TRAIN, seed=1, done=told.append)(x_NF)
    torch.testing.assert_close(torch.get_rng_state(), before)
    assert told == [1, 2, 3]
    np.testing.assert_array_equal(mlp.fit_mlp(features, TRAIN, seed=1)(x_NF), first)
    assert not np.array_equal(mlp.fit_mlp(features, TRAIN, seed=9)(x_NF), first)


def test_unknown_labels_and_thin_days_do_not_count() -> None:
    features = market(interaction=1.0)
    returns = np.array(features.forward_return_SNH)
    returns[:20:2, 5:] = np.nan
    returns[:, 3] = np.nan
    poor = replace(features, forward_return_SNH=returns)
    score = mlp.fit_mlp(poor, TRAIN, seed=1)
    assert np.isfinite(score(np.asarray(features.x_SNF[80], np.float32))).all()
    assert held_out(score, features, 0) > 0.1


def test_the_loss_is_one_minus_the_correlation() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 30, 2)).astype(np.float32)
    b[4, 0] = np.nan
    known = np.isfinite(b[:, 0])
    expected = 1 - np.mean(
        [np.corrcoef(a[known, 0], b[known, 0])[0, 1], np.corrcoef(a[:, 1], b[:, 1])[0, 1]]
    )
    found = mlp._loss(torch.from_numpy(a), torch.from_numpy(b))
    assert float(found) == pytest.approx(expected, abs=1e-5)
    assert float(mlp._loss(torch.from_numpy(a[:5]), torch.from_numpy(b[:5]))) == 1.0


def test_dropout_keeps_the_mean() -> None:
    rng = np.random.Generator(np.random.SFC64(1))
    dropped = mlp._dropped(torch.ones(1000, 200), rng)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.3, abs=0.01)


def test_many_days_are_thinned_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    features = market(interaction=1.0)
    monkeypatch.setattr(mlp, "_MAX_ROWS", 4000)
    days = mlp._gather(features, TRAIN)
    assert len(days.spans) == 35
    assert len(days.x_MF) <= 4000
    assert days.spans[-1][1] == len(days.x_MF) == len(days.target_MH)
