"""Part of the way to the aim at each decision: the book is a slow mean of the books that scores call for."""

import math
from dataclasses import dataclass

from engine.config import PortfolioConfig
from engine.portfolio.construction import part_of_the_way, quantile_book
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions


@dataclass(frozen=True, slots=True)
class AimPortfolio:
    """w = held + ``trade_share`` x (aim - held); the aim is the quantile book of the day.

    Garleanu & Pedersen (Journal of Finance 68, 2013): with costs the best book trades a constant share of
    the way to an aim, the smaller the dearer trading is. `engine.portfolio.aim.best_share` derives the share
    from costs, edge and persistence of the scores. Each tranche keeps its own book. A name without a score
    is sold at once.
    """

    name: str = "aim_portfolio"

    def memory(self, config: PortfolioConfig) -> int:
        """Renewals after which less than a fiftieth of a book is left."""
        left = 1.0 - config.trade_share
        return math.ceil(math.log(0.02) / math.log(left)) if left else 0

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity: the held book moved ``trade_share`` of the way to the aim."""
        aim_KN = quantile_book(decisions, config)
        return part_of_the_way(aim_KN, decisions, config, lambda k, held_N: config.trade_share)


STRATEGY = AimPortfolio()
