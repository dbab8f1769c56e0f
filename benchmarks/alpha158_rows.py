"""The bars that the Alpha158 benchmark runs on: real ones where they are present, generated otherwise."""

import sys
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

Array = NDArray[np.float64]
FIELDS = ("open", "high", "low", "close", "volume")
REAL = Path(__file__).parents[2] / "shared" / "data" / "nasdaq" / "prices.parquet"
STOCKS, SESSIONS = 1000, 1280


def load_bars() -> dict[str, Array]:
    """Arrays ``[N, S]`` without gaps, rounded to float32 (what Qlib stores)."""
    if REAL.exists():
        bars = _real()
        where = "NASDAQ, real"
    else:
        bars = _generated()
        where = "generated"
    N, S = bars["close"].shape
    sys.stdout.write(f"rows: {where}, {N} stocks x {S} sessions = {N * S / 1e6:.2f} M\n")
    return bars


def _real() -> dict[str, Array]:
    """The first 1,000 codes that traded on each of the last 1,280 sessions at sane prices."""
    frame = pl.read_parquet(REAL).sort("code", "date")
    sessions = frame["date"].unique().sort().tail(SESSIONS)
    sane = (
        pl.min_horizontal("open", "high", "low", "close", "volume").gt(0)
        & (pl.col("high") >= pl.max_horizontal("open", "close"))
        & (pl.col("low") <= pl.min_horizontal("open", "close"))
        & (pl.col("close") < 1e4)
    )
    frame = frame.filter(pl.col("date").is_in(sessions.implode()) & sane)
    frame = frame.filter(pl.len().over("code") == SESSIONS)
    frame = frame.head(STOCKS * SESSIONS)
    return {name: frame[name].cast(pl.Float32).to_numpy().astype(float).reshape(-1, SESSIONS)
            for name in FIELDS}  # fmt: skip


def _generated() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    close = 50.0 * np.exp(rng.normal(0, 0.02, (STOCKS, SESSIONS)).cumsum(axis=1))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.005, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.005, close.shape)))
    volume = np.exp(rng.normal(12, 1, close.shape))
    values = (open_, high, low, close, volume)
    return {
        name: x.astype(np.float32).astype(float) for name, x in zip(FIELDS, values, strict=True)
    }
