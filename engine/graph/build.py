"""All graphs of a feature set, computed before training and kept under the hash of what made them."""

import os
import shutil
from pathlib import Path

import numpy as np

from engine.config import GraphConfig
from engine.data.panel import DensePanel, Panel
from engine.features.feature_set import FeatureSet
from engine.files import digest, read_manifest, write_manifest
from engine.graph.edges import graphs_of_sessions
from engine.graph.graph import Graph, GraphSeries
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

CODE_VERSION = 2
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
    sessions_R = np.arange(config.window, features.dates_S.size, config.rebuild_sessions)
    edges, attributes, nodes = [], [], []
    made = graphs_of_sessions(return_NS, features.member_SN, features.sector_N, sessions_R, config)
    for r, graph in enumerate(made):
        edges.append(graph.edge_index_2E)
        attributes.append(graph.edge_attr_EK)
        nodes.append(graph.nodes_N)
        if r % max(1, sessions_R.size // EVENTS) == 0 or r + 1 == sessions_R.size:
            sink.emit(Advanced(stage="graph", done=r + 1, total=int(sessions_R.size)))
    np.savez(
        directory / "graphs.npz",
        sessions=sessions_R,
        edge_counts=np.array([attr.shape[0] for attr in attributes], dtype=np.int64),
        node_counts=np.array([node_n.size for node_n in nodes], dtype=np.int64),
        edges=np.concatenate([np.empty((2, 0), dtype=np.int64), *edges], axis=1),
        attributes=np.concatenate([np.empty((0, len(Graph.edge_names)), np.float32), *attributes]),
        nodes=np.concatenate([np.empty(0, dtype=np.int64), *nodes]),
    )


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
