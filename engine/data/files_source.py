"""The `files` source: tables on disk, with a column mapping."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from engine.config import Market, ReadingConfig
from engine.data.calendar import exchange_of, exchange_zone, sessions_between
from engine.data.merge import BarOrigin
from engine.data.optional_files import LAYOUTS, read_optional
from engine.data.reading.bars import read_bars
from engine.data.reading.dates import Exchange
from engine.data.reading.names import ADJUSTED, ALL_BARS, BARS
from engine.data.reading.tables import ACTIONS, WantedTable, read_table
from engine.data.tables import (
    ACTION_SCHEMA,
    BAR_SCHEMA,
    INDEX_SCHEMA,
    SECURITY_SCHEMA,
    RawTables,
    complete,
)
from engine.errors import DataError
from engine.plain_text import readable
from engine.records.reading import ReadingPlan

_LABELS = ("name", "sector", "industry")
_SECURITIES = WantedTable(
    table="securities",
    schema=SECURITY_SCHEMA,
    synonyms={
        "symbol": BARS["symbol"],
        "name": (
            "coname", "company", "companyname", "securityname", "shortname", "longname", "issuer",
            "銘柄名", "会社名", "名称", "股票名称", "证券名称", "证券简称", "股票简称",
        ),
        "sector": ("gicssector", "s33", "sectorname", "33業種区分", "33業種コード", "業種", "行业"),
        "industry": ("gicssubindustry", "gicsindustry", "s17", "industryname", "subindustry",
                     "17業種区分", "17業種コード", "所属行业"),
        "shortable": ("borrowable", "easytoborrow", "貸借"),
        "borrow_class": ("borrowclass",),
    },
    optional=frozenset(SECURITY_SCHEMA) - {"symbol"},
    finish=lambda cells, frame: _with_readable_labels(frame),
)  # fmt: skip
_INDEX = WantedTable(
    table="index",
    schema=INDEX_SCHEMA,
    synonyms={
        "date": BARS["date"],
        "close": (*BARS["close"], "value", "level", *ADJUSTED["adj_close"]),
    },
)
_KNOWN: Mapping[str, Iterable[str]] = {
    "bars": {*BAR_SCHEMA, *ALL_BARS},
    "securities": SECURITY_SCHEMA,
    "index": INDEX_SCHEMA,
    "actions": ACTION_SCHEMA,
    **{name: layout.schema for name, layout in LAYOUTS.items()},
}
"""Table -> columns that can be mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesRead:
    """Tables and how each of them was read."""

    raw: RawTables
    origin: BarOrigin
    """File and line of each bar."""
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
    after: dt.date | None = None,
) -> FilesRead:
    """Read and type the tables; only labels are cleaned here. Errors name file, line, column and value.

    ``optional`` gives files of optional tables (`engine.data.tables.OPTIONAL`) by name. ``columns`` maps
    our name to the file's: ``close``, or ``options.strike`` for one table only, each with a factor if need
    be (``volume``: ``vol*100``). ``after``: the last stored session, where the bars are to be appended.
    """
    _check_names(columns)
    settings = settings or ReadingConfig()
    exchange = _exchange(exchange_of(market, calendar), now)
    bars, origin, plans = read_bars(prices, columns, exchange, settings, after=after)

    def beside(path: Path, wanted: WantedTable) -> pl.DataFrame:
        nonlocal plans
        table, more = read_table(path, wanted, columns, exchange, settings)
        plans += more
        return table

    stocks = pl.DataFrame(schema=SECURITY_SCHEMA)
    if securities is not None:
        stocks = complete(beside(securities, _SECURITIES), SECURITY_SCHEMA)
    market_index = None if index is None else beside(index, _INDEX).sort("date")
    extra, notes = read_optional(optional or {}, beside)
    raw = RawTables(
        bars=bars,
        securities=stocks,
        index=market_index,
        market=market,
        actions=None if actions is None else complete(beside(actions, ACTIONS), ACTION_SCHEMA),
        calendar=calendar,
        currency=currency,
        source=f"files({prices.name})",
        optional=extra,
        notes=notes,
    )
    return FilesRead(raw=raw, origin=origin, plans=plans)


def _exchange(code: str, now: dt.datetime) -> Exchange:
    return Exchange(
        zone=exchange_zone(code),
        sessions=partial(sessions_between, code),
        now=now,
    )


def _check_names(columns: Mapping[str, str]) -> None:
    anywhere = {column for names in _KNOWN.values() for column in names}
    for name in columns:
        table, dot, column = name.partition(".")
        if dot and column not in _KNOWN.get(table, ()):
            raise DataError(
                f"column mapping: there is no {name}",
                hint=f"a table of {', '.join(_KNOWN)}, a dot, and one of its columns",
            )
        if not dot and name not in anywhere:
            raise DataError(
                f"column mapping: there is no column {name!r} of ours",
                hint=f"OURS=THEIRS; of bars there are {', '.join(ALL_BARS)}",
            )


def _with_readable_labels(securities: pl.DataFrame) -> pl.DataFrame:
    """Codes stay as they are; null stays null."""
    there = [name for name in _LABELS if name in securities.columns]
    return securities.with_columns(
        pl.col(there).map_elements(readable, return_dtype=pl.String, skip_nulls=True)
    )
