"""The vendor's columns, all text, into the schemas of `engine.data.tables`; blank is null.

``available`` is the first session at whose close a row may be used. What is published after the close
of a day (15:30) belongs to the session after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.tables import (
    BAR_SCHEMA,
    EARNINGS_SCHEMA,
    FLOW_SCHEMA,
    INDEX_SCHEMA,
    MARGIN_SCHEMA,
    OPTION_SCHEMA,
    SECURITY_SCHEMA,
    SHORT_SCHEMA,
    STATEMENT_SCHEMA,
    Schema,
)
from engine.errors import DataError

_BEFORE_CLOSE = "15:00"
"""A statement disclosed before this hour can be acted on at that day's close."""
_MARGIN_LAG = 3
"""Sessions from a weekly balance to its use where no publication date is given: Friday's balance is
published on Tuesday after the close."""
_EMPTY = ("", "-", "－", "*")
MASTER_SCHEMA: Schema = {"date": pl.Date, **SECURITY_SCHEMA}
"""The list of issues as of ``date``."""
_INVESTORS = {
    "Prop": "proprietary",
    "Ind": "individual",
    "Frgn": "foreign",
    "SecCo": "securities_company",
    "InvTr": "investment_trust",
    "BusCo": "business_company",
    "OthCo": "other_company",
    "InsCo": "insurance",
    "Bank": "bank",
    "TrstBnk": "trust",
    "OthFin": "other_financial",
}
_ALL_MARKETS = "TokyoNagoya"
"""The section of the investor statistics that the market reform of April 2022 did not cut in two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the normalisation needs besides the rows."""

    sessions: NDArray[np.datetime64]
    """Of XTKS, sorted, well beyond the last row on both sides."""
    sectors: Mapping[str, str]
    """33-industry code -> English name."""
    industries: Mapping[str, str]
    """17-industry code -> English name."""

    def after(self, days: pl.Series, n: int = 1) -> pl.Series:
        """The n-th session later than each day; null stays null."""
        values = days.to_numpy().astype("datetime64[D]")
        known = ~np.isnat(values)
        at = np.searchsorted(self.sessions, values[known], side="right") + n - 1
        if at.size and at.max() >= len(self.sessions):
            raise DataError(
                f"J-Quants: {values[known].max()} is beyond the known calendar of XTKS",
                hint="update exchange_calendars",
            )
        out = np.full(len(values), np.datetime64("NaT", "D"))
        out[known] = self.sessions[at]
        return pl.Series(days.name, out).cast(pl.Date)

    def holds(self, days: pl.Series) -> pl.Series:
        """Whether each day is a session."""
        return days.is_in(pl.Series(self.sessions).cast(pl.Date).to_list())


PART_SCHEMA = {name: dtype for name, dtype in BAR_SCHEMA.items() if name != "dividend"}
"""The API's bars know no dividends."""


def bars(rows: pl.DataFrame, _: Rules) -> pl.DataFrame:
    """Quoted prices and volume. A day without a trade keeps its row (it may carry a factor), prices null."""
    typed = _typed(rows, {
        "date": ("Date", pl.Date), "symbol": ("Code", pl.String),
        "open": ("O", pl.Float64), "high": ("H", pl.Float64), "low": ("L", pl.Float64),
        "close": ("C", pl.Float64), "volume": ("Vo", pl.Float64), "turnover": ("Va", pl.Float64),
        "adjustment_factor": ("AdjFactor", pl.Float64),
    })  # fmt: skip
    return _ready(
        typed.with_columns(pl.col("adjustment_factor").fill_null(1.0)),
        PART_SCHEMA,
        key=("date", "symbol"),
    )


def master(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Issues listed on a day. ``shortable``: issues of the loan class; null where the plan hides it."""
    typed = _typed(rows, {
        "date": ("Date", pl.Date), "symbol": ("Code", pl.String), "name": ("CoName", pl.String),
        "english": ("CoNameEn", pl.String), "S33": ("S33", pl.String), "S17": ("S17", pl.String),
        "class": ("Mrgn", pl.String),
    })  # fmt: skip
    return _ready(
        typed.with_columns(
            pl.coalesce("english", "name").alias("name"),
            pl.col("S33").replace(dict(rules.sectors)).alias("sector"),
            pl.col("S17").replace(dict(rules.industries)).alias("industry"),
            (pl.col("class") == "2").alias("shortable"),
            pl.lit(None, pl.String).alias("borrow_class"),
        ),
        MASTER_SCHEMA,
        key=("date", "symbol"),
    )


def index(rows: pl.DataFrame, _: Rules) -> pl.DataFrame:
    typed = _typed(rows, {"date": ("Date", pl.Date), "close": ("C", pl.Float64)})
    return _ready(typed, INDEX_SCHEMA, key=("date",))


def flow(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Weekly turnover by investor type of all markets together; the vendor counts in thousand yen.

    A correction is a second row for the same week with a later ``available``.
    """
    columns: dict[str, tuple[str, type[pl.DataType]]] = {
        "date": ("EnDate", pl.Date),
        "PubDate": ("PubDate", pl.Date),
        "Section": ("Section", pl.String),
    }
    for theirs in _INVESTORS:
        columns |= {f"{theirs}{side}": (f"{theirs}{side}", pl.Float64) for side in ("Buy", "Sell")}
    typed = _typed(rows, columns).filter(pl.col("Section") == _ALL_MARKETS)
    typed = typed.with_columns(rules.after(typed["PubDate"]).alias("available"))
    parts = [
        typed.select(
            "date",
            "available",
            pl.lit(ours).alias("investor"),
            (pl.col(f"{theirs}Buy") * 1000).alias("buy"),
            (pl.col(f"{theirs}Sell") * 1000).alias("sell"),
        )
        for theirs, ours in _INVESTORS.items()
    ]
    return _ready(pl.concat(parts), FLOW_SCHEMA, key=("date", "available", "investor"))


def margin(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Balances at the end of a week, and of every session from 25 September 2026."""
    typed = _typed(rows, {
        "date": ("Date", pl.Date), "PubDate": ("PubDate", pl.Date), "symbol": ("Code", pl.String),
        "long": ("LongVol", pl.Float64), "short": ("ShrtVol", pl.Float64),
    })  # fmt: skip
    published = rules.after(typed["PubDate"])
    assumed = rules.after(typed["date"], _MARGIN_LAG)
    typed = typed.with_columns(published.fill_null(assumed).alias("available"))
    return _ready(typed, MARGIN_SCHEMA, key=("date", "available", "symbol"))


def short(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Selling turnover of a sector: outright, and short with and without price restriction."""
    typed = _typed(rows, {
        "date": ("Date", pl.Date), "sector": ("S33", pl.String),
        "outright": ("SellExShortVa", pl.Float64), "bound": ("ShrtWithResVa", pl.Float64),
        "free": ("ShrtNoResVa", pl.Float64),
    })  # fmt: skip
    return _ready(
        typed.with_columns(
            rules.after(typed["date"]).alias("available"),
            pl.col("sector").replace(dict(rules.sectors)),
            (pl.col("bound") + pl.col("free")).alias("short_turnover"),
            (pl.col("outright") + pl.col("bound") + pl.col("free")).alias("turnover"),
        ),
        SHORT_SCHEMA,
        key=("date", "available", "sector"),
    )


def statements(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Disclosures of results, and revisions of forecasts alone.

    A revision has ``period`` null, no figures but forecasts, and these are for the fiscal year that ends
    on ``period_end``.
    """
    typed = _typed(rows, {
        "day": ("DiscDate", pl.Date), "time": ("DiscTime", pl.String), "symbol": ("Code", pl.String),
        "document": ("DocType", pl.String), "period": ("CurPerType", pl.String),
        "period_end": ("CurPerEn", pl.Date), "year_end": ("CurFYEn", pl.Date),
        "sales": ("Sales", pl.Float64), "operating_profit": ("OP", pl.Float64),
        "net_profit": ("NP", pl.Float64), "assets": ("TA", pl.Float64), "equity": ("Eq", pl.Float64),
        "now_sales": ("FSales", pl.Float64), "now_operating_profit": ("FOP", pl.Float64),
        "now_net_profit": ("FNP", pl.Float64), "next_sales": ("NxFSales", pl.Float64),
        "next_operating_profit": ("NxFOP", pl.Float64), "next_net_profit": ("NxFNp", pl.Float64),
    })  # fmt: skip
    same_day = (typed["time"].str.zfill(8) < _BEFORE_CLOSE) & rules.holds(typed["day"])
    revision = pl.col("document").str.contains("ForecastRevision").fill_null(value=False)
    for_next = (pl.col("period") == "FY") & ~revision
    typed = typed.with_columns(
        pl.when(same_day.fill_null(value=False))
        .then(typed["day"])
        .otherwise(rules.after(typed["day"]))
        .alias("available"),
        *(
            pl.when(for_next)
            .then(f"next_{name}")
            .otherwise(f"now_{name}")
            .alias(f"forecast_{name}")
            for name in ("sales", "operating_profit", "net_profit")
        ),
    ).with_columns(
        pl.when(revision).then("year_end").otherwise("period_end").alias("period_end"),
        pl.when(revision).then(None).otherwise("period").alias("period"),
    )
    typed = typed.filter(
        pl.col("period").is_null() | pl.col("period").is_in(["1Q", "2Q", "3Q", "FY"])
    )
    return _ready(typed, STATEMENT_SCHEMA, key=("available", "symbol"))


def earnings(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Announced dates as they were published; ``date`` null: what was announced is withdrawn."""
    typed = _typed(rows, {
        "PubDate": ("PubDate", pl.Date), "symbol": ("Code", pl.String), "date": ("SchDate", pl.Date),
    })  # fmt: skip
    return _ready(
        typed.with_columns(rules.after(typed["PubDate"]).alias("available")),
        EARNINGS_SCHEMA,
        key=("available", "symbol"),
    )


def options(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Nikkei 225 options; the vendor's volatility is in percent. Published after midnight.

    On days of emergency margin calls a contract has two rows; that of the settlement (002) is kept.
    """
    typed = _typed(rows, {
        "date": ("Date", pl.Date), "code": ("Code", pl.String), "expiry": ("SQD", pl.Date),
        "strike": ("Strike", pl.Float64), "kind": ("PCDiv", pl.String), "IV": ("IV", pl.Float64),
        "open_interest": ("OI", pl.Float64), "volume": ("Vo", pl.Float64),
        "underlying": ("UnderPx", pl.Float64), "emergency": ("EmMrgnTrgDiv", pl.String),
    })  # fmt: skip
    typed = typed.sort("date", "code", "emergency").unique(
        ["date", "code"], keep="last", maintain_order=True
    )
    return _ready(
        typed.with_columns(
            rules.after(typed["date"]).alias("available"),
            pl.col("kind").replace_strict(
                {"1": "put", "2": "call"}, default=None, return_dtype=pl.String
            ),
            (pl.col("IV") / 100).alias("implied_volatility"),
        ),
        OPTION_SCHEMA,
        key=("date", "available"),
    )


def _typed(
    rows: pl.DataFrame, columns: Mapping[str, tuple[str, type[pl.DataType]]]
) -> pl.DataFrame:
    """Our name -> (their column, type). DataError for a missing column or a value that does not fit."""
    if rows.is_empty() and not rows.columns:
        return pl.DataFrame(schema={ours: dtype for ours, (_, dtype) in columns.items()})
    missing = [theirs for theirs, _ in columns.values() if theirs not in rows.columns]
    if missing:
        raise DataError(
            f"J-Quants: an answer lacks {', '.join(missing)}",
            hint="the service may have changed its columns",
        )
    text = rows.select(pl.col(pl.String).str.strip_chars().replace(dict.fromkeys(_EMPTY)))
    typed = text.select(
        _converted(theirs, dtype).alias(ours) for ours, (theirs, dtype) in columns.items()
    )
    for ours, (theirs, dtype) in columns.items():
        if typed[ours].null_count() > text[theirs].null_count():
            wrong = text[theirs].filter(typed[ours].is_null() & text[theirs].is_not_null())
            raise DataError(f"J-Quants: {theirs} {wrong[0]!r} is not a {dtype}")
    return typed


def _converted(theirs: str, dtype: type[pl.DataType]) -> pl.Expr:
    if dtype == pl.Date:
        return pl.col(theirs).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if theirs == "Code":
        return pl.col(theirs).str.replace(r"^(.{4})$", "${1}0")
    return pl.col(theirs).cast(dtype, strict=False)


def _ready(frame: pl.DataFrame, schema: Schema, *, key: tuple[str, ...]) -> pl.DataFrame:
    """In the schema's columns and a fixed order of rows. A key column without a value is a DataError."""
    frame = frame.select(pl.col(name).cast(dtype) for name, dtype in schema.items())
    without = [name for name in key if frame[name].null_count()]
    if without:
        raise DataError(f"J-Quants: a row without {', '.join(without)}")
    return frame.unique().sort(list(schema), nulls_last=True)
