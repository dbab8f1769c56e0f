"""What a source delivers: the tables, their columns and units, and when a row could be known.

Prices and volumes are as quoted on the day; ``adjustment_factor`` says what the vendor's split did to
them. Tables other than bars carry ``available``: the first day at whose close a row may be used. Each
source computes it from its publication rule, and nothing downstream looks at period ends.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from engine.config import Market
from engine.errors import DataError

Schema = Mapping[str, pl.DataType | type[pl.DataType]]

BAR_SCHEMA: Schema = {
    "date": pl.Date,
    "symbol": pl.String,
    "open": pl.Float64,
    "high": pl.Float64,
    "low": pl.Float64,
    "close": pl.Float64,
    "volume": pl.Float64,
    "turnover": pl.Float64,
    "adjustment_factor": pl.Float64,
    "dividend": pl.Float64,
}
"""Prices in quote currency, volume in shares, turnover in currency. ``adjustment_factor``: what earlier
prices are multiplied by from this day on (0.5 on the day of a 2:1 split); 1 otherwise, and 1 throughout
where the source has adjusted its prices already. ``dividend``: cash on the ex-date, quote currency a share
of that day; 0 otherwise."""
SECURITY_SCHEMA: Schema = {
    "symbol": pl.String,
    "name": pl.String,
    "sector": pl.String,
    "industry": pl.String,
    "shortable": pl.Boolean,
    "borrow_class": pl.String,
}
"""``shortable`` null = yes; ``borrow_class`` null = general (a key of ``costs.borrow_classes`` else)."""
ACTION_SCHEMA: Schema = {
    "date": pl.Date,
    "symbol": pl.String,
    "kind": pl.String,
    "value": pl.Float64,
    "other": pl.String,
}
"""Corporate actions that the user knows; they go before whatever the bars say. ``kind`` and ``value``:
split, new shares per old share (7 for 7:1); dividend, cash a share; spinoff, worth of what was handed out, a
share, in quote currency; rename, none (``other`` is the new code); merger and delisting, cash a share in the
end. ``date``: the first session at the new terms, or the one after the last bar."""
KINDS_OF_ACTION = ("split", "dividend", "spinoff", "rename", "merger", "delisting")
INDEX_SCHEMA: Schema = {"date": pl.Date, "close": pl.Float64}
_ORACLE_SCHEMA: Schema = {
    "date": pl.Date,
    "symbol": pl.String,
    "horizon": pl.Int64,
    "expected": pl.Float64,
}
OPTION_SCHEMA: Schema = {
    "date": pl.Date,
    "available": pl.Date,
    "expiry": pl.Date,
    "strike": pl.Float64,
    "kind": pl.String,
    "implied_volatility": pl.Float64,
    "open_interest": pl.Float64,
    "volume": pl.Float64,
    "underlying": pl.Float64,
}
"""Index options of a session: ``kind`` put or call, implied volatility as a fraction a year, open interest
and volume in contracts, ``strike`` and ``underlying`` in index points."""
FLOW_SCHEMA: Schema = {
    "date": pl.Date,
    "available": pl.Date,
    "investor": pl.String,
    "buy": pl.Float64,
    "sell": pl.Float64,
}
"""Turnover by investor type over the period that ends on ``date``, in currency. ``investor``: foreign,
individual, trust, proprietary, ... (lower case)."""
MARGIN_SCHEMA: Schema = {
    "date": pl.Date,
    "available": pl.Date,
    "symbol": pl.String,
    "long": pl.Float64,
    "short": pl.Float64,
}
"""Outstanding margin positions at ``date``, in shares."""
SHORT_SCHEMA: Schema = {
    "date": pl.Date,
    "available": pl.Date,
    "sector": pl.String,
    "turnover": pl.Float64,
    "short_turnover": pl.Float64,
}
"""A sector's turnover of the session and the part of it sold short, in currency."""
STATEMENT_SCHEMA: Schema = {
    "available": pl.Date,
    "symbol": pl.String,
    "period_end": pl.Date,
    "period": pl.String,
    "sales": pl.Float64,
    "operating_profit": pl.Float64,
    "net_profit": pl.Float64,
    "assets": pl.Float64,
    "equity": pl.Float64,
    "forecast_sales": pl.Float64,
    "forecast_operating_profit": pl.Float64,
    "forecast_net_profit": pl.Float64,
}
"""One disclosure. ``period`` 1Q, 2Q, 3Q or FY; figures are cumulative since the start of the fiscal year,
in currency; forecasts are for the running fiscal year (for the next one when ``period`` is FY)."""
EARNINGS_SCHEMA: Schema = {"available": pl.Date, "symbol": pl.String, "date": pl.Date}
"""Announcement dates as scheduled: at ``available`` it was known that ``symbol`` reports on ``date``."""

TABLES: Mapping[str, Schema] = {
    "bars": BAR_SCHEMA,
    "securities": SECURITY_SCHEMA,
    "index": INDEX_SCHEMA,
    "oracle": _ORACLE_SCHEMA,
    "actions": ACTION_SCHEMA,
}
OPTIONAL: Mapping[str, Schema] = {
    "options": OPTION_SCHEMA,
    "flow": FLOW_SCHEMA,
    "margin": MARGIN_SCHEMA,
    "short": SHORT_SCHEMA,
    "statements": STATEMENT_SCHEMA,
    "earnings": EARNINGS_SCHEMA,
}
"""Tables that switch on a feature family where a source has them."""
DEFAULTS = {"adjustment_factor": 1.0, "dividend": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTables:
    """What a source delivers: typed, but as dirty as it came. Null = the source had nothing."""

    bars: pl.DataFrame
    """One row per (date, symbol), sorted."""
    securities: pl.DataFrame
    index: pl.DataFrame | None
    """Market index: date, close."""
    market: Market
    source: str
    oracle: pl.DataFrame | None = None
    """Synthetic markets only: the expected return that can be known at the close of `date`."""
    optional: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """By name, see `OPTIONAL`; a table the source does not have is absent."""
    actions: pl.DataFrame | None = None
    """Corporate actions of the user's own table."""
    calendar: str = ""
    """Code of exchange_calendars or ``24/7``; empty = the market's own."""
    currency: str = ""
    """A label, e.g. EUR; empty = the market's own."""
    notes: tuple[str, ...] = field(default=())
    """What the reader of the source had to say, e.g. tables that the plan lacks."""

    def __post_init__(self) -> None:
        unknown = sorted(set(self.optional) - set(OPTIONAL))
        if unknown:
            raise DataError(f"{self.source}: unknown table {', '.join(unknown)}")
        for name, table in self.tables().items():
            if dict(table.schema) != {**TABLES, **OPTIONAL}[name]:
                raise DataError(f"{self.source}: table {name} has schema {dict(table.schema)}")
        if self.bars.is_empty():
            raise DataError(f"{self.source}: no price rows")

    def as_of(self, day: dt.date) -> "RawTables":
        """Only what was known at the close of ``day``: optional tables by publication, not by period."""
        return replace(
            self,
            bars=self.bars.filter(pl.col("date") <= day),
            index=None if self.index is None else self.index.filter(pl.col("date") <= day),
            oracle=None if self.oracle is None else self.oracle.filter(pl.col("date") <= day),
            actions=None if self.actions is None else self.actions.filter(pl.col("date") <= day),
            optional={
                name: table.filter(pl.col("available") <= day)
                for name, table in self.optional.items()
            },
        )

    def tables(self) -> dict[str, pl.DataFrame]:
        """Those that are there, by name."""
        present = {name: getattr(self, name) for name in TABLES} | dict(self.optional)
        return {name: table for name, table in present.items() if table is not None}


def complete(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """The frame with all columns of the schema, in its order; missing ones are null or their default."""
    missing = [
        pl.lit(DEFAULTS.get(name), schema[name]).alias(name)
        for name in schema
        if name not in frame.columns
    ]
    return frame.with_columns(missing).select(list(schema))
