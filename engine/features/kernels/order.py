"""Extremes, ranks and quantiles of a row over several windows at once: exact, so they need no anchor."""

import numpy as np
from numba import njit, prange

from engine.features.kernels.anchor import Array, Windows, blank_start, pad


@njit(cache=True, error_model="numpy")
def extreme_row(
    x_S: Array, windows_W: Windows, need_W: Windows, sign: float, out_WS: Array
) -> None:
    """Largest (sign 1) or smallest (sign -1) valid entry ``[W, S]``; NaN below ``need_W`` valid ones.

    Doubling: the extreme of 2p entries is that of two neighbouring runs of p, and any window is covered
    by two overlapping runs of the largest power of two in it. No branch, whatever the data.
    """
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    for k in range(x_P.size):
        x_P[k] = sign * x_P[k] if x_P[k] == x_P[k] else -np.inf
    next_P = np.empty_like(x_P)
    run = 1
    while run <= reach:
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            if run <= window < 2 * run:
                hi, lo = x_P[reach:], x_P[reach - window + run :]
                count_hi, count_lo = count_P[reach:], count_P[reach - window :]
                out = out_WS[w]
                for t in range(S):
                    best = hi[t] if hi[t] > lo[t] else lo[t]
                    out[t] = sign * best if count_hi[t] - count_lo[t] >= need else np.nan
        next_P[:run] = x_P[:run]
        old, new, result = x_P, x_P[run:], next_P[run:]
        for k in range(result.size):
            result[k] = new[k] if new[k] > old[k] else old[k]
        x_P, next_P = next_P, x_P
        run *= 2
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _since_row(
    x_S: Array, windows_W: Windows, need_W: Windows, sign: float, latest: bool, out_WS: Array
) -> None:
    """Sessions since the extreme of `extreme_row`; the ``latest`` of equal ones, or the first."""
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    at_P = np.empty_like(x_P)
    for k in range(x_P.size):
        x_P[k] = sign * x_P[k] if x_P[k] == x_P[k] else -np.inf
        at_P[k] = k - reach
    next_P, next_at_P = np.empty_like(x_P), np.empty_like(x_P)
    run = 1
    while run <= reach:
        for w in range(windows_W.size):
            window, need = windows_W[w], need_W[w]
            if run <= window < 2 * run:
                low = reach - window + run
                hi, lo, at_hi, at_lo = x_P[reach:], x_P[low:], at_P[reach:], at_P[low:]
                count_hi, count_lo = count_P[reach:], count_P[reach - window :]
                out = out_WS[w]
                for t in range(S):
                    after = hi[t] > lo[t] or (latest and hi[t] == lo[t])
                    at = at_hi[t] if after else at_lo[t]
                    out[t] = t - at if count_hi[t] - count_lo[t] >= need else np.nan
        next_P[:run], next_at_P[:run] = x_P[:run], at_P[:run]
        old, new, old_at, new_at = x_P, x_P[run:], at_P, at_P[run:]
        result, result_at = next_P[run:], next_at_P[run:]
        for k in range(result.size):
            after = new[k] > old[k] or (latest and new[k] == old[k])
            result_at[k] = new_at[k] if after else old_at[k]
            result[k] = new[k] if new[k] > old[k] else old[k]
        x_P, next_P, at_P, next_at_P = next_P, x_P, next_at_P, at_P
        run *= 2
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _rank_row(x_S: Array, windows_W: Windows, need_W: Windows, out_WS: Array) -> None:
    """Rank of the last entry among the window's valid ones, divided by their number, ties averaged."""
    S, reach = x_S.size, windows_W.max()
    x_P, count_P = pad(x_S, reach)
    below_S = np.zeros(S)
    last = x_P[reach:]
    count_hi = count_P[reach:]
    for lag in range(reach):
        earlier = x_P[reach - lag :]
        for t in range(S):
            below_S[t] += (1.0 if earlier[t] < last[t] else 0.0) + (
                0.5 if earlier[t] == last[t] else 0.0
            )
        for w in range(windows_W.size):
            if windows_W[w] == lag + 1:
                out, need, count_lo = out_WS[w], need_W[w], count_P[reach - lag - 1 :]
                for t in range(S):
                    n = count_hi[t] - count_lo[t]
                    known = n >= need and last[t] == last[t]
                    out[t] = (below_S[t] + 0.5) / n if known else np.nan
    blank_start(out_WS, windows_W)


@njit(cache=True, error_model="numpy")
def _quantile_row(x_S: Array, window: int, need: int, q: float, out_S: Array) -> None:
    """Quantile between the two nearest valid entries, linearly; the window is kept sorted."""
    S = x_S.size
    x_P, _ = pad(x_S, window)
    sorted_n = np.empty(window + 1)
    n = 0
    for t in range(S):
        gone, new = x_P[t], x_P[window + t]
        if gone == gone:
            k = np.searchsorted(sorted_n[:n], gone)
            n -= 1
            for m in range(k, n):
                sorted_n[m] = sorted_n[m + 1]
        if new == new:
            k = n
            while k > 0 and sorted_n[k - 1] > new:
                sorted_n[k] = sorted_n[k - 1]
                k -= 1
            sorted_n[k] = new
            n += 1
        if n < need or t < window - 1:
            out_S[t] = np.nan
            continue
        at = q * (n - 1)
        low = int(at)
        high = min(low + 1, n - 1)
        out_S[t] = sorted_n[low] + (at - low) * (sorted_n[high] - sorted_n[low])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def extreme_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, sign: float, out_NWS: Array
) -> None:
    """`extreme_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        extreme_row(x_NS[i], windows_W, need_W, sign, out_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def since_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, sign: float, latest: bool, out_NWS: Array
) -> None:
    """`_since_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        _since_row(x_NS[i], windows_W, need_W, sign, latest, out_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def rank_rows(x_NS: Array, windows_W: Windows, need_W: Windows, out_NWS: Array) -> None:
    """`_rank_row` of each row, into ``[N, W, S]``."""
    for i in prange(len(x_NS)):
        _rank_row(x_NS[i], windows_W, need_W, out_NWS[i])


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def quantile_rows(x_NS: Array, window: int, need: int, q: float, out_NS: Array) -> None:
    """`_quantile_row` of each row, into ``[N, S]``."""
    for i in prange(len(x_NS)):
        _quantile_row(x_NS[i], window, need, q, out_NS[i])
