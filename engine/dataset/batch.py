"""A batch: one or several whole days, ready for the network."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.features.feature_set import FeatureSet
from engine.features.normalise import gauss_rank, residual
from engine.graph.graph import Graph, GraphSeries

TENSORS = (
    "symbol_M", "x_MTF", "mask_MT", "y_MH", "target_MH", "edge_index_2E", "edge_attr_EK",
)  # fmt: skip
"""Fields of a `Batch` that live on its device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows (M) are the universe members of each day, day after day, in the order of symbols.

    A ranking loss needs the whole cross-section, so a day is never cut.
    """

    dates: tuple[dt.date, ...]
    sessions: tuple[int, ...]
    day_ptr: tuple[int, ...]
    """Row boundaries of the days, length D + 1."""
    symbol_M: Tensor
    """int64, position on the feature set's symbol axis."""
    x_MTF: Tensor
    """float32 window of features, oldest first; 0 where missing."""
    mask_MT: Tensor
    """float32, 1 where the stock was in the universe on that session."""
    y_MH: Tensor
    """float32 forward returns; NaN where unknown."""
    target_MH: Tensor
    """float32, what is learned: normal scores of ``y_MH`` within the day, made neutral to the features
    that ``FeatureSet.neutral`` names; NaN where unknown."""
    edge_index_2E: Tensor
    """int64 rows of this batch, source -> target; never across days."""
    edge_attr_EK: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Copy the batch to another device; from page-locked memory the copy overlaps with other work."""
        moved = {name: getattr(self, name).to(device, non_blocking=True) for name in TENSORS}
        return replace(self, **moved)

    def pin(self) -> Self:
        """Copy into page-locked memory, so that the way to a GPU overlaps with its work."""
        return replace(self, **{name: getattr(self, name).pin_memory() for name in TENSORS})

    @property
    def n_edges(self) -> int:
        """How many edges lead to the stocks of all days; self-loops are not among them."""
        return self.edge_index_2E.shape[1]

    def without_edges(self) -> Self:
        """The same days, on which no stock has a neighbour."""
        return replace(
            self, edge_index_2E=self.edge_index_2E[:, :0], edge_attr_EK=self.edge_attr_EK[:0]
        )

    def with_random_neighbours(self, seed: int) -> Self:
        """The same days; each stock hears as many others of its day, all different, drawn at random.

        The edges keep target and attributes. The draw of a day depends on seed and session alone: the
        day's stocks stand in a random ring, and neighbour j of each is the stock ``step_j`` places on.
        """
        source_E, target_E = self.edge_index_2E.cpu().numpy()
        source_E = source_E.copy()
        for session, start, stop in zip(
            self.sessions, self.day_ptr, self.day_ptr[1:], strict=False
        ):
            edge = np.flatnonzero((target_E >= start) & (target_E < stop))
            rng = np.random.default_rng((seed, session))
            ring = rng.permutation(stop - start)
            step = rng.permutation(np.arange(1, stop - start))[_number_within(target_E[edge])]
            place = np.argsort(ring)[target_E[edge] - start]
            source_E[edge] = start + ring[(place + step) % ring.size]
        index_2E = torch.from_numpy(np.stack([source_E, target_E]))
        return replace(self, edge_index_2E=index_2E.to(self.edge_index_2E.device))


class _Day(NamedTuple):
    """One day's rows (N members); edges in rows of the day."""

    member_N: NDArray[np.int64]
    x_NTF: NDArray[np.float32]
    mask_NT: NDArray[np.float32]
    y_NH: NDArray[np.float32]
    target_NH: NDArray[np.float32]
    edge_index_2E: NDArray[np.int64]
    edge_attr_EK: NDArray[np.float32]


def _number_within(group_E: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each entry among those of its group, from 0, in the order given."""
    order = np.argsort(group_E, kind="stable")
    first = np.searchsorted(group_E[order], group_E[order])
    place_E = np.empty(group_E.size, dtype=np.int64)
    place_E[order] = np.arange(group_E.size) - first
    return place_E


def make_batch(
    features: FeatureSet, graphs: GraphSeries | None, sessions: Sequence[int], window: int
) -> Batch:
    """Gather the days; each sees ``window`` sessions up to itself and the newest graph up to itself."""
    days = [_day(features, graphs, session, window) for session in sessions]
    day_ptr = np.concatenate([[0], np.cumsum([day.member_N.size for day in days])])
    edges = [day.edge_index_2E + start for day, start in zip(days, day_ptr, strict=False)]
    return Batch(
        dates=tuple(features.dates_S[session].item() for session in sessions),
        sessions=tuple(int(session) for session in sessions),
        day_ptr=tuple(int(p) for p in day_ptr),
        symbol_M=_joined([day.member_N for day in days]),
        x_MTF=_joined([day.x_NTF for day in days]),
        mask_MT=_joined([day.mask_NT for day in days]),
        y_MH=_joined([day.y_NH for day in days]),
        target_MH=_joined([day.target_NH for day in days]),
        edge_index_2E=_joined(edges, dim=1),
        edge_attr_EK=_joined([day.edge_attr_EK for day in days]),
    )


def _joined(parts: Sequence[NDArray[Any]], dim: int = 0) -> Tensor:
    """The days one after another, in torch's own memory, which starts at a multiple of 64 bytes.

    In numpy's, the last bits of a matrix product depend on where the array happens to lie, so a resumed
    run would not be equal to an unbroken one.
    """
    return torch.cat([torch.from_numpy(part) for part in parts], dim=dim)


def _day(features: FeatureSet, graphs: GraphSeries | None, session: int, window: int) -> _Day:
    first = session - window + 1
    if first < 0:
        raise IndexError(f"session {session} has no window of {window} sessions")
    member_N = np.flatnonzero(features.member_SN[session])
    # torch widens half floats with vector instructions, numpy one by one: four times faster.
    x_TNF = torch.from_numpy(features.x_SNF[first : session + 1]).float()
    x_NTF = x_TNF.transpose(0, 1)[torch.from_numpy(member_N)].contiguous().numpy()
    mask_NT = features.member_SN[first : session + 1][:, member_N].T.astype(np.float32)
    edge_index = np.empty((2, 0), np.int64)
    edge_attr = np.empty((0, len(Graph.edge_names)), np.float32)
    if graphs is not None:
        graph = graphs.at(session)
        row = np.full(len(features.symbols), -1, dtype=np.int64)
        row[member_N] = np.arange(member_N.size)
        mapped = row[graph.edge_index_2E]
        inside = (mapped >= 0).all(axis=0)
        edge_index, edge_attr = mapped[:, inside], graph.edge_attr_EK[inside]
    y_NH = features.forward_return_SNH[session][member_N]
    exposure_NK = x_NTF[:, -1, [features.features.index(name) for name in features.neutral]]
    target_NH = targets(y_NH.astype(np.float64), exposure_NK.astype(np.float64))
    return _Day(member_N, x_NTF, mask_NT, y_NH, target_NH, edge_index, edge_attr)


def targets(
    return_NH: NDArray[np.float64], exposure_NK: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Normal scores of one day's forward returns per horizon ``[N, H]``; NaN stays NaN.

    With exposures (K > 0) the scores are regressed on them, across the stocks of the day, and the normal
    scores of the residuals are returned. The day's common move is most of the spread between stocks of
    high and low beta and cannot be ranked in advance: what is left is easier to learn from.
    """
    columns = [gauss_rank(return_N) for return_N in return_NH.T]
    if exposure_NK.shape[1]:
        columns = [gauss_rank(_residual(score_N, exposure_NK)) for score_N in columns]
    return np.stack(columns, axis=1).astype(np.float32)


def _residual(
    score_N: NDArray[np.float64], exposure_NK: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What is left of the scores after a least-squares fit on a constant and the exposures."""
    if np.isfinite(score_N).sum() <= exposure_NK.shape[1] + 1:
        return score_N
    return residual(score_N, np.column_stack([np.ones(score_N.size), exposure_NK]))
