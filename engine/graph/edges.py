"""Edges of each rebuild date: the one place that turns returns into a graph. No files, no feature set."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.errors import DataError
from engine.graph.correlation import (
    LANES,
    market_free_returns,
    pair_correlations,
    strongest_neighbours,
    unit_tiles,
)

_SMALLEST = 1e-7
"""With threshold 0 a correlation of exactly 0 (too little history) still makes no edge."""


class Edges(NamedTuple):
    """Edges of one rebuild session; its nodes are the members of that session."""

    session: int
    edge_index_2E: NDArray[np.int64]
    """Source -> target as rows of the return matrix, target by target, the strongest source first."""
    edge_attr_EK: NDArray[np.float32]
    """rho, |rho|, 1 if both stocks are of one known sector."""


def graphs_of_sessions(
    return_NS: NDArray[np.float64],
    member_SN: NDArray[np.bool_],
    sector_N: NDArray[np.int16],
    sessions: NDArray[np.int64],
    config: GraphConfig,
    *,
    origin: int = 0,
) -> Iterator[Edges]:
    """The graph of each session, among its members, from the ``config.window`` returns up to it.

    ``origin``: what number the first column has among all sessions; sessions given and returned count
    from that column, random graphs are seeded by the number.

    ``return_NS``: simple 1-day returns as fractions, NaN where unknown. A graph depends on its own
    window and members only: one session alone gives the bits it has among all of them.
    """
    sessions = np.asarray(sessions, dtype=np.int64)
    if sessions.size == 0:
        return
    first, stop = int(sessions.min()) - config.window + 1, int(sessions.max()) + 1
    if first < 0 or stop > return_NS.shape[1]:
        raise DataError(
            f"graph sessions {sessions.min()} .. {sessions.max()} need {config.window} returns each, "
            f"but the returns are those of sessions 0 .. {return_NS.shape[1] - 1}"
        )
    free_NS = market_free_returns(return_NS[:, first:stop], member_SN[first:stop].T)
    for session in sessions.tolist():
        node_n = np.flatnonzero(member_SN[session])
        tile_TWL = unit_tiles(
            free_NS, node_n, session - first + 1, window=config.window, half_life=config.half_life
        )
        seed = config.seed + origin + session
        edge_index, edge_attr = _edges_among(tile_TWL, sector_N[node_n], config, seed=seed)
        yield Edges(session, node_n[edge_index], edge_attr)


def _edges_among(
    tile_TWL: NDArray[np.float32], sector_N: NDArray[np.int16], config: GraphConfig, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Edges ``[2, E]`` and attributes ``[E, K]`` among the N stocks of one date.

    ``tile_TWL``: their returns as `correlation.unit_tiles`. Kinds: ``correlation`` = the k strongest |rho|
    above the threshold; ``sector`` = the k strongest of the same sector, no threshold; ``random`` = k
    arbitrary stocks (an ablation: the attributes are true); ``none`` = no edges.
    """
    n = sector_N.size
    keep = np.float32(1.0 - config.shrinkage)
    if config.kind == "correlation":
        limit = max(config.threshold, _SMALLEST)
        floor = limit / float(keep) * (1 - 1e-6)  # the exact test follows, on what is stored
        neighbour_Nk, rho_Nk = strongest_neighbours(tile_TWL, n, config.k, floor=floor)
        rho_Nk *= keep
        neighbour_Nk[np.abs(rho_Nk) < limit] = -1
    elif config.kind == "sector":
        neighbour_Nk, rho_Nk = _within_sectors(tile_TWL, sector_N, config.k)
        rho_Nk *= keep
    elif config.kind == "random":
        neighbour_Nk = _random_neighbours(n, config.k, seed)
        rho_Nk = np.zeros(neighbour_Nk.shape, dtype=np.float32)
        target, slot = np.nonzero(neighbour_Nk >= 0)
        rho_E = pair_correlations(tile_TWL, neighbour_Nk[target, slot], target)
        rho_Nk[target, slot] = rho_E * keep
    else:
        neighbour_Nk = np.full((n, config.k), -1, dtype=np.int64)
        rho_Nk = np.zeros((n, config.k), dtype=np.float32)
    target_E, slot_E = np.nonzero(neighbour_Nk >= 0)
    source_E = neighbour_Nk[target_E, slot_E]
    rho_E = rho_Nk[target_E, slot_E]
    same_E = (sector_N[source_E] == sector_N[target_E]) & (sector_N[target_E] >= 0)
    attributes = np.stack([rho_E, np.abs(rho_E), same_E.astype(np.float32)], axis=1)
    return np.stack([source_E, target_E]), attributes


def _within_sectors(
    tile_TWL: NDArray[np.float32], sector_N: NDArray[np.int16], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Sector by sector, so the work is the sum of n_sector^2; a stock without a sector (-1) has nobody."""
    neighbour_Nk = np.full((sector_N.size, k), -1, dtype=np.int64)
    rho_Nk = np.zeros((sector_N.size, k), dtype=np.float32)
    for sector in np.unique(sector_N[sector_N >= 0]):
        member_m = np.flatnonzero(sector_N == sector)
        found_mk, rho_mk = strongest_neighbours(_gather(tile_TWL, member_m), member_m.size, k)
        neighbour_Nk[member_m] = np.where(found_mk >= 0, member_m[found_mk], -1)
        rho_Nk[member_m] = rho_mk
    return neighbour_Nk, rho_Nk


def _gather(tile_TWL: NDArray[np.float32], member_m: NDArray[np.int64]) -> NDArray[np.float32]:
    """The chosen stocks in tiles of their own."""
    tiles = -(-member_m.size // LANES)
    out_TWL = np.zeros((tiles, tile_TWL.shape[1], LANES), dtype=np.float32)
    place_m = np.arange(member_m.size)
    out_TWL[place_m // LANES, :, place_m % LANES] = tile_TWL[member_m // LANES, :, member_m % LANES]
    return out_TWL


def _random_neighbours(n: int, k: int, seed: int) -> NDArray[np.int64]:
    """k distinct others of each stock ``[N, k]``, all with equal chance; -1 where fewer exist."""
    out_Nk = np.full((n, k), -1, dtype=np.int64)
    draws = min(k, n - 1)
    if draws > 0:
        uniform_Nk = np.random.default_rng(seed).random((n, draws))
        _distinct(uniform_Nk, out_Nk)
    return out_Nk


@njit(cache=True)
def _distinct(uniform_Nk: NDArray[np.float64], out_Nk: NDArray[np.int64]) -> None:
    """Floyd's sample without replacement: draw d picks among the first m; if taken, m itself."""
    n, draws = uniform_Nk.shape
    for i in range(n):
        for d in range(draws):
            top = n - 1 - draws + d  # others are numbered 0 .. n - 2
            pick = min(int(uniform_Nk[i, d] * (top + 1)), top)
            for e in range(d):
                if out_Nk[i, e] == pick:
                    pick = top
                    break
            out_Nk[i, d] = pick
        for d in range(draws):
            if out_Nk[i, d] >= i:
                out_Nk[i, d] += 1
