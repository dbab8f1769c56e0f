"""Least squares of a row on another row, and on the session number, over several windows at once."""

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
    running_count,
)


@njit(cache=True, error_model="numpy")
def pair_row(
    y_S: Array, x_S: Array, windows_W: Windows, need_W: Windows, slope_WS: Array, rho_WS: Array
) -> None:
    """Slope of y on x and their correlation ``[W, S]`` each, entries where both are valid.

    A constant x gives NaN for both, a constant y gives slope 0 and correlation NaN.
    """
    S, reach = x_S.size, windows_W.max()
    y_P, _ = pad(y_S, reach)
    x_P, _ = pad(x_S, reach)
    for k in range(x_P.size):
        both = x_P[k] + y_P[k]
        x_P[k] = x_P[k] if both == both else np.nan
        y_P[k] = y_P[k] if both == both else np.nan
    count_P = running_count(x_P)
    K = reach + BLOCK
    x_K, y_K, product_K, square_K = np.empty(K), np.empty(K), np.empty(K), np.empty(K)
    sums_QK = np.empty((5, K))
    for a in range(0, S, BLOCK):
        centre(x_P[a : a + K], reach, x_K)
        centre(y_P[a : a + K], reach, y_K)
        cumulate_two(x_K, y_K, reach, sums_QK[0], sums_QK[1])
        multiply(x_K, x_K, product_K)
        multiply(y_K, y_K, square_K)
        cumulate_two(product_K, square_K, reach, sums_QK[2], sums_QK[3])
        multiply(x_K, y_K, product_K)
        cumulate(product_K, reach, sums_QK[4])
        count_K = count_P[a : a + K]
        stop = min(S, a + BLOCK)
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            slope, rho = slope_WS[w, a:stop], rho_WS[w, a:stop]
            lost = _pair_block(sums_QK, count_K, reach, window, need, slope, rho)
            if lost:
                _pair_again(
                    x_P[a : a + K],
                    y_P[a : a + K],
                    sums_QK,
                    count_K,
                    reach,
                    window,
                    need,
                    slope,
                    rho,
                )
    blank_start(slope_WS, windows_W)
    blank_start(rho_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _pair_block(
    sums_QK: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    slope: Array,
    rho: Array,
) -> int:
    low = reach - window
    count_hi, count_lo = count_K[reach:], count_K[low:]
    x_hi, x_lo = sums_QK[0, reach:], sums_QK[0, low:]
    y_hi, y_lo = sums_QK[1, reach:], sums_QK[1, low:]
    xx_hi, xx_lo = sums_QK[2, reach:], sums_QK[2, low:]
    yy_hi, yy_lo = sums_QK[3, reach:], sums_QK[3, low:]
    xy_hi, xy_lo = sums_QK[4, reach:], sums_QK[4, low:]
    lost = 0
    for j in range(slope.size):
        n = count_hi[j] - count_lo[j]
        x, y = x_hi[j] - x_lo[j], (y_hi[j] - y_lo[j]) / n
        xx = xx_hi[j] - xx_lo[j] - x * x / n
        yy = yy_hi[j] - yy_lo[j] - y * y * n
        xy = xy_hi[j] - xy_lo[j] - x * y
        slope[j] = xy / xx if n >= need else np.nan
        rho[j] = xy / np.sqrt(xx * yy) if n >= need else np.nan
        low_x = xx < LOSS * (abs(xx_hi[j]) + abs(xx_lo[j]))
        low_y = yy < LOSS * (abs(yy_hi[j]) + abs(yy_lo[j]))
        lost += 1 if low_x or low_y else 0
    return lost


@njit(cache=True, error_model="numpy")
def _pair_again(
    x_seen_K: Array,
    y_seen_K: Array,
    sums_QK: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    slope: Array,
    rho: Array,
) -> None:
    for j in range(slope.size):
        hi, lo = reach + j, reach + j - window
        n = count_K[hi] - count_K[lo]
        if n < need:
            continue
        x, y = sums_QK[0, hi] - sums_QK[0, lo], (sums_QK[1, hi] - sums_QK[1, lo]) / n
        xx = sums_QK[2, hi] - sums_QK[2, lo] - x * x / n
        yy = sums_QK[3, hi] - sums_QK[3, lo] - y * y * n
        low_x = xx < LOSS * (abs(sums_QK[2, hi]) + abs(sums_QK[2, lo]))
        low_y = yy < LOSS * (abs(sums_QK[3, hi]) + abs(sums_QK[3, lo]))
        if low_x or low_y:
            xx, yy, xy, _, _ = _direct_line(x_seen_K[lo + 1 : hi + 1], y_seen_K[lo + 1 : hi + 1])
            slope[j] = xy / xx
            rho[j] = xy / np.sqrt(xx * yy)


@njit(cache=True, error_model="numpy")
def _direct_line(x: Array, y: Array) -> tuple[float, float, float, float, float]:
    """Centred sums xx, yy, xy and the two means, in two passes; a constant has exactly 0."""
    n, x_mean, y_mean = 0, 0.0, 0.0
    x_least, x_most, y_least, y_most = np.inf, -np.inf, np.inf, -np.inf
    for k in range(x.size):
        if y[k] == y[k]:
            n += 1
            x_mean += x[k]
            y_mean += y[k]
            x_least, x_most = min(x_least, x[k]), max(x_most, x[k])
            y_least, y_most = min(y_least, y[k]), max(y_most, y[k])
    x_mean = x_mean / n if x_least < x_most else x_least
    y_mean = y_mean / n if y_least < y_most else y_least
    xx, yy, xy = 0.0, 0.0, 0.0
    for k in range(x.size):
        if y[k] == y[k]:
            dx, dy = x[k] - x_mean, y[k] - y_mean
            xx += dx * dx
            yy += dy * dy
            xy += dx * dy
    return xx, yy, xy, x_mean, y_mean


@njit(cache=True, error_model="numpy")
def trend_row(
    y_S: Array,
    windows_W: Windows,
    need_W: Windows,
    slope_WS: Array,
    r2_WS: Array,
    residual_WS: Array,
) -> None:
    """Least squares of the valid entries on the session number, ``[W, S]`` each.

    Slope in units of y a session, R^2 in 0..1, residual of the newest entry in units of y.

    A constant window gives slope 0, R^2 NaN and residual 0; the residual of a missing entry is NaN.
    """
    S, reach = y_S.size, windows_W.max()
    y_P, count_P = pad(y_S, reach)
    K = reach + BLOCK
    y_K, x_K, product_K, square_K = np.empty(K), np.empty(K), np.empty(K), np.empty(K)
    position_K = np.empty(K)
    sums_QK = np.empty((5, K))
    for k in range(K):
        position_K[k] = k - reach
    for a in range(0, S, BLOCK):
        seen_K, count_K = y_P[a : a + K], count_P[a : a + K]
        level = centre(seen_K, reach, y_K)
        for k in range(K):
            x_K[k] = position_K[k] if seen_K[k] == seen_K[k] else 0.0
        cumulate_two(x_K, y_K, reach, sums_QK[0], sums_QK[1])
        multiply(x_K, x_K, product_K)
        multiply(y_K, y_K, square_K)
        cumulate_two(product_K, square_K, reach, sums_QK[2], sums_QK[3])
        multiply(x_K, y_K, product_K)
        cumulate(product_K, reach, sums_QK[4])
        stop = min(S, a + BLOCK)
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            slope, r2 = slope_WS[w, a:stop], r2_WS[w, a:stop]
            residual = residual_WS[w, a:stop]
            lost = _trend_block(
                seen_K, sums_QK, count_K, reach, window, need, level, slope, r2, residual
            )
            if lost:
                _trend_again(
                    seen_K, position_K, sums_QK, count_K, reach, window, need, slope, r2, residual
                )
    blank_start(slope_WS, windows_W)
    blank_start(r2_WS, windows_W)
    blank_start(residual_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _trend_block(
    seen_K: Array,
    sums_QK: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    level: float,
    slope: Array,
    r2: Array,
    residual: Array,
) -> int:
    low = reach - window
    count_hi, count_lo, seen = count_K[reach:], count_K[low:], seen_K[reach:]
    x_hi, x_lo = sums_QK[0, reach:], sums_QK[0, low:]
    y_hi, y_lo = sums_QK[1, reach:], sums_QK[1, low:]
    xx_hi, xx_lo = sums_QK[2, reach:], sums_QK[2, low:]
    yy_hi, yy_lo = sums_QK[3, reach:], sums_QK[3, low:]
    xy_hi, xy_lo = sums_QK[4, reach:], sums_QK[4, low:]
    lost = 0
    for j in range(slope.size):
        n = count_hi[j] - count_lo[j]
        x, y = x_hi[j] - x_lo[j], (y_hi[j] - y_lo[j]) / n
        x_mean = x / n
        xx = xx_hi[j] - xx_lo[j] - x * x_mean
        yy = yy_hi[j] - yy_lo[j] - y * y * n
        xy = xy_hi[j] - xy_lo[j] - x * y
        b = xy / xx
        slope[j] = b if n >= need else np.nan
        r2[j] = b * xy / yy if n >= need else np.nan
        residual[j] = seen[j] - level - y - b * (j - x_mean) if n >= need else np.nan
        lost += 1 if yy < LOSS * (abs(yy_hi[j]) + abs(yy_lo[j])) else 0
    return lost


@njit(cache=True, error_model="numpy")
def _trend_again(
    seen_K: Array,
    position_K: Array,
    sums_QK: Array,
    count_K: Array,
    reach: int,
    window: int,
    need: int,
    slope: Array,
    r2: Array,
    residual: Array,
) -> None:
    for j in range(slope.size):
        hi, lo = reach + j, reach + j - window
        n = count_K[hi] - count_K[lo]
        y = (sums_QK[1, hi] - sums_QK[1, lo]) / n
        yy = sums_QK[3, hi] - sums_QK[3, lo] - y * y * n
        if n >= need and yy < LOSS * (abs(sums_QK[3, hi]) + abs(sums_QK[3, lo])):
            part = slice(lo + 1, hi + 1)
            xx, yy, xy, x_mean, y_mean = _direct_line(position_K[part], seen_K[part])
            slope[j] = xy / xx
            r2[j] = xy * xy / (xx * yy)
            residual[j] = seen_K[hi] - y_mean - slope[j] * (j - x_mean)


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def pair_rows(
    y_NS: Array,
    x_MS: Array,
    windows_W: Windows,
    need_W: Windows,
    slope_NWS: Array,
    rho_NWS: Array,
) -> None:
    """`pair_row` of each row with its partner, into ``[N, W, S]``; M = N, or 1 for one partner of all."""
    for i in prange(len(y_NS)):
        x_S = x_MS[np.int64(i) % len(x_MS)]
        pair_row(y_NS[i], x_S, windows_W, need_W, slope_NWS[i], rho_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def trend_rows(
    y_NS: Array,
    windows_W: Windows,
    need_W: Windows,
    slope_NWS: Array,
    r2_NWS: Array,
    residual_NWS: Array,
) -> None:
    """`trend_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(y_NS)):
        trend_row(y_NS[i], windows_W, need_W, slope_NWS[i], r2_NWS[i], residual_NWS[i])
