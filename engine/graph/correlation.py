"""Correlation of what is left of daily returns after the day's market move, and its strongest pairs."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

MIN_OBSERVED = 2 / 3
"""Share of the window that a stock must have returns for; others get no edge."""
MAX_RETURN = 0.3
"""Daily returns are clipped here, so that one news day does not make a correlation."""


def market_free_returns(
    return_NS: NDArray[np.float64], member_NS: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns less the mean over the members of the session; NaN stays NaN.

    Without this the market's common move makes every pair look alike, and top-k picks the highest betas.
    """
    clipped_NS = np.clip(return_NS, -MAX_RETURN, MAX_RETURN)
    valid_NS = member_NS & np.isfinite(clipped_NS)
    count_S = valid_NS.sum(axis=0)
    total_S = np.where(valid_NS, clipped_NS, 0.0).sum(axis=0)
    return np.asarray(clipped_NS - total_S / np.maximum(count_S, 1))


def weighted_correlation(
    return_NW: NDArray[np.float64], half_life: float, shrinkage: float
) -> NDArray[np.float32]:
    """Correlation ``[N, N]`` over the window with weights 2^(-age / half_life), oldest column first.

    Off-diagonal entries are multiplied by 1 - shrinkage; the diagonal is 0. Each stock is de-meaned and
    scaled over its own observations and a missing return counts as 0 after that, which pulls
    correlations of stocks with gaps towards 0. Below two thirds of observations a stock's row is 0.
    """
    W = return_NW.shape[1]
    weight_W = 0.5 ** (np.arange(W - 1, -1, -1) / half_life)
    valid_NW = np.isfinite(return_NW)
    w_NW = valid_NW * weight_W
    total_N = np.maximum(w_NW.sum(axis=1, keepdims=True), 1e-12)
    filled_NW = np.where(valid_NW, return_NW, 0.0)
    centred_NW = np.where(
        valid_NW, filled_NW - (w_NW * filled_NW).sum(axis=1, keepdims=True) / total_N, 0
    )
    scaled_NW = centred_NW * np.sqrt(weight_W)
    length_N = np.sqrt((scaled_NW**2).sum(axis=1, keepdims=True))
    enough_N = valid_NW.sum(axis=1, keepdims=True) >= MIN_OBSERVED * W
    unit_NW = np.where(enough_N & (length_N > 0), scaled_NW / np.maximum(length_N, 1e-12), 0.0)
    unit_NW = unit_NW.astype(np.float32)
    rho_NN = np.asarray(unit_NW @ unit_NW.T) * np.float32(1.0 - shrinkage)
    np.fill_diagonal(rho_NN, 0.0)
    return rho_NN


@njit(parallel=True, cache=True)
def strongest_neighbours(
    strength_NN: NDArray[np.float32], k: int, threshold: float
) -> NDArray[np.int64]:
    """Per row the columns of the k largest entries >= threshold, largest first; -1 fills the rest.

    The diagonal never counts; of equal entries the lower column wins.
    """
    N = strength_NN.shape[0]
    out_Nk = np.full((N, k), -1, dtype=np.int64)
    for i in prange(N):
        best = np.full(k, -1.0, dtype=np.float32)
        for j in range(N):
            v = strength_NN[i, j]
            if j == i or v < threshold or v <= best[k - 1]:
                continue
            slot = k - 1
            while slot > 0 and best[slot - 1] < v:
                best[slot] = best[slot - 1]
                out_Nk[i, slot] = out_Nk[i, slot - 1]
                slot -= 1
            best[slot] = v
            out_Nk[i, slot] = j
    return out_Nk
