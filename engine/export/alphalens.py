"""alphalens: scores as a factor, and the very returns that our RankIC is taken of.

``get_clean_factor(factor, forward_returns)`` takes both as they are. Prices are not handed over: alphalens
would enter at the close at which the score is known, and would value halts and delistings otherwise.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from engine.evaluation.rank_ic import MIN_NAMES, rank_ic_series
from engine.export.frames import write_indexed
from engine.records.exported import Exported

_INDEX = ("date", "asset")


def write(folder: Path, labelled: Mapping[int, pl.DataFrame]) -> Exported:
    """``factor_<h>.parquet`` and ``forward_returns_<h>.parquet`` of each horizon, index (date, asset).

    ``labelled``: horizon in sessions -> ``date, symbol, score, forward_return``, a fraction, NaN where it
    is not known. Days with fewer than 10 known pairs are left out, as they are from our RankIC.
    """
    files, notes, rows = [], [], 0
    for horizon, frame in labelled.items():
        known = pl.col("score").is_finite() & pl.col("forward_return").is_finite()
        frame = frame.filter(known).filter(pl.len().over("date") >= MIN_NAMES)
        frame = frame.rename({"symbol": "asset", "forward_return": f"{horizon}D"})
        frame = frame.rename({"score": "factor"}).sort("date", "asset")
        factor, returns = frame.select(*_INDEX, "factor"), frame.drop("factor")
        files += [
            write_indexed(folder / f"factor_{horizon}.parquet", factor, _INDEX),
            write_indexed(folder / f"forward_returns_{horizon}.parquet", returns, _INDEX),
        ]
        rows += len(frame)
        notes.append(_rank_ic(frame, horizon))
    return Exported(
        target="alphalens",
        place=str(folder),
        files=tuple(map(str, files)),
        counts={"rows": rows},
        notes=tuple(notes),
    )


def _rank_ic(frame: pl.DataFrame, horizon: int) -> str:
    """Our RankIC of these rows in words."""
    days = [rows for _, rows in frame.group_by("date", maintain_order=True)]
    scores = [rows["factor"].to_numpy() for rows in days]
    daily_D = rank_ic_series(scores, [rows[f"{horizon}D"].to_numpy() for rows in days])
    if not np.isfinite(daily_D).any():
        return f"h={horizon}: no day with {MIN_NAMES} scores and returns"
    return f"h={horizon}: mean RankIC {np.nanmean(daily_D):+.6f} over {len(days)} days"
