"""What a stock's neighbours show, as columns of its own: for models that hear of no graph themselves."""

# Shape suffixes: S sessions, N stocks, F columns, E edges.
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.features.feature_set import FeatureSet
from engine.features.tensor import DayTensor
from engine.graph.graph import Graph, GraphSeries

_SUFFIX = "_of_neighbours"


def with_neighbours(features: FeatureSet, graphs: GraphSeries) -> FeatureSet:
    """The set with, behind its own columns, the mean of each over a stock's neighbours of that day.

    It is in memory if it is small enough; else its days are made when they are asked for.
    """
    return replace(
        features,
        features=with_heard_names(features.features),
        x_SNF=_Heard(features.x_SNF, features.member_SN, graphs),
        fingerprint=f"{features.fingerprint}-{graphs.fingerprint}",
    ).loaded()


def with_heard_names(features: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns and, behind them, of their neighbours' means."""
    return (*features, *(name + _SUFFIX for name in features))


def neighbour_means(x_NF: NDArray[Any], edge_index_2E: NDArray[np.int64]) -> NDArray[np.float32]:
    """Mean of each column over the stocks that a stock listens to, ``[N, F]``; 0 where there are none."""
    source_E, target_E = torch.from_numpy(edge_index_2E)
    own_NF = torch.from_numpy(x_NF).float()
    sum_NF = torch.zeros_like(own_NF).index_add_(0, target_E, own_NF[source_E])
    heard_N = torch.bincount(target_E, minlength=len(x_NF)).clamp_min(1)
    return (sum_NF / heard_N[:, None]).numpy()


def _edges_among(graph: Graph, member_N: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Edges ``[2, E]`` between stocks of the day's universe: a graph may be some days older than the day."""
    return graph.edge_index_2E[:, member_N[graph.edge_index_2E].all(axis=0)]


@dataclass(frozen=True, slots=True)
class _Heard:
    """``[S, N, 2F]``: the columns of the stocks and, behind them, their neighbours' means."""

    own_SNF: NDArray[Any] | DayTensor
    member_SN: NDArray[np.bool_]
    graphs: GraphSeries

    @property
    def shape(self) -> tuple[int, ...]:
        S, N = self.member_SN.shape
        return S, N, 2 * self.own_SNF.shape[2]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.own_SNF.dtype

    def head(self, sessions: int) -> "_Heard":
        return replace(self, member_SN=self.member_SN[:sessions])

    def of_stocks(self, first: int, stop: int, stocks_M: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack([self[session][stocks_M] for session in range(first, stop)])

    def __getitem__(self, key: int | np.integer[Any] | slice) -> NDArray[Any]:
        if isinstance(key, slice):
            chosen = range(*key.indices(self.shape[0]))
            out_TNF = np.empty((len(chosen), *self.shape[1:]), dtype=self.dtype)
            for t, session in enumerate(chosen):
                out_TNF[t] = self[session]
            return out_TNF
        own_NF = self.own_SNF[key]
        edge_index_2E = _edges_among(self.graphs.at(int(key)), self.member_SN[key])
        means_NF = neighbour_means(own_NF, edge_index_2E)
        return np.concatenate([own_NF, means_NF.astype(self.dtype)], axis=1)
