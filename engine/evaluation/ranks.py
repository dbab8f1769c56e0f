"""Ranks within each row of a table with holes, compiled: the hot path of strategies and factor figures.

Values are ranked as float32, the type that scores and labels are stored in: values that differ by less
are ties.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

_Matrix = NDArray[np.float64]


QUANTILES = 10
"""Deciles, unless something else is asked for."""
_RADIX_BITS = 11
"""Three passes of 11 bits sort a float32."""


@njit(parallel=True, cache=True)
def counts_from_ends(
    values_DN: _Matrix,
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """How many entries of a row of ``[D, N]`` are at least as large, and at least as small, as this one.

    The entry itself counts, NaN entries have 0. Ties count for each other, so "among the best k" (first
    count <= k) never splits equal values.
    """
    D, N = values_DN.shape
    top_DN = np.zeros((D, N), dtype=np.int32)
    bottom_DN = np.zeros((D, N), dtype=np.int32)
    for d in prange(D):
        known = np.flatnonzero(np.isfinite(values_DN[d]))
        n = known.size
        key_n = sortable(values_DN[d][known].astype(np.float32))
        order_n = radix_order(key_n)
        start = 0
        while start < n:
            stop = start + 1
            while stop < n and key_n[order_n[stop]] == key_n[order_n[start]]:
                stop += 1
            for place in range(start, stop):
                top_DN[d, known[order_n[place]]] = n - start
                bottom_DN[d, known[order_n[place]]] = stop
            start = stop
    return top_DN, bottom_DN


@njit(cache=True)
def sortable(values_n: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Integers ``[n]`` in the order of the floats ``[n]``; -0 = 0.

    The sign bit is flipped, and all bits for negative numbers.
    """
    bits_n = (values_n + np.float32(0.0)).view(np.uint32)
    for i in range(bits_n.size):
        if bits_n[i] >> np.uint32(31):
            bits_n[i] = ~bits_n[i]
        else:
            bits_n[i] |= np.uint32(0x80000000)
    return bits_n


@njit(cache=True)
def radix_order(key_n: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Positions ``[n]`` of the keys ``[n]`` in ascending order.

    Least-significant-digit radix sort, linear in n.
    """
    n, size = key_n.size, 1 << _RADIX_BITS
    order_n, next_n = np.arange(n), np.empty(n, dtype=np.int64)
    start = np.empty(size, dtype=np.int64)
    for shift in range(0, 32, _RADIX_BITS):
        start[:] = 0
        for i in range(n):
            start[(key_n[i] >> np.uint32(shift)) & np.uint32(size - 1)] += 1
        total = 0
        for bucket in range(size):
            count = start[bucket]
            start[bucket] = total
            total += count
        for i in range(n):
            bucket = (key_n[order_n[i]] >> np.uint32(shift)) & np.uint32(size - 1)
            next_n[start[bucket]] = order_n[i]
            start[bucket] += 1
        order_n, next_n = next_n, order_n
    return order_n


@njit(cache=True)
def average_ranks(values_n: NDArray[np.floating]) -> _Matrix:
    """Ranks 1..n of values ``[n]``; equal values share their mean rank. NaN is not allowed."""
    key_n = sortable(values_n.astype(np.float32))
    order_n = radix_order(key_n)
    out_n = np.empty(order_n.size)
    start = 0
    while start < order_n.size:
        stop = start + 1
        while stop < order_n.size and key_n[order_n[stop]] == key_n[order_n[start]]:
            stop += 1
        for place in range(start, stop):
            out_n[order_n[place]] = (start + stop + 1) / 2.0
        start = stop
    return out_n


@njit(parallel=True, cache=True)
def average_rank_rows(values_DN: _Matrix) -> _Matrix:
    """Ranks 1..n within each row of ``[D, N]``; equal values share their mean rank; NaN stays NaN."""
    D, N = values_DN.shape
    out_DN = np.full((D, N), np.nan)
    for d in prange(D):
        known = np.flatnonzero(np.isfinite(values_DN[d]))
        out_DN[d][known] = average_ranks(values_DN[d][known])
    return out_DN


def centred_rank_rows(values_DN: _Matrix) -> _Matrix:
    """Average ranks of each row less the middle one, so that they add up to 0; NaN where unknown."""
    rank_DN = average_rank_rows(values_DN)
    middle_D1 = (np.isfinite(rank_DN).sum(axis=1, keepdims=True) + 1) / 2.0
    return np.asarray(rank_DN - middle_D1)


def quantiles(score_DN: _Matrix, count: int = QUANTILES) -> NDArray[np.int64]:
    """Quantile of each score of ``[D, N]`` within its day: 1 (worst) .. ``count`` (best).

    0 where there is no score or the day has fewer than two names a quantile. Equal scores share one.
    """
    n_D1 = np.isfinite(score_DN).sum(axis=1, keepdims=True)
    share_DN = average_rank_rows(score_DN) / np.maximum(n_D1, 1)
    place_DN = np.ceil(np.nan_to_num(share_DN) * count - 1e-9).astype(np.int64)
    return np.where(n_D1 >= 2 * count, place_DN, 0)


@njit(parallel=True, cache=True)
def correlation_rows(a_DN: _Matrix, b_DN: _Matrix, min_names: int) -> NDArray[np.float64]:
    """Pearson correlation ``[D]`` of the rows of two tables ``[D, N]``, over entries known in both.

    NaN below ``min_names`` pairs.
    """
    out_D = np.full(len(a_DN), np.nan)
    for d in prange(len(a_DN)):
        known = np.flatnonzero(np.isfinite(a_DN[d]) & np.isfinite(b_DN[d]))
        if known.size >= min_names:
            out_D[d] = _correlation(a_DN[d][known], b_DN[d][known])
    return out_D


@njit(parallel=True, cache=True)
def rank_correlation_rows(a_DN: _Matrix, b_DN: _Matrix, min_names: int) -> NDArray[np.float64]:
    """Spearman correlation ``[D]`` of the rows of two tables ``[D, N]``, over entries known in both.

    NaN below ``min_names`` pairs.
    """
    out_D = np.full(len(a_DN), np.nan)
    for d in prange(len(a_DN)):
        known = np.flatnonzero(np.isfinite(a_DN[d]) & np.isfinite(b_DN[d]))
        if known.size >= min_names:
            a_n, b_n = average_ranks(a_DN[d][known]), average_ranks(b_DN[d][known])
            out_D[d] = _correlation(a_n, b_n)
    return out_D


@njit(parallel=True, cache=True)
def rank_correlation_columns(x_FN: NDArray[np.float32], label_N: _Matrix) -> NDArray[np.float64]:
    """Spearman correlation ``[F]`` of each row of ``x_FN`` with the label ``[N]``, neither with NaN.

    NaN where a side is constant.
    """
    out_F = np.full(len(x_FN), np.nan)
    rank_N = average_ranks(label_N)
    for f in prange(len(x_FN)):
        if x_FN[f].min() < x_FN[f].max():
            out_F[f] = _correlation(average_ranks(x_FN[f].astype(np.float64)), rank_N)
    return out_F


@njit(cache=True)
def _correlation(a_n: _Matrix, b_n: _Matrix) -> float:
    """NaN if either side is constant."""
    mean_a, mean_b = a_n.mean(), b_n.mean()
    product = square_a = square_b = 0.0
    for i in range(a_n.size):
        x, y = a_n[i] - mean_a, b_n[i] - mean_b
        product += x * y
        square_a += x * x
        square_b += y * y
    scale = np.sqrt(square_a * square_b)
    return product / scale if scale > 1e-300 else np.nan


@njit(parallel=True, cache=True)
def shuffled_products(order_Kn: NDArray[np.int64], left_n2: _Matrix, right_n2: _Matrix) -> _Matrix:
    """Scalar products ``[K, 2]`` of the columns of ``left_n2``, its rows in each of K orders, with those of
    ``right_n2``. No NaN.
    """
    K, n = order_Kn.shape
    out_K2 = np.empty((K, 2))
    for k in prange(K):
        first = second = 0.0
        for j in range(n):
            i = order_Kn[k, j]
            first += left_n2[i, 0] * right_n2[j, 0]
            second += left_n2[i, 1] * right_n2[j, 1]
        out_K2[k, 0], out_K2[k, 1] = first, second
    return out_K2
