"""Graphs of dates: kinds, attributes, and independence of what else is computed."""

from typing import Any

import numpy as np
import pytest

from engine.config import GraphConfig
from engine.errors import DataError
from engine.graph.edges import Edges, _random_neighbours, graphs_of_sessions
from tests.engine.graph.twin import edges_of, naive_correlation, naive_edges

KINDS = ("correlation", "sector", "random", "none")


def market(n: int = 130, sessions: int = 120) -> dict[str, Any]:
    rng = np.random.default_rng(11)
    factor = rng.normal(size=(6, sessions))
    return_NS = 0.01 * (factor[np.arange(n) % 6] + rng.normal(size=(n, sessions)))
    return_NS[rng.random(return_NS.shape) < 0.02] = np.nan
    return {
        "return_NS": return_NS,
        "member_SN": rng.random((sessions, n)) < 0.9,
        "sector_N": rng.integers(-1, 4, n).astype(np.int16),
    }


def same(a: Edges, b: Edges) -> bool:
    return np.array_equal(a.edge_index_2E, b.edge_index_2E) and np.array_equal(
        a.edge_attr_EK, b.edge_attr_EK
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_date_alone_has_the_bits_it_has_among_all(kind: str) -> None:
    data = market()
    config = GraphConfig.model_validate({"kind": kind, "k": 5})
    sessions = np.arange(60, 120, 7)
    together = list(graphs_of_sessions(**data, sessions=sessions, config=config))
    assert [graph.session for graph in together] == sessions.tolist()
    for graph in together:
        stop = graph.session + 1
        (alone,) = graphs_of_sessions(
            data["return_NS"][:, :stop],
            data["member_SN"][:stop],
            data["sector_N"],
            np.array([graph.session]),
            config,
        )
        assert same(graph, alone)


def test_strangers_do_not_change_a_graph() -> None:
    data = market()
    config = GraphConfig(k=5)
    (before,) = graphs_of_sessions(**data, sessions=np.array([90]), config=config)
    wider: dict[str, Any] = {
        "return_NS": np.vstack([data["return_NS"], np.full((3, 120), 0.2)]),
        "member_SN": np.hstack([data["member_SN"], np.zeros((120, 3), dtype=bool)]),
        "sector_N": np.append(data["sector_N"], np.zeros(3, np.int16)),
    }
    (after,) = graphs_of_sessions(**wider, sessions=np.array([90]), config=config)
    assert same(before, after)


def test_later_returns_do_not_change_a_graph() -> None:
    data = market()
    config = GraphConfig(k=5)
    (before,) = graphs_of_sessions(**data, sessions=np.array([90]), config=config)
    data["return_NS"][:, 91:] = 0.3
    data["member_SN"][91:] = True
    (after, _) = graphs_of_sessions(**data, sessions=np.array([90, 100]), config=config)
    assert same(before, after)


def test_correlation_edges_are_the_naive_twins() -> None:
    data = market()
    config = GraphConfig(k=5, threshold=0.25, shrinkage=0.1, half_life=15.0)
    (graph,) = graphs_of_sessions(**data, sessions=np.array([100]), config=config)
    window = np.clip(data["return_NS"][:, 41:101], -0.3, 0.3)
    member = data["member_SN"][41:101].T
    free = window - np.nanmean(np.where(member, window, np.nan), axis=0)
    nodes = np.flatnonzero(data["member_SN"][100])
    rho = 0.9 * naive_correlation(free[nodes], 15.0)
    expected = [
        (int(nodes[source]), int(nodes[target]))
        for target, row in enumerate(naive_edges(rho, 5, 0.25))
        for source in row
    ]
    assert [(int(s), int(t)) for s, t in graph.edge_index_2E.T] == expected
    at = np.searchsorted(nodes, graph.edge_index_2E)
    np.testing.assert_allclose(graph.edge_attr_EK[:, 0], rho[at[0], at[1]], atol=1e-6)
    np.testing.assert_array_equal(graph.edge_attr_EK[:, 1], np.abs(graph.edge_attr_EK[:, 0]))
    assert (graph.edge_attr_EK[:, 1] >= 0.25).all()
    sector = data["sector_N"][graph.edge_index_2E]
    np.testing.assert_array_equal(
        graph.edge_attr_EK[:, 2] == 1, (sector[0] == sector[1]) & (sector[0] >= 0)
    )


def test_sector_edges_are_the_strongest_of_the_sector() -> None:
    x = np.random.default_rng(2).normal(size=(140, 60))
    sector = (np.arange(140) % 3 - 1).astype(np.int16)
    config = GraphConfig(kind="sector", k=4, shrinkage=0.0)
    edges, attributes = edges_of(x, sector, config, seed=0)
    rho = naive_correlation(x, config.half_life)
    rho[sector[:, None] != sector[None, :]] = 0.0
    rho[sector < 0] = 0.0
    expected = [(s, t) for t, row in enumerate(naive_edges(rho, 4, 1e-7)) for s in row]
    assert [(int(s), int(t)) for s, t in edges.T] == expected
    assert (attributes[:, 2] == 1).all()
    assert not (sector[edges[1]] < 0).any()


def test_random_edges_are_distinct_others_all_alike_and_true() -> None:
    x = np.random.default_rng(2).normal(size=(30, 60))
    config = GraphConfig(kind="random", k=6, shrinkage=0.0)
    edges, attributes = edges_of(x, np.zeros(30, np.int16), config, seed=1)
    rho = naive_correlation(x, config.half_life)
    np.testing.assert_allclose(attributes[:, 0], rho[edges[0], edges[1]], atol=1e-6)
    counts = np.zeros((8, 8))
    for seed in range(2000):
        found = _random_neighbours(8, 3, seed)
        assert all(len(set(row)) == 3 and i not in row for i, row in enumerate(found.tolist()))
        counts[np.arange(8)[:, None], found] += 1
    share = counts[~np.eye(8, dtype=bool)] / 2000
    assert abs(share - 3 / 7).max() < 5 * np.sqrt(3 / 7 * 4 / 7 / 2000)


@pytest.mark.parametrize(("n", "k", "expected"), [(0, 3, 0), (1, 3, 0), (3, 5, 2), (4, 3, 3)])
def test_random_takes_all_others_where_there_are_few(n: int, k: int, expected: int) -> None:
    found = _random_neighbours(n, k, 0)
    assert found.shape == (n, k)
    assert ((found >= 0).sum(axis=1) == expected).all()


def test_sessions_without_a_whole_window_are_refused() -> None:
    with pytest.raises(DataError, match="need 60 returns"):
        list(graphs_of_sessions(**market(), sessions=np.array([58]), config=GraphConfig()))
    assert not list(
        graphs_of_sessions(**market(), sessions=np.array([], dtype=int), config=GraphConfig())
    )
