"""Who listens to whom: one graph per rebuild date, what it looks like, and the series of them.

Arrays follow torch-geometric's convention. Shape suffixes: N stocks of a date, E edges, K edge attributes,
R rebuild dates.
"""

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Generic, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.errors import IntegrityError

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")

_PAIR = 2**32
"""source * PAIR + target: one number per edge."""
_NAN = float("nan")
_NODE_BYTES = 2**28
"""Kept of the per-stock columns: features ask for them session after session, several times."""


@dataclass(slots=True)
class Recent(Generic[_Key, _Value]):
    """Values by key; those not asked for the longest go, until the rest takes at most ``limit`` bytes.

    The newest one stays, whatever its size. Several threads may ask.
    """

    limit: int
    size: Callable[[_Value], int]
    """Bytes of a value."""
    held: int = 0
    """Bytes of all that is there."""
    _values: OrderedDict[_Key, _Value] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: _Key, make: Callable[[], _Value]) -> _Value:
        """The value of a key, made if it is not there."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self.held += self.size(value)
            while self.held > self.limit and len(self._values) > 1:
                self.held -= self.size(self._values.popitem(last=False)[1])
        return value


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

    @property
    def size(self) -> int:
        """Bytes of its arrays."""
        return self.nodes_N.nbytes + self.edge_index_2E.nbytes + self.edge_attr_EK.nbytes

    def __post_init__(self) -> None:
        source_E, target_E = self.edge_index_2E
        if (source_E == target_E).any():
            raise IntegrityError(f"graph of {self.date}: self-loop")
        if not np.isin(self.edge_index_2E, self.nodes_N).all():
            raise IntegrityError(f"graph of {self.date}: edge to a stock outside the universe")


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphStatistics:
    """One date. Degrees count edges per node of the universe; shares are fractions."""

    date: dt.date
    nodes: int
    edges: int
    mean_degree: float
    """Edges per node: the mean in-degree, which is the mean out-degree; 0 without nodes."""
    max_in_degree: int
    """Most stocks one stock listens to: k where the threshold leaves enough."""
    max_out_degree: int
    """Most listeners of one stock: the largest hub."""
    isolated_share: float
    """Share of nodes that listen to nobody."""
    unheard_share: float
    """Share of nodes that nobody listens to."""
    turnover: float
    """Share of edges that the graph before did not have; NaN for the first and without edges."""
    same_sector_share: float
    """Share of edges within one known sector; NaN without edges."""
    mean_abs_rho: float
    """Mean |rho| of the edges; NaN without edges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _NodeStatistics:
    """Columns over ``nodes_N`` of one date. float32; NaN where undefined. Neighbours = heard sources."""

    date: dt.date
    nodes_N: NDArray[np.int64]
    listeners_N: NDArray[np.float32]
    """Stocks that listen to this one (out-degree)."""
    neighbours_N: NDArray[np.float32]
    """Stocks this one listens to (in-degree)."""
    mean_abs_rho_N: NDArray[np.float32]
    """Mean |rho| over the neighbours; NaN without any."""
    same_sector_share_N: NDArray[np.float32]
    """Share of the neighbours that are of the same known sector; NaN without any."""
    clustering_N: NDArray[np.float32]
    """Share of pairs of neighbours of which one listens to the other; NaN below two neighbours."""
    kept_share_N: NDArray[np.float32]
    """Share of the neighbours it listened to in the graph before; NaN without neighbours, for the first
    graph and for a stock that was not in the graph before."""

    def size(self) -> int:
        """Bytes of its columns."""
        return self.nodes_N.nbytes + 6 * self.listeners_N.nbytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphSeries:
    """The graphs of all rebuild sessions (R), in order."""

    sessions_R: NDArray[np.int64]
    """Session index of each rebuild, increasing. A graph uses returns up to that session."""
    graphs: Sequence[Graph]
    """Read from disk when they are asked for, where they are stored."""
    fingerprint: str
    _empty: Graph = field(init=False)
    _nodes: Recent[int, _NodeStatistics] = field(
        init=False, default_factory=lambda: Recent(_NODE_BYTES, _NodeStatistics.size)
    )

    def __post_init__(self) -> None:
        empty = Graph(
            date=dt.date.min,
            nodes_N=np.empty(0, dtype=np.int64),
            edge_index_2E=np.empty((2, 0), dtype=np.int64),
            edge_attr_EK=np.empty((0, len(Graph.edge_names)), dtype=np.float32),
        )
        object.__setattr__(self, "_empty", empty)

    def in_memory(self) -> "GraphSeries":
        """Return the series with every graph read from disk."""
        return replace(self, graphs=tuple(self.graphs))

    def at(self, session: int) -> Graph:
        """The newest graph built at or before the session; an empty one before the first."""
        r = int(np.searchsorted(self.sessions_R, session, side="right")) - 1
        return self.graphs[r] if r >= 0 else self._empty

    def nodes_at(self, session: int) -> _NodeStatistics | None:
        """Per-stock columns of the newest graph, against the one before it; None before the first."""
        r = int(np.searchsorted(self.sessions_R, session, side="right")) - 1
        if r < 0:
            return None

        def made() -> _NodeStatistics:
            return _node_statistics(self.graphs[r], self.graphs[r - 1] if r else None)

        return self._nodes.get(r, made)

    def statistics(self) -> list[GraphStatistics]:
        """One row for each rebuild session."""
        return list(graph_statistics(self.graphs))


def graph_statistics(
    graphs: Iterable[Graph], before: Graph | None = None
) -> Iterator[GraphStatistics]:
    """One row for each graph, in order.

    The turnover is against the graph before it; for the first one that is ``before``.
    """
    known_E = None if before is None else _edge_keys(before)
    for graph in graphs:
        source_E, target_E = graph.edge_index_2E
        n, edges = graph.nodes_N.size, source_E.size
        keys = _edge_keys(graph)
        yield GraphStatistics(
            date=graph.date,
            nodes=n,
            edges=edges,
            mean_degree=edges / n if n else 0.0,
            max_in_degree=_largest_count(target_E),
            max_out_degree=_largest_count(source_E),
            isolated_share=1.0 - _distinct(target_E) / n if n else 0.0,
            unheard_share=1.0 - _distinct(source_E) / n if n else 0.0,
            turnover=_NAN
            if known_E is None or not edges
            else 1 - float(np.isin(keys, known_E, assume_unique=True).mean()),
            same_sector_share=float(graph.edge_attr_EK[:, 2].mean()) if edges else _NAN,
            mean_abs_rho=float(graph.edge_attr_EK[:, 1].mean()) if edges else _NAN,
        )
        known_E = keys


def _node_statistics(graph: Graph, before: Graph | None) -> _NodeStatistics:
    """Per-stock columns of a graph; ``before`` is the graph built before it, None for the first."""
    n = graph.nodes_N.size
    source_E, target_E = np.searchsorted(graph.nodes_N, graph.edge_index_2E)
    heard_N = np.bincount(target_E, minlength=n)
    kept_N = np.full(n, np.nan)
    if before is not None:
        kept_E = np.isin(_edge_keys(graph), _edge_keys(before))
        known_N = np.isin(graph.nodes_N, before.nodes_N)
        kept_N = np.where(known_N, _mean_per(target_E, kept_E, heard_N), np.nan)
    return _NodeStatistics(
        date=graph.date,
        nodes_N=graph.nodes_N,
        listeners_N=np.bincount(source_E, minlength=n).astype(np.float32),
        neighbours_N=heard_N.astype(np.float32),
        mean_abs_rho_N=_mean_per(target_E, graph.edge_attr_EK[:, 1], heard_N),
        same_sector_share_N=_mean_per(target_E, graph.edge_attr_EK[:, 2], heard_N),
        clustering_N=_clustering(*_rows(source_E, target_E, heard_N)),
        kept_share_N=kept_N.astype(np.float32),
    )


def _edge_keys(graph: Graph) -> NDArray[np.int64]:
    """One number per edge ``[E]``, the same for the same pair on every date."""
    source_E, target_E = graph.edge_index_2E
    return np.asarray(source_E * _PAIR + target_E)


def _largest_count(node_E: NDArray[np.int64]) -> int:
    return int(np.bincount(node_E).max()) if node_E.size else 0


def _distinct(node_E: NDArray[np.int64]) -> int:
    return int(np.count_nonzero(np.bincount(node_E)))


def _mean_per(
    target_E: NDArray[np.int64], value_E: NDArray[np.generic], count_N: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Mean of the values of each target's edges; NaN without edges."""
    total_N = np.bincount(target_E, weights=value_E, minlength=count_N.size)
    mean_N = np.full(count_N.size, np.nan)
    np.divide(total_N, count_N, out=mean_N, where=count_N > 0)
    return mean_N.astype(np.float32)


def _rows(
    source_E: NDArray[np.int64], target_E: NDArray[np.int64], heard_N: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Neighbours of node i are ``source[start[i] : start[i + 1]]``."""
    start = np.concatenate([[0], np.cumsum(heard_N)])
    return source_E[np.argsort(target_E, kind="stable")], start


@njit(cache=True)
def _clustering(source_E: NDArray[np.int64], start: NDArray[np.int64]) -> NDArray[np.float32]:
    N = start.size - 1
    out_N = np.full(N, np.nan, dtype=np.float32)
    for i in range(N):
        near = source_E[start[i] : start[i + 1]]
        linked = 0
        for a in range(near.size):
            for b in range(a):
                p, q = near[a], near[b]
                if (source_E[start[p] : start[p + 1]] == q).any() or (
                    source_E[start[q] : start[q + 1]] == p
                ).any():
                    linked += 1
        if near.size > 1:
            out_N[i] = linked / (near.size * (near.size - 1) / 2)
    return out_N
