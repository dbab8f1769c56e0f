"""What a source delivers: the tables, their columns and units, and when a row could be known.

Prices and volumes are as quoted on the day; ``adjustment_factor`` says what the vendor's split did to
them. Tables other than bars carry ``available``: the first day at whose close a row may be used. Each
source computes it from its publication rule, and nothing downstream looks at period ends. Where no sector is
known, what needs one is off or refused.
"""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from engine.config import Market
from engine.errors import DataError

Schema = Mapping[str, pl.DataType | type[pl.DataType]]
_TYPES: Schema = (
    dict.fromkeys(("date", "available", "expiry", "period_end"), pl.Date)
    | dict.fromkeys(("symbol", "name", "sector", "industry", "borrow_class"), pl.String)
    | dict.fromkeys(("kind", "other", "investor", "period"), pl.String)
    | {"shortable": pl.Boolean, "horizon": pl.Int64}
)
"""A column has one type in all tables; those that are not named here are numbers."""
_FACTOR = pl.col("adjustment_factor")
_DIVIDEND = pl.col("dividend")
SECTORS = "sectors"
"""Name under which a securities table with at least one sector counts as a table of its own."""
WAY_OUT = (
    "ingest a table with the columns symbol and sector: `atft-tui ingest ... --securities FILE`"
)


def _schema(names: str) -> Schema:
    return {name: _TYPES.get(name, pl.Float64) for name in names.split()}


BAR_SCHEMA = _schema("date symbol open high low close volume turnover adjustment_factor dividend")
"""Prices in quote currency, volume in shares, turnover in currency. ``adjustment_factor``: what earlier
prices are multiplied by from this day on (0.5 on the day of a 2:1 split); 1 otherwise, and 1 throughout
where the source has adjusted its prices already. ``dividend``: cash on the ex-date, quote currency a share
of that day; 0 otherwise."""
SECURITY_SCHEMA = _schema("symbol name sector industry shortable borrow_class")
"""``shortable`` null = yes; ``borrow_class`` null = general (a key of ``costs.borrow_classes`` else)."""
ACTION_SCHEMA = _schema("date symbol kind value other")
"""Corporate actions that the user knows; they go before whatever the bars say. ``kind`` and ``value``:
split, new shares per old share (7 for 7:1); dividend, cash a share; spinoff, worth of what was handed out, a
share, in quote currency; rename, none (``other`` is the new code); merger and delisting, cash a share in the
end. ``date``: the first session at the new terms, or the one after the last bar."""
KINDS_OF_ACTION = ("split", "dividend", "spinoff", "rename", "merger", "delisting")
INDEX_SCHEMA = _schema("date close")
TABLES: Mapping[str, Schema] = {
    "bars": BAR_SCHEMA,
    "securities": SECURITY_SCHEMA,
    "index": INDEX_SCHEMA,
    "oracle": _schema("date symbol horizon expected"),
    "actions": ACTION_SCHEMA,
}
OPTIONAL: Mapping[str, Schema] = {
    # Index options of a session: kind put or call, implied volatility as a fraction a year, open interest and
    # volume in contracts, strike and underlying in index points.
    "options": _schema(
        "date available expiry strike kind implied_volatility open_interest volume underlying"
    ),
    # Turnover by investor type over the period that ends on the date, in currency. Investor: foreign,
    # individual, trust, proprietary, ... (lower case).
    "flow": _schema("date available investor buy sell"),
    # Outstanding margin positions at the date, in shares.
    "margin": _schema("date available symbol long short"),
    # A sector's turnover of the session and the part of it sold short, in currency.
    "short": _schema("date available sector turnover short_turnover"),
    # One disclosure. Period 1Q, 2Q, 3Q or FY; figures are cumulative since the start of the fiscal year, in
    # currency; forecasts are for the running fiscal year (for the next one when the period is FY).
    "statements": _schema(
        "available symbol period_end period sales operating_profit net_profit assets equity"
        " forecast_sales forecast_operating_profit forecast_net_profit"
    ),
    # Announcement dates as scheduled: at ``available`` it was known that the symbol reports on the date.
    "earnings": _schema("available symbol date"),
    # The session's close over earnings (last twelve months, forecast) and book value; returns on equity as
    # fractions; market capitalisation in currency.
    "valuation": _schema("date available symbol per forward_per pbr roe forward_roe market_cap"),
    # How many documents a company disclosed on the date.
    "disclosures": _schema("date available symbol documents"),
    # A report of a large holding: shares of the holder and of those who act with it, of all outstanding.
    "holdings": _schema("date available symbol held outstanding"),
}
"""Tables beside the bars. Those up to earnings switch on a feature family where a source has them; the others
are for features of one's own.
"""
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
    """Optional tables by name, see `OPTIONAL`; one that the source does not have is absent."""
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

        def known(table: pl.DataFrame | None) -> pl.DataFrame | None:
            return None if table is None else table.filter(pl.col("date") <= day)

        told = {n: t.filter(pl.col("available") <= day) for n, t in self.optional.items()}
        return replace(
            self, bars=self.bars.filter(pl.col("date") <= day), index=known(self.index),
            oracle=known(self.oracle), actions=known(self.actions), optional=told,
        )  # fmt: skip

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


def drop_untraded(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars without a close dropped; their adjustment factor is multiplied into the stock's next bar, their
    dividend added to its own, per share of that bar.

    Sorted by (date, symbol). Each row depends on itself and earlier rows only.
    """
    bars = bars.with_columns(_FACTOR.fill_null(1.0))
    traded = pl.col("close").is_not_null() & pl.col("close").is_not_nan()
    # A factor or dividend on an untraded day is rare; only those stocks are worth walking through.
    carrying = pl.col("symbol").is_in(
        bars.filter(~traded & ((_FACTOR != 1.0) | (_DIVIDEND != 0.0)))["symbol"].unique().to_list()
    )
    carried = (
        bars.filter(carrying)
        .sort("symbol", "date")
        .with_columns(traded.alias("_traded"))
        .with_columns(
            pl.col("_traded").shift(1, fill_value=False).cum_sum().over("symbol").alias("_bar")
        )
        .with_columns(
            _FACTOR.product().over("symbol", "_bar"),
            (_DIVIDEND * _FACTOR.product() / _FACTOR.cum_prod()).sum().over("symbol", "_bar"),
        )
        .drop("_traded", "_bar")
    )
    kept = pl.concat([bars.filter(~carrying), carried]).filter(traded)
    return kept.sort("date", "symbol")


def with_sector(securities: pl.DataFrame) -> pl.DataFrame:
    """Rows whose sector is known: neither null nor empty."""
    return securities.filter(pl.col("sector").fill_null("") != "")


def has_sectors(securities: pl.DataFrame) -> bool:
    """Whether the sector of at least one stock is known."""
    return not with_sector(securities).is_empty()


def sector_notes(securities: pl.DataFrame, symbols: Collection[str]) -> tuple[str, ...]:
    """One sentence where sectors of ``symbols`` (those with bars) are missing; none where all are known."""
    known = len(set(with_sector(securities)["symbol"]) & set(symbols))
    if known == len(symbols):
        return ()
    if known:
        return (
            f"sectors are known for {known:,} of {len(symbols):,} stocks ({known / len(symbols):.0%}); the "
            "others have no sector features and count as one sector of their own",
        )
    return (
        "no stock has a sector: sector features are off, and what needs sectors is refused "
        "(`--securities FILE` with symbol and sector; docs/markets.md)",
    )
