"""The simple models: what they are, that they see training days only, and which horizons they know."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.evaluation.rank_ic import rank_ic_series
from engine.runs.events import Advanced, Noted
from engine.runs.sink import ListSink, NullSink
from engine.training import baselines
from engine.training.baselines import RULES, compute_baselines
from engine.training.evaluate import evaluate, paired_rank_ic, scored_days
from tests.conftest import World


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Nothing here asks how good the trees are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "_LIGHTGBM_ROUNDS", 10)
        yield


@pytest.fixture(scope="module")
def frame(world: World) -> pl.DataFrame:
    return compute_baselines(world.features, world.split, config=world.config, sink=NullSink())


def test_every_member_of_every_day_has_one_score_of_each(world: World, frame: pl.DataFrame) -> None:
    assert set(frame["name"].unique()) == {*RULES, "ridge", "lightgbm", "mlp"}
    days = np.concatenate([world.split.validation, world.split.test])
    expected = int(world.features.member_SN[days].sum())
    assert frame.group_by("name").len()["len"].to_list() == [expected] * (len(RULES) + 3)
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
        figures = evaluate(rows, world.features, null_draws=20, seed=0)["test"]
        for length, summary in figures.items():
            assert (summary.n_dates > 0) == (int(length) in wanted)


def test_the_perceptron_serves_every_horizon(world: World, frame: pl.DataFrame) -> None:
    rows = frame.filter(pl.col("name") == "mlp")
    for horizon in world.features.horizons:
        assert rows[f"score_{horizon}"].is_finite().all()


@pytest.mark.parametrize(
    ("listed", "wanted"), [((1,), (1, 5)), ((10, 1), (1, 5, 10)), ((5,), (5,)), ((), (5, 20))]
)
def test_horizons_beside_those_in_use_can_be_named(
    world: World, listed: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    training = world.config.training.model_copy(update={"baseline_horizons": listed})
    config = world.config.model_copy(update={"training": training})
    assert config.baseline_horizons == wanted


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
    for name in ("ridge", "mlp"):
        rows = [table.filter(pl.col("name") == name) for table in (other, frame)]
        assert not rows[0].equals(rows[1]), "the labels of training do decide"


def test_a_rule_without_its_feature_is_left_out_and_said(world: World) -> None:
    f = world.features.features.index("return_1")
    names = list(world.features.features)
    names[f] = "renamed"
    sink = ListSink()
    made = compute_baselines(
        replace(world.features, features=tuple(names)), world.split, config=world.config, sink=sink
    )
    assert "reversal_1" not in made["name"].unique().to_list()
    assert any(isinstance(e, Noted) and "reversal_1" in e.message for e in sink.events)
    done = [e for e in sink.events if isinstance(e, Advanced)]
    assert done[-1].done == done[-1].total


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
