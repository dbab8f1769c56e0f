"""Interim."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.graph.correlation import market_free_returns, strongest_neighbours, weighted_correlation


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphOfDate:
    session: int
    edge_index_2E: NDArray[np.int64]
    edge_attr_EK: NDArray[np.float32]


def graphs_of_sessions(return_NS, member_SN, sector_N, sessions, config, *, offset=0):
    return_NS = market_free_returns(return_NS, member_SN.T)
    for session in sessions:
        member_n = np.flatnonzero(member_SN[session])
        e, a = graph_of_date(
            return_NS[member_n, session - config.window + 1 : session + 1],
            sector_N[member_n],
            config,
            seed=config.seed + int(session) + offset,
        )
        yield GraphOfDate(session=int(session) + offset, edge_index_2E=member_n[e], edge_attr_EK=a)


def graph_of_date(
    return_NW: NDArray[np.float64], sector_N: NDArray[np.int16], config: GraphConfig, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Edges ``[2, E]`` and attributes ``[E, K]`` among the N stocks of one date.

    ``return_NW``: their market-free returns over the window, oldest first, NaN where unknown.
    Kinds: ``correlation`` = the k strongest |rho| above the threshold; ``sector`` = the k strongest of
    the same sector, no threshold; ``random`` = k arbitrary stocks (an ablation: the attributes are true).
    """
    n = return_NW.shape[0]
    rho_NN = weighted_correlation(return_NW, config.half_life, config.shrinkage)
    same_NN = (sector_N[:, None] == sector_N[None, :]) & (sector_N[:, None] >= 0)
    if config.kind == "random":
        rng = np.random.default_rng(seed)
        neighbour_Nk = strongest_neighbours(rng.random((n, n)).astype(np.float32), config.k, 0.0)
    elif config.kind == "sector":
        neighbour_Nk = strongest_neighbours(
            np.where(same_NN, np.abs(rho_NN) + 1e-6, 0.0).astype(np.float32), config.k, 1e-7
        )
    else:
        neighbour_Nk = strongest_neighbours(np.abs(rho_NN), config.k, max(config.threshold, 1e-7))
    target_E, slot_E = np.nonzero(neighbour_Nk >= 0)
    source_E = neighbour_Nk[target_E, slot_E]
    rho_E = rho_NN[target_E, source_E]
    same_E = same_NN[target_E, source_E]
    attributes = np.stack([rho_E, np.abs(rho_E), same_E.astype(np.float32)], axis=1)
    return np.stack([source_E, target_E]), attributes.astype(np.float32)
