"""The blend: the mean, over several models, of the rank that each gives a stock within the day.

Ranks of a day are centred: mean 0, between -1/2 and 1/2, ties share their mean rank. A model that has no
score of a horizon is left out there. Equal weights: fitted ones have so many ways to be lucky.
"""

# Shape suffixes: M stocks of a day, K models, H horizons.
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

_KEYS = ("date", "symbol")


def centred_ranks(score_M: NDArray[np.floating]) -> NDArray[np.float64]:
    """Centred ranks ``[M]`` of a day's scores ``[M]``; all NaN where a score is NaN."""
    return ranks_among(score_M, score_M, own=0)


def ranks_among(
    value_X: NDArray[np.floating], score_M: NDArray[np.floating], *, own: int = 1
) -> NDArray[np.float64]:
    """Centred ranks ``[X]`` of values among the ``M`` scores of a day; all NaN where a score is NaN.

    ``own``: 1 if a value is not among the scores and takes the place of one of them, which is to be left out
    of ``score_M``; the day then has ``M + 1`` stocks.
    """
    if np.isnan(score_M).any():
        return np.full(value_X.size, np.nan)
    ordered = np.sort(score_M)
    below_X = np.searchsorted(ordered, value_X, side="left")
    up_to_X = np.searchsorted(ordered, value_X, side="right") + own
    return np.asarray((below_X + up_to_X) / 2.0 / (score_M.size + own) - 0.5)


def blend(score_KMH: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    """Blended scores ``[M, H]`` of one day from ``[M, H]`` of each model, ranked as float32.

    NaN at a horizon of which no model has a score.
    """
    M, H = score_KMH[0].shape
    out_MH = np.full((M, H), np.nan, dtype=np.float32)
    for h in range(H):
        columns = [score_MH[:, h].astype(np.float32) for score_MH in score_KMH]
        known = [centred_ranks(column) for column in columns if not np.isnan(column).any()]
        if known:
            out_MH[:, h] = np.mean(known, axis=0)
    return out_MH


def blend_frames(frames: Mapping[str, pl.DataFrame], horizons: Sequence[int]) -> pl.DataFrame:
    """The blend of tables ``date, symbol, fold, split, score_<h>``, one a model, on the same rows.

    A column ``score_<h>`` that a table lacks counts as unknown. ValueError where rows differ: a mean over
    other stocks is no blend.
    """
    columns = [f"score_{h}" for h in horizons]
    tables = {name: frame.sort(_KEYS) for name, frame in frames.items()}
    first_name, first = next(iter(tables.items()))
    for name, table in tables.items():
        if not table.select(_KEYS).equals(first.select(_KEYS)):
            raise ValueError(f"{name} and {first_name} have scores of other stocks or days")
    values = [
        table.select(pl.col(c) if c in table.columns else pl.lit(np.nan).alias(c) for c in columns)
        .cast(pl.Float32)
        .fill_null(np.nan)
        .to_numpy()
        for table in tables.values()
    ]
    starts = np.flatnonzero((first["date"] != first["date"].shift(1)).fill_null(value=True))
    days = [np.split(value, starts[1:]) for value in values]
    mixed = np.concatenate([blend(day) for day in zip(*days, strict=True)])
    return first.select("date", "symbol", "fold", "split").with_columns(
        pl.Series(column, mixed[:, i]) for i, column in enumerate(columns)
    )
