"""Who listens to whom: one graph per rebuild date, as numpy arrays in torch-geometric's convention."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from engine.errors import IntegrityError
from engine.graph.statistics import (
    GraphStatistics,
    NodeStatistics,
    graph_statistics,
    node_statistics,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Edges of one date on the feature set's symbol axis; no self-loops (the network adds them)."""

    date: dt.date
    nodes_N: NDArray[np.int64]
    """Stocks that took part: the universe of the date."""
    edge_index_2E: NDArray[np.int64]
    """Source -> target; the target listens to the source."""
    edge_attr_EK: NDArray[np.float32]
    """Columns of ``edge_names``."""

    edge_names: ClassVar[tuple[str, ...]] = ("rho", "abs_rho", "same_sector")

    def __post_init__(self) -> None:
        source_E, target_E = self.edge_index_2E
        if (source_E == target_E).any():
            raise IntegrityError(f"graph of {self.date}: self-loop")
        if not np.isin(self.edge_index_2E, self.nodes_N).all():
            raise IntegrityError(f"graph of {self.date}: edge to a stock outside the universe")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSeries:
    sessions_R: NDArray[np.int64]
    """Session index of each rebuild, increasing. A graph uses returns up to that session."""
    graphs: Sequence[Graph]
    """Read from disk when they are asked for, where they are stored."""
    fingerprint: str
    _empty: Graph = field(init=False)
    _nodes: dict[int, NodeStatistics] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        empty = Graph(
            date=dt.date.min,
            nodes_N=np.empty(0, dtype=np.int64),
            edge_index_2E=np.empty((2, 0), dtype=np.int64),
            edge_attr_EK=np.empty((0, len(Graph.edge_names)), dtype=np.float32),
        )
        object.__setattr__(self, "_empty", empty)

    def in_memory(self) -> "GraphSeries":
        """The same with every graph read."""
        return replace(self, graphs=tuple(self.graphs))

    def at(self, session: int) -> Graph:
        """The newest graph built at or before the session; an empty one before the first."""
        r = int(np.searchsorted(self.sessions_R, session, side="right")) - 1
        return self.graphs[r] if r >= 0 else self._empty

    def nodes_at(self, session: int) -> NodeStatistics | None:
        """Per-stock columns of the newest graph, against the one before it; None before the first."""
        r = int(np.searchsorted(self.sessions_R, session, side="right")) - 1
        if r < 0:
            return None
        if r not in self._nodes:
            before = self.graphs[r - 1] if r else None
            self._nodes[r] = node_statistics(self.graphs[r], before)
        return self._nodes[r]

    def statistics(self) -> list[GraphStatistics]:
        """One row per rebuild date."""
        return list(graph_statistics(self.graphs))

    def node_statistics(self) -> Iterator[NodeStatistics]:
        """Per-stock columns of each rebuild date, against the rebuild before it."""
        before = None
        for graph in self.graphs:
            yield node_statistics(graph, before)
            before = graph
