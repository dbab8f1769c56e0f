"""The book of one day, read from the part of its file that holds the day."""

import datetime as dt
import math
from dataclasses import dataclass
from pathlib import Path

from atft_tui.readings.parquet import readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    symbol: str
    name: str
    sector: str
    weight: float
    """Value at the close / equity; negative = short, 0 = closed that session."""
    rank: int | None
    """Place of its score the evening before; 1 = best."""
    scored: int
    contribution: float
    """What it added to the gross return of the session."""
    dividend: float
    """Cash a share on its ex-date, quote currency; 0 = no ex-date."""
    received: float
    """The same over the equity of the evening before; negative = paid by a short. In the contribution."""

    @property
    def side(self) -> str:
        return "long" if self.weight > 0 else "short" if self.weight < 0 else "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBook:
    """Largest positions first."""

    date: dt.date
    rows: tuple[Holding, ...]


def read_day(directory: Path, date: dt.date) -> DayBook:
    """Holdings of a session from ``holdings.parquet`` of a run's directory."""
    import polars as pl

    path, names = directory / "holdings.parquet", directory / "holdings_names.parquet"
    found = pl.scan_parquet(path).filter(pl.col("date") == date)
    if names.is_file():
        found = found.join(pl.scan_parquet(names), on="symbol", how="left")
    else:
        found = found.with_columns(name=pl.lit(""), sector=pl.lit(""))
    columns = (
        "symbol", "name", "sector", "weight", "rank", "scored", "contribution", "dividend", "received",
    )  # fmt: skip
    with readable(path.name):
        if "dividend" not in pl.read_parquet_schema(path):  # made before dividends were money
            found = found.with_columns(dividend=pl.lit(0.0), received=pl.lit(0.0))
        ordered = found.sort(pl.col("weight").abs(), "symbol", descending=[True, False])
        rows = ordered.select(columns).collect()
    return DayBook(date=date, rows=tuple(_holding(row) for row in rows.iter_rows()))


def _holding(row: tuple[object, ...]) -> Holding:
    symbol, name, sector, weight, rank, scored, contribution, dividend, received = row
    return Holding(
        symbol=str(symbol),
        name=str(name or ""),
        sector=str(sector or ""),
        weight=weight if isinstance(weight, float) else math.nan,
        rank=rank if isinstance(rank, int) else None,
        scored=scored if isinstance(scored, int) else 0,
        contribution=contribution if isinstance(contribution, float) else math.nan,
        dividend=dividend if isinstance(dividend, float) else math.nan,
        received=received if isinstance(received, float) else math.nan,
    )
