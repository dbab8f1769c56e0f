"""The exponential mean with a finite memory."""

import numpy as np
from numba import njit, prange

from engine.features.kernels.anchor import BLOCK, Array

MEMORY_SPANS = 6
"""Spans an exponential mean remembers at least: what is older would weigh less than e^-12."""


@njit(cache=True, error_model="numpy")
def ewm_row(x_S: Array, span: float, out_S: Array) -> None:
    """alpha = 2 / (span + 1), started at the first valid entry, started again at every anchor."""
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
    for i in prange(len(x_NS)):
        ewm_row(x_NS[i], span, out_NS[i])
