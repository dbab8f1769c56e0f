"""Rules of an exchange that stand between a wish and a fill: lots, ticks and daily price limits.

Prices are as quoted on the day, in quote currency; a price that is NaN gives NaN. Only Japan has rules
here; elsewhere a share is a lot, the tick is zero and no price is out of bounds.
"""

import numpy as np
from numpy.typing import NDArray

from engine.config import Market

_Matrix = NDArray[np.float64]
_LOT = {"jp": 100}
"""Shares that trade together. Tokyo has had one trading unit for all stocks since October 2018."""

# Tokyo Stock Exchange, "other issues" (not TOPIX 500, whose ticks are finer): price up to -> tick, yen.
_TICK_LIMITS = np.array([3e3, 5e3, 3e4, 5e4, 3e5, 5e5, 3e6, 5e6, 3e7, 5e7, np.inf])
_TICKS = np.array([1.0, 5, 10, 50, 100, 500, 1e3, 5e3, 1e4, 5e4, 1e5])
# Tokyo Stock Exchange, daily price limits: base price below -> largest move, yen.
_BASE_LIMITS = np.array(
    [100, 200, 500, 700, 1e3, 1.5e3, 2e3, 3e3, 5e3, 7e3, 1e4, 1.5e4, 2e4, 3e4, 5e4, 7e4, 1e5, 1.5e5,
     2e5, 3e5, 5e5, 7e5, 1e6, 1.5e6, 2e6, 3e6, 5e6, 7e6, 1e7, 1.5e7, 2e7, 3e7, 5e7, np.inf]
)  # fmt: skip
_MOVES = np.array(
    [30, 50, 80, 100, 150, 300, 400, 500, 700, 1e3, 1.5e3, 3e3, 4e3, 5e3, 7e3, 1e4, 1.5e4, 3e4,
     4e4, 5e4, 7e4, 1e5, 1.5e5, 3e5, 4e5, 5e5, 7e5, 1e6, 1.5e6, 3e6, 4e6, 5e6, 7e6, 1e7]
)  # fmt: skip


def lot_size(market: Market, configured: int) -> int:
    """Shares per lot; 0 = fractions of a share are allowed. ``configured`` 0 = the market's own."""
    return configured or _LOT.get(market, 0)


def tick(price: _Matrix, market: Market) -> _Matrix:
    """Smallest step of each quoted price, in its currency; 0 where the market has none that matters."""
    if market != "jp":
        return np.where(np.isnan(price), np.nan, 0.0)
    steps = _TICKS[np.searchsorted(_TICK_LIMITS, np.nan_to_num(price))]
    return np.where(np.isnan(price), np.nan, steps)


def price_limits(base: _Matrix, market: Market) -> tuple[_Matrix, _Matrix]:
    """Lowest and highest price of a day, in quote currency; ``base`` is the close before, as quoted."""
    if market != "jp":
        return np.full(base.shape, -np.inf), np.full(base.shape, np.inf)
    move = _MOVES[np.searchsorted(_BASE_LIMITS, np.nan_to_num(base), side="right")]
    low = np.where(np.isnan(base), -np.inf, np.maximum(base - move, 1.0))
    return low, np.where(np.isnan(base), np.inf, base + move)


def limit_price(close: _Matrix, market: Market, bps: float) -> _Matrix:
    """Limit of an order ``bps`` basis points above (+, a buy) or below (-, a sale) the last close.

    On the tick grid (outside Japan: cents), never further away than asked for unless the grid has no such
    price, and inside the next session's price limits.
    """
    raw = close * (1.0 + bps * 1e-4)
    step = tick(close, market) if market == "jp" else np.where(close < 1.0, 1e-4, 1e-2)
    count = raw / step
    whole = np.floor(count + 1e-9) if bps >= 0 else np.ceil(count - 1e-9)
    low, high = price_limits(close, market)
    return np.clip(np.round(np.maximum(whole * step, step), 4), low, high)
