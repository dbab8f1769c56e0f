"""A blend from the walk-forward to the sealed signal: the package scores as the walk-forward did, and a
replay gives the same bytes.
"""

import numpy as np
import polars as pl
import pytest

from engine.evaluation.blend import centred_ranks
from engine.evaluation.rank_ic import rank_ic
from engine.records.train import BLEND, read_train
from engine.signals.models import Model
from engine.stages.backtest import backtest
from engine.stages.load import load_dataset, session_window
from engine.stages.promote import challenge, promote
from engine.stages.sealed import champion, replay
from engine.stages.signals import open_ensemble
from engine.stages.walkforward import walkforward
from tests.engine.signals.desk import Desk

MEMBERS = ("network", "mlp", "lightgbm", "ridge", "mlp-plain", "ridge-plain")


pytestmark = pytest.mark.usefixtures("few_trees")


@pytest.fixture(scope="module")
def blended(trained_desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> tuple[Desk, str]:
    """A desk with the walk-forward of a blend of six members, two seeds, that hears neighbours; its id."""
    desk = trained_desk.copy(tmp_path_factory.mktemp("blend") / "workspace")
    context = desk.context(blend__members=MEMBERS, training__rivals_hear_neighbours=True)
    done = walkforward(
        context,
        first_test=str(desk.days[-60]),
        last_test=None,
        step="1y",
        seeds=2,
        with_baselines=False,
        model=BLEND,
    )
    return desk, done.json["run_id"]


@pytest.fixture(scope="module")
def crowned(blended: tuple[Desk, str]) -> tuple[Desk, str, Model]:
    desk, run = blended
    promote(desk.context(), run=run, force_reason="a test")
    return desk, run, desk.models.require_champion()


def test_the_run_holds_the_mean_rank_of_its_members_and_is_judged_against_them(
    blended: tuple[Desk, str],
) -> None:
    desk, name = blended
    run = desk.context().store.open(name)
    found = read_train(run.directory)
    assert found.model == BLEND
    assert {*MEMBERS, "reversal_5"} <= set(found.baselines)
    best = found.strongest()
    assert best is not None
    assert best.name in found.baselines
    scores = pl.read_parquet(run.path("predictions.parquet")).sort("date", "symbol")
    members = pl.read_parquet(run.path("baselines.parquet"))
    day = scores["date"][0]
    ranks = [
        centred_ranks(
            members.filter(pl.col("name") == member, pl.col("date") == day)
            .sort("symbol")["score_5"].to_numpy()
        )
        for member in MEMBERS
    ]  # fmt: skip
    own = scores.filter(pl.col("date") == day)["score_5"].to_numpy()
    np.testing.assert_allclose(own, np.mean(ranks, axis=0), atol=1e-6)
    tested = backtest(desk.context(), run=name, strategy=None)
    assert {"network", "mlp-plain"} <= set(tested.json["baselines"])


def test_the_package_scores_a_day_as_the_walk_forward_did(
    crowned: tuple[Desk, str, Model],
) -> None:
    """Ranks of members that differ in their last bits may swap two stocks here and there."""
    desk, name, model = crowned
    assert (
        model.facts.words
        == "blend of network x2, perceptron x2, LightGBM, ridge, perceptron (plain label) x2, "
        "ridge (plain label)"
    )
    config = model.config()
    dataset = load_dataset(desk.context(), desk.context().sink, in_memory=False)
    run = desk.context().store.open(name)
    scores = pl.read_parquet(run.path("predictions.parquet"))
    ensemble = open_ensemble(model)
    for day in scores["date"].unique().sort()[::20]:
        session = int(np.searchsorted(dataset.features.dates_S, np.datetime64(day)))
        window = session_window(dataset, session, config.split.window)
        ours = ensemble.rank(window, 1)
        theirs = scores.filter(pl.col("date") == day).sort("symbol")
        order = np.argsort(window.symbols)
        told = ours.score_MH[order]
        assert [window.symbols[n] for n in order] == theirs["symbol"].to_list()
        for h, column in enumerate(("score_1", "score_5", "score_10", "score_20")):
            np.testing.assert_allclose(told[:, h], theirs[column].to_numpy(), atol=0.02)
            assert rank_ic(told[:, h], theirs[column].to_numpy()) > 0.999
        assert len(ours.alpha) == 6, "two networks, four perceptrons"


def test_a_signal_of_the_blend_is_replayed_byte_for_byte(
    crowned: tuple[Desk, str, Model],
) -> None:
    desk, _, model = crowned
    desk.next_day()
    done = desk.signals()
    assert done.json["key"].split(":")[2] == model.id
    day = str(desk.last)
    again = replay(desk.context(), session=day)
    assert again.exit_code == 0, again.text
    explained = pl.read_parquet(desk.workspace / "signals" / day / "explain.parquet")
    sealed = pl.read_parquet(desk.workspace / "signals" / day / "scores.parquet")
    told = explained.filter(pl.col("kind") == "member")
    assert set(told["name"]) == set(MEMBERS)
    sums = told.group_by("symbol").agg(pl.col("value").mean())
    both = sums.join(sealed, on="symbol")
    assert len(both) > 0
    np.testing.assert_allclose(both["value"], both["score_5"], atol=1e-6)
    assert champion(desk.context(), action="show").json["networks"] == 6


def test_a_challenge_to_a_blend_is_a_blend(crowned: tuple[Desk, str, Model]) -> None:
    """Its test days are those that a single training would have; it has to be better to be promoted."""
    desk, name, _ = crowned
    before = len(desk.models.history().history)
    done = challenge(desk.context(split__test_sessions=40))
    entry = desk.models.history().history[before]
    assert (entry.run, entry.run != name) == (done.json["run_id"], True)
    tried = desk.models.open(entry.model).facts
    assert [member.name for member in tried.members] == list(MEMBERS)
    assert tried.networks == 6
    run = desk.context().store.open(entry.run)
    assert [row.fold for row in read_train(run.directory).folds] == [0]
    assert {row.name for row in entry.gate} == {"noise", "lightgbm", "audit", "members", "champion"}
