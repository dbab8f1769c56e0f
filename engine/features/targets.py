"""What a decision can still earn: the only module of features that looks ahead."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.config import LabelConfig
from engine.data.panel import DensePanel


def forward_returns(dense: DensePanel, config: LabelConfig) -> NDArray[np.float32]:
    """``[S, N, H]``: close[t+1+h] / entry[t+1] - 1, where entry is the close or the open of t+1.

    Total returns where the data know dividends; a break earns nothing. A decision at the close of t is
    filled at t+1. NaN where there is no bar to enter at, or where the panel ends before t+1+h. A stock
    without a bar at t+1+h is valued at its last close after entry; if it never trades again, less
    ``delisting_haircut``, unless that close is what its holders were paid.
    """
    entry_NS = dense.close_NS if config.entry == "close" else dense.open_NS
    paid_NS = dense.proceeds_NS
    if paid_NS is None:
        paid_NS = np.zeros((1, 1), dtype=bool)
    else:
        entry_NS = np.where(paid_NS, np.nan, entry_NS)
    horizons = np.array(config.horizons)
    return _forward(entry_NS, dense.close_NS, paid_NS, horizons, config.delisting_haircut)


@njit(parallel=True, cache=True)
def _forward(
    entry_NS: NDArray[np.float64],
    close_NS: NDArray[np.float64],
    paid_NS: NDArray[np.bool_],
    horizon_H: NDArray[np.int64],
    haircut: float,
) -> NDArray[np.float32]:
    N, S = close_NS.shape
    H = horizon_H.size
    out_SNH = np.full((S, N, H), np.nan, dtype=np.float32)
    for i in prange(N):
        last_bar, paid = -1, False
        known = np.full(S, -1)  # session of the newest close at or before each session
        for t in range(S):
            if np.isfinite(close_NS[i, t]):
                last_bar = t
                paid = paid_NS.size > 1 and paid_NS[i, t]
            known[t] = last_bar
        for t in range(S - 1):
            entry = entry_NS[i, t + 1]
            if not (np.isfinite(entry) and entry > 0.0):
                continue
            for h in range(H):
                stop = t + 1 + horizon_H[h]
                if stop >= S or known[stop] < t + 1:
                    continue
                exit_ = close_NS[i, known[stop]]
                if known[stop] == last_bar and last_bar < stop and not paid:
                    exit_ *= 1.0 - haircut
                out_SNH[t, i, h] = exit_ / entry - 1.0
    return out_SNH
