"""Normal scores of many features at once, written straight into the day-major tensor.

A tensor of half floats is written through its bits, because compiled code on a CPU has no such type.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.features.normalise import day_scores

_DAYS = 8
"""Sessions taken together: the lines of the tensor that they touch stay in the cache for all features."""


def write_scores(
    values_FNT: NDArray[np.float32],
    member_TN: NDArray[np.bool_],
    place_F: NDArray[np.int64],
    out_TNG: NDArray[np.floating],
    *,
    winsor: bool = False,
) -> NDArray[np.int64]:
    """Column ``place_F[f]`` of the tensor becomes the normal scores of feature f within each day.

    Returns how many values of each feature are known, ``[F]``: members with a finite value.

    ``values_FNT``: NaN = unknown. Scores are `engine.features.normalise.day_scores`'s, 0 where unknown or
    not a member; ``out_TNG`` is float16 or float32, C-contiguous.
    """
    half = out_TNG.dtype == np.float16
    nothing = (0, 0, 0)
    bits_TNG = out_TNG.view(np.uint16) if half else np.empty(nothing, dtype=np.uint16)
    whole_TNG = np.empty(nothing, dtype=np.float32) if half else out_TNG
    known_BF = _write(values_FNT, member_TN, place_F, winsor, half, bits_TNG, whole_TNG)
    return np.asarray(known_BF.sum(axis=0))


@njit(parallel=True, cache=True)
def _write(
    values_FNT: NDArray[np.float32],
    member_TN: NDArray[np.bool_],
    place_F: NDArray[np.int64],
    winsor: bool,
    half: bool,
    bits_TNG: NDArray[np.uint16],
    whole_TNG: NDArray[np.float32],
) -> NDArray[np.int64]:
    F, N, T = values_FNT.shape
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
                    days_DN[t - first, i] = values_FNT[f, i, t]
            for t in range(first, stop):
                known_BF[block, f] += day_scores(days_DN[t - first], member_TN[t], winsor, score_N)
                if half:
                    for i in range(N):
                        bits_TNG[t, i, place_F[f]] = half_bits(score_bits[i])
                else:
                    for i in range(N):
                        whole_TNG[t, i, place_F[f]] = score_N[i]
    return known_BF


@njit(cache=True)
def half_bits(bits: np.uint32) -> np.uint16:
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
