"""Many expressions over one row in one pass: a list of steps, each from rows to a row that stay in the cache.

A step is (code, to, a, b, v, count): ``to``, ``a`` and ``b`` are rows of the work, ``v`` is a position in
``windows_V`` or ``numbers_V`` or a number of sessions, ``count`` the number of windows.
"""

# Shape suffixes: C columns, R rows of the work, P steps, V windows or numbers, F features, T sessions kept.

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.features.kernels.anchor import Array, Windows
from engine.features.kernels.lines import pair_row, trend_row
from engine.features.kernels.moments import deviation_row, mean_row
from engine.features.kernels.order import extreme_row

NONE = -1
"""What has no step."""
STORE, STORE_RATIO, NUMBER, REF, DELTA, ABS = 0, 1, 2, 3, 4, 5
MEAN, SUM, DEVIATION, TREND, PAIR, MOST, LEAST = 10, 11, 12, 13, 14, 15, 16
ADD, SUBTRACT, MULTIPLY, DIVIDE, GREATER, LESS = 20, 21, 22, 23, 24, 25
OVER, OVER_OR, UNDER, UNDER_OR, EQUAL, UNEQUAL = 30, 31, 32, 33, 34, 35


@njit(parallel=True, nogil=True, cache=True, error_model="numpy")
def step_rows(
    columns_NCS: Array,
    steps_PK: Windows,
    numbers_V: Array,
    windows_V: Windows,
    need_V: Windows,
    rows: int,
    first: int,
    out_FNT: NDArray[np.float32],
) -> None:
    """Take the steps for each stock; what is stored lies in ``out_FNT`` from stock ``first`` on.

    The last T of the S sessions are kept. What is not finite becomes NaN.
    """
    N, C, S = columns_NCS.shape
    for i in prange(N):
        work_RS = np.empty((rows, S))
        work_RS[:C] = columns_NCS[i]
        for p in range(len(steps_PK)):
            code, to, a = steps_PK[p, 0], steps_PK[p, 1], steps_PK[p, 2]
            b, v, count = steps_PK[p, 3], steps_PK[p, 4], steps_PK[p, 5]
            if code == STORE:
                _store(work_RS[a], out_FNT[to, first + i])
            elif code == STORE_RATIO:
                _store_ratio(work_RS[a], work_RS[b], out_FNT[to, first + i])
            elif code == NUMBER:
                work_RS[to] = numbers_V[v]
            elif code < MEAN:
                _moved(code, work_RS[a], v, work_RS[to])
            elif code < ADD:
                part = slice(v, v + count)
                _windows(code, work_RS, to, a, b, windows_V[part], need_V[part])
            elif code < OVER:
                _joined(code, work_RS[a], work_RS[b], work_RS[to])
            else:
                _compared(code, work_RS[a], work_RS[b], work_RS[to])


@njit(cache=True, error_model="numpy")
def _store(x_S: Array, out_T: NDArray[np.float32]) -> None:
    kept = x_S[x_S.size - out_T.size :]
    for t in range(out_T.size):
        out_T[t] = kept[t] if abs(kept[t]) < np.inf else np.nan


@njit(cache=True, error_model="numpy")
def _store_ratio(a_S: Array, b_S: Array, out_T: NDArray[np.float32]) -> None:
    """`_store` of a quotient: most expressions end in one, and a row less is written and read."""
    a, b = a_S[a_S.size - out_T.size :], b_S[a_S.size - out_T.size :]
    for t in range(out_T.size):
        q = a[t] / b[t]
        out_T[t] = q if abs(q) < np.inf else np.nan


@njit(cache=True, error_model="numpy")
def _windows(
    code: int, work_RS: Array, to: int, a: int, b: int, windows_W: Windows, need_W: Windows
) -> None:
    W, x_S = windows_W.size, work_RS[a]
    one, two, three = work_RS[to : to + W], work_RS[to + W : to + 2 * W], work_RS[to + 2 * W :]
    if code in (MEAN, SUM):
        mean_row(x_S, windows_W, need_W, code == MEAN, one)
    elif code == DEVIATION:
        deviation_row(x_S, windows_W, need_W, one)
    elif code == TREND:
        trend_row(x_S, windows_W, need_W, one, two, three[:W])
    elif code == PAIR:
        pair_row(x_S, work_RS[b], windows_W, need_W, one, two)
    else:
        extreme_row(x_S, windows_W, need_W, 1.0 if code == MOST else -1.0, one)


@njit(cache=True, error_model="numpy")
def _moved(code: int, x_S: Array, sessions: int, out_S: Array) -> None:
    """The value of so many sessions earlier, the change since, or the absolute value."""
    S = x_S.size
    if code == ABS:
        for t in range(S):
            out_S[t] = abs(x_S[t])
        return
    back = min(sessions, S)
    out_S[:back] = np.nan
    later, out = x_S[back:], out_S[back:]
    for t in range(S - back):
        out[t] = later[t] - x_S[t] if code == DELTA else x_S[t]


@njit(cache=True, error_model="numpy")
def _joined(code: int, a: Array, b: Array, out: Array) -> None:
    S = out.size
    if code == ADD:
        for t in range(S):
            out[t] = a[t] + b[t]
    elif code == SUBTRACT:
        for t in range(S):
            out[t] = a[t] - b[t]
    elif code == MULTIPLY:
        for t in range(S):
            out[t] = a[t] * b[t]
    elif code == DIVIDE:
        for t in range(S):
            out[t] = a[t] / b[t] if b[t] != 0.0 else np.nan
    elif code == GREATER:
        for t in range(S):
            out[t] = a[t] if a[t] >= b[t] or a[t] != a[t] else b[t]
    else:
        for t in range(S):
            out[t] = a[t] if a[t] <= b[t] or a[t] != a[t] else b[t]


@njit(cache=True, error_model="numpy")
def _compared(code: int, a: Array, b: Array, out: Array) -> None:
    """1 or 0; NaN where the sum of both is."""
    if code in (UNDER, UNDER_OR):
        a, b = b, a
    for t in range(out.size):
        both = a[t] + b[t]
        if code in (OVER, UNDER):
            true = a[t] > b[t]
        elif code in (OVER_OR, UNDER_OR):
            true = a[t] >= b[t]
        else:
            true = (a[t] == b[t]) == (code == EQUAL)
        out[t] = (1.0 if true else 0.0) if both == both else np.nan
