"""All graphs of a feature set, computed before training and kept under the hash of what made them."""

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.data.panel import DensePanel, Panel
from engine.features.feature_set import FeatureSet
from engine.files import digest, read_manifest, write_manifest
from engine.graph.correlation import market_free_returns, strongest_neighbours, weighted_correlation
from engine.graph.graph import Graph, GraphSeries
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

CODE_VERSION = 1
EVENTS = 40


def build_graphs(
    panel: Panel, features: FeatureSet, config: GraphConfig, directory: Path, sink: EventSink
) -> GraphSeries:
    """Graphs at every ``rebuild_sessions``-th session, read from the cache if nothing changed.

    ``directory`` is ``WORKSPACE/graphs``.
    """
    fingerprint = digest(
        {
            "version": CODE_VERSION,
            "features": features.fingerprint,
            "graph": config.model_dump(mode="json"),
        }
    )
    target = directory / fingerprint
    if not (target / "manifest.json").exists():
        staging = directory / f".staging-{fingerprint}-{os.getpid()}"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        try:
            _compute(panel.dense(), features, config, staging, sink)
            write_manifest(staging, {"fingerprint": fingerprint})
            shutil.rmtree(target, ignore_errors=True)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return _open(target, features, fingerprint)


def _compute(
    dense: DensePanel, features: FeatureSet, config: GraphConfig, directory: Path, sink: EventSink
) -> None:
    position = {symbol: i for i, symbol in enumerate(dense.symbols)}
    rows_N = np.array([position[symbol] for symbol in features.symbols])
    close_NS = np.ascontiguousarray(dense.close_NS[rows_N])
    return_NS = np.full_like(close_NS, np.nan)
    return_NS[:, 1:] = close_NS[:, 1:] / close_NS[:, :-1] - 1.0
    return_NS = market_free_returns(return_NS, features.member_SN.T)
    sessions_R = np.arange(config.window, features.dates_S.size, config.rebuild_sessions)
    edges, attributes, nodes = [], [], []
    for r, session in enumerate(sessions_R):
        member_n = np.flatnonzero(features.member_SN[session])
        edge_index, edge_attr = graph_of_date(
            return_NS[member_n, session - config.window + 1 : session + 1],
            features.sector_N[member_n],
            config,
            seed=config.seed + int(session),
        )
        edges.append(member_n[edge_index])
        attributes.append(edge_attr)
        nodes.append(member_n)
        if r % max(1, sessions_R.size // EVENTS) == 0 or r + 1 == sessions_R.size:
            sink.emit(Advanced(stage="graph", done=r + 1, total=int(sessions_R.size)))
    np.savez(
        directory / "graphs.npz",
        sessions=sessions_R,
        edge_counts=np.array([attr.shape[0] for attr in attributes], dtype=np.int64),
        node_counts=np.array([member_n.size for member_n in nodes], dtype=np.int64),
        edges=np.concatenate([np.empty((2, 0), dtype=np.int64), *edges], axis=1),
        attributes=np.concatenate([np.empty((0, len(Graph.edge_names)), np.float32), *attributes]),
        nodes=np.concatenate([np.empty(0, dtype=np.int64), *nodes]),
    )


def graph_of_date(
    return_NW: NDArray[np.float64], sector_N: NDArray[np.int16], config: GraphConfig, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Edges ``[2, E]`` and attributes ``[E, K]`` among the N stocks of one date.

    ``return_NW``: their market-free returns over the window, oldest first, NaN where unknown.
    Kinds: ``correlation`` = the k strongest |rho| above the threshold; ``sector`` = the k strongest of
    the same sector, no threshold; ``random`` = k arbitrary stocks (an ablation: the attributes are true).
    """
    n = return_NW.shape[0]
    rho_NN = weighted_correlation(return_NW, config.half_life, config.shrinkage)
    same_NN = (sector_N[:, None] == sector_N[None, :]) & (sector_N[:, None] >= 0)
    if config.kind == "random":
        rng = np.random.default_rng(seed)
        neighbour_Nk = strongest_neighbours(rng.random((n, n)).astype(np.float32), config.k, 0.0)
    elif config.kind == "sector":
        neighbour_Nk = strongest_neighbours(
            np.where(same_NN, np.abs(rho_NN) + 1e-6, 0.0).astype(np.float32), config.k, 1e-7
        )
    else:
        neighbour_Nk = strongest_neighbours(np.abs(rho_NN), config.k, max(config.threshold, 1e-7))
    target_E, slot_E = np.nonzero(neighbour_Nk >= 0)
    source_E = neighbour_Nk[target_E, slot_E]
    rho_E = rho_NN[target_E, source_E]
    same_E = same_NN[target_E, source_E]
    attributes = np.stack([rho_E, np.abs(rho_E), same_E.astype(np.float32)], axis=1)
    return np.stack([source_E, target_E]), attributes.astype(np.float32)


def _open(directory: Path, features: FeatureSet, fingerprint: str) -> GraphSeries:
    read_manifest(directory)
    with np.load(directory / "graphs.npz") as data:
        sessions_R = data["sessions"]
        edge_stop, node_stop = np.cumsum(data["edge_counts"]), np.cumsum(data["node_counts"])
        edges = np.split(data["edges"], edge_stop[:-1], axis=1)
        attributes = np.split(data["attributes"], edge_stop[:-1])
        nodes = np.split(data["nodes"], node_stop[:-1])
    graphs = tuple(
        Graph(
            date=features.dates_S[session].item(),
            nodes_N=nodes[r],
            edge_index_2E=edges[r],
            edge_attr_EK=attributes[r],
        )
        for r, session in enumerate(sessions_R)
    )
    return GraphSeries(sessions_R=sessions_R, graphs=graphs, fingerprint=fingerprint)
