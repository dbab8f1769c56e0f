"""Skewness and kurtosis of a row over several windows at once."""

import numpy as np
from numba import njit, prange

from engine.features.kernels.anchor import (
    BLOCK,
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


@njit(cache=True, error_model="numpy")
def shape_row(x_S: Array, windows_W: Windows, need_W: Windows, fourth: bool, out_WS: Array) -> None:
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
            m2, m3, m4 = direct_moments(seen_K[lo + 1 : hi + 1])
            out[j] = m4 / (m2 * m2) - 3.0 if fourth else m3 / (m2 * np.sqrt(m2))


@njit(cache=True, error_model="numpy")
def direct_moments(x: Array) -> tuple[float, float, float]:
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
    for i in prange(len(x_NS)):
        shape_row(x_NS[i], windows_W, need_W, fourth, out_NWS[i])
