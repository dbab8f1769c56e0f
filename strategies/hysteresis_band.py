"""The quantile book with a band: a held name stays until it has clearly left its leg."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.config import PortfolioConfig
from engine.portfolio.construction import balanced
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class HysteresisBand:
    """Names enter a leg in the best (worst) ``fraction`` and leave beyond ``fraction x (1 + band)``.

    The buy-hold spread of Novy-Marx & Velikov (Review of Financial Studies 29, 2016), the cheapest of
    the turnover rules they compare. Each tranche keeps its own members.
    """

    name: str = "hysteresis_band"

    def memory(self, config: PortfolioConfig) -> int:
        """Renewals that a name stays without entering again, at most so many; few stay longer."""
        return 10

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity: the quantile book with its members kept inside the band."""
        wide = min(config.fraction * (1.0 + config.band), 0.5)
        n = config.n_tranches
        long_KN = held(decisions.top(config.fraction), decisions.top(wide), n)
        short_KN = held(decisions.bottom(config.fraction), decisions.bottom(wide), n)
        return balanced(long_KN.astype(float) - short_KN, config)


def held(enter_KN: NDArray[np.bool_], stay_KN: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Members ``[K, N]`` of a leg: those that enter, and those of ``n`` decisions ago that may stay."""
    member_KN = enter_KN.copy()
    for k in range(n, len(member_KN)):
        member_KN[k] |= member_KN[k - n] & stay_KN[k]
    return member_KN


STRATEGY = HysteresisBand()
