"""Optional tables from files: their columns under our names or those of J-Quants v2.

The day from which a row may be used is taken from, in this order: a column ``available``; a day of
publication, whose next day it is (statements told before 15:00: the same day); the row's ``date`` plus
`_DELAY`. Statements need one of the first two: a period's end says nothing about when it was told.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from engine.data.labels import readable
from engine.data.reading.columns import Cells
from engine.data.reading.tables import Wanted
from engine.data.tables import OPTIONAL, Schema, complete
from engine.errors import DataError

_DELAY = {"options": 1, "short": 1, "margin": 7, "flow": 10, "earnings": 0}
"""Calendar days after ``date``. Options and short selling are out after the close; weekly margin on the
Tuesday, flow on the Thursday evening of the week after (a holiday allowed for); a date of results about
which nothing else is known counts as known on the day itself."""
_PUBLISHED = {"published": ("published", "PubDate", "DiscDate")}
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
_SIDES = {"buy": "Buy", "sell": "Sell"}
_ALL_MARKETS = "TokyoNagoya"
"""Section of J-Quants' flow that holds the others."""
_RESULTS = {"sales": "Sales", "operating_profit": "OP", "net_profit": "NP"}
_NEXT_YEAR = {"sales": "NxFSales", "operating_profit": "NxFOP", "net_profit": "NxFNp"}

_GUESSES: dict[str, dict[str, tuple[str, ...]]] = {
    "options": {
        "date": ("date", "Date"),
        "expiry": ("expiry", "expiration", "SQD", "LTD"),
        "strike": ("strike", "Strike"),
        "kind": ("kind", "type", "put_call", "PCDiv"),
        "implied_volatility": ("implied_volatility", "iv", "IV"),
        "open_interest": ("open_interest", "oi", "OI"),
        "volume": ("volume", "Vo"),
        "underlying": ("underlying", "underlying_price", "UnderPx"),
    },
    "flow": {
        "date": ("date", "EnDate", "Date"),
        "investor": ("investor", "investor_type"),
        "buy": ("buy", "Buy"),
        "sell": ("sell", "Sell"),
        "section": ("Section", "section"),
    }
    | {f"{ours}_{side}": (f"{theirs}{Side}",) for ours, theirs in _INVESTORS.items()
       for side, Side in _SIDES.items()},
    "margin": {
        "date": ("date", "Date"),
        "symbol": ("symbol", "code", "ticker", "Code"),
        "long": ("long", "LongVol"),
        "short": ("short", "ShrtVol"),
    },
    "short": {
        "date": ("date", "Date"),
        "sector": ("sector", "S33"),
        "turnover": ("turnover",),
        "short_turnover": ("short_turnover",),
        "sold_long": ("SellExShortVa",),
        "short_restricted": ("ShrtWithResVa",),
        "short_free": ("ShrtNoResVa",),
    },
    "statements": {
        "symbol": ("symbol", "code", "ticker", "Code"),
        "period_end": ("period_end", "CurPerEn"),
        "period": ("period", "CurPerType"),
        "assets": ("assets", "TA"),
        "equity": ("equity", "Eq"),
        "time": ("DiscTime", "time"),
    }
    | {ours: (ours, theirs) for ours, theirs in _RESULTS.items()}
    | {f"forecast_{ours}": (f"forecast_{ours}", f"F{theirs}") for ours, theirs in _RESULTS.items()}
    | {f"next_{ours}": (theirs,) for ours, theirs in _NEXT_YEAR.items()},
    "earnings": {
        "symbol": ("symbol", "code", "ticker", "Code"),
        "date": ("date", "SchDate", "Date"),
    },
}  # fmt: skip
"""Table -> our column -> names it is known under; the last ones of some tables are vendor columns from
which ours are made."""
_REQUIRED = {
    "options": ("date", "expiry", "strike", "kind"),
    "flow": ("date", "investor", "buy", "sell"),
    "margin": ("date", "symbol", "long", "short"),
    "short": ("date", "sector", "turnover", "short_turnover"),
    "statements": ("symbol", "period_end", "period", "available"),
    "earnings": ("symbol", "date"),
}
_AHEAD = {
    "options": frozenset({"expiry", "available"}),
    "earnings": frozenset({"date", "available"}),
    "statements": frozenset({"period_end", "available"}),
    "flow": frozenset({"available"}),
    "margin": frozenset({"available"}),
    "short": frozenset({"available"}),
}
"""Days that may lie in the future."""
_KEYS = ("date", "symbol", "expiry", "strike", "kind", "investor", "sector", "period_end", "period")
_ORDER = {
    "options": ("date", "expiry", "strike", "kind", "available"),
    "flow": ("date", "investor", "available"),
    "margin": ("date", "symbol", "available"),
    "short": ("date", "sector", "available"),
    "statements": ("available", "symbol", "period_end"),
    "earnings": ("available", "symbol", "date"),
}


def read_optional(
    paths: Mapping[str, Path], read: Callable[[Path, Wanted], pl.DataFrame]
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
        tables[name] = complete(frame, OPTIONAL[name]).sort(*_ORDER[name], maintain_order=True)
    return tables, tuple(notes)


def _layout(name: str) -> Wanted:
    guesses = {"available": ("available",), **_PUBLISHED, **_GUESSES[name]}
    own = OPTIONAL[name]
    text = {"section", "time"}
    schema: Schema = {
        column: own.get(column, pl.String if column in text else pl.Float64) for column in guesses
    } | {"published": pl.Date}
    wide = tuple(f"{investor}_{side}" for investor in _INVESTORS for side in _SIDES)
    instead: dict[str, dict[str, tuple[str, ...]]] = {
        "flow": dict.fromkeys(("investor", "buy", "sell"), wide),
        "short": dict.fromkeys(("turnover", "short_turnover"), ("short_restricted", "short_free")),
        "statements": {"available": ("published",)},
    }
    return Wanted(
        table=name,
        schema=schema,
        synonyms=guesses,
        optional=frozenset(schema) - frozenset(_REQUIRED[name]),
        keys=frozenset(_KEYS),
        instead=instead.get(name, {}),
        lenient=True,
        ahead=_AHEAD.get(name, frozenset()),
        finish=lambda cells, frame: _dated(name, _FINISH.get(name, _as_is)(cells, frame)),
    )


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
    if name in _DELAY:
        told = pl.coalesce(told, pl.col("date") + pl.duration(days=_DELAY[name]))
    return frame.with_columns(told.cast(pl.Date).alias("available"))


def _as_is(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    return frame


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
    parts = [
        frame.select(
            *(
                name
                for name in ("date", "available", "published", "section")
                if name in frame.columns
            ),
            pl.lit(investor).alias("investor"),
            pl.col(f"{investor}_buy").alias("buy"),
            pl.col(f"{investor}_sell").alias("sell"),
        )
        for investor in _INVESTORS
        if {f"{investor}_buy", f"{investor}_sell"} <= set(frame.columns)
    ]
    if not parts:
        raise DataError(f"{cells.where(0)}: no investor type has both a buy and a sell column")
    return pl.concat(parts)


def _one_section(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """J-Quants gives a row for each market section and one for all of them, which is the one wanted."""
    if (frame["section"] == _ALL_MARKETS).any():
        return frame.filter(pl.col("section") == _ALL_MARKETS)
    sections = frame["section"].drop_nulls().unique().sort().to_list()
    if len(sections) > 1:
        raise DataError(
            f"{path}: several market sections ({', '.join(sections)}) and no {_ALL_MARKETS}",
            hint="keep the rows of one section",
        )
    return frame


def _short(cells: Cells, frame: pl.DataFrame) -> pl.DataFrame:
    """J-Quants splits the value sold into long sales and short sales with and without price limits."""
    if "short_turnover" in frame.columns:
        return frame
    parts = ("sold_long", "short_restricted", "short_free")
    absent = [_GUESSES["short"][name][0] for name in parts if name not in frame.columns]
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


_FINISH = {"options": _options, "flow": _flow, "short": _short, "statements": _statements}
LAYOUTS = {name: _layout(name) for name in OPTIONAL}


def _as_fraction(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    if "implied_volatility" not in frame.columns:
        return frame, []
    middle = frame["implied_volatility"].fill_nan(None).median()
    if not isinstance(middle, float) or middle <= _PERCENT:
        return frame, []
    said = f"options: implied volatility was in percent (median {middle:.1f}), divided by 100"
    return frame.with_columns(pl.col("implied_volatility") / 100), [said]
