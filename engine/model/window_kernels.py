"""Loops over one stock's window, which stays in the cache: what FAN and SAN do on the CPU.

torch walks the whole batch for each of some sixty operations; here each row is read once. All loops run over
the features innermost, so they become vector code. Row by row in one thread: the same bits every time.
"""

# Shape suffixes: M rows, T sessions, F features, L frequencies, G slices.
import numpy as np
from numba import njit
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Ints = NDArray[np.int64]
_CONTRACTED = {"contract", "nsz"}


@njit(cache=True, nogil=True, fastmath=_CONTRACTED)
def keep_strongest(spectrum_M2LF: _Floats, k: int, keep_MLF: _Floats) -> None:
    """1 for the frequencies whose power is at least the ``k``-th largest of the window, else 0.

    ``best`` holds the k largest so far, in order; each new power is passed down it. NaN keeps nothing.
    """
    M, _, L, F = spectrum_M2LF.shape
    power_LF, best_kF = np.empty((L, F), np.float32), np.empty((k, F), np.float32)
    passed_F = np.empty(F, np.float32)
    for m in range(M):
        real_LF, imaginary_LF = spectrum_M2LF[m, 0], spectrum_M2LF[m, 1]
        best_kF[:] = -np.inf
        for frequency in range(L):
            for f in range(F):
                a, b = real_LF[frequency, f], imaginary_LF[frequency, f]
                power_LF[frequency, f] = a * a + b * b
                passed_F[f] = power_LF[frequency, f]
            for rank in range(k):
                for f in range(F):
                    held, value = best_kF[rank, f], passed_F[f]
                    best_kF[rank, f] = held if held > value else value
                    passed_F[f] = value if held > value else held
        for frequency in range(L):
            for f in range(F):
                kept = power_LF[frequency, f] >= best_kF[k - 1, f]
                keep_MLF[m, frequency, f] = np.float32(1.0) if kept else np.float32(0.0)


@njit(cache=True, nogil=True, fastmath=_CONTRACTED)
def slice_norm(
    x_MTF: _Floats,
    start_G1: _Ints,
    epsilon: np.float32,
    share: np.float32,
    normal_MTF: _Floats,
    mean_MGF: _Floats,
    scale_MGF: _Floats,
    out_MTF: _Floats,
) -> None:
    """``x + share (n - x)``, ``n = (x - mean) / scale`` per slice; the last four arguments are written."""
    M, _, F = x_MTF.shape
    one = np.float32(1.0)
    for m in range(M):
        x_TF, normal_TF, out_TF = x_MTF[m], normal_MTF[m], out_MTF[m]
        for g in range(start_G1.size - 1):
            first, last = start_G1[g], start_G1[g + 1]
            mean_F, scale_F = mean_MGF[m, g], scale_MGF[m, g]
            weight = one / np.float32(last - first)
            mean_F[:] = np.float32(0.0)
            for t in range(first, last):
                for f in range(F):
                    mean_F[f] += x_TF[t, f]
            scale_F[:] = np.float32(0.0)
            for f in range(F):
                mean_F[f] *= weight
            for t in range(first, last):
                for f in range(F):
                    gap = x_TF[t, f] - mean_F[f]
                    scale_F[f] += gap * gap
            for f in range(F):
                scale_F[f] = np.sqrt(scale_F[f] * weight + epsilon)
            for t in range(first, last):
                for f in range(F):
                    normal = (x_TF[t, f] - mean_F[f]) / scale_F[f]
                    normal_TF[t, f] = normal
                    out_TF[t, f] = x_TF[t, f] + share * (normal - x_TF[t, f])


@njit(cache=True, nogil=True, fastmath=_CONTRACTED)
def slice_norm_backward(
    grad_MTF: _Floats,
    normal_MTF: _Floats,
    mean_MGF: _Floats,
    scale_MGF: _Floats,
    start_G1: _Ints,
    share: np.float32,
    last_mean_grad_MF: _Floats,
    last_scale_grad_MF: _Floats,
    dx_MTF: _Floats,
) -> float:
    """Gradient of x into ``dx_MTF`` and that of the share returned; formulas at `_SliceNorm`."""
    M, _, F = grad_MTF.shape
    G, one = start_G1.size - 1, np.float32(1.0)
    A_F, B_F, rate_F = np.empty(F, np.float32), np.empty(F, np.float32), np.empty(F, np.float32)
    total = 0.0
    for m in range(M):
        grad_TF, normal_TF, dx_TF = grad_MTF[m], normal_MTF[m], dx_MTF[m]
        row_F = np.zeros(F, np.float32)
        for g in range(G):
            first, last = start_G1[g], start_G1[g + 1]
            mean_F, scale_F = mean_MGF[m, g], scale_MGF[m, g]
            weight = one / np.float32(last - first)
            A_F[:] = np.float32(0.0)
            B_F[:] = np.float32(0.0)
            for t in range(first, last):
                for f in range(F):
                    A_F[f] += grad_TF[t, f]
                    B_F[f] += grad_TF[t, f] * normal_TF[t, f]
            for f in range(F):
                row_F[f] += (one - scale_F[f]) * B_F[f] - mean_F[f] * A_F[f]
                rate_F[f] = share / scale_F[f]
                A_F[f] *= -rate_F[f] * weight
                B_F[f] *= -rate_F[f] * weight
            if g == G - 1:
                for f in range(F):
                    A_F[f] += last_mean_grad_MF[m, f] * weight
                    B_F[f] += last_scale_grad_MF[m, f] * weight
            for t in range(first, last):
                for f in range(F):
                    straight = grad_TF[t, f] * (rate_F[f] + (one - share))
                    dx_TF[t, f] = straight + normal_TF[t, f] * B_F[f] + A_F[f]
        for f in range(F):
            total += row_F[f]
    return total
