"""The book of one day, read from the part of its file that holds the day."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from atft_tui.readings.parquet import readable
from engine.records import record


class Holding(Struct, frozen=True, kw_only=True):
    """One position at the close of a session; fractions of equity."""

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
    with readable(path.name):
        if "dividend" not in pl.read_parquet_schema(path):  # made before dividends were money
            found = found.with_columns(dividend=pl.lit(0.0), received=pl.lit(0.0))
        ordered = found.sort(pl.col("weight").abs(), "symbol", descending=[True, False])
        known = pl.col("name", "sector").fill_null(""), pl.col("scored").fill_null(0)
        rows = ordered.with_columns(*known).select(Holding.__struct_fields__).collect()
    held = list(rows.iter_rows(named=True))
    return DayBook(date=date, rows=record.convert(held, tuple[Holding, ...], path.name))
