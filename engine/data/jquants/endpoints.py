"""Which call fills which table, and how a span of sessions is cut into calls."""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from engine.data.jquants import normalise
from engine.data.jquants.normalise import Rules

_DAILY_MARGIN = dt.date(2026, 9, 25)
"""From this day on margin balances come every session; before, once a week."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """What one call brings: everything from ``first`` to ``last``, kept under ``key``."""

    key: dt.date
    first: dt.date
    last: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    table: str
    call: Callable[[Any, str, str], Any]
    """(official client, first, last) -> its pandas frame, or a tuple that begins with it."""
    normalise: Callable[[pl.DataFrame, Rules], pl.DataFrame]
    cut: Literal["session", "week", "year", "quarter"] = "session"
    required: bool = False
    """Without it there is no panel; an answer without rows is never kept."""
    exact: bool = False
    """Every row is of the day that was asked for."""

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
            first_of: dict[tuple[int, int], dt.date] = {}
            for day in days:
                first_of.setdefault((day.year, (day.month - 1) // 3), day)
            days = sorted({*first_of.values(), *days[-1:]})
        return [Chunk(day, day, day) for day in days]

    def renewed(self, refetch_sessions: int) -> int:
        """How many of the newest stored parts an update asks for again."""
        return {"session": refetch_sessions, "week": refetch_sessions, "year": 1, "quarter": 0}[
            self.cut
        ]


def _by_date(method: str) -> Callable[[Any, str, str], Any]:
    return lambda client, first, last: getattr(client, method)(date_yyyymmdd=first)


def _by_range(method: str) -> Callable[[Any, str, str], Any]:
    return lambda client, first, last: getattr(client, method)(
        from_yyyymmdd=first, to_yyyymmdd=last
    )


ENDPOINTS = (
    Endpoint(
        table="master",
        call=lambda client, first, last: client.get_eq_master(date=first),
        normalise=normalise.master,
        cut="quarter",
        required=True,
    ),
    Endpoint(
        table="bars",
        call=_by_date("get_eq_bars_daily"),
        normalise=normalise.bars,
        required=True,
        exact=True,
    ),
    Endpoint(
        table="index",
        call=_by_range("get_idx_bars_daily_topix"),
        normalise=normalise.index,
        cut="year",
    ),
    Endpoint(
        table="flow",
        call=_by_range("get_eq_investor_types"),
        normalise=normalise.flow,
        cut="year",
    ),
    Endpoint(
        table="margin",
        call=_by_date("get_mkt_margin_interest"),
        normalise=normalise.margin,
        cut="week",
    ),
    Endpoint(
        table="short",
        call=_by_date("get_mkt_short_ratio"),
        normalise=normalise.short,
        exact=True,
    ),
    Endpoint(
        table="statements",
        call=_by_date("get_fin_summary_cursor"),
        normalise=normalise.statements,
    ),
    Endpoint(
        table="earnings",
        call=_by_date("get_fin_earnings_date"),
        normalise=normalise.earnings,
    ),
    Endpoint(
        table="options",
        call=_by_date("get_drv_bars_daily_opt_225"),
        normalise=normalise.options,
        exact=True,
    ),
)
"""In the order of the pull. Statements and announcements are asked for by the day they were published:
sessions only, since the exchange publishes nothing on other days."""
