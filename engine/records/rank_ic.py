"""How well scores rank the stocks of a day: the figures of one set of scores on one set of days, and the
table ``factor`` of ``backtest.json``; and what a part of the network is worth by them.

Correlations lie in [-1, 1]; every error is a Newey-West standard error; NaN stands for what could not be
measured, for example because no day had enough stocks.
"""

import math

from msgspec import Struct

from engine.records.figure import DASH, GRAPH_SHARE, Figure, is_noise


class RankICSummary(Struct, frozen=True, kw_only=True):
    """Means over days. Every field but ``n_dates`` is NaN when no day is defined."""

    rank_ic: float
    """Mean daily Spearman correlation of score and forward return."""
    rank_ic_se: float = math.nan
    """Standard error of that mean, with the horizon as lag: labels of neighbouring days overlap."""
    rank_ic_t: float = math.nan
    """The mean over its error."""
    icir: float = math.nan
    """Mean over standard deviation of the daily RankIC, not annualised."""
    ic: float = math.nan
    """Mean daily Pearson correlation."""
    ic_se: float = math.nan
    hit_share: float = math.nan
    """Share of days with RankIC > 0, a fraction."""
    hit_se: float = math.nan
    hit_base: float = math.nan
    """The same share for shuffled scores: about one half."""
    hit_band: float = math.nan
    """Half-width of the 95 % band around it."""
    decile_spread: float = math.nan
    """Mean return of the best decile less that of the worst over the horizon, a fraction."""
    decile_spread_se: float = math.nan
    n_dates: int = 0
    null_band: float = math.nan
    """Half-width of the 95 % band of the mean RankIC when scores are shuffled within each day."""
    ic_null_band: float = math.nan
    """The same band of the mean IC."""

    @property
    def is_noise(self) -> bool:
        """True unless |RankIC| lies outside the null band."""
        return is_noise(self.rank_ic, self.null_band)

    @property
    def figure(self) -> Figure:
        """RankIC with its error, its null band and its days."""
        return Figure(self.rank_ic, self.rank_ic_se, self.null_band, self.n_dates)

    @property
    def line(self) -> str:
        """``+0.0205 ± 0.0042  null ±0.0098 (n=252)``; ``~`` marks a value inside the null band."""
        if math.isnan(self.rank_ic):
            return DASH
        return f"{self.marked}  null ±{self.null_band:.4f} (n={self.n_dates})"

    @property
    def marked(self) -> str:
        """``+0.0205 ± 0.0042`` behind ``~`` if the value lies inside the null band, else behind a space."""
        if math.isnan(self.rank_ic):
            return DASH
        return ("~" if self.is_noise else " ") + Figure(self.rank_ic, self.rank_ic_se).text()


class MeanFigure(Struct, frozen=True, kw_only=True):
    """A mean over days and how sure it is."""

    value: float
    se: float
    """Newey-West standard error."""
    n_dates: int

    def ratio_to(self, bottom: "MeanFigure") -> float:
        """The mean over another one; NaN where the other is not above two of its standard errors."""
        return self.value / bottom.value if bottom.value > 2.0 * bottom.se else math.nan


class YearFigure(Struct, frozen=True, kw_only=True):
    """RankIC of one calendar year."""

    year: int
    rank_ic: float
    rank_ic_se: float
    n_dates: int


class PairedDifference(Struct, frozen=True, kw_only=True):
    """Mean of a daily figure of one less that of another on the days that both have."""

    difference: float
    """NaN without a common day."""
    se: float = math.nan
    """Newey-West standard error."""
    low: float = math.nan
    high: float = math.nan
    """Percentile interval of the stationary block bootstrap over days; NaN below 20 days."""
    confidence: float = math.nan
    """Share of that interval, a fraction."""
    n_dates: int = 0


class RankICRow(Struct, frozen=True, kw_only=True):
    """Mean RankIC with its error and what chance alone would give."""

    rank_ic: float
    rank_ic_se: float = math.nan
    null_band: float = math.nan
    n_dates: int = 0


class DecayRow(RankICRow, frozen=True, kw_only=True):
    """Against the return of a holding of ``horizon`` sessions."""

    horizon: int
    ic: float = math.nan
    ic_se: float = math.nan


class LagRow(RankICRow, frozen=True, kw_only=True):
    """Against the return of the one session that begins ``lag`` sessions after the score."""

    lag: int


class EntryDelay(Struct, frozen=True, kw_only=True):
    """RankIC by the session of entry."""

    same_close: MeanFigure
    """RankIC entered at the signal's own close, at which nobody can trade."""
    skipped: MeanFigure
    """Two sessions later."""
    traded: MeanFigure
    """One session later: what is traded."""
    microstructure_share: float = math.nan
    """1 - traded / same close: what bid-ask bounce and the first night would have flattered."""
    skip_ratio: float = math.nan
    """Two sessions later over traded; far below 1 what is traded still lives off its first session."""


class BeyondReference(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What scores know that a reference's do not, at the traded horizon."""

    added: float = math.nan
    """RankIC of what the reference leaves of the scores; the scores' own where nothing is shared."""
    added_se: float = math.nan
    """Newey-West."""
    likeness: float = math.nan
    """Mean over days of the rank correlation of both scores."""


class FactorFigures(Struct, frozen=True, kw_only=True):
    """All figures of one table of scores at the traded horizon."""

    horizon: int
    """Sessions."""
    decay: tuple[DecayRow, ...]
    lags: tuple[LagRow, ...] = ()
    """Empty in files of early versions."""
    entry: EntryDelay
    quantile_returns: dict[str, float] = {}
    """Quantile, 1 the worst -> mean return less that of all scored names, a fraction."""
    quantile_errors: dict[str, float] = {}
    """Newey-West standard errors of these."""
    quantile_turnover: dict[str, float] = {}
    """Share of a quantile's names that were not in it on the scored day before, a fraction."""
    rank_autocorrelation: MeanFigure
    """Correlation of a day's ranks with those of the scored day before."""
    years: tuple[YearFigure, ...]

    @property
    def traded(self) -> DecayRow:
        """The row of the traded horizon."""
        return next(row for row in self.decay if row.horizon == self.horizon)


class Worth(Struct, frozen=True, kw_only=True):
    """What goes with a part of the network, told by a counterfactual: validation days scored without it.

    The network is not trained anew. So the figures tell what the trained one makes of the part; whether
    another training would do as well without it is what `compare ablations` tells.
    """

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
