"""What is left of daily returns after the day's market move, scaled so that a dot product is a correlation.

Shape suffixes: N stocks, S sessions, W sessions of the window, T tiles of L = 64 stocks each.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_MAX_RETURN = 0.3
"""Daily returns are clipped here, so that one news day does not make a correlation."""
LANES = 64
"""Stocks of a tile: four 512-bit vectors, so a tile of 60 sessions (15 kB) fits the first cache."""
_UNROLL = 4
"""The window is padded with zeros to a multiple of this, for the product's inner loop."""
_FLAT = 1e-9
"""A stock whose deviation is below this share of its root mean square is constant: no direction."""


def market_free_returns(
    return_NS: NDArray[np.float64], member_NS: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Clipped returns less their mean over the members of the session; NaN stays NaN.

    Without this the market's common move makes every pair look alike, and top-k picks the highest betas.
    A session's mean adds its members in order: it depends on neither other sessions nor on strangers.
    """
    return np.asarray(
        _market_free(
            np.ascontiguousarray(return_NS, dtype=np.float64), np.ascontiguousarray(member_NS)
        )
    )


@njit(cache=True)
def _market_free(
    return_NS: NDArray[np.float64], member_NS: NDArray[np.bool_]
) -> NDArray[np.float64]:
    N, S = return_NS.shape
    out_NS = np.empty((N, S))
    total_S = np.zeros(S)
    count_S = np.zeros(S, dtype=np.int64)
    for n in range(N):
        for s in range(S):
            x = return_NS[n, s]
            x = min(max(x, -_MAX_RETURN), _MAX_RETURN) if x == x else np.nan
            out_NS[n, s] = x
            if member_NS[n, s] and x == x:
                total_S[s] += x
                count_S[s] += 1
    for s in range(S):
        total_S[s] /= max(count_S[s], 1)
    for n in range(N):
        for s in range(S):
            out_NS[n, s] -= total_S[s]
    return out_NS


def unit_tiles(
    return_NS: NDArray[np.float64],
    row_N: NDArray[np.int64],
    stop: int,
    *,
    window: int,
    half_life: float,
) -> NDArray[np.float32]:
    """Stocks ``row_N`` over the ``window`` columns before ``stop``, as vectors ``[T, W, L]`` of length 1.

    Stock i of ``row_N`` is lane i % L of tile i // L; missing lanes and padded sessions are 0. Weights
    are 2^(-age / half_life), the newest column has age 0. Each stock is de-meaned and scaled over its own
    observations (finite entries) and a missing return counts as 0 after that, which pulls correlations
    of stocks with gaps towards 0. A stock observed on less than two thirds of the window, or constant
    over it, is the zero vector: it correlates with nobody.

    Every window is computed afresh, in float64: running sums would be a few per cent faster for all dates
    together, but a date's bits would then depend on the dates before it.
    """
    weight_W = 0.5 ** (np.arange(window - 1, -1, -1) / half_life)
    padded = -(-window // _UNROLL) * _UNROLL
    return np.asarray(_unit_tiles(return_NS, row_N, stop - window, weight_W, padded))


@njit(parallel=True, cache=True)
def _unit_tiles(
    return_NS: NDArray[np.float64],
    row_N: NDArray[np.int64],
    start: int,
    weight_W: NDArray[np.float64],
    padded: int,
) -> NDArray[np.float32]:
    N, W = row_N.size, weight_W.size
    tiles = -(-N // LANES)
    out_TWL = np.zeros((tiles, padded, LANES), dtype=np.float32)
    root_W = np.sqrt(weight_W)
    for tile in prange(tiles):
        for lane in range(min(LANES, N - tile * LANES)):
            x_W = return_NS[row_N[tile * LANES + lane], start : start + W]
            seen, total, mean, square = 0, 0.0, 0.0, 0.0
            for w in range(W):
                if np.isfinite(x_W[w]):
                    seen += 1
                    total += weight_W[w]
                    mean += weight_W[w] * x_W[w]
                    square += weight_W[w] * x_W[w] * x_W[w]
            if 3 * seen < 2 * W or square == 0.0:
                continue
            mean /= total
            deviation = 0.0
            for w in range(W):
                if np.isfinite(x_W[w]):
                    deviation += weight_W[w] * (x_W[w] - mean) ** 2
            if deviation <= _FLAT * _FLAT * square:
                continue
            scale = 1.0 / np.sqrt(deviation)
            for w in range(W):
                if np.isfinite(x_W[w]):
                    out_TWL[tile, w, lane] = (x_W[w] - mean) * root_W[w] * scale
    return out_TWL


@njit(cache=True)
def pair_correlations(
    tile_TWL: NDArray[np.float32], source_E: NDArray[np.int64], target_E: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Dot products of given pairs ``[E]``, summed in float64; for pairs that were not searched for."""
    out_E = np.zeros(source_E.size, dtype=np.float32)
    for e in range(source_E.size):
        a, b, total = source_E[e], target_E[e], 0.0
        for w in range(tile_TWL.shape[1]):
            x = np.float64(tile_TWL[a // LANES, w, a % LANES])
            total += x * tile_TWL[b // LANES, w, b % LANES]
        out_E[e] = total
    return out_E
