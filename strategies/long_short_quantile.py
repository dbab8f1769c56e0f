"""Long the best scores, short the worst: equal weights in the top and bottom fraction."""

from dataclasses import dataclass

from engine.config import PortfolioConfig
from engine.portfolio.construction import quantile_book
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class LongShortQuantile:
    """The decile portfolio of the asset-pricing literature; ties never decide a trade."""

    name: str = "long_short_quantile"

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity, equal within a leg."""
        return quantile_book(decisions, config)


STRATEGY = LongShortQuantile()
