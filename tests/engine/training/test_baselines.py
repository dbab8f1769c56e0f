"""The simple models: what they are, that they see training days only, and which horizons they know."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from engine.dataset.batch import make_batch
from engine.errors import Interrupted
from engine.evaluation.rank_ic import rank_ic_series
from engine.features.feature_set import FeatureSet
from engine.model_kit import Days, Fitted, LightGBMModel, Matrix, RidgeModel, idle
from engine.runs.events import Noted
from engine.runs.sink import ListSink, NullSink
from engine.stages.load import _recency_weights
from engine.training import baselines
from engine.training.baselines import RULES, _learned_days, compute_baselines, count_fits
from engine.training.evaluate import evaluate, paired_rank_ic, scored_days
from engine.training.own_models import FITS
from tests.conftest import World


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Nothing here asks how good the trees are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LightGBMModel, "rounds", 10)
        yield


def learned(features: FeatureSet, train: NDArray[np.int64]) -> Days:
    return _learned_days(features, train, features.horizons, 1, idle)


def ridge(x_MF: Matrix, y_M: Matrix, weight_M: Matrix | None, days: Days) -> Fitted:
    return RidgeModel().fit_one(x_MF, y_M, weight_M, days)


@pytest.fixture(scope="module")
def frame(world: World) -> pl.DataFrame:
    return compute_baselines(world.features, world.split, config=world.config, sink=NullSink())


def test_every_member_of_every_day_has_one_score_of_each(world: World, frame: pl.DataFrame) -> None:
    assert set(frame["name"].unique()) == {*RULES, *FITS}
    days = np.concatenate([world.split.validation, world.split.test])
    expected = int(world.features.member_SN[days].sum())
    assert frame.group_by("name").len()["len"].to_list() == [expected] * len({*RULES, *FITS})
    assert not frame.select(pl.struct("name", "date", "symbol").is_duplicated().any()).item()


def test_a_rule_is_its_feature_with_its_sign(world: World, frame: pl.DataFrame) -> None:
    session = int(world.split.test[5])
    member = np.flatnonzero(world.features.member_SN[session])
    f = world.features.features.index("return_5")
    day = world.features.dates_S[session].item()
    rows = frame.filter((pl.col("name") == "reversal_5") & (pl.col("date") == day))
    np.testing.assert_array_equal(rows["score_5"], -world.features.x_SNF[session][member, f])


def test_only_the_horizons_in_use_are_fitted(world: World, frame: pl.DataFrame) -> None:
    wanted = world.config.baseline_horizons
    assert wanted == (5, 20), "the score and the traded horizon, and the longest"
    for name in ("ridge", "lightgbm"):
        rows = frame.filter(pl.col("name") == name)
        for horizon in world.features.horizons:
            assert rows[f"score_{horizon}"].is_nan().any() == (horizon not in wanted)
        figures = evaluate(rows, world.features, world.config.training)["test"]
        for length, summary in figures.items():
            assert (summary.n_dates > 0) == (int(length) in wanted)


@pytest.mark.parametrize(
    ("listed", "wanted"), [((1,), (1, 5)), ((10, 1), (1, 5, 10)), ((5,), (5,)), ((), (5, 20))]
)
def test_horizons_beside_those_in_use_can_be_named(
    world: World, listed: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    training = world.config.training.model_copy(update={"baseline_horizons": listed})
    config = world.config.model_copy(update={"training": training})
    assert config.baseline_horizons == wanted


def test_they_learn_the_target_of_the_network(world: World) -> None:
    """Of the same day, bit for bit; what `FeatureSet.neutral` names is no part of it."""
    taught = replace(world.features, neutral=("beta_60", "volatility_20"))
    train = world.split.train[-1:]
    days = learned(taught, train)
    x_MF, target_MH = days.x_MF, days.target_MH
    batch = make_batch(taught, None, train.tolist(), world.config.split.window)
    np.testing.assert_array_equal(target_MH, batch.target_MH.numpy())
    np.testing.assert_array_equal(x_MF, batch.x_MTF[:, -1].numpy())
    plain = learned(world.features, train).target_MH
    assert not np.array_equal(plain, target_MH, equal_nan=True)


def test_ridge_does_not_learn_what_its_label_is_neutral_to(world: World) -> None:
    """Returns are 3 * beta + a column: with a label neutral to beta only the column is left."""
    names = world.features.features
    b, c = names.index("beta_60"), names.index("volume_ratio_5_60")
    x_SNF = np.asarray(world.features.x_SNF[:], np.float32)
    returns_SN = 3 * x_SNF[..., b] + x_SNF[..., c]
    returns_SNH = np.where(
        np.isfinite(world.features.forward_return_SNH), returns_SN[..., None], np.nan
    ).astype(np.float32)
    weights = {}
    for neutral in ((), ("beta_60",)):
        known = replace(world.features, forward_return_SNH=returns_SNH, neutral=neutral)
        days = learned(known, world.split.train)
        x_MF, target_MH = days.x_MF, days.target_MH
        kept_M = np.isfinite(target_MH[:, 0])
        line = ridge(x_MF[kept_M][:, [b, c]], target_MH[kept_M, 0], None, days)
        zero, one_b, one_c = line.score(np.array([[0, 0], [1, 0], [0, 1]], np.float32))
        weights[neutral] = (one_b - zero, one_c - zero)
    assert weights[()][0] > 2 * weights[()][1] > 0
    assert abs(weights[("beta_60",)][0]) < 0.1 * weights[("beta_60",)][1]


def test_a_row_of_twice_the_weight_is_two_rows(world: World) -> None:
    """Ridge on rows of weights 1 and 2, scaled to mean 1, is ridge with the second one written twice."""
    rng = np.random.default_rng(0)
    x_MF, y_M = rng.normal(size=(40, 3)).astype(np.float32), rng.normal(size=40).astype(np.float32)
    weight_M = np.repeat([1.0, 2.0], 20).astype(np.float32)
    twice_M = np.concatenate([np.arange(40), np.arange(20, 40)])
    days = learned(world.features, world.split.train[-1:])
    ours = ridge(x_MF, y_M, weight_M / weight_M.mean(), days)
    theirs = ridge(x_MF[twice_M], y_M[twice_M], None, days)
    np.testing.assert_allclose(ours.score(x_MF), theirs.score(x_MF), atol=1e-5)


def test_older_days_count_less_for_both(world: World) -> None:
    """Half the weight at one half-life before the last day; rows have the weight of their day."""
    train = world.split.train
    weight_S = _recency_weights(world.features.dates_S.size, train, 20)
    assert weight_S is not None
    assert weight_S[train[-1]] == pytest.approx(2 * weight_S[train[-21]])
    assert weight_S[train].mean() == pytest.approx(1.0)
    assert _recency_weights(9, np.arange(5), 0) is None
    weighted = replace(world.features, weight_S=weight_S)
    sessions = train[[0, -1]]
    counts = [int(world.features.member_SN[session].sum()) for session in sessions]
    weight_M = learned(weighted, sessions).weight_M
    assert weight_M is not None
    np.testing.assert_array_equal(weight_M, np.repeat(weight_S[sessions], counts))
    frames = [
        compute_baselines(
            features, world.split, config=world.config, parts=("test",), sink=NullSink()
        )
        for features in (
            weighted,
            replace(weighted, weight_S=np.ones_like(weight_S)),
            world.features,
        )
    ]
    for name in FITS:
        ours, ones, plain = (frame.filter(pl.col("name") == name)["score_5"] for frame in frames)
        assert not ours.equals(plain), name
        np.testing.assert_allclose(ones, plain, atol=1e-5)


def test_more_seeds_are_more_models_whose_mean_is_the_score(
    world: World, frame: pl.DataFrame
) -> None:
    def scores(seed: int, seeds: int) -> pl.Series:
        training = world.config.training.model_copy(update={"seed": seed})
        config = world.config.model_copy(update={"training": training})
        made = compute_baselines(
            world.features,
            world.split,
            config=config,
            seeds=seeds,
            parts=("test",),
            sink=NullSink(),
        )
        assert made["split"].unique().to_list() == ["test"]
        return made.filter(pl.col("name") == "lightgbm")["score_5"]

    first, second, both = scores(1, 1), scores(2, 1), scores(1, 2)
    assert not first.equals(second)
    np.testing.assert_allclose(both, (first + second) / 2, atol=1e-6)
    of_one = (pl.col("name") == "lightgbm") & (pl.col("split") == "test")
    assert first.equals(frame.filter(of_one)["score_5"]), "the same seed gives the same bits"


def test_of_too_many_days_each_seed_takes_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the rows: every second day, the odd ones for an odd seed."""
    train, member_SN = world.split.train, world.features.member_SN
    monkeypatch.setattr(baselines, "_MAX_ROWS", int(member_SN[train].sum()) // 2 + 1)
    for seed in (1, 2):
        days = _learned_days(world.features, train, world.features.horizons, seed, idle)
        rows = len(days.x_MF)
        assert rows == member_SN[train[seed % 2 :: 2]].sum()


def test_what_happens_after_training_decides_nothing(world: World, frame: pl.DataFrame) -> None:
    returns = np.array(world.features.forward_return_SNH)
    last = int(world.split.train[-1])
    rng = np.random.default_rng(0)
    returns[last + 1 :] = rng.normal(size=returns[last + 1 :].shape)
    changed = replace(world.features, forward_return_SNH=returns)
    again = compute_baselines(changed, world.split, config=world.config, sink=NullSink())
    assert again.equals(frame, null_equal=True)
    returns[: last + 1] = rng.normal(size=returns[: last + 1].shape)
    other = compute_baselines(
        replace(changed, forward_return_SNH=returns),
        world.split,
        config=world.config,
        sink=NullSink(),
    )
    rows = [table.filter(pl.col("name") == "ridge") for table in (other, frame)]
    assert not rows[0].equals(rows[1]), "the labels of training do decide"


def test_a_rule_without_its_feature_is_left_out_and_said(world: World) -> None:
    f = world.features.features.index("return_1")
    names = list(world.features.features)
    names[f] = "renamed"
    sink = ListSink()
    told: list[str] = []
    renamed = replace(world.features, features=tuple(names))
    made = compute_baselines(renamed, world.split, config=world.config, sink=sink, done=told.append)
    assert "reversal_1" not in made["name"].unique().to_list()
    assert any(isinstance(e, Noted) and "reversal_1" in e.message for e in sink.events)
    assert len(told) == count_fits(world.config, 1) == 2


def test_a_paired_difference_is_the_mean_of_daily_differences(
    world: World, frame: pl.DataFrame
) -> None:
    test = frame.filter(pl.col("split") == "test")
    a, b = (test.filter(pl.col("name") == name) for name in ("ridge", "reversal_5"))
    h = world.config.training.score_horizon
    series = [rank_ic_series(*scored_days(rows, world.features, h)[1]) for rows in (a, b)]
    gap = series[0] - series[1]
    found = paired_rank_ic(a, b, world.features, horizon=h)
    assert found.difference == pytest.approx(np.nanmean(gap))
    assert found.n_dates == np.isfinite(gap).sum()
    assert paired_rank_ic(a, a, world.features, horizon=h).difference == 0.0


def test_a_long_fit_can_be_ended_between_its_rounds(world: World) -> None:
    """LightGBM is left in its third round, although no fit but the ridge has come to its end."""
    fitted: list[str] = []
    rounds = itertools.count(1)

    def alive() -> None:
        if next(rounds) == 3:
            raise Interrupted("asked to stop")

    with pytest.raises(Interrupted):
        compute_baselines(
            world.features,
            world.split,
            config=world.config,
            sink=NullSink(),
            done=fitted.append,
            alive=alive,
        )
    assert [name.partition(",")[0] for name in fitted] == ["ridge"]
    assert next(rounds) == 4
