"""Slow, obvious second implementation of the graph of a date, by definition in float64."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.config import GraphConfig
from engine.graph.correlation import unit_tiles
from engine.graph.edges import _edges_among


def naive_correlation(return_NW: NDArray[np.float64], half_life: float) -> NDArray[np.float64]:
    """Weighted correlation ``[N, N]``: each stock over its own observations, a gap adds nothing."""
    frame = pd.DataFrame(np.where(np.isfinite(return_NW), return_NW, np.nan).T)
    W = len(frame)
    weight = pd.Series(0.5 ** (np.arange(W)[::-1] / half_life))
    unit = pd.DataFrame(0.0, index=frame.index, columns=frame.columns)
    for stock in frame:
        x = frame[stock].dropna()
        if 3 * len(x) < 2 * W or x.max() == x.min():
            continue
        w = weight[x.index]
        deviation = x - (w * x).sum() / w.sum()
        unit.loc[x.index, stock] = np.sqrt(w) * deviation / np.sqrt((w * deviation**2).sum())
    return np.asarray(unit.T.to_numpy() @ unit.to_numpy())


def naive_edges(
    rho_NN: NDArray[np.float64], k: int, threshold: float, *, signed: bool = False
) -> list[list[int]]:
    """Per stock the k strongest others at or above the threshold; a stable sort lets the lower win."""
    strength_NN = rho_NN.copy() if signed else np.abs(rho_NN)
    np.fill_diagonal(strength_NN, -np.inf)
    rows = []
    for row in strength_NN:
        order = np.argsort(-row, kind="stable")[:k]
        rows.append([int(j) for j in order if row[j] >= threshold and np.isfinite(row[j])])
    return rows


def edges_of(
    return_NW: NDArray[np.float64], sector_N: NDArray[np.int16], config: GraphConfig, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The engine's own edges among stocks whose market-free returns are given."""
    n, window = return_NW.shape
    tile_TWL = unit_tiles(
        return_NW, np.arange(n), window, window=window, half_life=config.half_life
    )
    return _edges_among(tile_TWL, sector_N, config, seed=seed)
