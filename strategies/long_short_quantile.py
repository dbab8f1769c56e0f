"""Long the best scores, short the worst, in overlapping tranches."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import PortfolioConfig
from engine.data.panel import Panel
from engine.portfolio.prediction import Prediction
from engine.portfolio.weights import Weights

# Shape suffixes: D decision days, N stocks that are scored on any of them.
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LongShortQuantile:
    """Equal weights in the best and the worst ``fraction`` of each day, dollar neutral.

    Each day opens a tranche that is held for ``horizon`` sessions, so the book is the mean of the last
    ``horizon`` tranches (Jegadeesh & Titman, Journal of Finance 48, 1993); it grows from nothing over
    the first ``horizon`` days.
    """

    name: str = "long_short_quantile"

    def weights(self, prediction: Prediction, panel: Panel, config: PortfolioConfig) -> Weights:
        symbols = prediction.frame["symbol"].unique().sort()
        days = _sessions(prediction, panel)
        rows = _positions(prediction.frame, days, symbols)
        score = prediction.frame[f"score_{config.horizon}"].to_numpy().astype(np.float64)
        score_DN = np.full((len(days), len(symbols)), np.nan)
        score_DN[rows] = score
        tranche_DN = tranches(score_DN, config)
        bars = panel.frame.lazy().select("date", "symbol")
        bars = bars.filter(pl.col("date").is_between(days[0], days[-1]))
        traded = bars.filter(pl.col("symbol").is_in(symbols.implode())).collect()
        traded_DN = np.zeros(score_DN.shape, dtype=bool)
        traded_DN[_positions(traded, days, symbols)] = True
        book_DN = neutral(np.where(traded_DN, overlap(tranche_DN, config.horizon), 0.0))
        day, stock = np.nonzero(np.isfinite(score_DN) | (book_DN != 0))
        frame = pl.DataFrame(
            {
                "date": days.gather(day),
                "symbol": symbols.gather(stock),
                "weight": book_DN[day, stock],
            }
        )
        return Weights(
            frame=frame,
            strategy=self.name,
            run_id=prediction.run_id,
            max_gross=config.gross,
            max_net=0.0,
            max_weight=config.max_weight,
        )


def tranches(score_DN: Matrix, config: PortfolioConfig) -> Matrix:
    """The weights each day alone would choose; NaN scores take no part.

    A name is in a leg only if no name of equal score is outside it: ties never decide a trade, so a day
    on which all scores are equal (or that has too few names for one on each side) opens nothing.
    """
    n_D1 = np.isfinite(score_DN).sum(axis=1, keepdims=True)
    leg_D1 = np.floor(n_D1 * config.fraction)
    long_DN = _count_at_least(score_DN) <= leg_D1
    short_DN = _count_at_least(-score_DN) <= leg_D1
    n_long_D1 = long_DN.sum(axis=1, keepdims=True)
    n_short_D1 = short_DN.sum(axis=1, keepdims=True)
    # Both sides get the same money, and no more than the cap allows the thinner one to hold.
    smaller_D1 = np.minimum(n_long_D1, n_short_D1)
    side_D1 = np.minimum(config.gross / 2.0, config.max_weight * smaller_D1)
    long_weight_D1 = side_D1 / np.maximum(n_long_D1, 1)
    short_weight_D1 = side_D1 / np.maximum(n_short_D1, 1)
    out_DN: Matrix = long_DN * long_weight_D1 - short_DN * short_weight_D1
    return out_DN


def overlap(tranche_DN: Matrix, horizon: int) -> Matrix:
    """Mean of the last ``horizon`` rows; rows before the first count as zero."""
    book_DN = np.zeros_like(tranche_DN)
    for age in range(min(horizon, len(tranche_DN))):
        book_DN[age:] += tranche_DN[: len(tranche_DN) - age]
    return book_DN / horizon


def neutral(book_DN: Matrix) -> Matrix:
    """Scale the heavier side of each day down to the lighter one (a held name may have stopped trading)."""
    long_DN, short_DN = np.maximum(book_DN, 0.0), np.maximum(-book_DN, 0.0)
    long_D1 = long_DN.sum(axis=1, keepdims=True)
    short_D1 = short_DN.sum(axis=1, keepdims=True)
    side_D1 = np.minimum(long_D1, short_D1)
    ratio_long = np.divide(side_D1, long_D1, out=np.zeros_like(side_D1), where=long_D1 > 0)
    ratio_short = np.divide(side_D1, short_D1, out=np.zeros_like(side_D1), where=short_D1 > 0)
    out_DN: Matrix = long_DN * ratio_long - short_DN * ratio_short
    return out_DN


def _count_at_least(score_DN: Matrix) -> Matrix:
    """How many names of the day score at least as high as this one (itself included); inf for NaN."""
    out_DN = np.full(score_DN.shape, np.inf)
    for day, score_N in enumerate(score_DN):
        known_N = np.isfinite(score_N)
        values = score_N[known_N]
        out_DN[day, known_N] = values.size - np.searchsorted(np.sort(values), values, side="left")
    return out_DN


def _sessions(prediction: Prediction, panel: Panel) -> pl.Series:
    """All sessions from the first to the last scored day, also those without a score."""
    first, last = prediction.frame["date"][0], prediction.frame["date"][-1]
    sessions = panel.frame.filter(pl.col("date").is_between(first, last))["date"]
    return pl.concat([sessions, prediction.frame["date"]]).unique().sort().rename("date")


def _positions(
    frame: pl.DataFrame, days: pl.Series, symbols: pl.Series
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of each (date, symbol) of the frame."""
    day = days.search_sorted(frame["date"])
    stock = symbols.search_sorted(frame["symbol"])
    return day.to_numpy().astype(np.int64), stock.to_numpy().astype(np.int64)


STRATEGY = LongShortQuantile()
