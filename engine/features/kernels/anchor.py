"""Sums measured from an anchor: what makes a value the same however much history comes before it.

The columns fall into blocks of ``BLOCK``. Within the block that starts at column ``a`` every sum over a
window is the difference of two cumulative sums that are zero at ``a`` and are built outwards from there,
forwards and backwards, around a level taken near ``a``. Hence:

- a value at column t depends on columns ``BLOCK * (t // BLOCK) - window + 1 .. t`` only, to the last bit;
  rows cut at a multiple of ``BLOCK`` therefore give the same bits again once a window has filled and a
  new block has begun;
- rounding cannot pile up over the years;
- several windows share one cumulative sum.

A difference of cumulative sums loses digits when a window is far smaller than what came before it. The
kernels notice (`LOSS`) and add such a window up directly, so a constant window is constant exactly.

Shape letters: S sessions, W windows, P = reach + S rounded up to whole blocks (a row with missing columns
in front and behind), K = reach + BLOCK (what one block can see; the anchor is at position ``reach``).
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Windows = NDArray[np.int64]

BLOCK = 64
"""Columns between two anchors."""
MIN_VALID = 0.6
"""Share of a window that must be valid."""
LOSS = 1e-7
"""Below this share of what was summed, a difference of sums is replaced by a direct sum."""


def needed(window: int) -> int:
    """Fewest valid entries a window must have."""
    return max(1, int(np.ceil(MIN_VALID * window)))


@njit(cache=True, error_model="numpy")
def pad(x_S: Array, reach: int) -> tuple[Array, Array]:
    """The row between missing columns (infinite counts as missing), and its running count of valid ones."""
    S = x_S.size
    x_P = np.full(reach + (S + BLOCK - 1) // BLOCK * BLOCK, np.nan)
    row = x_P[reach:]
    for t in range(S):
        v = x_S[t]
        row[t] = v if abs(v) < np.inf else np.nan
    return x_P, running_count(x_P)


@njit(cache=True, error_model="numpy")
def running_count(x_P: Array) -> Array:
    """How many entries are valid up to and including each column."""
    count_P = np.empty(x_P.size)
    count = 0
    for k in range(x_P.size):
        count += 1 if x_P[k] == x_P[k] else 0
        count_P[k] = count
    return count_P


@njit(cache=True, error_model="numpy")
def centre(seen_K: Array, reach: int, out_K: Array) -> float:
    """Write the distance of every entry from the block's level, 0 where missing; return the level.

    The level is the last valid value at or before the anchor, else the first one after it: known to
    every column that uses it.
    """
    k = reach
    while k > 0 and np.isnan(seen_K[k]):
        k -= 1
    if k == 0:
        k = reach + 1
        while k < seen_K.size and np.isnan(seen_K[k]):
            k += 1
    level = seen_K[k] if k < seen_K.size else 0.0
    for j in range(seen_K.size):
        d = seen_K[j] - level
        out_K[j] = d if d == d else 0.0
    return level


@njit(cache=True, error_model="numpy")
def cumulate(d_K: Array, reach: int, out_K: Array) -> None:
    """Cumulative sum of the entries, zero at the anchor and summed outwards from it.

    ``out[k] - out[k - w]`` is the sum of the w entries ending at k. Entry 0 belongs to no window.
    """
    forward = 0.0
    out_K[reach] = 0.0
    for k in range(reach + 1, d_K.size):
        forward += d_K[k]
        out_K[k] = forward
    back = 0.0
    for k in range(reach, 0, -1):
        back -= d_K[k]
        out_K[k - 1] = back


@njit(cache=True, error_model="numpy")
def multiply(a_K: Array, b_K: Array, out_K: Array) -> None:
    for k in range(a_K.size):
        out_K[k] = a_K[k] * b_K[k]


@njit(cache=True, error_model="numpy")
def blank_start(out_WS: Array, windows_W: Windows) -> None:
    """NaN before each window is full."""
    for w in range(windows_W.size):
        out_WS[w, : windows_W[w] - 1] = np.nan
