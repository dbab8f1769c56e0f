"""The book with the best return after risk and costs: mean-variance against the book that is held."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import PortfolioConfig
from engine.portfolio.construction import neutral
from engine.portfolio.market_data import Matrix
from engine.portfolio.optimal import Wanted, best_book
from engine.portfolio.risk import STYLES, FactorRisk
from engine.portfolio.skill import WINDOW, expected_ic, expected_life
from engine.portfolio.strategy import Decisions

_Vector = NDArray[np.float64]
_SMALLEST = 1e-7
"""A weight below it is none. Fraction of equity."""


@dataclass(frozen=True, slots=True)
class MeanVariance:
    """Maximises return - ``risk_aversion`` / 2 x variance - ``cost_aversion`` x costs, all of one session.

    Expected return: IC x specific deviation x normal score (Grinold, Journal of Portfolio Management 16,
    1989), the deviation the day's median unless ``volatility_scaled``, the IC as measured before. Costs are
    those of the configuration, spread over the sessions that scores have lasted so far, since a trade is paid
    once and earns as long as its score lasts; impact is reckoned on ``backtest.initial_cash``. Names without
    a score or a bar are sold first. Each tranche keeps its own book; with one tranche it is that of the
    account. A decision without a best book is an error that names its day.
    """

    name: str = "mean_variance"
    minds_terms: bool = True

    def memory(self, config: PortfolioConfig) -> int:
        """Renewals of a tranche in the 120 decisions that IC and life are measured on."""
        return -(-WINDOW // config.n_tranches)

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity."""
        ic_K = expected_ic(decisions, config.horizon)
        life_K = expected_life(decisions, config.horizon)
        out_KN = np.zeros_like(decisions.score_KN)
        for k in range(len(out_KN)):
            before = k - config.n_tranches
            held_N = out_KN[before] if before >= 0 else np.zeros(out_KN.shape[1])
            names_M = np.flatnonzero(_may_hold(decisions, k))
            if names_M.size == 0 or not decisions.normal_KN[k, names_M].any():
                continue
            wanted = _wanted(decisions, config, k, names_M, held_N[names_M], ic_K[k], life_K[k])
            date = decisions.market.dates_D[decisions.row_K[k]]
            weight_M = best_book(wanted, f"mean_variance on {date}")
            out_KN[k, names_M] = np.where(np.abs(weight_M) > _SMALLEST, weight_M, 0.0)
        return out_KN if config.long_only else neutral(out_KN)


def _may_hold(decisions: Decisions, k: int) -> NDArray[np.bool_]:
    """Scored names that no rule of the engine would take out again."""
    market, row, limits = decisions.market, decisions.row_K[k], decisions.terms.limits
    may_N = np.isfinite(decisions.score_KN[k]) & market.traded_DN[row]
    may_N &= np.nan_to_num(market.close_raw_DN[row]) >= limits.min_price
    may_N &= market.adv_DN[row] >= limits.min_turnover
    return np.asarray(may_N)


def _wanted(
    decisions: Decisions,
    config: PortfolioConfig,
    k: int,
    names_M: NDArray[np.int64],
    held_M: _Vector,
    ic: float,
    life: float,
) -> Wanted:
    market, row, terms = decisions.market, int(decisions.row_K[k]), decisions.terms
    risk = FactorRisk.at(market, row, names_M)
    swing_M = np.sqrt(risk.specific_M / config.horizon)
    if not config.volatility_scaled:
        swing_M = np.full(names_M.size, np.median(swing_M))
    costs, dear = terms.costs, config.cost_aversion / life
    commission = costs.commission_tiers[0][1] if costs.commission_tiers else costs.commission_bps
    spread = costs.slippage_bps + commission
    adv_M = np.maximum(market.adv_DN[row, names_M], 1e-4 * terms.capital)
    short_M = market.shortable_N[names_M] & (not config.long_only)
    cap = config.max_weight
    net = min(config.investable, cap * names_M.size) if config.long_only else 0.0
    return Wanted(
        gain_M=ic * swing_M * decisions.normal_KN[k, names_M],
        risk=risk,
        aversion=config.risk_aversion,
        held_M=np.where(short_M, held_M, np.maximum(held_M, 0.0)),
        price_M=np.full(names_M.size, spread * 1e-4 * dear),
        impact_M=costs.impact_bps * 1e-2 * dear * terms.capital / adv_M,
        least_M=np.where(short_M, -cap, 0.0),
        most_M=np.full(names_M.size, cap),
        net=net,
        gross=config.investable,
        max_turnover=config.max_turnover or np.inf,
        max_lean_F=_leans(config, risk),
    )


def _leans(config: PortfolioConfig, risk: FactorRisk) -> _Vector | None:
    """Bounds of styles, and of sectors unless the book is long only, whose net is no lean."""
    if not config.max_lean:
        return None
    lean_F = np.full(len(risk.covariance_FF), config.max_lean)
    if config.long_only:
        lean_F[: -len(STYLES)] = np.inf
    return lean_F


STRATEGY = MeanVariance()
