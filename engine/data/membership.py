"""Who may be scored on a day, decided with what is known at its close."""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.config import UniverseConfig
from engine.data.panel import DensePanel


def membership_NS(dense: DensePanel, config: UniverseConfig) -> NDArray[np.bool_]:
    """Point-in-time membership ``[N, S]``: column t uses bars of sessions <= t only.

    A member has a bar on t in which it traded (what holders were paid in the end is none), at least
    ``min_history`` bars so far, a quoted close of at least ``min_price`` and a median turnover of at least
    ``min_turnover`` over the last ``turnover_sessions`` sessions (a session without a bar counts as
    turnover 0). Of a panel's tail, the first ``turnover_sessions - 1`` columns are False: their medians
    would need earlier bars.
    """
    has_bar_NS = np.isfinite(dense.close_NS)
    if dense.proceeds_NS is not None:
        has_bar_NS &= ~dense.proceeds_NS
    bars_NS = np.cumsum(has_bar_NS, axis=1)
    if dense.first:
        bars_NS += dense.bars_before_N[:, None]
    seasoned_NS = bars_NS >= config.min_history
    priced_NS = np.nan_to_num(dense.close_raw_NS) >= config.min_price
    turnover_NS = np.nan_to_num(dense.turnover_NS)
    liquid_NS = _median_at_least(turnover_NS, config.turnover_sessions, config.min_turnover)
    return has_bar_NS & seasoned_NS & priced_NS & liquid_NS


@njit(parallel=True, cache=True)
def _median_at_least(
    values_NS: NDArray[np.float64], window: int, floor: float
) -> NDArray[np.bool_]:
    """Whether the median of the last ``window`` values is at least ``floor``; False before a full one.

    A median (mean of the middle two when even) is compared by counting for odd windows; for even ones
    the two middle values are found by selection only when the count cannot decide.
    """
    N, S = values_NS.shape
    out_NS = np.zeros((N, S), dtype=np.bool_)
    for i in prange(N):
        above = 0
        for t in range(S):
            above += values_NS[i, t] >= floor
            if t >= window:
                above -= values_NS[i, t - window] >= floor
            if t < window - 1:
                continue
            below = window - above
            if above > window // 2:
                out_NS[i, t] = True
            elif below <= window // 2 and window % 2 == 0:
                out_NS[i, t] = np.median(values_NS[i, t - window + 1 : t + 1]) >= floor
    return out_NS
