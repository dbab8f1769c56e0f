"""From raw values to network inputs, day by day. Nothing is fitted, so nothing can leak.

Scores of many features at once go straight into the day-major tensor; one of half floats is written through
its bits, because compiled code on a CPU has no such type. Shape suffixes: N stocks, T sessions, F features,
G columns of the tensor.
"""

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.evaluation.ranks import radix_order, sortable
from engine.features import rolling

_Array = NDArray[np.float64]
_MARKET_WINDOW = 252
_MARKET_CLIP = 5.0
_QUANTILE = 0.01
"""Winsorised z-scores clip what lies beyond this share on either side."""
_DAYS = 8
"""Sessions taken together: the lines of the tensor that they touch stay in the cache for all features."""


@njit(cache=True)
def _inverse_normal(p: float) -> float:
    """Quantile of the standard normal distribution, absolute error below 1.2e-9 for 0 < p < 1.

    Acklam's rational approximation (2003).
    """
    a = (-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.383577518672690e2,
         -3.066479806614716e1, 2.506628277459239)  # fmt: skip
    b = (-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1,
         -1.328068155288572e1)  # fmt: skip
    c = (-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734,
         4.374664141464968, 2.938163982698783)  # fmt: skip
    d = (7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416)
    if p > 0.97575:
        return float(-_inverse_normal_low(1.0 - p, c, d))
    if p < 0.02425:
        return float(_inverse_normal_low(p, c, d))
    q = p - 0.5
    r = q * q
    top = ((((a[0] * r + a[1]) * r + a[2]) * r + a[3]) * r + a[4]) * r + a[5]
    value: float = top * q / (((((b[0] * r + b[1]) * r + b[2]) * r + b[3]) * r + b[4]) * r + 1.0)
    return value


@njit(cache=True)
def _inverse_normal_low(p: float, c: tuple[float, ...], d: tuple[float, ...]) -> float:
    q = math.sqrt(-2.0 * math.log(p))
    top = ((((c[0] * q + c[1]) * q + c[2]) * q + c[3]) * q + c[4]) * q + c[5]
    return top / ((((d[0] * q + d[1]) * q + d[2]) * q + d[3]) * q + 1.0)


@njit(cache=True)
def gauss_rank(values_N: _Array) -> _Array:
    """Normal scores ``[N]`` of one day: inverse normal of (rank - 0.5) / n; ties share their mean rank.

    NaN stays NaN and does not count. Mean 0, deviation close to 1, whatever the input's scale.
    """
    out_N = np.full(values_N.size, np.nan)
    valid = np.flatnonzero(np.isfinite(values_N))
    n = valid.size
    order = valid[np.argsort(values_N[valid], kind="mergesort")]
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and values_N[order[stop]] == values_N[order[start]]:
            stop += 1
        score = _inverse_normal((start + stop) / 2.0 / n)
        for k in range(start, stop):
            out_N[order[k]] = score
        start = stop
    return out_N


@njit(parallel=True, cache=True)
def normal_scores(values_DN: _Array) -> _Array:
    """`gauss_rank` of each row ``[D, N]``."""
    out_DN = np.empty_like(values_DN)
    for d in prange(len(values_DN)):
        out_DN[d] = gauss_rank(values_DN[d])
    return out_DN


def residual(values_N: _Array, design_NK: _Array) -> _Array:
    """What a least-squares fit on the columns of the design leaves of the values, ``[N]``.

    NaN stays NaN and does not count. A constant, if it is wanted, is a column of the design.
    """
    known_N = np.isfinite(values_N)
    slope_K = np.linalg.lstsq(design_NK[known_N], values_N[known_N], rcond=None)[0]
    return np.asarray(values_N - design_NK @ slope_K)


@njit(cache=True)
def _day_scores(
    values_N: NDArray[np.float32],
    member_N: NDArray[np.bool_],
    winsor: bool,
    out_N: NDArray[np.float32],
) -> int:
    """Write the normal scores of one day among its members, 0 for others and for missing values.

    Returns how many values are known.

    With ``winsor``: z-scores after clipping at the 1 % and 99 % quantiles instead (0 where all are equal).
    """
    N = values_N.size
    known = np.empty(N, dtype=np.int64)
    value = np.empty(N, dtype=np.float32)
    n = 0
    for i in range(N):
        out_N[i] = 0.0
        if member_N[i] and np.isfinite(values_N[i]):
            known[n] = i
            value[n] = values_N[i]
            n += 1
    key = sortable(value[:n])
    order = radix_order(key)
    if winsor:
        _winsor_z(value, order, known, out_N)
        return n
    start = 0
    while start < n:
        stop = start + 1
        while stop < n and key[order[stop]] == key[order[start]]:
            stop += 1
        score = _inverse_normal((start + stop) / 2.0 / n)
        for place in range(start, stop):
            out_N[known[order[place]]] = score
        start = stop
    return n


@njit(cache=True)
def _winsor_z(
    value_n: NDArray[np.float32],
    order_n: NDArray[np.int64],
    known_n: NDArray[np.int64],
    out_N: NDArray[np.float32],
) -> None:
    """z-scores of the first ``order_n.size`` values, summed in increasing order."""
    n = order_n.size
    if n < 2:
        return
    cut = int(_QUANTILE * (n - 1) + 0.5)
    low, high = np.float64(value_n[order_n[cut]]), np.float64(value_n[order_n[n - 1 - cut]])
    total, square = 0.0, 0.0
    for k in range(n):
        total += min(max(np.float64(value_n[order_n[k]]), low), high)
    mean = total / n
    for k in range(n):
        square += (min(max(np.float64(value_n[order_n[k]]), low), high) - mean) ** 2
    deviation = np.sqrt(square / n)
    if deviation > 0.0:
        for k in range(n):
            v = min(max(np.float64(value_n[order_n[k]]), low), high)
            out_N[known_n[order_n[k]]] = (v - mean) / deviation


def write_scores(
    values_FNT: NDArray[np.float32],
    member_TN: NDArray[np.bool_],
    place_F: NDArray[np.int64],
    out_TNG: NDArray[np.floating],
    *,
    first: int = 0,
    winsor: bool = False,
) -> NDArray[np.int64]:
    """Column ``place_F[f]`` of the tensor becomes the normal scores of feature f within each day.

    Returns how many values of each feature are known, ``[F]``: members with a finite value.

    ``values_FNT``: NaN = unknown. Scores are 0 where unknown or not a member; with ``winsor`` they are
    z-scores clipped at the 1 % and 99 % quantiles. ``out_TNG`` is float16 or float32, C-contiguous. It may
    hold fewer sessions, from ``first`` on, and only the first stocks, where no later one is a member.
    """
    half = out_TNG.dtype == np.float16
    nothing = (0, 0, 0)
    bits_TNG = out_TNG.view(np.uint16) if half else np.empty(nothing, dtype=np.uint16)
    whole_TNG = np.empty(nothing, dtype=np.float32) if half else out_TNG
    T, N = out_TNG.shape[:2]
    known_BF = _write(
        values_FNT, member_TN, place_F, first, T, N, winsor, half, bits_TNG, whole_TNG
    )
    return np.asarray(known_BF.sum(axis=0))


@njit(parallel=True, cache=True)
def _write(
    values_FNT: NDArray[np.float32],
    member_TN: NDArray[np.bool_],
    place_F: NDArray[np.int64],
    before: int,
    T: int,
    N: int,
    winsor: bool,
    half: bool,
    bits_TNG: NDArray[np.uint16],
    whole_TNG: NDArray[np.float32],
) -> NDArray[np.int64]:
    F = values_FNT.shape[0]
    blocks = (T + _DAYS - 1) // _DAYS
    known_BF = np.zeros((blocks, F), dtype=np.int64)
    for block in prange(blocks):
        first, stop = block * _DAYS, min(T, block * _DAYS + _DAYS)
        days_DN = np.empty((_DAYS, N), dtype=np.float32)
        score_N = np.empty(N, dtype=np.float32)
        score_bits = score_N.view(np.uint32)
        for f in range(F):
            for i in range(N):
                for t in range(first, stop):
                    days_DN[t - first, i] = values_FNT[f, i, before + t]
            for t in range(first, stop):
                known_BF[block, f] += _day_scores(
                    days_DN[t - first], member_TN[before + t], winsor, score_N
                )
                if half:
                    for i in range(N):
                        bits_TNG[t, i, place_F[f]] = _half_bits(score_bits[i])
                else:
                    for i in range(N):
                        whole_TNG[t, i, place_F[f]] = score_N[i]
    return known_BF


@njit(cache=True)
def _half_bits(bits: np.uint32) -> np.uint16:
    """Bits of the nearest half float (IEEE 754 binary16, ties to even) of a finite float32's bits."""
    b = np.int64(bits)
    sign, exponent, fraction = (b >> 16) & 0x8000, (b >> 23) & 0xFF, b & 0x7FFFFF
    middle = np.int64(0x1000)
    if exponent > 142:
        return np.uint16(sign | 0x7C00)
    if exponent >= 113:
        out = ((exponent - 112) << 10) | (fraction >> 13)
        rest = fraction & 0x1FFF
    elif exponent >= 102:
        fraction |= 0x800000
        shift = 126 - exponent
        out = fraction >> shift
        rest, middle = fraction & ((1 << shift) - 1), np.int64(1) << (shift - 1)
    else:
        return np.uint16(sign)
    if rest > middle or (rest == middle and out & 1):
        out += 1
    return np.uint16(sign | out)


def scale_by_past(series_S: _Array) -> NDArray[np.float32]:
    """``[S]``: z of each session against its last 252 sessions, itself included, clipped at 5; NaN -> 0."""
    row = series_S[None, :]
    mean = rolling.mean(row, _MARKET_WINDOW)[0]
    deviation = rolling.std(row, _MARKET_WINDOW)[0]
    z_S = (series_S - mean) / np.where(deviation > 0, deviation, np.nan)
    clipped_S = np.clip(z_S, -_MARKET_CLIP, _MARKET_CLIP)
    return np.asarray(np.nan_to_num(clipped_S), dtype=np.float32)
