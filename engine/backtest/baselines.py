"""What the scores have to beat, on the same days, with the same strategy and the same costs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from engine.data.panel import Panel
from engine.errors import DataError
from engine.portfolio.prediction import Prediction, score_column
from engine.portfolio.weights import Weights


def stored_baselines(
    frame: pl.DataFrame, prediction: Prediction, horizon: int
) -> Iterator[tuple[str, Prediction]]:
    """Baselines of ``baselines.parquet`` (the columns of predictions and ``name``), for one horizon.

    Only rows that the model scored too; a baseline without any (an oracle of other horizons) is left out.
    """
    column = score_column(horizon)
    if "name" not in frame.columns or column not in frame.columns:
        raise DataError(f"baselines.parquet: needs the columns name and {column}")
    for (name,), rows in frame.group_by("name", maintain_order=True):
        scored = _same_days(rows.select("date", "symbol", column), prediction, column)
        if not scored.frame.is_empty():
            yield str(name), scored


def price_baselines(
    panel: Panel, prediction: Prediction, horizon: int
) -> Iterator[tuple[str, Prediction]]:
    """Reversal and momentum from closes alone, for a run without stored baselines.

    ``reversal_5``: minus the return of the last 5 bars. ``momentum_12_1``: return from 252 to 21 bars
    ago. Names without the history are left out.
    """
    column = score_column(horizon)
    close = pl.col("close")
    formulas = {
        "reversal_5": 1.0 - close / close.shift(5).over("symbol"),
        "momentum_12_1": close.shift(21).over("symbol") / close.shift(252).over("symbol") - 1.0,
    }
    last = prediction.frame["date"][-1]
    bars = panel.frame.filter(
        pl.col("symbol").is_in(prediction.frame["symbol"].unique().implode()),
        pl.col("date") <= last,
    )
    for name, formula in formulas.items():
        scores = bars.select("date", "symbol", formula.cast(pl.Float32).alias(column))
        scored = _same_days(scores, prediction, column)
        if not scored.frame.is_empty():
            yield name, scored


def random_scores(prediction: Prediction, horizon: int, *, seed: int) -> Prediction:
    """The same days and names with scores that know nothing."""
    draws = np.random.default_rng(seed).standard_normal(len(prediction.frame), dtype=np.float32)
    frame = prediction.frame.with_columns(pl.Series(score_column(horizon), draws))
    return replace(prediction, frame=frame)


def equal_weight(prediction: Prediction) -> Weights:
    """The scored universe, long only, 1/n of the equity in each name."""
    frame = prediction.frame.select("date", "symbol", (1.0 / pl.len().over("date")).alias("weight"))
    return Weights(
        frame=frame,
        strategy="equal_weight",
        run_id=prediction.run_id,
        max_gross=1.0,
        max_net=1.0,
        max_weight=1.0,
    )


def _same_days(scores: pl.DataFrame, prediction: Prediction, column: str) -> Prediction:
    """``scores`` on exactly the (date, symbol) rows of the prediction, where they are finite."""
    rows = prediction.frame.select("date", "symbol", "fold", "split").join(
        scores.with_columns(pl.col(column).cast(pl.Float32)), on=["date", "symbol"], how="inner"
    )
    known = rows.filter(pl.col(column).is_finite().fill_null(value=False)).sort("date", "symbol")
    horizon = int(column.removeprefix("score_"))
    return replace(prediction, frame=known, horizons=(horizon,))
