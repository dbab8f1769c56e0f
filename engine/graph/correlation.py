"""Daily returns less the day's market move, scaled so that a dot product is a correlation; and the strongest
correlations of each stock.

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
_ROWS = 4
"""Rows multiplied together: 16 products for 8 loads and 4 stores keep the multipliers busy."""


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


def strongest_neighbours(
    tile_TWL: NDArray[np.float32], n: int, k: int, *, floor: float = 0.0, signed: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Per stock its k strongest others ``[N, k]``, strongest first, and their correlations ``[N, k]``.

    ``tile_TWL`` comes from `correlation.unit_tiles`, ``n`` is the number of stocks in it. Strength is
    |rho|, or rho where ``signed``; entries below ``floor`` do not count. -1 and 0 fill missing places. Of
    equal strengths the lower column wins. A NaN is nobody's neighbour.
    """
    neighbour_Nk, rho_Nk = _strongest(tile_TWL, n, k, np.float32(floor), signed)
    return np.asarray(neighbour_Nk), np.asarray(rho_Nk)


@njit(parallel=True, cache=True, fastmath={"contract"})
def _strongest(
    tile_TWL: NDArray[np.float32], n: int, k: int, floor: np.float32, signed: bool
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    tiles = tile_TWL.shape[0]
    neighbour_Nk = np.full((n, k), -1, dtype=np.int64)
    rho_Nk = np.zeros((n, k), dtype=np.float32)
    for block in prange(-(-n // _ROWS)):
        first = block * _ROWS
        own, lane = first // LANES, first % LANES
        product_RL = np.empty((_ROWS, LANES), dtype=np.float32)
        rho_RTL = np.empty((_ROWS, tiles, LANES), dtype=np.float32)
        peak_RL = np.full((_ROWS, LANES), np.float32(-np.inf), dtype=np.float32)
        best_k = np.empty(k, dtype=np.float32)
        for tile in range(tiles):
            _multiply(tile_TWL[own], lane, tile_TWL[tile], product_RL)
            if tile == own:
                for r in range(_ROWS):
                    product_RL[r, lane + r] = np.nan
            if tile == tiles - 1:
                product_RL[:, n - tile * LANES :] = np.nan
            for r in range(_ROWS):
                _keep(product_RL[r], rho_RTL[r, tile], peak_RL[r], signed)
        for r in range(min(_ROWS, n - first)):
            i = first + r
            bound = max(_kth_largest(peak_RL[r], best_k), floor)
            _collect(rho_RTL[r], peak_RL[r], bound, signed, best_k, neighbour_Nk[i])
            for slot in range(k):
                j = neighbour_Nk[i, slot]
                if j >= 0:
                    rho_Nk[i, slot] = rho_RTL[r, j // LANES, j % LANES]
    return neighbour_Nk, rho_Nk


@njit(cache=True, fastmath={"contract"}, inline="always")
def _multiply(
    row_WL: NDArray[np.float32],
    lane: int,
    column_WL: NDArray[np.float32],
    out_RL: NDArray[np.float32],
) -> None:
    """Rows ``lane`` .. ``lane + 3`` of one tile times all 64 of another; four sessions a step."""
    p, q, r, s = out_RL[0], out_RL[1], out_RL[2], out_RL[3]
    for j in range(LANES):
        p[j] = q[j] = r[j] = s[j] = 0.0
    for w in range(0, column_WL.shape[0], 4):
        a, b, c, d = column_WL[w], column_WL[w + 1], column_WL[w + 2], column_WL[w + 3]
        m = row_WL[w : w + 4, lane : lane + 4]
        x0, x1, x2, x3 = m[0, 0], m[1, 0], m[2, 0], m[3, 0]
        y0, y1, y2, y3 = m[0, 1], m[1, 1], m[2, 1], m[3, 1]
        z0, z1, z2, z3 = m[0, 2], m[1, 2], m[2, 2], m[3, 2]
        u0, u1, u2, u3 = m[0, 3], m[1, 3], m[2, 3], m[3, 3]
        for j in range(LANES):
            e, f, g, h = a[j], b[j], c[j], d[j]
            p[j] = p[j] + x0 * e + x1 * f + x2 * g + x3 * h
            q[j] = q[j] + y0 * e + y1 * f + y2 * g + y3 * h
            r[j] = r[j] + z0 * e + z1 * f + z2 * g + z3 * h
            s[j] = s[j] + u0 * e + u1 * f + u2 * g + u3 * h


@njit(cache=True)
def _keep(
    product_L: NDArray[np.float32],
    rho_L: NDArray[np.float32],
    peak_L: NDArray[np.float32],
    signed: bool,
) -> None:
    """Store a tile of a row and raise the lanes' maxima; a NaN raises none."""
    if signed:
        for j in range(LANES):
            v = product_L[j]
            rho_L[j] = v
            peak_L[j] = v if v > peak_L[j] else peak_L[j]
    else:
        for j in range(LANES):
            v = product_L[j]
            rho_L[j] = v
            v = abs(v)
            peak_L[j] = v if v > peak_L[j] else peak_L[j]


@njit(cache=True)
def _kth_largest(peak_L: NDArray[np.float32], best_k: NDArray[np.float32]) -> np.float32:
    """k-th largest of the lanes' maxima; -inf if fewer than k lanes hold anything."""
    best_k[:] = -np.inf
    last = best_k.size - 1
    for j in range(peak_L.size):
        v = peak_L[j]
        if v > best_k[last]:
            slot = last
            while slot > 0 and best_k[slot - 1] < v:
                best_k[slot] = best_k[slot - 1]
                slot -= 1
            best_k[slot] = v
    return np.float32(best_k[last])


@njit(cache=True)
def _collect(
    rho_TL: NDArray[np.float32],
    peak_L: NDArray[np.float32],
    bound: np.float32,
    signed: bool,
    best_k: NDArray[np.float32],
    column_k: NDArray[np.int64],
) -> None:
    """Write the columns of the k strongest entries >= ``bound``, strongest first, lower column on ties."""
    k, found = best_k.size, 0
    for lane in range(LANES):
        if not peak_L[lane] >= bound:
            continue
        for tile in range(rho_TL.shape[0]):
            v = rho_TL[tile, lane] if signed else abs(rho_TL[tile, lane])
            if not v >= bound:
                continue
            column = tile * LANES + lane
            slot = found
            if found == k:
                slot = k - 1
                if v < best_k[slot] or (v == best_k[slot] and column > column_k[slot]):
                    continue
            else:
                found += 1
            while slot > 0 and (
                best_k[slot - 1] < v or (best_k[slot - 1] == v and column_k[slot - 1] > column)
            ):
                best_k[slot] = best_k[slot - 1]
                column_k[slot] = column_k[slot - 1]
                slot -= 1
            best_k[slot] = v
            column_k[slot] = column
