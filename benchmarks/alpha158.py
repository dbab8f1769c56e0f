"""79 columns of Qlib's Alpha158 from dense bars, through the engine's row kernels in one pass a stock.

Nine shapes of the day's candle, then 14 operators x 5 windows. With c, o, h, l, v for close, open, high,
low, volume, d = c - c[-1], e = 1e-12 and rolling statistics over w sessions:

KMID (c-o)/o, KLEN (h-l)/o, KMID2 (c-o)/(h-l+e), KUP (h-max(o,c))/o, KUP2 the same over h-l+e,
KLOW (min(o,c)-l)/o, KLOW2 the same over h-l+e, KSFT (2c-h-l)/o, KSFT2 the same over h-l+e;
ROC c[-w]/c, MA mean(c)/c, STD sd(c)/c, BETA slope(c)/c, RSQR R^2(c), MAX max(h)/c, MIN min(l)/c,
RSV (c-min(l))/(max(h)-min(l)+e), CORR corr(c, ln(v+1)), CNTP mean(d>0), SUMP sum(max(d,0))/(sum|d|+e),
VMA mean(v)/(v+e), VSTD sd(v)/(v+e), WVMA sd(|r|v)/(mean(|r|v)+e) with r the daily return.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.features.kernels.lines import pair_row, trend_row
from engine.features.kernels.moments import deviation_row, mean_row
from engine.features.kernels.order import extreme_row
from engine.features.rolling import needed

Array = NDArray[np.float64]
WINDOWS = (5, 10, 20, 30, 60)
CANDLE = ("KMID", "KLEN", "KMID2", "KUP", "KUP2", "KLOW", "KLOW2", "KSFT", "KSFT2")
OPERATORS = (
    "ROC", "MA", "STD", "BETA", "RSQR", "MAX", "MIN", "RSV", "CORR", "CNTP", "SUMP", "VMA", "VSTD", "WVMA",
)  # fmt: skip
NAMES = CANDLE + tuple(f"{operator}{window}" for operator in OPERATORS for window in WINDOWS)
TINY = 1e-12


def alpha158(bars: dict[str, Array]) -> NDArray[np.float32]:
    """``[79, N, S]`` from ``[N, S]`` arrays named open, high, low, close, volume.

    NaN before a full window. Computed in float64 and kept as float32, as the engine keeps raw features.
    """
    out_FNS = np.empty((len(NAMES), *bars["close"].shape), dtype=np.float32)
    need_W = np.array([max(3, needed(window)) for window in WINDOWS])
    fields = [bars[name] for name in ("open", "high", "low", "close", "volume")]
    fields.append(np.log(bars["volume"] + 1.0))
    _all_rows(*fields, np.array(WINDOWS), need_W, out_FNS)
    return out_FNS


@njit(parallel=True, cache=True, error_model="numpy")
def _all_rows(open_NS, high_NS, low_NS, close_NS, volume_NS, log_NS, windows_W, need_W, out_FNS):
    for i in prange(len(close_NS)):
        o, h, lo, c, v = open_NS[i], high_NS[i], low_NS[i], close_NS[i], volume_NS[i]
        _candle(o, h, lo, c, out_FNS, i)
        _price(h, lo, c, windows_W, need_W, out_FNS, i)
        _change(c, v, log_NS[i], windows_W, need_W, out_FNS, i)


@njit(cache=True, error_model="numpy")
def _candle(o, h, lo, c, out_FNS, i):
    mid, length, mid2 = out_FNS[0, i], out_FNS[1, i], out_FNS[2, i]
    up, up2, low, low2 = out_FNS[3, i], out_FNS[4, i], out_FNS[5, i], out_FNS[6, i]
    soft, soft2 = out_FNS[7, i], out_FNS[8, i]
    for t in range(c.size):
        per_open, per_range = 1.0 / o[t], 1.0 / (h[t] - lo[t] + TINY)
        top, bottom = max(o[t], c[t]), min(o[t], c[t])
        mid[t], mid2[t] = (c[t] - o[t]) * per_open, (c[t] - o[t]) * per_range
        length[t] = (h[t] - lo[t]) * per_open
        up[t], up2[t] = (h[t] - top) * per_open, (h[t] - top) * per_range
        low[t], low2[t] = (bottom - lo[t]) * per_open, (bottom - lo[t]) * per_range
        shift = 2.0 * c[t] - h[t] - lo[t]
        soft[t], soft2[t] = shift * per_open, shift * per_range


@njit(cache=True, error_model="numpy")
def _price(h, lo, c, windows_W, need_W, out_FNS, i):
    """ROC, MA, STD, BETA, RSQR, MAX, MIN, RSV: columns 9 to 48."""
    W, S = windows_W.size, c.size
    per_close = 1.0 / c
    a_WS, b_WS, c_WS = np.empty((W, S)), np.empty((W, S)), np.empty((W, S))
    for w in range(W):
        window, out = windows_W[w], out_FNS[9 + w, i]
        out[:window] = np.nan
        earlier, later = out[window:], per_close[window:]
        for t in range(earlier.size):
            earlier[t] = c[t] * later[t]
    mean_row(c, windows_W, need_W, True, a_WS)
    _scale(a_WS, per_close, out_FNS[14:19], i)
    deviation_row(c, windows_W, need_W, a_WS)
    _scale(a_WS, per_close, out_FNS[19:24], i)
    trend_row(c, windows_W, need_W, a_WS, b_WS, c_WS)
    _scale(a_WS, per_close, out_FNS[24:29], i)
    _store(b_WS, out_FNS[29:34], i)
    extreme_row(h, windows_W, need_W, 1.0, a_WS)
    _scale(a_WS, per_close, out_FNS[34:39], i)
    extreme_row(lo, windows_W, need_W, -1.0, b_WS)
    _scale(b_WS, per_close, out_FNS[39:44], i)
    for w in range(W):
        out, top, bottom = out_FNS[44 + w, i], a_WS[w], b_WS[w]
        for t in range(S):
            out[t] = (c[t] - bottom[t]) / (top[t] - bottom[t] + TINY)


@njit(cache=True, error_model="numpy")
def _change(c, v, log_volume, windows_W, need_W, out_FNS, i):
    """CORR, CNTP, SUMP, VMA, VSTD, WVMA: columns 49 to 78."""
    W, S = windows_W.size, c.size
    a_WS, b_WS = np.empty((W, S)), np.empty((W, S))
    up, gain, move, weighted = (
        np.zeros(S),
        np.full(S, np.nan),
        np.full(S, np.nan),
        np.full(S, np.nan),
    )
    per_volume = 1.0 / (v + TINY)
    for t in range(1, S):
        d = c[t] - c[t - 1]
        up[t] = 1.0 if d > 0.0 else 0.0
        gain[t], move[t] = max(d, 0.0), abs(d)
        weighted[t] = abs(c[t] / c[t - 1] - 1.0) * v[t]
    pair_row(c, log_volume, windows_W, need_W, a_WS, b_WS)
    _store(b_WS, out_FNS[49:54], i)
    mean_row(up, windows_W, need_W, True, a_WS)
    _store(a_WS, out_FNS[54:59], i)
    mean_row(gain, windows_W, need_W, False, a_WS)
    mean_row(move, windows_W, need_W, False, b_WS)
    _ratio(a_WS, b_WS, out_FNS[59:64], i)
    mean_row(v, windows_W, need_W, True, a_WS)
    _scale(a_WS, per_volume, out_FNS[64:69], i)
    deviation_row(v, windows_W, need_W, a_WS)
    _scale(a_WS, per_volume, out_FNS[69:74], i)
    deviation_row(weighted, windows_W, need_W, a_WS)
    mean_row(weighted, windows_W, need_W, True, b_WS)
    _ratio(a_WS, b_WS, out_FNS[74:79], i)


@njit(cache=True, error_model="numpy")
def _store(x_WS, out_WNS, i):
    for w in range(len(x_WS)):
        out_WNS[w, i] = x_WS[w]


@njit(cache=True, error_model="numpy")
def _scale(x_WS, by_S, out_WNS, i):
    for w in range(len(x_WS)):
        out, x = out_WNS[w, i], x_WS[w]
        for t in range(out.size):
            out[t] = x[t] * by_S[t]


@njit(cache=True, error_model="numpy")
def _ratio(a_WS, b_WS, out_WNS, i):
    for w in range(len(a_WS)):
        out, a, b = out_WNS[w, i], a_WS[w], b_WS[w]
        for t in range(out.size):
            out[t] = a[t] / (b[t] + TINY)
