"""What the networks see of one session, in slices of a day that later sessions share."""

# Shape suffixes: M stocks of the session, T sessions of the window, F features, E edges, K attributes.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import IntegrityError
from engine.features.feature_set import FeatureSet
from engine.graph.graph import Graph, GraphSeries
from engine.signals.pins import text_array, text_of

_Arrays = dict[str, NDArray[Any]]


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
