"""Statistics worked by hand on four stocks.

First date: 1 -> 0 (rho 0.5, same sector), 2 -> 0 (-0.3), 0 -> 1 (0.5, same), 1 -> 2 (0.4).
Second date: 1 -> 0 (0.6, same), 3 -> 0 (0.2), 0 -> 3 (0.2); stock 2 has left.
"""

import datetime as dt

import numpy as np
import pytest

from engine.graph.graph import Graph, GraphSeries

FIRST = Graph(
    date=dt.date(2020, 1, 6),
    nodes_N=np.array([0, 1, 2, 3]),
    edge_index_2E=np.array([[1, 2, 0, 1], [0, 0, 1, 2]]),
    edge_attr_EK=np.array(
        [[0.5, 0.5, 1], [-0.3, 0.3, 0], [0.5, 0.5, 1], [0.4, 0.4, 0]], np.float32
    ),
)
SECOND = Graph(
    date=dt.date(2020, 1, 13),
    nodes_N=np.array([0, 1, 3, 7]),
    edge_index_2E=np.array([[1, 3, 0], [0, 0, 3]]),
    edge_attr_EK=np.array([[0.6, 0.6, 1], [0.2, 0.2, 0], [0.2, 0.2, 0]], np.float32),
)
SERIES = GraphSeries(sessions_R=np.array([10, 15]), graphs=(FIRST, SECOND), fingerprint="")


def test_statistics_of_a_date() -> None:
    first, second = SERIES.statistics()
    assert (first.nodes, first.edges, first.mean_degree) == (4, 4, 1.0)
    assert (first.max_in_degree, first.max_out_degree) == (2, 2)
    assert (first.isolated_share, first.unheard_share) == (0.25, 0.25)
    assert np.isnan(first.turnover)
    assert first.same_sector_share == 0.5
    assert first.mean_abs_rho == pytest.approx(0.425)
    assert second.turnover == pytest.approx(2 / 3)
    assert second.isolated_share == 0.5


def test_statistics_of_a_stock() -> None:
    first, second = SERIES.nodes_at(10), SERIES.nodes_at(19)
    assert first is not None
    assert second is not None
    assert SERIES.nodes_at(9) is None
    np.testing.assert_array_equal(first.listeners_N, [1, 2, 1, 0])
    np.testing.assert_array_equal(first.neighbours_N, [2, 1, 1, 0])
    np.testing.assert_allclose(first.mean_abs_rho_N, [0.4, 0.5, 0.4, np.nan], rtol=1e-6)
    np.testing.assert_array_equal(first.same_sector_share_N, [0.5, 1, 0, np.nan])
    # Stock 0 hears 1 and 2, and 2 hears 1; the others have fewer than two neighbours.
    np.testing.assert_array_equal(first.clustering_N, [1, np.nan, np.nan, np.nan])
    assert np.isnan(first.kept_share_N).all()
    # 1 of 0's two neighbours is old; 3 had none before; 1 hears nobody; 7 is new.
    np.testing.assert_array_equal(second.kept_share_N, [0.5, np.nan, 0, np.nan])
    np.testing.assert_array_equal(second.clustering_N, [0, np.nan, np.nan, np.nan])
    assert second.kept_share_N.dtype == np.float32


def test_a_graph_without_edges_has_no_shares() -> None:
    empty = Graph(
        date=dt.date(2020, 1, 6),
        nodes_N=np.array([4, 5]),
        edge_index_2E=np.empty((2, 0), dtype=np.int64),
        edge_attr_EK=np.empty((0, 3), np.float32),
    )
    series = GraphSeries(sessions_R=np.array([1, 2]), graphs=(empty, empty), fingerprint="")
    _, row = series.statistics()
    assert (row.edges, row.mean_degree, row.isolated_share, row.unheard_share) == (0, 0.0, 1.0, 1.0)
    assert np.isnan([row.turnover, row.same_sector_share, row.mean_abs_rho]).all()
    columns = series.nodes_at(2)
    assert columns is not None
    assert columns.listeners_N.tolist() == [0, 0]
    assert np.isnan(columns.mean_abs_rho_N).all()
    assert np.isnan(columns.kept_share_N).all()
