"""As little trading as keeps the book's score: moves only part of the way to the quantile book."""

from dataclasses import dataclass

import numpy as np

from engine.config import PortfolioConfig
from engine.portfolio.construction import Vector, part_of_the_way, quantile_book
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class MinimumTurnover:
    """Trade toward the quantile book just far enough to hold ``min_exposure`` of its score.

    Partial adjustment toward an aim portfolio (Garleanu & Pedersen, Journal of Finance 68, 2013):
    w = held + s (aim - held) with the smallest s in [0, 1] for which sum(w z) >= min_exposure x
    sum(aim z), z the day's normal scores. Names that lost their score are sold at once.
    """

    name: str = "minimum_turnover"

    def memory(self, config: PortfolioConfig) -> int:
        """Renewals after which little of a book is left at the default exposure."""
        return 10

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity: the held book moved part of the way to the quantile book."""
        aim_KN = quantile_book(decisions, config)
        z_KN = np.nan_to_num(decisions.normal_KN)

        def least(k: int, held_N: Vector) -> float:
            best, now = float(aim_KN[k] @ z_KN[k]), float(held_N @ z_KN[k])
            share = (config.min_exposure * best - now) / (best - now) if best > now else 0.0
            return min(max(share, 0.0), 1.0)

        return part_of_the_way(aim_KN, decisions, config, least)


STRATEGY = MinimumTurnover()
