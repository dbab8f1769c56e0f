"""Which call fills which table, how a span of sessions is cut into calls, and what the answers become.

The vendor's columns, all text, come into the schemas of `engine.data.tables`; blank is null. ``available`` is
the first session at whose close a row may be used. What is published after the close of a day (15:30)
belongs to the session after it.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.calendar import EXCHANGES, calendar_span, sessions_between
from engine.data.tables import BAR_SCHEMA, INDEX_SCHEMA, OPTIONAL, SECURITY_SCHEMA, Schema
from engine.errors import DataError

_BEGINNING = dt.date(2007, 1, 1)
"""Before the vendor's first day, 7 May 2008."""
_DAILY_MARGIN = dt.date(2026, 9, 25)
"""From this day on margin balances come every session; before, once a week."""
_BEFORE_CLOSE = "15:00"
"""A statement disclosed before this hour can be acted on at that day's close."""
_MARGIN_LAG = 3
"""Sessions from a weekly balance to its use where no publication date is given: Friday's balance is
published on Tuesday after the close."""
_EMPTY = ("", "-", "－", "*")
ALL_MARKETS = "TokyoNagoya"
"""The section of the investor statistics that holds the others, and that the market reform of April 2022
did not cut in two."""
_INVESTORS = {
    "Prop": "proprietary", "Ind": "individual", "Frgn": "foreign", "SecCo": "securities_company",
    "InvTr": "investment_trust", "BusCo": "business_company", "OthCo": "other_company",
    "InsCo": "insurance", "Bank": "bank", "TrstBnk": "trust", "OthFin": "other_financial",
}  # fmt: skip
"""Beginning of the vendor's columns of an investor type -> our type."""
_DATES = ("Date", "PubDate", "EnDate", "SchDate", "DiscDate", "CurPerEn", "CurFYEn", "SQD")
_TEXTS = (
    "Code", "CoName", "CoNameEn", "S33", "S17", "Mrgn", "Section", "DiscTime", "DocType", "CurPerType",
    "PCDiv", "EmMrgnTrgDiv",
)  # fmt: skip
"""The vendor's columns of text; those that are neither here nor dates are numbers."""
MASTER_SCHEMA: Schema = {"date": pl.Date, **SECURITY_SCHEMA}
"""The list of issues as of ``date``."""
PART_SCHEMA = {name: dtype for name, dtype in BAR_SCHEMA.items() if name != "dividend"}
"""The API's bars know no dividends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorRules:
    """What the tables need besides the rows of an answer."""

    sessions: NDArray[np.datetime64]
    """Sessions of XTKS, sorted, well beyond the last row on both sides."""
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


@cache
def vendor_rules() -> VendorRules:
    """The calendar of Tokyo and the names of the vendor's industries, read once."""
    from jquantsapi import constants

    return VendorRules(
        sessions=sessions_between(EXCHANGES["jp"], _BEGINNING, calendar_span(EXCHANGES["jp"])[1]),
        sectors={row[0]: row[2].strip() for row in constants.SECTOR_33_DATA},
        industries={row[0]: row[2].strip() for row in constants.SECTOR_17_DATA},
    )


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one call brings: everything from ``first`` to ``last``, kept under ``key``."""

    key: dt.date
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One table of the vendor: the call that fetches it, and what its answer becomes."""

    table: str
    method: str
    """The official client's method; it returns a pandas frame, or a tuple that begins with it."""
    asked: tuple[str, ...] = ("date_yyyymmdd",)
    """Names of the method's arguments: for a day, or for the first and the last day."""
    columns: str
    """``ours=Theirs`` of each column that is read; a lone name is the vendor's own."""
    schema: Schema
    key: tuple[str, ...]
    """Columns that must not be empty."""
    finish: "_Finish" = lambda typed, rules: typed
    """What makes our columns of the typed ones."""
    cut: Literal["session", "week", "year", "quarter"] = "session"
    required: bool = False
    """Without it there is no panel; an answer without rows is never kept."""
    exact: bool = False
    """Every row is of the day that was asked for."""

    def call(self, client: Any, first: dt.date, last: dt.date) -> Any:
        """The client's answer for a span of days."""
        days = (first.isoformat(), last.isoformat())
        return getattr(client, self.method)(**dict(zip(self.asked, days, strict=False)))

    def normalise(self, rows: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
        """An answer in our columns and a fixed order of rows.

        DataError for a missing column, a value that does not fit, and a key column without a value.
        """
        pairs = (column.rpartition("=")[::2] for column in self.columns.split())
        columns = {ours or theirs: theirs for ours, theirs in pairs}
        frame = self.finish(_typed(rows, columns), rules)
        frame = frame.select(pl.col(name).cast(dtype) for name, dtype in self.schema.items())
        without = [name for name in self.key if frame[name].null_count()]
        if without:
            raise DataError(f"J-Quants: a row without {', '.join(without)}")
        return frame.unique().sort(list(self.schema), nulls_last=True)

    def chunks(self, sessions: Sequence[dt.date]) -> list[Chunk]:
        """The calls for these sessions, oldest first."""
        if self.cut == "year":
            years = sorted({day.year for day in sessions})
            return [Chunk(dt.date(y, 1, 1), dt.date(y, 1, 1), dt.date(y, 12, 31)) for y in years]
        days = list(sessions)
        if self.cut == "week":
            last_of = {day.isocalendar()[:2]: day for day in days}
            days = [d for d in days if d >= _DAILY_MARGIN or last_of[d.isocalendar()[:2]] == d]
        if self.cut == "quarter":
            first_of = {(day.year, (day.month - 1) // 3): day for day in reversed(days)}
            days = sorted({*first_of.values(), *days[-1:]})
        return [Chunk(day, day, day) for day in days]

    def renewed(self, refetch_sessions: int) -> int:
        """How many of the newest stored parts an update asks for again."""
        return {"year": 1, "quarter": 0}.get(self.cut, refetch_sessions)


_Finish = Callable[[pl.DataFrame, VendorRules], pl.DataFrame]


def _typed(rows: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Our names -> the vendor's columns, as dates, text and numbers."""
    types = {theirs: _type(theirs) for theirs in columns.values()}
    if rows.is_empty() and not rows.columns:
        return pl.DataFrame(schema={ours: types[theirs] for ours, theirs in columns.items()})
    missing = [theirs for theirs in columns.values() if theirs not in rows.columns]
    if missing:
        raise DataError(
            f"J-Quants: an answer lacks {', '.join(missing)}",
            hint="the service may have changed its columns",
        )
    text = rows.select(pl.col(pl.String).str.strip_chars().replace(dict.fromkeys(_EMPTY)))
    typed = text.select(
        _converted(theirs, types[theirs]).alias(ours) for ours, theirs in columns.items()
    )
    for ours, theirs in columns.items():
        wrong = text[theirs].filter(typed[ours].is_null() & text[theirs].is_not_null())
        if len(wrong):
            raise DataError(f"J-Quants: {theirs} {wrong[0]!r} is not a {types[theirs]}")
    return typed


def _type(theirs: str) -> type[pl.DataType]:
    return pl.Date if theirs in _DATES else pl.String if theirs in _TEXTS else pl.Float64


def _converted(theirs: str, dtype: type[pl.DataType]) -> pl.Expr:
    if dtype == pl.Date:
        return pl.col(theirs).str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
    if theirs == "Code":
        return pl.col(theirs).str.replace(r"^(.{4})$", "${1}0")
    return pl.col(theirs).cast(dtype, strict=False)


def _master(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """``shortable``: issues of the loan class; null where the plan hides it."""
    return typed.with_columns(
        name=pl.coalesce("english", "name"),
        sector=pl.col("S33").replace(dict(rules.sectors)),
        industry=pl.col("S17").replace(dict(rules.industries)),
        shortable=pl.col("Mrgn") == "2",
        borrow_class=pl.lit(None, pl.String),
    )


def _flow(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Flows of all markets together; the vendor counts in thousand yen.

    A correction is a second row for the same week with a later ``available``.
    """
    typed = typed.filter(pl.col("Section") == ALL_MARKETS)
    typed = typed.with_columns(available=rules.after(typed["PubDate"]))
    sides = {"buy": "Buy", "sell": "Sell"}
    return pl.concat(
        typed.select(
            "date", "available", investor=pl.lit(ours),
            **{side: pl.col(f"{theirs}{name}") * 1000 for side, name in sides.items()},
        )
        for theirs, ours in _INVESTORS.items()
    )  # fmt: skip


def _margin(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    assumed = rules.after(typed["date"], _MARGIN_LAG)
    return typed.with_columns(available=rules.after(typed["PubDate"]).fill_null(assumed))


def _short(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    short = pl.col("bound") + pl.col("free")
    return typed.with_columns(
        pl.col("sector").replace(dict(rules.sectors)),
        available=rules.after(typed["date"]),
        short_turnover=short,
        turnover=pl.col("outright") + pl.col("bound") + pl.col("free"),
    )


def _statements(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """Disclosures of results, and revisions of forecasts alone.

    A revision has ``period`` null, no figures but forecasts, and these are for the fiscal year that ends
    on ``period_end``.
    """
    same_day = (typed["time"].str.zfill(8) < _BEFORE_CLOSE) & rules.holds(typed["day"])
    revision = pl.col("document").str.contains("ForecastRevision").fill_null(value=False)
    for_next = (pl.col("period") == "FY") & ~revision
    forecasts = {
        f"forecast_{name}": pl.when(for_next).then(f"next_{name}").otherwise(f"now_{name}")
        for name in ("sales", "operating_profit", "net_profit")
    }
    typed = typed.with_columns(
        available=pl.when(same_day.fill_null(value=False))
        .then(typed["day"])
        .otherwise(rules.after(typed["day"])),
        **forecasts,
    ).with_columns(
        period_end=pl.when(revision).then("year_end").otherwise("period_end"),
        period=pl.when(revision).then(None).otherwise("period"),
    )
    return typed.filter(pl.col("period").is_in(["1Q", "2Q", "3Q", "FY"]).fill_null(value=True))


def _earnings(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """``date`` null: what was announced is withdrawn."""
    return typed.with_columns(available=rules.after(typed["PubDate"]))


def _options(typed: pl.DataFrame, rules: VendorRules) -> pl.DataFrame:
    """The vendor's volatility is in percent. Published after midnight.

    On days of emergency margin calls a contract has two rows; that of the settlement (002) is kept.
    """
    contract = ["date", "code"]
    typed = typed.sort(*contract, "emergency").unique(contract, keep="last", maintain_order=True)
    sides = {"1": "put", "2": "call"}
    return typed.with_columns(
        pl.col("kind").replace_strict(sides, default=None, return_dtype=pl.String),
        available=rules.after(typed["date"]),
        implied_volatility=pl.col("IV") / 100,
    )


_SPAN = ("from_yyyymmdd", "to_yyyymmdd")
ENDPOINTS = (
    Endpoint(
        table="master", method="get_eq_master", asked=("date",), cut="quarter", required=True,
        columns="date=Date symbol=Code name=CoName english=CoNameEn S33 S17 Mrgn",
        schema=MASTER_SCHEMA, key=("date", "symbol"), finish=_master,
    ),
    Endpoint(
        table="bars", method="get_eq_bars_daily", required=True, exact=True,
        columns="date=Date symbol=Code open=O high=H low=L close=C volume=Vo turnover=Va"
        " adjustment_factor=AdjFactor",
        schema=PART_SCHEMA, key=("date", "symbol"),
        # Prices as quoted. A day without a trade keeps its row (it may carry a factor), prices null.
        finish=lambda typed, _: typed.with_columns(pl.col("adjustment_factor").fill_null(1.0)),
    ),
    Endpoint(
        table="index", method="get_idx_bars_daily_topix", asked=_SPAN, cut="year",
        columns="date=Date close=C", schema=INDEX_SCHEMA, key=("date",),
    ),
    Endpoint(
        table="flow", method="get_eq_investor_types", asked=_SPAN, cut="year",
        columns="date=EnDate PubDate Section "
        + " ".join(f"{theirs}{side}" for theirs in _INVESTORS for side in ("Buy", "Sell")),
        schema=OPTIONAL["flow"], key=("date", "available", "investor"), finish=_flow,
    ),
    Endpoint(
        table="margin", method="get_mkt_margin_interest", cut="week",
        columns="date=Date PubDate symbol=Code long=LongVol short=ShrtVol",
        schema=OPTIONAL["margin"], key=("date", "available", "symbol"), finish=_margin,
    ),
    Endpoint(
        table="short", method="get_mkt_short_ratio", exact=True,
        columns="date=Date sector=S33 outright=SellExShortVa bound=ShrtWithResVa free=ShrtNoResVa",
        schema=OPTIONAL["short"], key=("date", "available", "sector"), finish=_short,
    ),
    Endpoint(
        table="statements", method="get_fin_summary_cursor",
        columns="day=DiscDate time=DiscTime symbol=Code document=DocType period=CurPerType"
        " period_end=CurPerEn year_end=CurFYEn sales=Sales operating_profit=OP net_profit=NP"
        " assets=TA equity=Eq now_sales=FSales now_operating_profit=FOP now_net_profit=FNP"
        " next_sales=NxFSales next_operating_profit=NxFOP next_net_profit=NxFNp",
        schema=OPTIONAL["statements"], key=("available", "symbol"), finish=_statements,
    ),
    Endpoint(
        table="earnings", method="get_fin_earnings_date",
        columns="PubDate symbol=Code date=SchDate",
        schema=OPTIONAL["earnings"], key=("available", "symbol"), finish=_earnings,
    ),
    Endpoint(
        table="options", method="get_drv_bars_daily_opt_225", exact=True,
        columns="date=Date code=Code expiry=SQD strike=Strike kind=PCDiv IV open_interest=OI volume=Vo"
        " underlying=UnderPx emergency=EmMrgnTrgDiv",
        schema=OPTIONAL["options"], key=("date", "available"), finish=_options,
    ),
)  # fmt: skip
"""In the order of the pull. Statements and announcements are asked for by the day they were published:
sessions only, since the exchange publishes nothing on other days."""
