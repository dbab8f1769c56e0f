"""How far to trade toward the aim at a decision: what costs, edge and persistence of the scores call for."""

import numpy as np

from engine.config import CostConfig, PortfolioConfig
from engine.records.rank_ic import FactorFigures

_SHARES = np.arange(1, 101) / 100.0


def best_share(*, edge: float, cost: float, persistence: float) -> float:
    """Share of the way from the held book to the aim that leaves most after costs; 0.01 to 1, in hundredths.

    ``edge``: expected return of the aim until the next decision, as a fraction of its gross. ``cost``: of
    one purchase or sale, as a fraction of what is traded. ``persistence``: correlation of the aim with that
    of the decision before, within [0, 1). ValueError for other values.

    Garleanu & Pedersen (Journal of Finance 68, 2013) trade a constant share because their costs are
    quadratic. Here costs are proportional to what is traded, and the aim is a normal variable of variance 1
    that keeps ``persistence`` of itself from decision to decision; of all constant shares the one is taken
    that leaves most return after costs per unit of gross.
    """
    if cost < 0 or not 0 <= persistence < 1:
        raise ValueError(f"cost {cost} is negative, or persistence {persistence} not within [0, 1)")
    kept = (1.0 - _SHARES) * persistence
    with_aim = _SHARES / (1.0 - kept)  # covariance of the book with the aim of the day
    variance = _SHARES / (2.0 - _SHARES) * (1.0 + kept) / (1.0 - kept)
    before = persistence * with_aim  # covariance of the book of the decision before with it
    traded = _SHARES * np.sqrt(np.maximum(1.0 + variance - 2.0 * before, 0.0))
    return float(_SHARES[np.argmax((edge * with_aim - cost * traded) / np.sqrt(variance))])


def share_of_scores(factor: FactorFigures, costs: CostConfig, portfolio: PortfolioConfig) -> float:
    """`best_share` of scores whose figures are known.

    The edge is half the difference of the best and the worst decile's return, for the sessions until a
    tranche is renewed; the cost is commission and half-spread, without impact; the persistence is that of
    the ranks from day to day, over these sessions.
    """
    renewal = portfolio.n_tranches * portfolio.rebalance_sessions
    worst, best = min(factor.quantile_returns, key=int), max(factor.quantile_returns, key=int)
    spread = factor.quantile_returns[best] - factor.quantile_returns[worst]
    kept = min(max(factor.rank_autocorrelation.value, 0.0), 0.9999) ** renewal
    return best_share(
        edge=spread / 2.0 * renewal / factor.horizon,
        cost=(costs.commission_bps + costs.slippage_bps) / 1e4,
        persistence=kept,
    )
