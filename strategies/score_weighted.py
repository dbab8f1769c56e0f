"""Every scored name, weighted by its normal score: the least concentrated book."""

from dataclasses import dataclass

import numpy as np

from engine.config import PortfolioConfig
from engine.portfolio.construction import balanced
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class ScoreWeighted:
    """Weights proportional to the inverse normal of the day's rank.

    The book of Grinold & Kahn ("Active Portfolio Management", 2000) for equal residual risks: it has a
    transfer coefficient of 1.
    """

    name: str = "score_weighted"

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity in proportion to the normal scores."""
        return balanced(np.nan_to_num(decisions.normal_KN), config)


STRATEGY = ScoreWeighted()
