"""What trading is expected to cost, by the price list of the backtest."""

import numpy as np
from numpy.typing import NDArray

from engine.config import CostConfig, Market
from engine.portfolio.market_rules import tick

_Vector = NDArray[np.float64]


def trading_cost(
    value_N: _Vector, price_N: _Vector, adv_N: _Vector, market: Market, costs: CostConfig
) -> _Vector:
    """Commission and slippage of trading ``value_N``, quote currency.

    Half-spread plus impact per share of the mean turnover, capped, at least half a tick; the commission of
    the order's size, as in `engine.backtest.frictions`.
    """
    share_N = np.divide(value_N, adv_N, out=np.zeros_like(value_N), where=adv_N > 0)
    slip_N = costs.slippage_bps * 1e-4 + costs.impact_bps * 1e-2 * share_N
    slip_N = np.minimum(slip_N, max(costs.max_slippage_bps, costs.slippage_bps) * 1e-4)
    with np.errstate(invalid="ignore", divide="ignore"):
        half_N = np.nan_to_num(tick(price_N, market) / 2.0 / price_N)
    slip_N = np.maximum(slip_N, half_N)
    rate_N = np.full(value_N.size, costs.commission_bps)
    if costs.commission_tiers:
        tops = np.array([top for top, _ in costs.commission_tiers])
        rates = np.array([rate for _, rate in costs.commission_tiers])
        rate_N = rates[np.minimum(np.searchsorted(tops, value_N), tops.size - 1)]
    return np.asarray(value_N * (slip_N + rate_N * 1e-4))
