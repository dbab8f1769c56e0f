"""Neighbours of each row in a table of fixed width: what the network gathers from, on any device."""

# Shape suffixes: M rows, E edges, K neighbours of a row, P attributes of an edge, D days, N stocks of a day,
# R sampled stocks of a day.
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SOFT_RANK_NAMES = 400
"""Stocks of a day that enter the soft ranks, which cost N^2; evenly spaced with a moving offset."""


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


def rows_of_days(day_ptr: Sequence[int]) -> Tensor:
    """Rows of each day ``[D, N]`` between the boundaries ``day_ptr``; -1 fills the shorter days."""
    return _padded([np.arange(a, b) for a, b in pairwise(day_ptr)])


def sampled_rows(day_ptr: Sequence[int], sessions: Sequence[int]) -> Tensor:
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
