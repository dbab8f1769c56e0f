"""Sum, mean and deviation of a row over several windows at once.

Every kernel takes a row ``x_S``, the windows and the fewest valid entries of each, and fills ``out_WS``.
"""

import numpy as np
from numba import njit, prange

from engine.features.kernels.anchor import (
    BLOCK,
    LOSS,
    Array,
    Windows,
    blank_start,
    centre,
    cumulate_two,
    multiply,
    pad,
)
from engine.features.kernels.shape import direct_moments


@njit(cache=True, error_model="numpy")
def mean_row(x_S: Array, windows_W: Windows, need_W: Windows, average: bool, out_WS: Array) -> None:
    """Arithmetic mean (or, unless ``average``, the sum) of the valid entries."""
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    K = reach + BLOCK
    d_K, abs_K, sum_K, size_K = np.empty(K), np.empty(K), np.empty(K), np.empty(K)
    for a in range(0, S, BLOCK):
        seen_K = x_P[a : a + K]
        for k in range(K):
            v = abs(seen_K[k])
            abs_K[k] = v if v == v else 0.0
        level = centre(seen_K, reach, d_K)
        cumulate_two(d_K, abs_K, reach, sum_K, size_K)
        count_K = count_P[a : a + K]
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            out = out_WS[w, a : min(S, a + BLOCK)]
            lost = _mean_block(sum_K, size_K, count_K, reach, window, need, level, average, out)
            if lost:
                _mean_again(seen_K, size_K, count_K, reach, window, need, level, average, out)
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _mean_block(
    sum_K: Array,
    size_K: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    level: float,
    average: bool,
    out: Array,
) -> int:
    low = reach - window
    sum_hi, sum_lo = sum_K[reach:], sum_K[low:]
    size_hi, size_lo = size_K[reach:], size_K[low:]
    count_hi, count_lo = count_K[reach:], count_K[low:]
    lost = 0
    for j in range(out.size):
        n = count_hi[j] - count_lo[j]
        total = sum_hi[j] - sum_lo[j]
        value = level + total / n if average else level * n + total
        out[j] = value if n >= need else np.nan
        scale = abs(size_hi[j]) + abs(size_lo[j]) + n * abs(level)
        lost += 1 if size_hi[j] - size_lo[j] < LOSS * scale else 0
    return lost


@njit(cache=True, error_model="numpy")
def _mean_again(
    seen_K: Array,
    size_K: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    level: float,
    average: bool,
    out: Array,
) -> None:
    for j in range(out.size):
        hi, lo = reach + j, reach + j - window
        n = count_K[hi] - count_K[lo]
        scale = abs(size_K[hi]) + abs(size_K[lo]) + n * abs(level)
        if n >= need and size_K[hi] - size_K[lo] < LOSS * scale:
            total = 0.0
            for k in range(lo + 1, hi + 1):
                if seen_K[k] == seen_K[k]:
                    total += seen_K[k]
            out[j] = total / n if average else total


@njit(cache=True, error_model="numpy")
def deviation_row(x_S: Array, windows_W: Windows, need_W: Windows, out_WS: Array) -> None:
    """Standard deviation, divisor n - 1; exactly 0 for a constant window."""
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    K = reach + BLOCK
    d_K, dd_K, sum_K, square_K = np.empty(K), np.empty(K), np.empty(K), np.empty(K)
    for a in range(0, S, BLOCK):
        seen_K, count_K = x_P[a : a + K], count_P[a : a + K]
        centre(seen_K, reach, d_K)
        multiply(d_K, d_K, dd_K)
        cumulate_two(d_K, dd_K, reach, sum_K, square_K)
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            out = out_WS[w, a : min(S, a + BLOCK)]
            if _deviation_block(sum_K, square_K, count_K, reach, window, need, out):
                _deviation_again(seen_K, sum_K, square_K, count_K, reach, window, need, out)
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _deviation_block(
    sum_K: Array, square_K: Array, count_K: Array, reach: int, window: int, need: int, out: Array
) -> int:
    low = reach - window
    sum_hi, sum_lo = sum_K[reach:], sum_K[low:]
    square_hi, square_lo = square_K[reach:], square_K[low:]
    count_hi, count_lo = count_K[reach:], count_K[low:]
    lost = 0
    for j in range(out.size):
        n = count_hi[j] - count_lo[j]
        total = sum_hi[j] - sum_lo[j]
        spread = square_hi[j] - square_lo[j] - total * total / n
        out[j] = np.sqrt(spread / (n - 1.0)) if n >= need else np.nan
        lost += 1 if spread < LOSS * (abs(square_hi[j]) + abs(square_lo[j])) else 0
    return lost


@njit(cache=True, error_model="numpy")
def _deviation_again(
    seen_K: Array,
    sum_K: Array,
    square_K: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    out: Array,
) -> None:
    for j in range(out.size):
        hi, lo = reach + j, reach + j - window
        n = count_K[hi] - count_K[lo]
        total = sum_K[hi] - sum_K[lo]
        spread = square_K[hi] - square_K[lo] - total * total / n
        if n >= need and spread < LOSS * (abs(square_K[hi]) + abs(square_K[lo])):
            m2, _, _ = direct_moments(seen_K[lo + 1 : hi + 1])
            out[j] = np.sqrt(m2 * n / (n - 1.0))


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def mean_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, average: bool, out_NWS: Array
) -> None:
    for i in prange(len(x_NS)):
        mean_row(x_NS[i], windows_W, need_W, average, out_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def deviation_rows(x_NS: Array, windows_W: Windows, need_W: Windows, out_NWS: Array) -> None:
    for i in prange(len(x_NS)):
        deviation_row(x_NS[i], windows_W, need_W, out_NWS[i])
