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
    """The row between missing columns, ``[P]`` (infinite counts as missing), and its `running_count`."""
    S = x_S.size
    x_P = np.full(reach + (S + BLOCK - 1) // BLOCK * BLOCK, np.nan)
    row = x_P[reach:]
    for t in range(S):
        v = x_S[t]
        row[t] = v if abs(v) < np.inf else np.nan
    return x_P, running_count(x_P)


@njit(cache=True, error_model="numpy")
def running_count(x_P: Array) -> Array:
    """``[P]``: how many entries are valid (not NaN) up to and including each column."""
    count_P = np.empty(x_P.size)
    count = 0
    for k in range(x_P.size):
        count += 1 if x_P[k] == x_P[k] else 0
        count_P[k] = count
    return count_P


@njit(cache=True, error_model="numpy")
def centre(seen_K: Array, reach: int, out_K: Array) -> float:
    """Write the distance ``[K]`` of every entry from the block's level, 0 where NaN; return the level.

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
    """Write the cumulative sum ``[K]`` of the entries, zero at the anchor and summed outwards from it.

    ``out[k] - out[k - w]`` is the sum of the w entries ending at k. Entry 0 belongs to no window.
    """
    cumulate_two(d_K, d_K, reach, out_K, out_K)


@njit(cache=True, error_model="numpy")
def cumulate_two(d_K: Array, e_K: Array, reach: int, d_out_K: Array, e_out_K: Array) -> None:
    """`cumulate` of two rows ``[K]``, both ways at once: four sums that do not wait for one another."""
    after = d_K.size - reach - 1
    both = min(after, reach)
    d_up, e_up, d_down, e_down = 0.0, 0.0, 0.0, 0.0
    d_out_K[reach], e_out_K[reach] = 0.0, 0.0
    d_hi, e_hi, d_out_hi, e_out_hi = d_K[reach:], e_K[reach:], d_out_K[reach:], e_out_K[reach:]
    for k in range(1, both + 1):
        d_up += d_hi[k]
        e_up += e_hi[k]
        d_down -= d_K[reach - k + 1]
        e_down -= e_K[reach - k + 1]
        d_out_hi[k], e_out_hi[k] = d_up, e_up
        d_out_K[reach - k], e_out_K[reach - k] = d_down, e_down
    for k in range(both + 1, after + 1):
        d_up += d_hi[k]
        e_up += e_hi[k]
        d_out_hi[k], e_out_hi[k] = d_up, e_up
    for k in range(both + 1, reach + 1):
        d_down -= d_K[reach - k + 1]
        e_down -= e_K[reach - k + 1]
        d_out_K[reach - k], e_out_K[reach - k] = d_down, e_down


@njit(cache=True, error_model="numpy")
def multiply(a_K: Array, b_K: Array, out_K: Array) -> None:
    """Write the products ``[K]`` of two rows, entry by entry."""
    for k in range(a_K.size):
        out_K[k] = a_K[k] * b_K[k]


@njit(cache=True, error_model="numpy")
def blank_start(out_WS: Array, windows_W: Windows) -> None:
    """Set ``[W, S]`` to NaN before each window is full."""
    for w in range(windows_W.size):
        out_WS[w, : windows_W[w] - 1] = np.nan
