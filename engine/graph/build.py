"""All graphs of a universe, computed before training and kept under the hash of what made them.

graphs/<fingerprint>/{g-0000,...}.npz manifest.json     (blocks of 64 sessions)
"""

import os
import struct
import zipfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self, overload

import numpy as np
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.data.months import Lineage
from engine.data.tables import WAY_OUT
from engine.data.universe import PanelSource, Universe
from engine.errors import ConfigError, IntegrityError
from engine.files import adopt, building, digest, read_manifest, verify_files, write_manifest
from engine.graph.edges import Edges, graphs_of_sessions
from engine.graph.graph import Graph, GraphSeries, GraphStatistics, Recent, graph_statistics
from engine.runs.events import Advanced
from engine.runs.sink import EventSink

CODE_VERSION = 2
"""Raised when edges change, so that old graphs are not taken for new ones."""
_BLOCK = 64
"""Sessions whose graphs share a file."""
_KEPT_BYTES = 2**29
"""Of graphs that were read, in each process."""
_NAME_LENGTH = 26
"""Place in the header of an entry of a zip archive of two bytes each: length of its name, of what follows."""
_EVENTS = 40
_Columns = dict[str, list[Any]]
"""Name of a statistic -> its value at each rebuild date."""
_Base = tuple[Path, Mapping[str, Any]] | None
"""Directory and manifest of the series that is extended, if there is one."""


def build_graphs(
    panel: PanelSource,
    universe: Universe,
    config: GraphConfig,
    directory: Path,
    sink: EventSink,
) -> GraphSeries:
    """Graphs at every ``rebuild_sessions``-th session: read, extended by the new ones, or computed.

    ``directory`` is ``WORKSPACE/graphs``. Edges within sectors are a ConfigError where no stock has one.
    """
    settings = digest(
        {
            "version": CODE_VERSION,
            "universe": universe.settings,
            "graph": config.model_dump(mode="json"),
        }
    )
    if config.kind == "sector" and not universe.sectors:
        raise ConfigError("graph.kind = sector, but no stock has a sector", hint=WAY_OUT)
    lineage = Lineage(settings=settings, chain=panel.chain, panel=panel.fingerprint)
    target = directory / lineage.fingerprint
    if not (target / "manifest.json").exists():
        parents = lineage.parents(directory)
        base = next((p for p in parents if universe.continues(p[1])), None)
        with building(target) as staging:
            known, statistics = _extend(panel, universe, config, staging, sink, base)
            about = {"graph": config.model_dump(mode="json"), "statistics": statistics}
            write_manifest(staging, lineage.fields() | universe.fields() | about, known)
        lineage.prune(directory)
    manifest = read_manifest(target, verify=False)
    sessions_R = _rebuilds(universe, config)
    return GraphSeries(
        sessions_R=sessions_R,
        graphs=_StoredGraphs(target, manifest, universe, sessions_R),
        fingerprint=lineage.fingerprint,
    )


def _rebuilds(universe: Universe, config: GraphConfig) -> NDArray[np.int64]:
    """Sessions ``[R]`` at which a graph is built."""
    sessions = universe.dates_S.size
    return np.arange(config.window, sessions, config.rebuild_sessions, dtype=np.int64)


def _extend(
    panel: PanelSource,
    universe: Universe,
    config: GraphConfig,
    directory: Path,
    sink: EventSink,
    base: _Base,
) -> tuple[Mapping[str, Any], _Columns | None]:
    """Write the blocks with new graphs, take over the others; returns the entries taken over, and the
    statistics of all graphs.
    """
    sessions_R = _rebuilds(universe, config)
    done = 0
    known: Mapping[str, Any] = {}
    found: list[Edges] = []
    if base is not None:
        path, manifest = base
        done = manifest["sessions"]
        old_B = set(sessions_R[sessions_R < done] // _BLOCK)
        new_B = set(sessions_R[sessions_R >= done] // _BLOCK)
        whole = [_file(int(b)) for b in sorted(old_B - new_B)]
        partial = [_file(int(b)) for b in sorted(old_B & new_B)]
        known = adopt(path, directory, whole, manifest["files"])
        verify_files(path, manifest, partial)
        found = [graph for file in partial for graph in _read(path / file)]
    new_R = sessions_R[sessions_R >= done]
    new = _graphs(panel, universe, config, new_R, sink) if new_R.size else iter(())
    last = next((graph for graph in reversed(found) if graph.session < done), None)
    return known, _statistics(_written(directory, found, new), last, universe, base)


def _graphs(
    panel: PanelSource,
    universe: Universe,
    config: GraphConfig,
    new_R: NDArray[np.int64],
    sink: EventSink,
) -> Iterator[Edges]:
    """The graph of each of these sessions, one after the other."""
    start = max(0, int(new_R[0]) - config.window)
    return_NS = _returns(panel, universe, start)
    member_SN = universe.member_SN[start:]
    graphs = graphs_of_sessions(
        return_NS, member_SN, universe.sector_N, new_R - start, config, origin=start
    )
    for r, graph in enumerate(graphs):
        yield graph._replace(session=graph.session + start)
        if r % max(1, new_R.size // _EVENTS) == 0 or r + 1 == new_R.size:
            sink.emit(Advanced(stage="graph", done=r + 1, total=int(new_R.size)))


def _returns(panel: PanelSource, universe: Universe, start: int) -> NDArray[np.float64]:
    """``[N, S - start]`` from session to session, NaN in the first; the other prices are let go."""
    dense = panel.dense(start)
    close_NS = dense.close_NS[universe.rows_in(dense)]
    return_NS = np.full_like(close_NS, np.nan)
    return_NS[:, 1:] = close_NS[:, 1:] / close_NS[:, :-1] - 1.0
    return return_NS


def _written(directory: Path, held: list[Edges], new: Iterable[Edges]) -> Iterator[Edges]:
    """Pass the new graphs on, and write each block as soon as it is whole; ``held``: the first one's begin.

    So no more graphs than those of a block are held.
    """
    for graph in new:
        if held and held[-1].session // _BLOCK != graph.session // _BLOCK:
            _write_blocks(directory, held)
            held = []
        held.append(graph)
        yield graph
    _write_blocks(directory, held)


def _write_blocks(directory: Path, held: Sequence[Edges]) -> None:
    for block in sorted({graph.session // _BLOCK for graph in held}):
        _write(directory / _file(block), [g for g in held if g.session // _BLOCK == block])


def _statistics(
    new: Iterator[Edges], last: Edges | None, universe: Universe, base: _Base
) -> _Columns | None:
    """Columns of `GraphStatistics` for all graphs; all but the new ones, which are taken to their end, are
    known to ``base``. ``last``: the one before them, where it is at hand.

    None if the series that was extended did not say.
    """
    columns: _Columns = {field.name: [] for field in fields(GraphStatistics)}
    if base is not None:
        path, manifest = base
        if manifest.get("statistics") is None:
            deque(new, maxlen=0)
            return None
        columns = {name: list(manifest["statistics"][name]) for name in columns}
        blocks = sorted(file for file in manifest["files"] if file.startswith("g-"))
        if last is None and blocks:
            verify_files(path, manifest, blocks[-1:])
            last = _read(path / blocks[-1])[-1]
    graphs = (_graph(graph, universe) for graph in new)
    for row in graph_statistics(graphs, None if last is None else _graph(last, universe)):
        for name, column in columns.items():
            column.append(getattr(row, name))
    return columns


def _graph(edges: Edges, universe: Universe) -> Graph:
    return Graph(
        date=universe.dates_S[edges.session].item(),
        nodes_N=np.flatnonzero(universe.member_SN[edges.session]),
        edge_index_2E=edges.edge_index_2E,
        edge_attr_EK=edges.edge_attr_EK,
    )


def _file(block: int) -> str:
    return f"g-{block:04d}.npz"


def _write(path: Path, graphs: list[Edges]) -> None:
    np.savez(
        path,
        sessions=np.array([graph.session for graph in graphs], dtype=np.int64),
        counts=np.array([graph.edge_attr_EK.shape[0] for graph in graphs], dtype=np.int64),
        edges=np.concatenate([graph.edge_index_2E for graph in graphs], axis=1).astype(np.int32),
        attributes=np.concatenate([graph.edge_attr_EK for graph in graphs]),
    )


def _read(path: Path) -> list[Edges]:
    with np.load(path) as data:
        stops = np.cumsum(data["counts"])[:-1]
        edges = np.split(data["edges"].astype(np.int64), stops, axis=1)
        attributes = np.split(data["attributes"], stops)
        return [
            Edges(int(s), e, a) for s, e, a in zip(data["sessions"], edges, attributes, strict=True)
        ]


class _StoredGraphs(Sequence[Graph]):
    """The graphs of a series on disk; a block's hash is checked when it is first touched. A graph is read
    alone and kept while there is room: training goes through the days at random, and all graphs of 8,000
    stocks and ten years are 1.1 GiB.
    """

    def __init__(
        self,
        directory: Path,
        manifest: Mapping[str, Any],
        universe: Universe,
        sessions_R: NDArray[np.int64],
    ) -> None:
        self._directory, self._manifest, self._universe = directory, manifest, universe
        self._sessions_R = sessions_R
        self._graphs = Recent[int, Graph](_KEPT_BYTES, lambda graph: graph.size)
        self._blocks: dict[int, _Block] = {}

    def __len__(self) -> int:
        return int(self._sessions_R.size)

    @overload
    def __getitem__(self, key: int) -> Graph: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[Graph, ...]: ...
    def __getitem__(self, key: int | slice) -> Graph | tuple[Graph, ...]:
        if isinstance(key, slice):
            return tuple(self[r] for r in range(*key.indices(len(self))))
        session = int(self._sessions_R[key])
        return self._graphs.get(session, lambda: self._read(session))

    def _read(self, session: int) -> Graph:
        block, file = session // _BLOCK, _file(session // _BLOCK)
        if block not in self._blocks and file in self._manifest["files"]:
            verify_files(self._directory, self._manifest, (file,))
            self._blocks[block] = _Block.of(self._directory / file)
        stored = self._blocks.get(block)
        edges = stored.graph(session) if stored else None
        if edges is None:
            raise IntegrityError(
                f"{self._directory}: no graph of session {session}", hint="delete the folder"
            )
        return _graph(edges, self._universe)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """The arrays of a file that `_write` wrote, mapped: a graph of many is read without the others."""

    sessions: NDArray[np.int64]
    counts: NDArray[np.int64]
    edges: NDArray[np.int32]
    attributes: NDArray[np.float32]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Map each array where it lies in the archive, which is not compressed."""
        arrays: dict[str, Any] = {}
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            for entry in archive.infolist():
                file.seek(entry.header_offset + _NAME_LENGTH)
                name, extra = struct.unpack("<HH", file.read(4))
                file.seek(name + extra, os.SEEK_CUR)
                np.lib.format.read_magic(file)
                shape, _, dtype = np.lib.format.read_array_header_1_0(file)
                key = entry.filename.removesuffix(".npy")
                empty = np.empty(shape, dtype)
                arrays[key] = (
                    np.memmap(path, dtype, "r", file.tell(), shape) if empty.size else empty
                )
        return cls(**arrays)

    def graph(self, session: int) -> Edges | None:
        """The edges of a session's graph, copied; None where it has none."""
        at = int(np.searchsorted(self.sessions, session))
        if at == self.sessions.size or self.sessions[at] != session:
            return None
        stop = int(self.counts[: at + 1].sum())
        of = slice(stop - int(self.counts[at]), stop)
        return Edges(session, self.edges[:, of].astype(np.int64), np.array(self.attributes[of]))
