"""Optional tables from files: their columns under our names or those of J-Quants v2.

The day from which a row may be used is taken from, in this order: a column ``available``; a day of
publication, whose next day it is (statements told before 15:00: the same day); the row's ``date`` plus
its table's delay. Statements need one of the first two: a period's end says nothing about when it was told.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.data.jquants.endpoints import ALL_MARKETS
from engine.data.reading.columns import Cells
from engine.data.reading.tables import WantedTable
from engine.data.tables import OPTIONAL, Schema, complete
from engine.errors import DataError
from engine.plain_text import readable

_CLOSE = "15:00"
_PERCENT = 3.0
"""A median implied volatility above this is in percent."""
_KINDS = {"put": "put", "p": "put", "1": "put", "call": "call", "c": "call", "2": "call"}
_INVESTORS = {
    "foreign": "Frgn", "individual": "Ind", "trust": "TrstBnk", "proprietary": "Prop",
    "investment_trust": "InvTr", "business": "BusCo", "insurance": "InsCo", "bank": "Bank",
    "securities": "SecCo", "other_company": "OthCo", "other_financial": "OthFin",
}  # fmt: skip
"""Our type -> start of its columns in J-Quants' wide table."""
_WIDE = {
    f"{ours}_{side}": f"{theirs}{side}"
    for ours, theirs in _INVESTORS.items()
    for side in ("buy", "sell")
}
_RESULTS = {"sales": "Sales", "operating_profit": "OP", "net_profit": "NP"}
_SOLD = {
    "sold_long": "SellExShortVa", "short_restricted": "ShrtWithResVa", "short_free": "ShrtNoResVa",
}  # fmt: skip
_KEYS = ("date", "symbol", "expiry", "strike", "kind", "investor", "sector", "period_end", "period")
_Finish = Callable[[Cells, pl.DataFrame], pl.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True)
class _OptionalTable:
    """What files of one table are known to hold."""

    names: Mapping[str, str]
    """Our column -> its names elsewhere beside our own; width, case and underscores do not count. The last
    ones of some tables are vendor columns from which ours are made."""
    required: tuple[str, ...]
    order: tuple[str, ...]
    """Columns that the rows are sorted by."""
    ahead: tuple[str, ...] = ()
    """Days beside ``available`` that may lie in the future."""
    delay: int | None = None
    """Calendar days from ``date`` to use, where no day of publication is given."""
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    finish: _Finish = lambda cells, frame: frame


def read_optional(
    paths: Mapping[str, Path], read: Callable[[Path, WantedTable], pl.DataFrame]
) -> tuple[dict[str, pl.DataFrame], tuple[str, ...]]:
    """Tables by name, each in its schema and order, and what was done to them that one should know."""
    tables, notes = {}, []
    for name, path in paths.items():
        if name not in OPTIONAL:
            raise DataError(f"unknown table {name}", hint=f"known: {', '.join(OPTIONAL)}")
        frame = read(path, LAYOUTS[name])
        if name == "options":
            frame, said = _as_fraction(frame)
            notes += said
        if name == "flow":
            frame = _one_section(path, frame)
        tables[name] = complete(frame, OPTIONAL[name]).sort(
            *_TABLES[name].order, maintain_order=True
        )
    return tables, tuple(notes)


def _as_fraction(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    if "implied_volatility" not in frame.columns:
        return frame, []
    middle = frame["implied_volatility"].fill_nan(None).median()
    if not isinstance(middle, float) or middle <= _PERCENT:
        return frame, []
    said = f"options: implied volatility was in percent (median {middle:.1f}), divided by 100"
    return frame.with_columns(pl.col("implied_volatility") / 100), [said]


def _dated(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Fill in the day from which each row may be used."""
    told = pl.lit(None, pl.Date)
    if "available" in frame.columns:
        told = pl.col("available")
    if "published" in frame.columns:
        wait = pl.lit(1)
        if "time" in frame.columns:
            wait = pl.when(pl.col("time").str.slice(0, 5) < _CLOSE).then(0).otherwise(1)
        told = pl.coalesce(told, pl.col("published") + pl.duration(days=wait))
    delay = _TABLES[name].delay
    if delay is not None:
        told = pl.coalesce(told, pl.col("date") + pl.duration(days=delay))
    return frame.with_columns(told.cast(pl.Date).alias("available"))


def _options(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    kind = frame["kind"].str.strip_chars().str.to_lowercase()
    known = kind.is_in(list(_KINDS))
    if not known.all():
        row = int((~known).arg_max() or 0)
        raise DataError(
            f"{cells.where(row)}, column `kind`: {readable(frame['kind'][row])!r} is neither put nor call",
            hint="put or call, p or c, or J-Quants' 1 (put) and 2 (call)",
        )
    return frame.with_columns(kind.replace_strict(_KINDS).alias("kind"))


def _flow(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    """J-Quants gives one column per investor and side; ours is one row per investor."""
    if "section" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("section"))
    if "investor" in frame.columns:
        return frame.with_columns(pl.col("investor").str.strip_chars().str.to_lowercase())
    beside = [n for n in ("date", "available", "published", "section") if n in frame.columns]
    parts = [
        frame.select(
            *beside, investor=pl.lit(investor), buy=f"{investor}_buy", sell=f"{investor}_sell"
        )
        for investor in _INVESTORS
        if {f"{investor}_buy", f"{investor}_sell"} <= set(frame.columns)
    ]
    if not parts:
        raise DataError(f"{cells.where(0)}: no investor type has both a buy and a sell column")
    return pl.concat(parts)


def _one_section(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """J-Quants gives a row for each market section and one for all of them, which is the one wanted."""
    if (frame["section"] == ALL_MARKETS).any():
        return frame.filter(pl.col("section") == ALL_MARKETS)
    sections = frame["section"].drop_nulls().unique().sort().to_list()
    if len(sections) > 1:
        raise DataError(
            f"{path}: several market sections ({', '.join(sections)}) and no {ALL_MARKETS}",
            hint="keep the rows of one section",
        )
    return frame


def _short(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    """J-Quants splits the value sold into long sales and short sales with and without price limits."""
    if "short_turnover" in frame.columns:
        return frame
    absent = [theirs for name, theirs in _SOLD.items() if name not in frame.columns]
    if absent:
        raise DataError(
            f"{cells.where(0)}: no column {', '.join(absent)} beside the other parts of the sales"
        )
    sold_short = pl.col("short_restricted") + pl.col("short_free")
    return frame.with_columns(
        sold_short.alias("short_turnover"), (sold_short + pl.col("sold_long")).alias("turnover")
    )


def _statements(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    """After a full year the forecast is the next year's. A row without a day of disclosure is refused."""
    told = pl.coalesce(name for name in ("available", "published") if name in frame.columns)
    empty = frame.select(told.is_null()).to_series()
    if empty.any():
        row = int(empty.arg_max() or 0)
        raise DataError(f"{cells.where(row)} has no day of disclosure")
    for name in _RESULTS:
        if f"next_{name}" in frame.columns:
            ours = f"forecast_{name}"
            own = pl.col(ours) if ours in frame.columns else pl.lit(None, pl.Float64)
            full = pl.col("period") == "FY"
            frame = frame.with_columns(
                pl.when(full).then(pl.col(f"next_{name}")).otherwise(own).alias(ours)
            )
    return frame


_TABLES = {
    "options": _OptionalTable(
        names={
            "date": "", "expiry": "expiration SQD LTD", "strike": "", "kind": "type put_call PCDiv",
            "implied_volatility": "iv", "open_interest": "oi", "volume": "Vo",
            "underlying": "underlying_price UnderPx",
        },
        required=("date", "expiry", "strike", "kind"),
        order=("date", "expiry", "strike", "kind", "available"),
        ahead=("expiry",), delay=1, finish=_options,
    ),
    "flow": _OptionalTable(
        names={
            "date": "EnDate", "investor": "investor_type", "buy": "", "sell": "", "section": "", **_WIDE
        },
        required=("date", "investor", "buy", "sell"),
        order=("date", "investor", "available"),
        delay=10, instead=dict.fromkeys(("investor", "buy", "sell"), tuple(_WIDE)), finish=_flow,
    ),
    "margin": _OptionalTable(
        names={"date": "", "symbol": "code ticker", "long": "LongVol", "short": "ShrtVol"},
        required=("date", "symbol", "long", "short"),
        order=("date", "symbol", "available"), delay=7,
    ),
    "short": _OptionalTable(
        names={"date": "", "sector": "S33", "turnover": "", "short_turnover": "", **_SOLD},
        required=("date", "sector", "turnover", "short_turnover"),
        order=("date", "sector", "available"), delay=1, finish=_short,
        instead=dict.fromkeys(("turnover", "short_turnover"), ("short_restricted", "short_free")),
    ),
    "statements": _OptionalTable(
        names={
            "symbol": "code ticker", "period_end": "CurPerEn", "period": "CurPerType", "assets": "TA",
            "equity": "Eq", "time": "DiscTime", **_RESULTS,
            **{f"forecast_{ours}": f"F{theirs}" for ours, theirs in _RESULTS.items()},
            **{f"next_{ours}": f"NxF{theirs}" for ours, theirs in _RESULTS.items()},
        },
        required=("symbol", "period_end", "period", "available"),
        order=("available", "symbol", "period_end"),
        ahead=("period_end",), instead={"available": ("published",)}, finish=_statements,
    ),
    "earnings": _OptionalTable(
        names={"symbol": "code ticker", "date": "SchDate"},
        required=("symbol", "date"), order=("available", "symbol", "date"), ahead=("date",), delay=0,
    ),
    "valuation": _OptionalTable(
        names={
            "date": "", "symbol": "code ticker", "per": "", "forward_per": "FwdPER", "pbr": "", "roe": "",
            "forward_roe": "FwdROE", "market_cap": "",
        },
        required=("date", "symbol"), order=("date", "symbol", "available"), delay=1,
    ),
    "disclosures": _OptionalTable(
        names={"date": "", "symbol": "code ticker", "documents": ""},
        required=("date", "symbol", "documents"), order=("date", "symbol", "available"), delay=1,
    ),
    "holdings": _OptionalTable(
        names={
            "date": "SubDate", "symbol": "code ticker", "held": "TotalShsHeld",
            "outstanding": "TotalOutStks",
        },
        required=("date", "symbol", "held", "outstanding"), order=("date", "symbol", "available"),
        delay=1,
    ),
}  # fmt: skip
"""Delays: options and short selling are out after the close; weekly margin on the Tuesday, flow on the
Thursday evening of the week after (a holiday allowed for); a date of results about which nothing else is
known counts as known on the day itself."""


def _layout(name: str) -> WantedTable:
    table, own = _TABLES[name], OPTIONAL[name]
    names = {"available": "", "published": "PubDate DiscDate", **table.names}
    kinds = {"published": pl.Date, "section": pl.String, "time": pl.String}
    schema: Schema = {one: own.get(one, kinds.get(one, pl.Float64)) for one in names}
    return WantedTable(
        table=name,
        schema=schema,
        synonyms={ours: tuple(theirs.split()) for ours, theirs in names.items()},
        optional=frozenset(schema) - frozenset(table.required),
        keys=frozenset(_KEYS),
        instead=table.instead,
        lenient=True,
        ahead=frozenset({"available", *table.ahead}),
        finish=lambda cells, frame: _dated(name, table.finish(cells, frame)),
    )


LAYOUTS = {name: _layout(name) for name in OPTIONAL}
