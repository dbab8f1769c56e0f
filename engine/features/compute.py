"""From a panel to network inputs for a range of sessions, in as much memory as a few arrays take.

A value depends on a bounded past only (`engine.features.rolling`), so any range gives the same bits as the
whole history: a build goes through it piece by piece, and a new day is a piece of one session.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numba
import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.config import FeatureConfig
from engine.data.panel import DensePanel
from engine.data.universe import Universe
from engine.features.context import Context
from engine.features.feature import Feature
from engine.features.normalise import scale_by_past, write_scores
from engine.features.rolling import BLOCK
from engine.graph.graph import GraphSeries

_Array = NDArray[np.float64]
_REACHES = (128, 192, 320, 448, 640, 1024)
"""Sessions before a piece that are looked at: features with like look-backs share their intermediates."""
_NODE_FIGURES = (
    "listeners", "neighbours", "mean_abs_rho", "same_sector_share", "clustering", "kept_share",
)  # fmt: skip
"""Columns of `engine.graph.graph._NodeStatistics` that are features."""
_WORKING_BYTES = 600_000_000
"""For the values of a batch of features in a piece."""
_BATCH = 48
"""Features computed together at most."""
_PORTION = 256
"""Stocks taken together where a value depends on its own row only: the arrays stay in the cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What the features of one panel are computed from."""

    universe: Universe
    dense: DensePanel
    """Rows in the order of the universe's axis; it may start late, at a multiple of `BLOCK`."""
    graphs: GraphSeries | None


def _reach(feature: Feature) -> int:
    """Sessions before a piece that the feature has to be computed on to be exact in it."""
    need = feature.lookback + feature.depth * BLOCK
    return next((r for r in _REACHES if r >= need), -(-need // BLOCK) * BLOCK)


def longest_reach(features: Sequence[Feature]) -> int:
    """Sessions before a new one that have to be at hand to compute these features for it."""
    return max((_reach(f) for f in features if f.scope == "stock"), default=BLOCK)


def pieces(stocks: int, sessions: int) -> Iterator[tuple[int, int]]:
    """Ranges of sessions, multiples of `BLOCK` but for the last, that fit the working memory."""
    room = _WORKING_BYTES // (_BATCH * 4 * max(stocks, 1))
    size = max(4 * BLOCK, min(room, 2048) // BLOCK * BLOCK)
    for first in range(0, sessions, size):
        yield first, min(sessions, first + size)


def market_context(inputs: Inputs) -> Context:
    """What market-scope features look at: all sessions and no stock."""
    universe = inputs.universe
    nothing_NS = np.empty((0, universe.dates_S.size))
    nobody = DensePanel(
        dates_S=universe.dates_S,
        symbols=(),
        open_NS=nothing_NS,
        high_NS=nothing_NS,
        low_NS=nothing_NS,
        close_NS=nothing_NS,
        close_raw_NS=nothing_NS,
        volume_NS=nothing_NS,
        turnover_NS=nothing_NS,
        sector_N=np.empty(0, dtype=np.int16),
        sectors=inputs.dense.sectors,
        index_close_S=None,
        bars_before_N=np.empty(0, dtype=np.int64),
        tables=inputs.dense.tables,
    )
    return Context(nobody, nothing_NS.astype(np.bool_), universe.market_KS)


def market_columns(inputs: Inputs, features: Sequence[Feature]) -> dict[str, NDArray[np.float32]]:
    """``[S]`` over all sessions of the universe for each market-scope feature, scaled by its own past."""
    context = market_context(inputs)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            f.name: scale_by_past(np.asarray(f.compute(context), dtype=np.float64))
            for f in features
            if f.scope == "market"
        }


def raw_values(
    inputs: Inputs, features: Sequence[Feature], first: int, stop: int
) -> Iterator[tuple[tuple[Feature, ...], NDArray[np.float32]]]:
    """Stock-scope features as they are, in batches ``[F, N, stop - first]``; NaN = unknown."""
    stock = [f for f in features if f.scope == "stock"]
    order = sorted(stock, key=lambda f: (f.own, _reach(f)))  # stable: families stay together
    for (own, back), group in itertools.groupby(order, key=lambda f: (f.own, _reach(f))):
        start = max(0, (first - back) // BLOCK * BLOCK)
        members = tuple(group)
        for batch in (members[i : i + _BATCH] for i in range(0, len(members), _BATCH)):
            yield batch, _batch(inputs, batch, start, first, stop, own=own)


def _batch(
    inputs: Inputs, batch: Sequence[Feature], start: int, first: int, stop: int, *, own: bool
) -> NDArray[np.float32]:
    stocks = len(inputs.universe.symbols)
    values_FNT = np.empty((len(batch), stocks, stop - first), dtype=np.float32)

    def fill(rows: slice) -> None:
        context = _context(inputs, start, first, stop, rows)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            for together, of_one in itertools.groupby(enumerate(batch), lambda f: f[1].together):
                members = list(of_one)
                if together is not None:
                    names = [feature.name for _, feature in members]
                    together(names, context, values_FNT, members[0][0], rows.start)
                    continue
                for f, feature in members:
                    values_FNT[f, rows] = feature.compute(context)[:, first - start :]

    size = _PORTION if own else max(stocks, 1)
    _side_by_side(fill, [slice(n, n + size) for n in range(0, stocks, size)])
    return values_FNT


def _side_by_side(work: Callable[[slice], None], portions: Sequence[slice]) -> None:
    """Portions of stocks in threads of their own, each with its kernels on one processor.

    A kernel over 256 stocks takes less time than two threads need to meet at its end on a busy machine.
    Where numba's threading layer cannot be entered twice, one portion follows the other.
    """

    def alone(rows: slice) -> None:
        numba.set_num_threads(1)
        work(rows)

    for rows in portions[:1]:  # the first kernel decides the threading layer
        work(rows)
    rest, threads = portions[1:], numba.get_num_threads()
    if threads == 1 or len(rest) < 2 or not _reentrant():
        for rows in rest:
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(alone, rest):
            pass


def _reentrant() -> bool:
    try:
        layer: str = numba.threading_layer()  # type: ignore[attr-defined]
        return layer in ("omp", "tbb")
    except ValueError:  # no parallel kernel has run
        return False


def compute_sessions(
    inputs: Inputs,
    features: Sequence[Feature],
    first: int,
    stop: int,
    *,
    config: FeatureConfig,
    market: Mapping[str, NDArray[np.float32]],
    done: Callable[[Sequence[Feature]], None] = lambda _: None,
    known_F: NDArray[np.int64] | None = None,
) -> NDArray[np.floating]:
    """Network inputs ``[stop - first, N, F]``: normal scores within the day, 0 where unknown.

    ``known_F``: the number of known values of members is added to it, feature by feature.
    """
    known_F = np.zeros(len(features), dtype=np.int64) if known_F is None else known_F
    member_TN = np.ascontiguousarray(inputs.universe.member_SN[first:stop])
    out_TNF = np.empty((*member_TN.shape, len(features)), dtype=np.dtype(config.dtype))
    place = {feature.name: f for f, feature in enumerate(features)}
    for name, column_S in market.items():
        out_TNF[:, :, place[name]] = np.where(member_TN, column_S[first:stop, None], 0.0)
        known_F[place[name]] += member_TN[column_S[first:stop] != 0.0].sum()
    for batch, values_FNT in raw_values(inputs, features, first, stop):
        place_F = np.array([place[feature.name] for feature in batch], dtype=np.int64)
        winsor = config.scaling == "winsor_z"
        known_F[place_F] += write_scores(values_FNT, member_TN, place_F, out_TNF, winsor=winsor)
        done(batch)
    return out_TNF


def _context(inputs: Inputs, start: int, first: int, stop: int, rows: slice) -> Context:
    universe, graphs = inputs.universe, inputs.graphs
    figures: dict[str, _Array] = {}
    neighbours = None
    if graphs is not None and rows.start == 0 and rows.stop >= len(universe.symbols):
        figures = _figures(graphs, universe, start, first, stop)

        def neighbours(x_NS: _Array) -> _Array:
            return _neighbour_mean(graphs, x_NS, start, first, stop)

    return Context(
        inputs.dense.window(start, stop, rows),
        np.ascontiguousarray(universe.member_SN[start:stop, rows].T),
        np.ascontiguousarray(universe.market_KS[:, start:stop]),
        graph=figures,
        neighbours=neighbours,
    )


def _figures(
    graphs: GraphSeries, universe: Universe, start: int, first: int, stop: int
) -> dict[str, _Array]:
    """Place of each stock in the newest graph of each session, NaN outside it; ``first`` to ``stop``."""
    out: dict[str, _Array] = {}
    shape = (len(universe.symbols), stop - start)
    for session in range(first, stop):
        nodes = graphs.nodes_at(session)
        for name in _NODE_FIGURES:
            if name not in out:
                out[name] = np.full(shape, np.nan)
            if nodes is not None:
                out[name][nodes.nodes_N, session - start] = getattr(nodes, f"{name}_N")
    return out


def _neighbour_mean(graphs: GraphSeries, x_NS: _Array, start: int, first: int, stop: int) -> _Array:
    """Mean of ``x_NS`` over the stocks that each one listens to; columns ``first - start`` and later.

    NaN values do not count; NaN without any neighbour that has one.
    """
    out_NS = np.full_like(x_NS, np.nan)
    for session in range(first, stop):
        source_E, target_E = graphs.at(session).edge_index_2E
        if source_E.size:
            _mean_of_sources(x_NS, source_E, target_E, session - start, out_NS)
    return out_NS


@njit(cache=True)
def _mean_of_sources(
    x_NS: _Array, source_E: NDArray[np.int64], target_E: NDArray[np.int64], t: int, out_NS: _Array
) -> None:
    total = np.zeros(x_NS.shape[0])
    count = np.zeros(x_NS.shape[0])
    for e in range(source_E.size):
        v = x_NS[source_E[e], t]
        if np.isfinite(v):
            total[target_E[e]] += v
            count[target_E[e]] += 1.0
    for i in range(total.size):
        if count[i] > 0.0:
            out_NS[i, t] = total[i] / count[i]
