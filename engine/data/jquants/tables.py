"""What a table of the vendor is: how a span of sessions is cut into calls, and how answers get our types.

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
from engine.data.tables import Schema
from engine.errors import DataError

_BEGINNING = dt.date(2007, 1, 1)
"""Before the vendor's first day, 7 May 2008."""
_DAILY_MARGIN = dt.date(2026, 9, 25)
"""From this day on margin balances come every session; before, once a week."""
_EMPTY = ("", "-", "－", "*")
_DATES = (
    "Date",
    "PubDate",
    "EnDate",
    "SchDate",
    "DiscDate",
    "CurPerEn",
    "CurFYEn",
    "SQD",
    "SubDate",
)
_TEXTS = (
    "Code", "CoName", "CoNameEn", "S33", "S17", "Mrgn", "Section", "DiscTime", "DocType", "CurPerType",
    "PCDiv", "EmMrgnTrgDiv", "ProdCat", "DiscNo",
)  # fmt: skip
"""The vendor's columns of text; those that are neither here nor dates are numbers."""


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
    since: dt.date = _BEGINNING
    """First day that the vendor has."""
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
        days = [day for day in sessions if day >= self.since]
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
