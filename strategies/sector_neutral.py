"""Long the best and short the worst of each sector, so that no sector is bet on."""

from dataclasses import dataclass

import numpy as np

from engine.config import PortfolioConfig
from engine.portfolio.construction import balanced, fill
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class SectorNeutral:
    """The quantile book inside each sector; a sector's money is its share of the day's scored names.

    Long and short weights of a sector are equal on the day they are chosen. Names of unknown sector form
    one of their own; a sector with too few names for one on each side holds nothing. Without any
    sector it is refused.
    """

    name: str = "sector_neutral"

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity: the quantile book of each sector."""
        decisions.market.require_sectors("the strategy sector_neutral")
        raw_KN = np.zeros_like(decisions.score_KN)
        for sector in range(len(decisions.market.sectors)):
            member_N = decisions.market.sector_N == sector
            if not member_N.any():
                continue
            inside = decisions.with_scores(np.ascontiguousarray(decisions.score_KN[:, member_N]))
            long_KN, short_KN = (
                fill(leg_KN.astype(float), 1.0, 1.0)
                for leg_KN in (inside.top(config.fraction), inside.bottom(config.fraction))
            )
            both_K1 = long_KN.any(axis=1, keepdims=True) & short_KN.any(axis=1, keepdims=True)
            raw_KN[:, member_N] = (long_KN - short_KN) * inside.n_scored_K1 * both_K1
        return balanced(raw_KN, config)


STRATEGY = SectorNeutral()
