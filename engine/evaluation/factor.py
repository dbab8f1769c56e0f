"""What a score is worth before any portfolio: IC decay, quantile returns, turnover, entry delay, years.

Tables are ``[D, N]``: sessions by stocks, NaN = no score or no return. Figures are means over days with
Newey-West standard errors; a day with fewer than ``MIN_NAMES`` pairs is left out, never counted as zero.
"""

# Shape suffixes: D sessions, N stocks.
from collections.abc import Callable

import numpy as np
from msgspec.structs import asdict
from numpy.typing import NDArray

from engine.evaluation.inference import Series, mean_figure
from engine.evaluation.rank_ic import MIN_NAMES
from engine.evaluation.ranks import (
    QUANTILES,
    average_rank_rows,
    centred_rank_rows,
    correlation_rows,
    quantiles,
    rank_correlation_rows,
)
from engine.records.figure import SURE
from engine.records.rank_ic import (
    BeyondReference,
    DecayRow,
    EntryDelay,
    FactorFigures,
    LagRow,
    RankICRow,
    YearFigure,
)

_Matrix = NDArray[np.float64]
Forward = Callable[[int, int], _Matrix]
"""``(horizon, lag)`` -> return from the fill ``lag`` sessions after each session to ``horizon`` later."""
_DECAY = (1, 2, 3, 5, 10, 20)
_LAGS = (1, 2, 3, 5, 10, 20)
_BLOCK = 512
"""Days whose likeness to all others is in memory at a time."""


def factor_figures(
    score_DN: _Matrix, forward: Forward, dates_D: NDArray[np.datetime64], *, horizon: int
) -> FactorFigures:
    """All figures of one table of scores ``[D, N]``; ``horizon`` in sessions is the one that is traded.

    ``dates_D`` are the sessions; a NaN score means that the stock has none that day.
    """
    traded_DN = forward(horizon, 1)
    daily_D = rank_correlation_rows(score_DN, traded_DN, MIN_NAMES)
    place_DN = quantiles(score_DN)
    returns, errors = _quantile_returns(place_DN, traded_DN, horizon=horizon)
    return FactorFigures(
        horizon=horizon,
        decay=tuple(_decay(score_DN, forward, h) for h in sorted({*_DECAY, horizon})),
        lags=tuple(
            LagRow(lag=lag, **asdict(_rank_ic_row(score_DN, forward(1, lag), lag=1)))
            for lag in _LAGS
        ),
        entry=_entry_delay(score_DN, forward, daily_D, horizon=horizon),
        quantile_returns=returns,
        quantile_errors=errors,
        quantile_turnover=_quantile_turnover(place_DN),
        rank_autocorrelation=mean_figure(_rank_autocorrelation(score_DN), lag=0),
        years=by_year(daily_D, dates_D, horizon=horizon),
    )


def beyond(
    score_DN: _Matrix, reference_DN: _Matrix, return_DN: _Matrix, *, lag: int
) -> BeyondReference:
    """What scores add to a reference's: mean over days of the covariance of the returns' ranks with what the
    reference leaves of the scores' ranks. Tables ``[D, N]``; names count whose three values are known.

    Ranks are centred and of length one, so a day's figure is RankIC - likeness x RankIC of the reference: 0
    for the reference itself, the RankIC for scores that have nothing in common with it. This is Numerai's
    meta model contribution with ranks in place of their normal scores. ``lag``: of the Newey-West error.
    """
    known_DN = np.isfinite(score_DN) & np.isfinite(reference_DN) & np.isfinite(return_DN)
    enough_D = known_DN.sum(axis=1) >= MIN_NAMES
    own_DN, theirs_DN, earned_DN = (
        _unit_ranks(np.where(known_DN, table_DN, np.nan))
        for table_DN in (score_DN, reference_DN, return_DN)
    )
    likeness_D = np.where(enough_D, (own_DN * theirs_DN).sum(axis=1), np.nan)
    added_D = (own_DN * earned_DN).sum(axis=1) - likeness_D * (theirs_DN * earned_DN).sum(axis=1)
    added = mean_figure(added_D, lag=lag)
    return BeyondReference(
        added=added.value, added_se=added.se, likeness=mean_figure(likeness_D, lag=0).value
    )


def _decay(score_DN: _Matrix, forward: Forward, horizon: int) -> DecayRow:
    """RankIC and IC of the score against returns over a holding of ``horizon`` sessions."""
    return_DN = forward(horizon, 1)
    pearson = mean_figure(correlation_rows(score_DN, return_DN, MIN_NAMES), lag=horizon)
    row = asdict(_rank_ic_row(score_DN, return_DN, lag=horizon))
    return DecayRow(horizon=horizon, **row, ic=pearson.value, ic_se=pearson.se)


def _rank_ic_row(score_DN: _Matrix, return_DN: _Matrix, *, lag: int) -> RankICRow:
    mean = mean_figure(rank_correlation_rows(score_DN, return_DN, MIN_NAMES), lag=lag)
    return RankICRow(
        rank_ic=mean.value,
        rank_ic_se=mean.se,
        null_band=_null_band(score_DN, return_DN),
        n_dates=mean.n_dates,
    )


def _null_band(score_DN: _Matrix, return_DN: _Matrix) -> float:
    """Half-width of the 95 % band of the mean RankIC of ``[D, N]`` when scores are shuffled within each day.

    As in `engine.evaluation.rank_ic._shuffled`, one permutation serves all days, so that a persistent score
    keeps the serial correlation that overlapping returns turn into a wider band. Without drawing any: with
    ranks s, r of a day centred and of length one, the covariance of s_d P r_d and s_e P r_e over all
    permutations P of n names is (s_d s_e)(r_d r_e) / (n - 1); days of different size share the geometric
    mean of n - 1. The mean of many days is taken as normal. NaN without a day.
    """
    both_DN = np.isfinite(score_DN) & np.isfinite(return_DN)
    rows = np.flatnonzero(both_DN.sum(axis=1) >= MIN_NAMES)
    if rows.size == 0:
        return float("nan")
    both_dN = both_DN[rows]
    score_dN = _unit_ranks(np.where(both_dN, score_DN[rows], np.nan))
    return_dN = _unit_ranks(np.where(both_dN, return_DN[rows], np.nan))
    spread_d = 1.0 / np.sqrt(both_dN.sum(axis=1) - 1.0)
    variance = 0.0
    for start in range(0, rows.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        alike_bd = (score_dN[block] @ score_dN.T) * (return_dN[block] @ return_dN.T)
        variance += float(spread_d[block] @ (alike_bd @ spread_d))
    return SURE * float(np.sqrt(max(variance, 0.0))) / rows.size


def _unit_ranks(values_DN: _Matrix) -> NDArray[np.float32]:
    """Ranks of each row, centred and of length one; 0 where unknown and in a row of equal values."""
    centred_DN = np.nan_to_num(centred_rank_rows(values_DN))
    length_D1 = np.sqrt((centred_DN**2).sum(axis=1, keepdims=True))
    return (centred_DN / np.where(length_D1 > 0, length_D1, 1.0)).astype(np.float32)


def _entry_delay(
    score_DN: _Matrix, forward: Forward, traded_D: Series, *, horizon: int
) -> EntryDelay:
    """RankIC by the session of entry; each ratio is NaN where its divisor is not above two of its errors."""
    same_close, skipped = (
        mean_figure(rank_correlation_rows(score_DN, forward(horizon, lag), MIN_NAMES), lag=horizon)
        for lag in (0, 2)
    )
    traded = mean_figure(traded_D, lag=horizon)
    return EntryDelay(
        same_close=same_close,
        skipped=skipped,
        traded=traded,
        microstructure_share=1.0 - traded.ratio_to(same_close),
        skip_ratio=skipped.ratio_to(traded),
    )


def _quantile_returns(
    place_DN: NDArray[np.int64], return_DN: _Matrix, *, horizon: int, count: int = QUANTILES
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean return of each quantile less the day's mean over scored names, and its standard error.

    ``place_DN`` ``[D, N]`` holds quantiles 1..count, 0 = none; returns ``[D, N]`` and both answers are
    fractions, a NaN return is left out.
    """
    known_DN = (place_DN > 0) & np.isfinite(return_DN)
    safe_DN = np.where(known_DN, return_DN, 0.0)
    excess_DN = safe_DN - safe_DN.sum(axis=1, keepdims=True) / np.maximum(
        known_DN.sum(axis=1, keepdims=True), 1
    )
    means, errors = {}, {}
    for q in range(1, count + 1):
        inside_DN = known_DN & (place_DN == q)
        n_D = inside_DN.sum(axis=1)
        sum_D = (excess_DN * inside_DN).sum(axis=1)
        daily_D = np.divide(sum_D, n_D, out=np.full(n_D.size, np.nan), where=n_D > 0)
        mean = mean_figure(daily_D, lag=horizon)
        means[str(q)], errors[str(q)] = mean.value, mean.se
    return means, errors


def _quantile_turnover(place_DN: NDArray[np.int64], count: int = QUANTILES) -> dict[str, float]:
    """Share of a quantile's names that were not in it on the scored day before, a fraction; mean over days.

    ``place_DN`` ``[D, N]`` holds quantiles 1..count, 0 = none.
    """
    rows = np.flatnonzero((place_DN > 0).any(axis=1))
    out = {}
    for q in range(1, count + 1):
        now_DN, before_DN = place_DN[rows[1:]] == q, place_DN[rows[:-1]] == q
        n_D = now_DN.sum(axis=1)
        new_D = (now_DN & ~before_DN).sum(axis=1)
        share_D = np.divide(new_D, n_D, out=np.full(n_D.size, np.nan), where=n_D > 0)
        out[str(q)] = mean_figure(share_D, lag=0).value
    return out


def _rank_autocorrelation(score_DN: _Matrix) -> Series:
    """Correlation ``[D - 1]`` of a day's ranks with those of the scored day before, of scores ``[D, N]``.

    Names scored on both days count; NaN with fewer than ``MIN_NAMES`` of them.
    """
    rows = np.flatnonzero(np.isfinite(score_DN).any(axis=1))
    rank_DN = average_rank_rows(score_DN[rows])
    return correlation_rows(rank_DN[1:], rank_DN[:-1], MIN_NAMES)


def by_year(
    daily_D: Series, dates_D: NDArray[np.datetime64], *, horizon: int
) -> tuple[YearFigure, ...]:
    """RankIC of each calendar year that has a defined day, from the daily RankIC ``[D]``."""
    year_D = dates_D.astype("datetime64[Y]").astype(int) + 1970
    means = {
        int(year): mean_figure(daily_D[year_D == year], lag=horizon) for year in np.unique(year_D)
    }
    return tuple(
        YearFigure(year=year, rank_ic=mean.value, rank_ic_se=mean.se, n_dates=mean.n_dates)
        for year, mean in means.items()
        if mean.n_dates
    )
