"""All graphs of a universe, computed before training and kept under the hash of what made them.

graphs/<fingerprint>/{g-0000,...}.npz manifest.json     (blocks of 64 sessions)
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.data.lineage import Lineage
from engine.data.universe import PanelSource, Universe
from engine.files import adopt, building, digest, read_manifest, verify_files, write_manifest
from engine.graph.edges import graphs_of_sessions
from engine.graph.graph import Graph, GraphSeries
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

CODE_VERSION = 2
"""Raised when edges change, so that old graphs are not taken for new ones."""
BLOCK = 64
"""Sessions whose graphs share a file."""
EVENTS = 40


class _Edges(NamedTuple):
    """What is stored of a graph: its nodes are the members of the session."""

    session: int
    edge_index_2E: NDArray[np.int64]
    edge_attr_EK: NDArray[np.float32]


def build_graphs(
    panel: PanelSource,
    universe: Universe,
    config: GraphConfig,
    directory: Path,
    sink: EventSink,
) -> GraphSeries:
    """Graphs at every ``rebuild_sessions``-th session: read, extended by the new ones, or computed.

    ``directory`` is ``WORKSPACE/graphs``.
    """
    settings = digest(
        {
            "version": CODE_VERSION,
            "universe": universe.settings,
            "graph": config.model_dump(mode="json"),
        }
    )
    lineage = Lineage(settings=settings, chain=panel.chain, panel=panel.fingerprint)
    target = directory / lineage.fingerprint
    if not (target / "manifest.json").exists():
        parents = lineage.parents(directory)
        base = next((p for p in parents if universe.continues(p[1])), None)
        with building(target) as staging:
            known = _extend(panel, universe, config, staging, sink, base)
            write_manifest(staging, lineage.fields() | universe.fields(), known)
        lineage.prune(directory)
    return _open(target, universe, lineage.fingerprint)


def _extend(
    panel: PanelSource,
    universe: Universe,
    config: GraphConfig,
    directory: Path,
    sink: EventSink,
    base: tuple[Path, dict[str, Any]] | None,
) -> dict[str, Any]:
    """Write the blocks with new graphs, take over the others; returns the entries taken over."""
    sessions_R = np.arange(config.window, universe.dates_S.size, config.rebuild_sessions)
    done = 0
    known: dict[str, Any] = {}
    found: list[_Edges] = []
    if base is not None:
        path, manifest = base
        done = manifest["sessions"]
        old_B = set(sessions_R[sessions_R < done] // BLOCK)
        new_B = set(sessions_R[sessions_R >= done] // BLOCK)
        whole = [_file(int(b)) for b in sorted(old_B - new_B)]
        partial = [_file(int(b)) for b in sorted(old_B & new_B)]
        known = adopt(path, directory, whole, manifest["files"])
        verify_files(path, manifest, partial)
        found = [graph for file in partial for graph in _read(path / file)]
    new_R = sessions_R[sessions_R >= done]
    if new_R.size:
        start = max(0, int(new_R[0]) - config.window)
        dense = panel.dense(start)
        close_NS = dense.close_NS[universe.rows_in(dense)]
        return_NS = np.full_like(close_NS, np.nan)
        return_NS[:, 1:] = close_NS[:, 1:] / close_NS[:, :-1] - 1.0
        graphs = graphs_of_sessions(
            return_NS,
            universe.member_SN[start:],
            universe.sector_N,
            new_R - start,
            config,
            origin=start,
        )
        for r, graph in enumerate(graphs):
            found.append(_Edges(graph.session + start, graph.edge_index_2E, graph.edge_attr_EK))
            if r % max(1, new_R.size // EVENTS) == 0 or r + 1 == new_R.size:
                sink.emit(Advanced(stage="graph", done=r + 1, total=int(new_R.size)))
    for block in sorted({graph.session // BLOCK for graph in found}):
        _write(directory / _file(block), [g for g in found if g.session // BLOCK == block])
    return known


def _file(block: int) -> str:
    return f"g-{block:04d}.npz"


def _write(path: Path, graphs: list[_Edges]) -> None:
    np.savez(
        path,
        sessions=np.array([graph.session for graph in graphs], dtype=np.int64),
        counts=np.array([graph.edge_attr_EK.shape[0] for graph in graphs], dtype=np.int64),
        edges=np.concatenate([graph.edge_index_2E for graph in graphs], axis=1).astype(np.int32),
        attributes=np.concatenate([graph.edge_attr_EK for graph in graphs]),
    )


def _read(path: Path) -> list[_Edges]:
    with np.load(path) as data:
        stops = np.cumsum(data["counts"])[:-1]
        edges = np.split(data["edges"].astype(np.int64), stops, axis=1)
        attributes = np.split(data["attributes"], stops)
        return [
            _Edges(int(s), e, a)
            for s, e, a in zip(data["sessions"], edges, attributes, strict=True)
        ]


def _open(directory: Path, universe: Universe, fingerprint: str) -> GraphSeries:
    manifest = read_manifest(directory)
    found: list[_Edges] = []
    for file in sorted(manifest["files"]):
        found.extend(_read(directory / file))
    graphs = tuple(
        Graph(
            date=universe.dates_S[graph.session].item(),
            nodes_N=np.flatnonzero(universe.member_SN[graph.session]),
            edge_index_2E=graph.edge_index_2E,
            edge_attr_EK=graph.edge_attr_EK,
        )
        for graph in found
    )
    sessions_R: NDArray[np.int64] = np.array([graph.session for graph in found], dtype=np.int64)
    return GraphSeries(sessions_R=sessions_R, graphs=graphs, fingerprint=fingerprint)
