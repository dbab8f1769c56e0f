"""A batch: one or several whole days, ready for the network; whom each row listens to stands in a table of
fixed width.
"""

# Shape suffixes: M rows, E edges, K neighbours of a row, P attributes of an edge, D days, N stocks of a day,
# R sampled stocks of a day.
import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.dataset.windows import first_session, joined, window_of
from engine.features.feature_set import FeatureSet
from engine.features.normalise import gauss_rank, residual
from engine.graph.graph import Graph, GraphSeries

SOFT_RANK_NAMES = 400
"""Stocks of a day that enter the soft ranks, which cost N^2; evenly spaced with a moving offset."""

_TENSORS = (
    "symbol_M", "x_MTF", "mask_MT", "y_MH", "target_MH", "neighbour_MK", "edge_attr_MKP", "heard_MK",
    "row_DN", "sample_DR",
)  # fmt: skip
"""Fields of a `Batch` that live on its device."""
_OPTIONAL = ("weight_D", "first_M")
"""These too, where there are any."""


class Neighbours(NamedTuple):
    """Whom each row listens to, strongest first. A place without a neighbour names the row itself."""

    row_MK: NDArray[np.int64]
    attr_MKP: NDArray[np.float32]
    """Attributes of the edge; 0 where there is none."""
    heard_MK: NDArray[np.bool_]
    """True where there is a neighbour."""
    place_E: NDArray[np.int64]
    """Place ``row * K + k`` of each edge that was given."""


def neighbour_table(
    edge_index_2E: NDArray[np.int64], edge_attr_EP: NDArray[np.float32], n_rows: int
) -> Neighbours:
    """Edges (source row, target row) as a table with a line a target; a line keeps the order of its edges.

    K is the largest number of neighbours, at least 1.
    """
    source_E, target_E = edge_index_2E
    degree_M = np.bincount(target_E, minlength=n_rows)
    width = int(max(1, degree_M.max(initial=0)))
    order_E = np.argsort(target_E, kind="stable")
    first_M = np.cumsum(degree_M) - degree_M
    place_E = np.empty(target_E.size, dtype=np.int64)
    sorted_E = target_E[order_E]
    place_E[order_E] = sorted_E * width + np.arange(target_E.size) - first_M[sorted_E]
    row_M = np.repeat(np.arange(n_rows, dtype=np.int64), width)
    attr_MP = np.zeros((n_rows * width, edge_attr_EP.shape[1]), dtype=np.float32)
    heard_M = np.zeros(n_rows * width, dtype=np.bool_)
    row_M[place_E], attr_MP[place_E], heard_M[place_E] = source_E, edge_attr_EP, True
    return Neighbours(
        row_MK=row_M.reshape(n_rows, width),
        attr_MKP=attr_MP.reshape(n_rows, width, -1),
        heard_MK=heard_M.reshape(n_rows, width),
        place_E=place_E,
    )


def _rows_of_days(day_ptr: Sequence[int]) -> Tensor:
    """Rows of each day ``[D, N]`` between the boundaries ``day_ptr``; -1 fills the shorter days."""
    return _padded([np.arange(a, b) for a, b in pairwise(day_ptr)])


def _sampled_rows(day_ptr: Sequence[int], sessions: Sequence[int]) -> Tensor:
    """At most `SOFT_RANK_NAMES` evenly spaced rows of each day ``[D, R]``; -1 fills the shorter ones.

    The offset moves with the number of the session, so that over the epochs every stock has its turn.
    """
    days = []
    for start, stop, session in zip(day_ptr, day_ptr[1:], sessions, strict=False):
        stride = max(1, -(-(stop - start) // SOFT_RANK_NAMES))
        days.append(np.arange(start + session % stride, stop, stride))
    return _padded(days)


def _padded(days: Sequence[NDArray[np.int64]]) -> Tensor:
    table_DN = np.full((len(days), max((day.size for day in days), default=0)), -1, dtype=np.int64)
    for line_N, day in zip(table_DN, days, strict=True):
        line_N[: day.size] = day
    return torch.from_numpy(table_DN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Rows (M) are the universe members of each day, day after day, in the order of symbols.

    A ranking loss needs the whole cross-section, so a day is never cut. Rows are packed, as nine tenths of
    the network treat each stock by itself; where the stocks of a day meet, in the losses, ``row_DN`` spreads
    them over days.
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
    neighbour_MK: Tensor
    """int64 row of this batch that each row listens to, never of another day; itself where it has fewer."""
    edge_attr_MKP: Tensor
    """float32 attributes of the edge (`Graph.edge_names`); 0 where there is none."""
    heard_MK: Tensor
    """bool, True where there is a neighbour."""
    row_DN: Tensor
    """int64 rows of each day; -1 fills the shorter days."""
    sample_DR: Tensor
    """int64, the rows of each day that enter the soft ranks; -1 fills the shorter days."""
    weight_D: Tensor | None = None
    """float32 weight of each day's loss (`FeatureSet.weight_S`); None: all alike."""
    first_M: Tensor | None = None
    """int64 session that each row's window begins with, where ``x_MTF`` and ``mask_MT`` have no session yet
    because a `DevicePanel` is to gather them; None: they are there."""

    @classmethod
    def of_rows(
        cls,
        *,
        dates: tuple[dt.date, ...],
        sessions: tuple[int, ...],
        day_ptr: tuple[int, ...],
        neighbours: Neighbours,
        weight_D: Tensor | None = None,
        first_M: Tensor | None = None,
        **rows: Tensor,
    ) -> Self:
        """A batch whose tables of days follow from ``day_ptr``; ``rows`` are fields with a row a stock."""
        return cls(
            dates=dates,
            sessions=sessions,
            day_ptr=day_ptr,
            neighbour_MK=_own(neighbours.row_MK),
            edge_attr_MKP=_own(neighbours.attr_MKP),
            heard_MK=_own(neighbours.heard_MK),
            row_DN=_rows_of_days(day_ptr),
            sample_DR=_sampled_rows(day_ptr, sessions),
            weight_D=weight_D,
            first_M=first_M,
            **rows,
        )

    def to(self, device: torch.device | str) -> Self:
        """Copy the batch to another device; from page-locked memory the copy overlaps with other work."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin(self) -> Self:
        """Copy into page-locked memory, so that the way to a GPU overlaps with its work."""
        return self._each(Tensor.pin_memory)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        here = [name for name in _OPTIONAL if getattr(self, name) is not None]
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in (*_TENSORS, *here)}
        return replace(self, **changed)

    def without_edges(self) -> Self:
        """The same days in which no stock hears another."""
        return replace(self, heard_MK=torch.zeros_like(self.heard_MK))

    def with_random_neighbours(self, seed: int) -> Self:
        """The same days in which each stock hears as many others as before, drawn at random from its day.

        The draw depends on the seed and the session alone. No stock hears itself or another one twice;
        the attributes of its edges stay. A stock that is alone in its day keeps what it has.
        """
        row_MK = self.neighbour_MK.cpu().numpy().copy()
        for session, start, stop in zip(
            self.sessions, self.day_ptr, self.day_ptr[1:], strict=False
        ):
            n, width = stop - start, min(row_MK.shape[1], stop - start - 1)
            rng = np.random.default_rng([seed, session])
            # One set of distinct distances for all, then each turned by its own: distinct for each stock.
            step_K = 1 + rng.permutation(n - 1)[:width] if width else np.empty(0, np.int64)
            turn_N1 = rng.integers(max(n - 1, 1), size=(n, 1))
            step_NK = 1 + (step_K - 1 + turn_N1) % max(n - 1, 1)
            row_MK[start:stop, :width] = start + (np.arange(n)[:, None] + step_NK) % n
        return replace(self, neighbour_MK=torch.from_numpy(row_MK).to(self.neighbour_MK.device))

    @property
    def n_edges(self) -> int:
        """Pairs of a stock and one that it hears."""
        return int(self.heard_MK.sum())


class _Day(NamedTuple):
    """One day's rows (N members); edges in rows of the day."""

    member_N: NDArray[np.int64]
    x_NTF: NDArray[np.float32]
    mask_NT: NDArray[np.float32]
    y_NH: NDArray[np.float32]
    target_NH: NDArray[np.float32]
    edge_index_2E: NDArray[np.int64]
    edge_attr_EP: NDArray[np.float32]


def make_batch(
    features: FeatureSet,
    graphs: GraphSeries | None,
    sessions: Sequence[int],
    window: int,
    *,
    with_windows: bool = True,
) -> Batch:
    """Gather the days; each sees ``window`` sessions up to itself and the newest graph up to itself.

    Without ``with_windows`` the inputs stay where they are, and `Batch.first_M` says which they are.
    """
    firsts = [first_session(session, window) for session in sessions]
    days = [_day(features, graphs, session, window, with_windows) for session in sessions]
    day_ptr = np.concatenate([[0], np.cumsum([day.member_N.size for day in days])])
    edges = [day.edge_index_2E + start for day, start in zip(days, day_ptr, strict=False)]
    weights_S = features.weight_S
    return Batch.of_rows(
        dates=tuple(features.dates_S[session].item() for session in sessions),
        sessions=tuple(int(session) for session in sessions),
        day_ptr=tuple(int(p) for p in day_ptr),
        neighbours=neighbour_table(
            np.concatenate(edges, axis=1),
            np.concatenate([day.edge_attr_EP for day in days]),
            int(day_ptr[-1]),
        ),
        weight_D=None if weights_S is None else torch.tensor(weights_S[list(sessions)]),
        first_M=None if with_windows else _own(np.repeat(firsts, np.diff(day_ptr))),
        symbol_M=joined([day.member_N for day in days]),
        x_MTF=joined([day.x_NTF for day in days]),
        mask_MT=joined([day.mask_NT for day in days]),
        y_MH=joined([day.y_NH for day in days]),
        target_MH=joined([day.target_NH for day in days]),
    )


def _own(array: NDArray[Any]) -> Tensor:
    """A copy in torch's own memory, for the same reason."""
    return torch.from_numpy(array).clone()


def _day(
    features: FeatureSet,
    graphs: GraphSeries | None,
    session: int,
    window: int,
    with_windows: bool,
) -> _Day:
    member_N = np.flatnonzero(features.member_SN[session])
    x_NTF, mask_NT = window_of(features, session, window if with_windows else 1, member_N)
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
    kept = slice(None if with_windows else 0)
    inputs = x_NTF[:, kept], mask_NT[:, kept]
    return _Day(member_N, *inputs, y_NH, target_NH, edge_index, edge_attr)


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
