"""What graph and blocks are worth: nothing where nothing passes, whatever the days are scored with."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from engine.config import Config
from engine.model.atft_gat_fan import ATFTGATFAN, build_model
from engine.records.rank_ic import Worth
from engine.training.device import Runtime
from engine.training.scoring import OtherGraph, ScoredDays, score_days
from engine.training.worth import _WINDOW, blocks_worth, graph_worth, other_graphs
from tests.conftest import World

RUNTIME = Runtime(device=torch.device("cpu"), mode="safe", autocast=False, threads=1)
NOTHING = Worth(share=0.0, rank_ic=0.0, rank_ic_se=0.0, n_dates=12)


@pytest.fixture
def model(world: World, config: Config) -> ATFTGATFAN:
    """Untrained, with a graph that is heard well."""
    torch.manual_seed(0)
    model = build_model(config, len(world.features.features)).eval()
    with torch.no_grad():
        model.graph_entry.weight.mul_(20.0)
    return model


@pytest.fixture
def score(world: World, model: ATFTGATFAN) -> Callable[..., ScoredDays]:
    def scored(
        others: tuple[OtherGraph, ...] = (), *, days: Any = slice(0, 12), graphs: Any = world.graphs
    ) -> ScoredDays:
        sessions = world.split.validation[days]
        return score_days(
            model, world.features, graphs, sessions, window=8, runtime=RUNTIME, other_graphs=others
        )

    return scored


def test_a_heard_graph_is_worth_something_and_the_scores_stay_as_they_were(
    model: ATFTGATFAN, config: Config, score: Callable[..., ScoredDays]
) -> None:
    plain, scored = score(), score(other_graphs(model, 1))
    for a, b in zip(plain.score_DNH, scored.score_DNH, strict=True):
        assert np.array_equal(a, b)
    found = graph_worth(scored, config)
    assert found is not None
    assert found.without_edges.share > 0.01
    assert found.random_neighbours.share > 0.001
    assert found.without_edges.n_dates == 12
    assert 0 < found.neighbours <= 4, "graph.k of this market"
    assert graph_worth(plain, config) is None


def test_a_network_that_does_not_hear_its_graph_loses_exactly_nothing(
    model: ATFTGATFAN, config: Config, score: Callable[..., ScoredDays]
) -> None:
    with torch.no_grad():
        model.graph_entry.weight.zero_()
    found = graph_worth(score(other_graphs(model, 1)), config)
    assert found is not None
    assert found.without_edges == found.random_neighbours == NOTHING
    assert not found.is_heard()
    assert not found.pays


def test_a_run_without_edges_loses_exactly_nothing(
    model: ATFTGATFAN, config: Config, score: Callable[..., ScoredDays]
) -> None:
    found = graph_worth(score(other_graphs(model, 1), graphs=None), config)
    assert found is not None
    assert found.without_edges == found.random_neighbours == NOTHING
    assert found.neighbours == 0.0
    assert not found.is_heard()


def test_a_days_other_scores_do_not_depend_on_the_days_beside_it(
    model: ATFTGATFAN, score: Callable[..., ScoredDays]
) -> None:
    others = other_graphs(model, 1)
    together, alone = score(others), score(others, days=slice(5, 6))
    for many, one in zip(together.other_DNH, alone.other_DNH, strict=True):
        np.testing.assert_allclose(many[5], one[0], atol=1e-5)


def test_the_rows_are_read_once_for_all_graphs(
    model: ATFTGATFAN, score: Callable[..., ScoredDays], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def watch(name: str) -> None:
        method = getattr(model, name)

        def watched(*given: Any) -> Any:
            calls.append(name)
            return method(*given)

        monkeypatch.setattr(model, name, watched)

    watch("read")
    watch("rank")
    score(other_graphs(model, 1), days=slice(0, 4))
    assert calls == ["read", "rank", "rank", "rank"]


def test_while_the_graph_is_off_there_is_no_other(
    model: ATFTGATFAN, score: Callable[..., ScoredDays], config: Config
) -> None:
    model.set_blocks(["fan"])
    assert other_graphs(model, 1) == ()
    assert graph_worth(score(other_graphs(model, 1)), config) is None


def test_each_block_that_is_on_has_its_worth_and_all_are_put_back(
    model: ATFTGATFAN, config: Config, score: Callable[..., ScoredDays]
) -> None:
    on = {"fan", "selection", "gat", "bypass"}
    model.set_blocks(on)
    with torch.no_grad():
        model.fan.share.logit.fill_(3.0)
    scored = score()
    found = blocks_worth(model, scored, score, config)
    assert list(found) == ["fan", "selection", "gat", "bypass", _WINDOW]
    assert model.blocks == on
    assert found["selection"].share == pytest.approx(0.0, abs=1e-6), (
        "all weights are 1 at the start"
    )
    assert found["fan"].share > 0.001
    assert found["gat"].share > 0.01
    assert found[_WINDOW].share == pytest.approx(found["fan"].share, rel=1e-3)
    model.set_blocks(["gat", "bypass"])
    assert list(blocks_worth(model, score(), score, config)) == ["gat", "bypass"]


def test_the_blocks_are_put_back_when_scoring_fails(
    model: ATFTGATFAN, config: Config, score: Callable[..., ScoredDays]
) -> None:
    scored, on = score(), model.blocks

    def fail() -> ScoredDays:
        raise MemoryError

    with pytest.raises(MemoryError):
        blocks_worth(model, scored, fail, config)
    assert model.blocks == on
