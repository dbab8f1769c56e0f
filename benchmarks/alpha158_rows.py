"""The bars that the Alpha158 benchmark runs on: real ones where they are present, generated otherwise."""

from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.options import say

Array = NDArray[np.float64]
FIELDS = ("open", "high", "low", "close", "volume")
REAL = Path(__file__).parents[2] / "shared" / "data" / "nasdaq" / "prices.parquet"


def load_bars(stocks: int, sessions: int, *, made_up: bool) -> dict[str, Array]:
    """Arrays ``[N, S]`` without gaps, rounded to float32 (what Qlib stores)."""
    if REAL.exists() and not made_up:
        bars = _real(stocks, sessions)
        where = "NASDAQ, real"
    else:
        bars = _generated(stocks, sessions)
        where = "generated"
    N, S = bars["close"].shape
    say(f"rows: {where}, {N} stocks x {S} sessions = {N * S / 1e6:.2f} M")
    return bars


def _real(stocks: int, sessions: int) -> dict[str, Array]:
    """The first codes that traded on each of the last sessions at sane prices."""
    frame = pl.read_parquet(REAL).sort("code", "date")
    last = frame["date"].unique().sort().tail(sessions)
    sane = (
        pl.min_horizontal("open", "high", "low", "close", "volume").gt(0)
        & (pl.col("high") >= pl.max_horizontal("open", "close"))
        & (pl.col("low") <= pl.min_horizontal("open", "close"))
        & (pl.col("close") < 1e4)
    )
    frame = frame.filter(pl.col("date").is_in(last.implode()) & sane)
    frame = frame.filter(pl.len().over("code") == sessions)
    frame = frame.head(stocks * sessions)
    return {name: frame[name].cast(pl.Float32).to_numpy().astype(float).reshape(-1, sessions)
            for name in FIELDS}  # fmt: skip


def _generated(stocks: int, sessions: int) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    close = 50.0 * np.exp(rng.normal(0, 0.02, (stocks, sessions)).cumsum(axis=1))
    open_ = close * np.exp(rng.normal(0, 0.01, close.shape))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0, 0.005, close.shape)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0, 0.005, close.shape)))
    volume = np.exp(rng.normal(12, 1, close.shape))
    values = (open_, high, low, close, volume)
    return {
        name: x.astype(np.float32).astype(float) for name, x in zip(FIELDS, values, strict=True)
    }
