import datetime as dt

import numpy as np
import pytest

from engine.config import GraphConfig
from engine.errors import IntegrityError
from engine.graph import build
from engine.graph.graph import Graph
from engine.runs.sink import NullSink
from tests.conftest import World
from tests.engine.graph.twin import edges_of


def test_edges_point_from_neighbour_to_listener_and_attributes_are_true() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=60)
    x = np.stack(
        [
            base,
            base + 0.1 * rng.normal(size=60),
            -base + 0.1 * rng.normal(size=60),
            rng.normal(size=60),
        ]
    )
    sector = np.array([0, 0, 1, -1], dtype=np.int16)
    config = GraphConfig(k=1, threshold=0.5, shrinkage=0.0)
    edges, attributes = edges_of(x, sector, config, seed=0)
    pairs = {(int(s), int(t)): a for s, t, a in zip(*edges, attributes, strict=True)}
    assert (1, 0) in pairs
    assert 3 not in edges[1]
    rho, strength, same = pairs[(1, 0)]
    assert rho > 0.9
    assert strength == rho
    assert same == 1.0
    (source,) = edges[0][edges[1] == 2]
    rho, strength, same = pairs[(int(source), 2)]
    assert rho == -strength
    assert same == 0.0


@pytest.mark.parametrize("kind", ["sector", "random"])
def test_other_kinds_have_k_neighbours(kind: str) -> None:
    x = np.random.default_rng(2).normal(size=(12, 60))
    sector = np.array([0] * 6 + [1] * 6, dtype=np.int16)
    config = GraphConfig.model_validate({"kind": kind, "k": 3})
    edges, attributes = edges_of(x, sector, config, seed=1)
    assert np.bincount(edges[1], minlength=12).tolist() == [3] * 12
    if kind == "sector":
        assert (attributes[:, 2] == 1.0).all()


def test_series_gives_the_newest_graph_at_or_before_the_session(world: World) -> None:
    graphs = world.graphs
    first, second = int(graphs.sessions_R[0]), int(graphs.sessions_R[1])
    assert graphs.at(first - 1).edge_index_2E.shape == (2, 0)
    assert graphs.at(second - 1) is graphs.graphs[0]
    assert graphs.at(second) is graphs.graphs[1]
    stats = graphs.statistics()
    assert stats[-1].nodes == world.features.member_SN[graphs.sessions_R[-1]].sum()
    assert 0 < stats[-1].mean_degree <= world.config.graph.k


def test_graphs_asked_for_in_any_order_are_those_of_their_files(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for a single one, each is read alone from among those of its block."""
    monkeypatch.setattr(build, "_KEPT_BYTES", 1)
    again = build.build_graphs(
        world.panel, world.universe, world.config.graph, world.root / "graphs", NullSink()
    )
    folder = world.root / "graphs" / again.fingerprint
    whole = {g.session: g for path in sorted(folder.glob("g-*")) for g in build._read(path)}
    assert sorted(whole) == again.sessions_R.tolist()
    assert len(whole) > 2 * len(list(folder.glob("g-*")))
    for r in np.random.default_rng(0).permutation(len(again.graphs)).tolist():
        graph, edges = again.graphs[r], whole[int(again.sessions_R[r])]
        np.testing.assert_array_equal(graph.edge_index_2E, edges.edge_index_2E)
        np.testing.assert_array_equal(graph.edge_attr_EK, edges.edge_attr_EK)
        assert graph.edge_index_2E.dtype == np.int64
        assert not isinstance(graph.edge_attr_EK, np.memmap)
        assert graph.date == world.universe.dates_S[edges.session].item()
    stored = again.graphs
    assert isinstance(stored, build._StoredGraphs)
    assert stored._graphs.held == again.graphs[r].size


def test_graphs_find_the_hidden_clusters_better_than_chance(world: World) -> None:
    from engine.data.synthetic import generate

    market = generate(world.config.data.synthetic)
    cluster = np.array([market.cluster_N[market.symbols.index(s)] for s in world.features.symbols])
    source, target = world.graphs.graphs[-1].edge_index_2E
    chance = (cluster[:, None] == cluster[None, :]).mean()
    assert (cluster[source] == cluster[target]).mean() > 2 * chance


def test_a_graph_refuses_self_loops_and_strangers() -> None:
    good = {
        "date": dt.date(2020, 1, 1),
        "nodes_N": np.array([0, 1]),
        "edge_attr_EK": np.zeros((1, 3), np.float32),
    }
    with pytest.raises(IntegrityError, match="self-loop"):
        Graph(edge_index_2E=np.array([[0], [0]]), **good)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError, match="outside"):
        Graph(edge_index_2E=np.array([[0], [5]]), **good)  # type: ignore[arg-type]
