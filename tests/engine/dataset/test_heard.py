"""Neighbours' means by hand, and that a set that is made day by day is the set in memory."""

import datetime as dt

import numpy as np
import pytest

from engine.dataset.heard import _edges_among, neighbour_means, with_neighbours
from engine.features import feature_set
from engine.graph.graph import Graph
from tests.conftest import World

GRAPH = Graph(
    date=dt.date(2026, 1, 5),
    nodes_N=np.arange(4),
    edge_index_2E=np.array([[1, 2, 3, 0], [0, 0, 1, 3]]),
    edge_attr_EK=np.zeros((4, 3), np.float32),
)
"""0 listens to 1 and 2, 1 to 3, 3 to 0, and 2 to nobody."""
X_NF = np.array([[1, -1], [2, 4], [6, 0], [3, 5]], np.float16)


def test_a_stock_gets_the_mean_of_those_it_listens_to_and_0_without_any() -> None:
    means_NF = neighbour_means(X_NF, GRAPH.edge_index_2E)
    np.testing.assert_array_equal(means_NF, [[4, 2], [3, 5], [0, 0], [1, -1]])


def test_who_left_the_universe_since_the_graph_was_built_is_neither_heard_nor_listens() -> None:
    """Without 2 the mean of 0 is that of 1 alone; without 3 nobody is left for 1."""
    without_2 = _edges_among(GRAPH, np.array([True, True, False, True]))
    means_NF = neighbour_means(X_NF, without_2)
    np.testing.assert_array_equal(means_NF, [[2, 4], [3, 5], [0, 0], [1, -1]])
    without_3 = _edges_among(GRAPH, np.array([True, True, True, False]))
    means_NF = neighbour_means(X_NF, without_3)
    np.testing.assert_array_equal(means_NF, [[4, 2], [0, 0], [0, 0], [0, 0]])


def test_the_means_stand_behind_the_own_columns_on_every_day(world: World) -> None:
    heard, F = with_neighbours(world.features, world.graphs), len(world.features.features)
    assert heard.features[F:] == tuple(f"{name}_of_neighbours" for name in world.features.features)
    assert heard.fingerprint != world.features.fingerprint
    session = int(world.split.test[3])
    source_E, target_E = world.graphs.at(session).edge_index_2E
    member_N = world.features.member_SN[session]
    own_NF = np.asarray(world.features.x_SNF[session], np.float32)
    for n in np.flatnonzero(member_N):
        near = [s for s, t in zip(source_E, target_E, strict=True) if t == n and member_N[s]]
        expected_F = own_NF[near].mean(axis=0) if near else np.zeros(F)
        np.testing.assert_array_equal(heard.x_SNF[session][n, :F], world.features.x_SNF[session][n])
        np.testing.assert_allclose(heard.x_SNF[session][n, F:], expected_F, atol=2e-3)
    assert heard.x_SNF[session][:, F:].any()
    before = int(world.graphs.sessions_R[0]) - 1
    assert not heard.x_SNF[before][:, F:].any(), "nobody is heard before the first graph"


def test_a_set_too_large_for_memory_is_made_day_by_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = with_neighbours(world.features, world.graphs)
    monkeypatch.setattr(feature_set, "_RAM_SHARE", 0.0)
    made = with_neighbours(world.features, world.graphs)
    assert isinstance(held.x_SNF, np.ndarray)
    assert not isinstance(made.x_SNF, np.ndarray)
    np.testing.assert_array_equal(made.x_SNF[:], held.x_SNF)
    session = int(world.split.train[-1])
    past = made.until(session + 1)
    assert past.x_SNF.shape == (session + 1, *held.x_SNF.shape[1:])
    np.testing.assert_array_equal(past.x_SNF[session], held.x_SNF[session])
    np.testing.assert_array_equal(past.x_SNF[-2:], held.x_SNF[session - 1 : session + 1])
