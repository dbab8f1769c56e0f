"""What the scores have to beat, on the same days, with the same strategy and the same costs."""

# Shape suffixes: D sessions, N stocks.
from collections.abc import Iterator

import numpy as np
import polars as pl

from engine.data.panel import Panel
from engine.errors import DataError
from engine.portfolio.market_data import MarketData, Matrix, positions
from engine.portfolio.prediction import score_column


def stored_baselines(
    frame: pl.DataFrame, market: MarketData, scored_DN: Matrix, horizon: int
) -> Iterator[tuple[str, Matrix]]:
    """Baselines of ``baselines.parquet`` (the columns of predictions and ``name``), for one horizon.

    ``[D, N]`` tables, NaN where the model has no score; a baseline without any (an oracle of other
    horizons) is left out.
    """
    column = score_column(horizon)
    if "name" not in frame.columns or column not in frame.columns:
        raise DataError(f"baselines.parquet: needs the columns name and {column}")
    dates = pl.Series("date", market.dates_D).cast(pl.Date)
    names = pl.Series("symbol", market.symbols)
    for (name,), rows in frame.group_by("name", maintain_order=True):
        place = positions(rows, dates, names).with_columns(rows[column].alias("score"))
        place = place.drop_nulls()
        score_DN = np.full(scored_DN.shape, np.nan)
        score_DN[place["row"].to_numpy(), place["column"].to_numpy()] = place["score"].to_numpy()
        score_DN = _where_scored(score_DN, scored_DN)
        if np.isfinite(score_DN).any():
            yield str(name), score_DN


def price_baselines(
    panel: Panel, market: MarketData, scored_DN: Matrix
) -> Iterator[tuple[str, Matrix]]:
    """Reversal and momentum from closes alone, for a run without stored baselines.

    ``reversal_5``: minus the return of the last 5 bars. ``momentum_12_1``: return from 252 to 21 bars
    ago. Names without the history are left out.
    """
    close = pl.col("close")
    formulas = {
        "reversal_5": 1.0 - close / close.shift(5).over("symbol"),
        "momentum_12_1": close.shift(21).over("symbol") / close.shift(252).over("symbol") - 1.0,
    }
    dates = pl.Series("date", market.dates_D).cast(pl.Date)
    names = pl.Series("symbol", market.symbols)
    bars = panel.frame.filter(
        pl.col("symbol").is_in(names.implode()), pl.col("date") <= dates[-1]
    ).with_columns(formula.alias(name) for name, formula in formulas.items())
    bars = bars.filter(pl.col("date") >= dates[0])
    place = positions(bars, dates, names)
    row, column = place["row"].to_numpy(), place["column"].to_numpy()
    for name in formulas:
        score_DN = np.full(scored_DN.shape, np.nan)
        score_DN[row, column] = bars[name].fill_null(float("nan")).to_numpy()
        score_DN = _where_scored(score_DN, scored_DN)
        if np.isfinite(score_DN).any():
            yield name, score_DN


def random_scores(scored_DN: Matrix, *, seed: int) -> Matrix:
    """The same days and names with scores that know nothing."""
    draw_DN = np.random.default_rng(seed).random(scored_DN.shape, dtype=np.float32)
    return np.where(np.isfinite(scored_DN), draw_DN, np.nan)


def equal_weight(scored_DN: Matrix, market: MarketData) -> Matrix:
    """Decided weights ``[D, N]`` of the scored universe, long only, 1/n each; NaN = no decision."""
    held_DN = np.isfinite(scored_DN) & market.traded_DN
    n_D1 = held_DN.sum(axis=1, keepdims=True)
    return np.where(n_D1 > 0, held_DN / np.maximum(n_D1, 1), np.nan)


def _where_scored(score_DN: Matrix, scored_DN: Matrix) -> Matrix:
    return np.where(np.isfinite(scored_DN) & np.isfinite(score_DN), score_DN, np.nan)
