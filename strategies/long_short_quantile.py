"""Long the best scores, short the worst: equal weights in the top and bottom fraction."""

from dataclasses import dataclass

from engine.config import PortfolioConfig
from engine.portfolio.construction import balanced
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class LongShortQuantile:
    """The decile portfolio of the asset-pricing literature; ties never decide a trade."""

    name: str = "long_short_quantile"

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity, equal within a leg."""
        long_KN = decisions.top(config.fraction).astype(float)
        return balanced(long_KN - decisions.bottom(config.fraction), config)


STRATEGY = LongShortQuantile()
