"""The `files` source: CSV or Parquet tables on disk, with a column mapping."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.config import Market, ReadingConfig
from engine.data.labels import with_readable_labels
from engine.data.optional_files import read_optional
from engine.data.tables import (
    BAR_SCHEMA,
    INDEX_SCHEMA,
    OPTIONAL,
    SECURITY_SCHEMA,
    TABLES,
    RawTables,
    complete,
)
from engine.data.typed_files import Layout, read_table
from engine.errors import DataError
from engine.records.reading import ReadingPlan

GUESSES: dict[str, tuple[str, ...]] = {
    "symbol": ("symbol", "code", "ticker", "instrument", "Code", "Symbol", "Ticker"),
    "date": ("date", "Date", "datetime", "day", "timestamp"),
    "open": ("open", "Open", "AdjO"),
    "high": ("high", "High", "AdjH"),
    "low": ("low", "Low", "AdjL"),
    "close": ("adj_close", "Adj Close", "AdjC", "close", "Close"),
    "volume": ("volume", "Volume", "AdjVo", "vol"),
    "turnover": ("turnover", "turnover_value", "Va", "amount", "dollar_volume"),
    "adjustment_factor": ("adjustment_factor", "AdjFactor"),
    "dividend": ("dividend",),
    "name": ("name", "Name", "CoName", "company"),
    "sector": ("sector", "Sector", "S33"),
    "industry": ("industry", "Industry", "S17"),
    "shortable": ("shortable", "Shortable", "borrowable"),
    "borrow_class": ("borrow_class",),
}
"""Our column -> names it is known under elsewhere, most specific first."""
BARS = Layout(
    table="bars",
    schema=BAR_SCHEMA,
    guesses=GUESSES,
    optional=frozenset({"turnover", "adjustment_factor", "dividend"}),
)
SECURITIES = Layout(
    table="securities",
    schema=SECURITY_SCHEMA,
    guesses=GUESSES,
    optional=frozenset(SECURITY_SCHEMA) - {"symbol"},
    finish=lambda file, frame: with_readable_labels(frame),
)
INDEX = Layout(table="index", schema=INDEX_SCHEMA, guesses=GUESSES)
KNOWN = {**TABLES, **OPTIONAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Tables and how each of them was read."""

    raw: RawTables
    plans: tuple[ReadingPlan, ...] = ()


def read_files(
    prices: Path,
    *,
    securities: Path | None,
    index: Path | None,
    columns: Mapping[str, str],
    market: Market,
    now: dt.datetime,
    calendar: str = "",
    currency: str = "",
    settings: ReadingConfig | None = None,
    optional: Mapping[str, Path] | None = None,
    actions: Path | None = None,
) -> Reading:
    """Read and type the tables; only labels are cleaned here. Errors name file, column and row.

    ``optional`` gives files of optional tables (`engine.data.tables.OPTIONAL`) by name. ``columns`` maps
    our name to the file's: ``close``, or ``options.strike`` for one table only.
    """
    _check_names(columns)
    bars = read_table(prices, BARS, columns)
    if "turnover" not in bars.columns:
        bars = bars.with_columns((pl.col("close") * pl.col("volume")).alias("turnover"))
    stocks = pl.DataFrame(schema=SECURITY_SCHEMA)
    if securities is not None:
        stocks = complete(read_table(securities, SECURITIES, columns), SECURITY_SCHEMA)
    market_index = None
    if index is not None:
        market_index = read_table(index, INDEX, columns).sort("date")
    extra, notes = read_optional(optional or {}, columns)
    raw = RawTables(
        bars=complete(bars, BAR_SCHEMA).sort("date", "symbol"),
        securities=stocks,
        index=market_index,
        market=market,
        calendar=calendar,
        currency=currency,
        source=f"files({prices.name})",
        optional=extra,
        notes=notes,
    )
    return Reading(raw=raw)


def _check_names(columns: Mapping[str, str]) -> None:
    for name in columns:
        table, dot, column = name.partition(".")
        if dot and column not in KNOWN.get(table, {}):
            raise DataError(
                f"column mapping: there is no {name}",
                hint=f"a table of {', '.join(KNOWN)}, a dot, and one of its columns",
            )
