"""What a score is worth before any portfolio: IC decay, quantile returns, turnover, entry delay, years.

Tables are ``[D, N]``: sessions by stocks, NaN = no score or no return. Figures are means over days with
Newey-West standard errors; a day with fewer than ``MIN_NAMES`` pairs is left out, never counted as zero.
"""

# Shape suffixes: D sessions, N stocks.
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import newey_west_se
from engine.evaluation.rank_ic import MIN_NAMES
from engine.evaluation.ranks import (
    QUANTILES,
    average_rank_rows,
    correlation_rows,
    quantiles,
    rank_correlation_rows,
)

Matrix = NDArray[np.float64]
Series = NDArray[np.float64]
Forward = Callable[[int, int], Matrix]
"""``(horizon, lag)`` -> return from the fill ``lag`` sessions after each session to ``horizon`` later."""
DECAY = (1, 2, 3, 5, 10, 20)
LAGS = (1, 2, 3, 5, 10, 20)
NULL_DRAWS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean over days and how sure it is."""

    value: float
    se: float
    """Newey-West standard error."""
    n_dates: int

    @classmethod
    def of(cls, daily_D: Series, *, lag: int) -> "Mean":
        known_D = daily_D[np.isfinite(daily_D)]
        value = float(known_D.mean()) if known_D.size else float("nan")
        return cls(value=value, se=newey_west_se(known_D, lag=lag), n_dates=int(known_D.size))


def factor_figures(
    score_DN: Matrix, forward: Forward, dates_D: NDArray[np.datetime64], *, horizon: int
) -> dict[str, Any]:
    """Everything below for one score table; ``horizon`` in sessions is the one that is traded."""
    traded_DN = forward(horizon, 1)
    daily_D = rank_correlation_rows(score_DN, traded_DN, MIN_NAMES)
    place_DN = quantiles(score_DN)
    returns, errors = quantile_returns(place_DN, traded_DN, horizon=horizon)
    persistence = Mean.of(rank_autocorrelation(score_DN), lag=0)
    return {
        "horizon": horizon,
        "decay": ic_decay(score_DN, forward, sorted({*DECAY, horizon})),
        "lags": ic_by_lag(score_DN, forward, LAGS),
        "entry": entry_delay(score_DN, forward, daily_D, horizon=horizon),
        "quantile_returns": returns,
        "quantile_errors": errors,
        "quantile_turnover": quantile_turnover(place_DN),
        "rank_autocorrelation": asdict(persistence),
        "years": by_year(daily_D, dates_D, horizon=horizon),
    }


def ic_decay(score_DN: Matrix, forward: Forward, horizons: Sequence[int]) -> list[dict[str, Any]]:
    """RankIC and IC of the same score against returns over longer and longer holdings."""
    bands = null_bands(score_DN, (forward(horizon, 1) for horizon in horizons))
    out = []
    for horizon, band in zip(horizons, bands, strict=True):
        return_DN = forward(horizon, 1)
        rank_D = rank_correlation_rows(score_DN, return_DN, MIN_NAMES)
        pearson_D = correlation_rows(score_DN, return_DN, MIN_NAMES)
        rank, pearson = Mean.of(rank_D, lag=horizon), Mean.of(pearson_D, lag=horizon)
        out.append(
            {
                "horizon": horizon,
                "rank_ic": rank.value,
                "rank_ic_se": rank.se,
                "null_band": band,
                "ic": pearson.value,
                "ic_se": pearson.se,
                "n_dates": rank.n_dates,
            }
        )
    return out


def ic_by_lag(score_DN: Matrix, forward: Forward, lags: Sequence[int]) -> list[dict[str, Any]]:
    """RankIC of the score against the return of the one session from its ``lag``-th session on.

    Lag 1 is the first session after the traded entry; returns of different lags do not overlap.
    """
    bands = null_bands(score_DN, (forward(1, lag) for lag in lags))
    out = []
    for lag, band in zip(lags, bands, strict=True):
        mean = Mean.of(rank_correlation_rows(score_DN, forward(1, lag), MIN_NAMES), lag=1)
        out.append(
            {
                "lag": lag,
                "rank_ic": mean.value,
                "rank_ic_se": mean.se,
                "null_band": band,
                "n_dates": mean.n_dates,
            }
        )
    return out


def null_bands(
    score_DN: Matrix, returns: Iterable[Matrix], *, draws: int = NULL_DRAWS, seed: int = 0
) -> list[float]:
    """95 % quantile of |mean RankIC| over scores shuffled within each day, for each return table.

    As in `engine.evaluation.rank_ic.shuffled`, a draw uses one permutation for all days, so that a
    persistent score keeps the serial correlation that overlapping returns turn into a wider band. One
    shuffle serves all tables: a name without a return counts as the day's middle rank. NaN without a day.
    """
    score_ranks = _unit_ranks(score_DN)
    return_ranks = np.stack([_unit_ranks(table_DN).astype(np.float32) for table_DN in returns])
    known_DN = np.isfinite(score_DN)
    rng = np.random.default_rng(seed)
    order_KN = np.stack([rng.permutation(known_DN.shape[1]) for _ in range(draws)])
    sum_KR, days_R = np.zeros((draws, len(return_ranks))), np.zeros(len(return_ranks))
    for d in np.flatnonzero(known_DN.sum(axis=1) >= MIN_NAMES):
        n = np.flatnonzero(known_DN[d])
        table_nR = return_ranks[:, d, n].T
        there_R = table_nR.any(axis=0)
        inside_Kn = order_KN[order_KN < n.size].reshape(draws, n.size)
        sum_KR += score_ranks[d, n][inside_Kn] @ table_nR
        days_R += there_R
    mean_KR = np.where(days_R > 0, sum_KR / np.maximum(days_R, 1), np.nan)
    return [float(band) for band in np.quantile(np.abs(mean_KR), 0.95, axis=0)]


def _unit_ranks(values_DN: Matrix) -> Matrix:
    """Ranks of each row, centred, of length one; 0 where unknown, and in rows too short to be used."""
    rank_DN = average_rank_rows(values_DN)
    known_DN = np.isfinite(rank_DN)
    n_D1 = known_DN.sum(axis=1, keepdims=True)
    safe_DN = np.where(known_DN, rank_DN, 0.0)
    centred_DN = np.where(known_DN, safe_DN - (n_D1 + 1) / 2.0, 0.0)
    length_D1 = np.sqrt((centred_DN**2).sum(axis=1, keepdims=True))
    usable_D1 = (n_D1 >= MIN_NAMES) & (length_D1 > 0)
    return np.where(usable_D1, centred_DN / np.where(usable_D1, length_D1, 1.0), 0.0)


def entry_delay(
    score_DN: Matrix, forward: Forward, traded_D: Series, *, horizon: int
) -> dict[str, Any]:
    """RankIC by the session of entry: at the signal's own close (nobody can trade that), one session
    later (what is traded), two sessions later.

    ``microstructure_share`` = 1 - traded / same close: what bid-ask bounce and the first night would
    have flattered. ``skip_ratio`` = two later / traded: a value far below 1 says that what is traded
    still lives off its first session. NaN where the divisor is not above two of its standard errors.
    """
    found = {
        name: Mean.of(
            rank_correlation_rows(score_DN, forward(horizon, lag), MIN_NAMES), lag=horizon
        )
        for name, lag in (("same_close", 0), ("skipped", 2))
    }
    found["traded"] = Mean.of(traded_D, lag=horizon)
    return {
        **{name: asdict(mean) for name, mean in found.items()},
        "microstructure_share": 1.0 - ratio(found["traded"], found["same_close"]),
        "skip_ratio": ratio(found["skipped"], found["traded"]),
    }


def ratio(top: Mean, bottom: Mean) -> float:
    """NaN where the divisor is not above two of its standard errors."""
    return top.value / bottom.value if bottom.value > 2.0 * bottom.se else float("nan")


def quantile_returns(
    place_DN: NDArray[np.int64], return_DN: Matrix, *, horizon: int, count: int = QUANTILES
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean return of each quantile less the day's mean over scored names, and its standard error."""
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
        mean = Mean.of(daily_D, lag=horizon)
        means[str(q)], errors[str(q)] = mean.value, mean.se
    return means, errors


def quantile_turnover(place_DN: NDArray[np.int64], count: int = QUANTILES) -> dict[str, float]:
    """Share of a quantile's names that were not in it on the scored day before; mean over days."""
    rows = np.flatnonzero((place_DN > 0).any(axis=1))
    out = {}
    for q in range(1, count + 1):
        now_DN, before_DN = place_DN[rows[1:]] == q, place_DN[rows[:-1]] == q
        n_D = now_DN.sum(axis=1)
        new_D = (now_DN & ~before_DN).sum(axis=1)
        share_D = np.divide(new_D, n_D, out=np.full(n_D.size, np.nan), where=n_D > 0)
        out[str(q)] = Mean.of(share_D, lag=0).value
    return out


def rank_autocorrelation(score_DN: Matrix) -> Series:
    """Correlation of a day's ranks with those of the scored day before, names scored on both."""
    rows = np.flatnonzero(np.isfinite(score_DN).any(axis=1))
    rank_DN = average_rank_rows(score_DN[rows])
    return correlation_rows(rank_DN[1:], rank_DN[:-1], MIN_NAMES)


def by_year(
    daily_D: Series, dates_D: NDArray[np.datetime64], *, horizon: int
) -> list[dict[str, Any]]:
    """RankIC of each calendar year."""
    year_D = dates_D.astype("datetime64[Y]").astype(int) + 1970
    out = []
    for year in np.unique(year_D):
        mean = Mean.of(daily_D[year_D == year], lag=horizon)
        if mean.n_dates:
            out.append(
                {
                    "year": int(year),
                    "rank_ic": mean.value,
                    "rank_ic_se": mean.se,
                    "n_dates": mean.n_dates,
                }
            )
    return out
