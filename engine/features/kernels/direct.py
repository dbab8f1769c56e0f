"""Statistics that no running sum gives: every window is gone through entry by entry."""

import numpy as np
from numba import njit, prange

from engine.features.kernels.anchor import Array, Windows, blank_start


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def direct_rows(
    x_NS: Array, windows_W: Windows, need_W: Windows, weighted: bool, out_NWS: Array
) -> None:
    """Linearly weighted mean (oldest entry 1, newest the window), else mean distance from the mean.

    Into ``[N, W, S]``; NaN below ``need_W`` valid entries.
    """
    for i in prange(len(x_NS)):
        for w in range(windows_W.size):
            window = windows_W[w]
            for t in range(window - 1, x_NS.shape[1]):
                part = x_NS[i, t - window + 1 : t + 1]
                enough, mean, weighted_mean = _means(part, need_W[w])
                if weighted or not enough:
                    out_NWS[i, w, t] = weighted_mean
                    continue
                total, n = 0.0, 0
                for v in part:
                    if abs(v) < np.inf:
                        total += abs(v - mean)
                        n += 1
                out_NWS[i, w, t] = total / n
        blank_start(out_NWS[i], windows_W)


@njit(cache=True, error_model="numpy")
def _means(x: Array, need: int) -> tuple[bool, float, float]:
    """Whether enough entries are valid, their mean, and their mean weighted by position; else NaN."""
    n, total, top, weight = 0, 0.0, 0.0, 0.0
    for k in range(x.size):
        if abs(x[k]) < np.inf:
            n += 1
            total += x[k]
            top += (k + 1.0) * x[k]
            weight += k + 1.0
    return (True, total / n, top / weight) if n >= need else (False, np.nan, np.nan)
