"""What the networks see of one session, in slices of a day that later sessions share."""

# Shape suffixes: M stocks of the session, T sessions of the window, F features, E edges, K attributes.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

# Shape suffixes: R explained stocks, F features, E edges, M stocks.
import polars as pl
from numpy.typing import NDArray

from engine.errors import IntegrityError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import Graph, GraphSeries
from engine.signals.seal import text_array, text_of

_Arrays = dict[str, NDArray[Any]]
_TOP = 8
"""Variables named of each explained stock."""
_SCHEMA = {
    "symbol": pl.String,
    "kind": pl.String,
    "name": pl.String,
    "value": pl.Float64,
    "rank_without": pl.Int64,
}
"""One row a fact, ``kind`` and what ``name`` and ``value`` are then:
variable: column; its contribution to the score (gradient x input over the window, weight x input, SHAP
values of trees, or what the score loses without the column; mean over members, each in deviations of its
scores of the day).
member: model of a blend; its centred rank of the stock, -0.5 .. 0.5. The score is the mean of all.
neighbour: stock listened to; its attention weight (mean of heads and networks; null if not reported), and
the rank without that neighbour. past: session; rank then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayWindow:
    """One session's inputs; rows are its universe in the order of the symbol axis."""

    date: str
    symbols: tuple[str, ...]
    axis_M: NDArray[np.int64]
    """Position of each row on the symbol axis."""
    x_MTF: NDArray[np.float32]
    """Oldest session first; 0 where missing or outside that session's universe."""
    mask_MT: NDArray[np.float32]
    edge_index_2E: NDArray[np.int64]
    """Rows, source -> target."""
    edge_attr_EK: NDArray[np.float32]


def day_slice(features: FeatureSet, session: int) -> _Arrays:
    """The members of one session and their inputs: nothing else of a day is ever seen."""
    member_M = np.flatnonzero(features.member_SN[session])
    return {
        "axis": member_M.astype(np.int32),
        "symbols": text_array([features.symbols[n] for n in member_M]),
        "x": np.asarray(features.x_SNF[session])[member_M],
    }


def edge_slice(graphs: GraphSeries | None, session: int) -> _Arrays | None:
    """The newest graph of a session on the symbol axis; None without graphs."""
    if graphs is None:
        return None
    graph = graphs.at(session)
    return {
        "edges": graph.edge_index_2E.astype(np.int32),
        "attributes": np.asarray(graph.edge_attr_EK, dtype=np.float32),
    }


def assemble(
    date: str, slices: Sequence[Mapping[str, NDArray[Any]]], edges: _Arrays | None
) -> DayWindow:
    """The window from its slices, oldest first; the last is the session itself."""
    last = slices[-1]
    axis_M = last["axis"].astype(np.int64)
    shape = (axis_M.size, len(slices), last["x"].shape[1])
    x_MTF, mask_MT = np.zeros(shape, dtype=np.float32), np.zeros(shape[:2], dtype=np.float32)
    for t, part in enumerate(slices):
        if part["x"].shape[1] != shape[2]:
            raise IntegrityError(f"window of {date}: its slices have different features")
        then_M = part["axis"].astype(np.int64)
        place = np.searchsorted(axis_M, then_M)
        inside = place < axis_M.size
        inside[inside] = axis_M[place[inside]] == then_M[inside]
        x_MTF[place[inside], t] = part["x"][inside]
        mask_MT[place[inside], t] = 1.0
    edge_index = np.empty((2, 0), dtype=np.int64)
    edge_attr = np.empty((0, len(Graph.edge_names)), dtype=np.float32)
    if edges is not None and axis_M.size:
        found_2E = edges["edges"].astype(np.int64)
        place_2E = np.minimum(np.searchsorted(axis_M, found_2E), axis_M.size - 1)
        both_E = (axis_M[place_2E] == found_2E).all(axis=0)
        edge_index, edge_attr = place_2E[:, both_E], edges["attributes"][both_E]
    return DayWindow(
        date=date,
        symbols=text_of(last["symbols"]),
        axis_M=axis_M,
        x_MTF=x_MTF,
        mask_MT=mask_MT,
        edge_index_2E=np.ascontiguousarray(edge_index),
        edge_attr_EK=np.ascontiguousarray(edge_attr),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why the explained stocks of a session have their scores."""

    contribution_RF: NDArray[np.float64]
    """Of each column to the standardised score, mean over members; a network's: sum over the window of
    gradient x input. With more columns than features, the others are the neighbours' means."""
    attention_E: NDArray[np.float64]
    """Weight of each edge among what its target hears; NaN = the network does not tell."""
    edge_X: NDArray[np.int64]
    """Edges that were left out one at a time: all those into explained stocks."""
    score_X: NDArray[np.float64]
    """Score of the edge's target without it."""
    member_R: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Centred rank that each member of a blend gives; empty for other models."""


def explain_frame(
    window: DayWindow,
    told: Explained,
    rows_R: NDArray[np.int64],
    score_M: NDArray[np.float32],
    features: Sequence[str],
    past: Sequence[tuple[str, Mapping[str, Any]]],
) -> pl.DataFrame:
    """Rows of `_SCHEMA`: every stock's neighbours and past ranks, the explained stocks' variables."""
    ordered = np.sort(-score_M.astype(np.float64))
    rank_X = np.searchsorted(ordered, -told.score_X, side="left") + 1
    source_E, target_E = window.edge_index_2E
    own_X = score_M[target_E[told.edge_X]].astype(np.float64)
    # The stock's own score is among those it is ranked with: without a neighbour it may be passed by itself.
    rank_X -= (told.score_X < own_X).astype(np.int64)
    without = dict(zip(told.edge_X.tolist(), rank_X.tolist(), strict=True))
    rows: list[tuple[str, str, str, float | None, int | None]] = []
    for r, m in enumerate(rows_R.tolist()):
        contribution_F = told.contribution_RF[r]
        for f in np.argsort(-np.abs(contribution_F), kind="stable")[:_TOP].tolist():
            value = float(contribution_F[f])
            rows.append((window.symbols[m], "variable", features[f], value, None))
        for name, rank_R in told.member_R.items():
            rows.append((window.symbols[m], "member", name, _known(rank_R[r]), None))
    for e, (source, target) in enumerate(zip(source_E.tolist(), target_E.tolist(), strict=True)):
        weight = _known(told.attention_E[e])
        pair = window.symbols[target], window.symbols[source]
        rows.append((pair[0], "neighbour", pair[1], weight, without.get(e)))
    for symbol in window.symbols:
        for date, then in past:
            if symbol in then:
                rows.append((symbol, "past", date, float(then[symbol]), None))
    frame = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    return frame.sort("symbol", maintain_order=True)


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
