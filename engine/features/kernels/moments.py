"""Sum, mean, deviation, skewness and kurtosis of a row over several windows, and the exponential mean.

A window's kernel takes a row ``x_S``, the windows in sessions and the fewest valid entries of each, and fills
``out_WS``, in the unit of the row; a ``.._rows`` kernel does so for each row of ``[N, S]``.
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
    cumulate,
    cumulate_two,
    multiply,
    pad,
)

_SHAPE_LOSS = 1e-3
"""`LOSS` of third and fourth moments, which lose the 1.5th and 2nd power of it."""
MEMORY_SPANS = 6
"""Spans an exponential mean remembers at least: what is older would weigh less than e^-12."""


@njit(cache=True, error_model="numpy")
def mean_row(x_S: Array, windows_W: Windows, need_W: Windows, average: bool, out_WS: Array) -> None:
    """Mean ``[W, S]``, or unless ``average`` the sum, of the valid entries; NaN below ``need_W`` of them."""
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
    """Standard deviation ``[W, S]``, divisor n - 1; exactly 0 for a constant window, NaN below ``need_W``."""
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
            m2, _, _ = _direct_moments(seen_K[lo + 1 : hi + 1])
            out[j] = np.sqrt(m2 * n / (n - 1.0))


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def mean_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, average: bool, out_NWS: Array
) -> None:
    """`mean_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        mean_row(x_NS[i], windows_W, need_W, average, out_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def deviation_rows(x_NS: Array, windows_W: Windows, need_W: Windows, out_NWS: Array) -> None:
    """`deviation_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        deviation_row(x_NS[i], windows_W, need_W, out_NWS[i])


@njit(cache=True, error_model="numpy")
def _shape_row(
    x_S: Array, windows_W: Windows, need_W: Windows, fourth: bool, out_WS: Array
) -> None:
    """Skewness, or excess kurtosis if ``fourth`` (divisor n both); NaN for a constant window."""
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    K = reach + BLOCK
    d_K, dd_K, power_K = np.empty(K), np.empty(K), np.empty(K)
    sums_QK = np.zeros((4, K))
    for a in range(0, S, BLOCK):
        seen_K, count_K = x_P[a : a + K], count_P[a : a + K]
        centre(seen_K, reach, d_K)
        multiply(d_K, d_K, dd_K)
        multiply(dd_K, d_K, power_K)
        cumulate_two(d_K, dd_K, reach, sums_QK[0], sums_QK[1])
        cumulate(power_K, reach, sums_QK[2])
        if fourth:
            multiply(dd_K, dd_K, power_K)
            cumulate(power_K, reach, sums_QK[3])
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            out = out_WS[w, a : min(S, a + BLOCK)]
            if _shape_block(sums_QK, count_K, reach, window, need, fourth, out):
                _shape_again(seen_K, sums_QK, count_K, reach, window, need, fourth, out)
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _shape_block(
    sums_QK: Array, count_K: Array, reach: int, window: int, need: int, fourth: bool, out: Array
) -> int:
    low = reach - window
    count_hi, count_lo = count_K[reach:], count_K[low:]
    hi_1, lo_1 = sums_QK[0, reach:], sums_QK[0, low:]
    hi_2, lo_2 = sums_QK[1, reach:], sums_QK[1, low:]
    hi_3, lo_3 = sums_QK[2, reach:], sums_QK[2, low:]
    hi_4, lo_4 = sums_QK[3, reach:], sums_QK[3, low:]
    lost = 0
    for j in range(out.size):
        n = count_hi[j] - count_lo[j]
        mean = (hi_1[j] - lo_1[j]) / n
        square, cube = (hi_2[j] - lo_2[j]) / n, (hi_3[j] - lo_3[j]) / n
        m2 = square - mean * mean
        if fourth:
            m4 = (hi_4[j] - lo_4[j]) / n - 4.0 * mean * cube
            m4 += mean * mean * (6.0 * square - 3.0 * mean * mean)
            value = m4 / (m2 * m2) - 3.0
        else:
            m3 = cube - mean * (3.0 * square - 2.0 * mean * mean)
            value = m3 / (m2 * np.sqrt(m2))
        out[j] = value if n >= need else np.nan
        lost += 1 if n * m2 < _SHAPE_LOSS * (abs(hi_2[j]) + abs(lo_2[j])) else 0
    return lost


@njit(cache=True, error_model="numpy")
def _shape_again(
    seen_K: Array,
    sums_QK: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    fourth: bool,
    out: Array,
) -> None:
    for j in range(out.size):
        hi, lo = reach + j, reach + j - window
        n = count_K[hi] - count_K[lo]
        if n < need:
            continue
        mean = (sums_QK[0, hi] - sums_QK[0, lo]) / n
        m2 = (sums_QK[1, hi] - sums_QK[1, lo]) / n - mean * mean
        if n * m2 < _SHAPE_LOSS * (abs(sums_QK[1, hi]) + abs(sums_QK[1, lo])):
            m2, m3, m4 = _direct_moments(seen_K[lo + 1 : hi + 1])
            out[j] = m4 / (m2 * m2) - 3.0 if fourth else m3 / (m2 * np.sqrt(m2))


@njit(cache=True, error_model="numpy")
def _direct_moments(x: Array) -> tuple[float, float, float]:
    """Second to fourth central moment (divisor n) of the valid entries, in two passes; 0 if constant."""
    n, total, least, most = 0, 0.0, np.inf, -np.inf
    for v in x:
        if v == v:
            n += 1
            total += v
            least, most = min(least, v), max(most, v)
    if n == 0 or least == most:
        return 0.0, 0.0, 0.0
    mean = total / n
    m2, m3, m4 = 0.0, 0.0, 0.0
    for v in x:
        if v == v:
            d = v - mean
            m2 += d * d
            m3 += d * d * d
            m4 += d * d * d * d
    return m2 / n, m3 / n, m4 / n


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def shape_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, fourth: bool, out_NWS: Array
) -> None:
    """`_shape_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        _shape_row(x_NS[i], windows_W, need_W, fourth, out_NWS[i])


@njit(cache=True, error_model="numpy")
def _ewm_row(x_S: Array, span: float, out_S: Array) -> None:
    """Exponential mean ``[S]``, alpha = 2 / (span + 1), started anew at every anchor; NaN stays NaN."""
    alpha = 2.0 / (span + 1.0)
    memory = int(np.ceil(MEMORY_SPANS * span))
    S = x_S.size
    for a in range(0, S, BLOCK):
        level, started = 0.0, False
        for t in range(max(0, a - memory + 1), min(S, a + BLOCK)):
            v = x_S[t]
            valid = abs(v) < np.inf
            if valid:
                level = (1.0 - alpha) * level + alpha * v if started else v
                started = True
            if t >= a:
                out_S[t] = level if valid else np.nan


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def ewm_rows(x_NS: Array, span: float, out_NS: Array) -> None:
    """`_ewm_row` of each row, into ``[N, S]``."""
    for i in prange(len(x_NS)):
        _ewm_row(x_NS[i], span, out_NS[i])
