"""What a part of the network is worth, told by a counterfactual: the same days scored without the part.

The network is not trained anew. So the figures tell what the trained one makes of the part; whether
another training would do as well without it is what `compare ablations` tells.
"""

import math

from msgspec import Struct

from engine.records.figure import DASH, GRAPH_SHARE, Figure


class Worth(Struct, frozen=True, kw_only=True):
    """What goes with a part of the network, on validation days."""

    share: float = math.nan
    """Share of the score's variance within a day that the scores without the part do not hold,
    0..1: 1 - r^2, with r their correlation (below zero counts as zero), mean over days. NaN where the
    scores of no day differ between stocks."""
    rank_ic: float = math.nan
    """RankIC that is lost: mean over days of the daily RankIC with the part less that without it.
    Negative where the scores rank better without it; NaN without a day on which both are defined."""
    rank_ic_se: float = math.nan
    """Newey-West standard error of that paired mean, lag = horizon."""
    n_dates: int = 0
    """Days on which both RankICs are defined."""

    @property
    def figure(self) -> Figure:
        """The RankIC lost with its error and its days."""
        return Figure(self.rank_ic, self.rank_ic_se, n=self.n_dates)

    @property
    def share_text(self) -> str:
        """``12.3%``; a dash where it is not known."""
        return DASH if math.isnan(self.share) else f"{self.share:.1%}"

    @property
    def text(self) -> str:
        """``12.3% of the score variance, RankIC +0.0410 ± 0.0052 (n=60)``."""
        return f"{self.share_text} of the score variance, RankIC {self.figure.text()}"


class GraphWorth(Struct, frozen=True, kw_only=True):
    """What passes through the graph's edges: the scores against those with other edges."""

    without_edges: Worth
    """No stock hears another."""
    random_neighbours: Worth
    """Each stock hears as many others as before, drawn at random from its day."""
    neighbours: float = math.nan
    """Mean number of neighbours of a stock on these days; 0 in a graph without an edge."""

    def is_heard(self, least: float = GRAPH_SHARE) -> bool:
        """Whether edges matter: more than ``least`` of the variance goes with them, or RankIC beyond one
        standard error. Not known is not heard.
        """
        told = self.without_edges
        return told.share > least or abs(told.rank_ic) > told.rank_ic_se

    @property
    def pays(self) -> bool:
        """Whether edges are heard and the scores rank worse without them by more than a standard error."""
        told = self.without_edges
        return told.share > GRAPH_SHARE and told.rank_ic > told.rank_ic_se
