"""What a score is worth before any portfolio: the table ``factor`` of ``backtest.json``."""

import math

from msgspec import Struct

from engine.records.rank_ic import MeanFigure, YearFigure


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
