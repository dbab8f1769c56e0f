"""Bars as quoted and the corporate actions beside them, from whatever scale a file has."""

from dataclasses import dataclass

import polars as pl

from engine.config import ReadingConfig
from engine.records.reading import Factor, PriceScale


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Bars on one price scale."""

    bars: pl.DataFrame
    """date, symbol, open, high, low, close, volume, turnover (where the file has it), adjustment_factor,
    dividend; the rows of the frame in their order."""
    price_scale: PriceScale
    factor: Factor | None
    notes: tuple[str, ...] = ()


def to_quoted(
    frame: pl.DataFrame, settings: ReadingConfig, *, vintage: pl.Series | None = None
) -> Scaled:
    """Bars of a frame in file order, on one scale."""
    bars = frame.select("date", "symbol", "open", "high", "low", "close", "volume")
    bars = bars.with_columns(adjustment_factor=pl.lit(1.0), dividend=pl.lit(0.0))
    return Scaled(bars=bars, price_scale="raw", factor=None)
