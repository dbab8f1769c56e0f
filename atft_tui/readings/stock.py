"""One code's closes, read with a predicate from the month files of the store."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from atft_tui.readings.files import readable
from engine.records.flags import EVENTS, FLAG_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class StockBars:
    """One code's closes, in order of time."""

    symbol: str
    dates: tuple[str, ...]
    close: tuple[float, ...]
    """NaN where missing."""
    cleaned: bool
    """After the quality gates, adjusted for splits; else as it came."""
    events: tuple[tuple[int, str], ...] = ()
    """Position among the dates, and what happened to the shares: split, break, dividend, action, proceeds."""


def read_stock(workspace: Path, snapshot: str, panel: str, symbol: str) -> StockBars:
    """Cleaned closes where the code has any, else raw ones. RecordError for a torn file."""
    import polars as pl

    for directory, cleaned in (
        (Path(panel) if panel else None, True),
        (workspace / "data" / "snapshots" / snapshot, False),
    ):
        files = sorted(directory.glob("bars-*.parquet")) if directory is not None else []
        if not files:
            continue
        with readable(str(directory)):
            table = pl.scan_parquet(files)
            told = ["flags"] if "flags" in table.collect_schema() else []
            bars = (
                table.filter(pl.col("symbol") == symbol)
                .select("date", "close", *told)
                .sort("date")
                .collect()
            )
        if not bars.is_empty():
            return StockBars(
                symbol=symbol,
                dates=tuple(str(day) for day in bars["date"]),
                close=tuple(math.nan if value is None else value for value in bars["close"]),
                cleaned=cleaned,
                events=tuple(_events(bars["flags"])) if told else (),
            )
    return StockBars(symbol=symbol, dates=(), close=(), cleaned=False)


def _events(flags: Iterable[int]) -> Iterator[tuple[int, str]]:
    for position, bits in enumerate(flags):
        for bit, name in FLAG_NAMES.items():
            if bits & bit & EVENTS:
                yield position, name
