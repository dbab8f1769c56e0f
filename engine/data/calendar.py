"""Trading sessions. The one module that knows exchange_calendars (slow to import: only inside calls)."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import Market
from engine.errors import ConfigError

EXCHANGES = {"us": "XNYS", "jp": "XTKS"}
"""Market -> ISO code of its calendar; the synthetic market trades on all weekdays."""
WEEKDAYS = "WEEKDAYS"
"""The synthetic market's calendar: Monday to Friday, 09:00 to 15:00 UTC."""
HISTORY = dt.timedelta(days=450)
FUTURE = dt.timedelta(days=400)
"""How far a calendar of trading hours reaches before and after the month that asks."""
EARLIEST: Mapping[Market, dt.date] = {"jp": dt.date(1997, 1, 1)}
"""Where a market's calendar begins."""


def weekdays(first: str, count: int) -> NDArray[np.datetime64]:
    """``count`` Mondays to Fridays from ``first`` (ISO date, itself included when a weekday)."""
    start = np.busday_offset(np.datetime64(first, "D"), 0, roll="forward")
    return np.busday_offset(start, np.arange(count))


def sessions_between(market: Market, first: dt.date, last: dt.date) -> NDArray[np.datetime64]:
    """Sessions of the market's exchange from ``first`` to ``last``, both included."""
    if market == "synthetic":
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        return days[np.is_busday(days)]
    begin, end = calendar_span(market)
    first, last = max(first, begin), min(last, end)
    if last < first:
        return np.empty(0, dtype="datetime64[D]")
    calendar = _calendar(EXCHANGES[market], first.year)
    sessions = calendar.sessions_in_range(str(first), str(last))
    return np.asarray(sessions.values, dtype="datetime64[D]")


def calendar_span(market: Market) -> tuple[dt.date, dt.date]:
    """First and last day of which the market's calendar knows whether they are sessions."""
    if market == "synthetic":
        return dt.date.min, dt.date.max
    calendar = _calendar(EXCHANGES[market], 0)
    return EARLIEST.get(market, dt.date(1950, 1, 1)), calendar.last_session.date()


@lru_cache(maxsize=4)
def _calendar(exchange: str, year: int) -> Any:
    """Sessions from before a year on; year 0: of the newest two decades."""
    import exchange_calendars

    if not year:
        return exchange_calendars.get_calendar(exchange)
    earliest = type(exchange_calendars.get_calendar(exchange)).bound_min()
    start = dt.date(year - 1, 12, 1)
    return exchange_calendars.get_calendar(
        exchange, start=max(start, earliest.date()) if earliest is not None else start
    )


def last_known_session(market: Market) -> dt.date:
    """Where the market's calendar ends (exchange_calendars looks one year ahead)."""
    return calendar_span(market)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    date: dt.date
    """The session's date at the exchange."""
    open: dt.datetime
    close: dt.datetime
    """UTC; half days and changes of the clock included."""


def trading_days(
    exchange: str, first: dt.date, last: dt.date, *, today: dt.date
) -> list[TradingDay]:
    """Sessions from ``first`` to ``last`` with their hours, as the calendar knows them on ``today``.

    The calendar is made anew each month: by default it would end a year after the library was
    imported, and a process that lives for months would reach that. Some exchanges have holidays
    only as far as they are published; there it ends for good.
    """
    if exchange == WEEKDAYS:
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        return [_weekday(day.item()) for day in days[np.is_busday(days)]]
    found = _hours(exchange, today.replace(day=1)).days
    begin = bisect_left(found, first, key=lambda day: day.date)
    end = bisect_right(found, last, key=lambda day: day.date)
    return list(found[begin:end])


def exchange_zone(exchange: str, *, today: dt.date) -> str:
    """IANA name of the exchange's time zone."""
    return "UTC" if exchange == WEEKDAYS else _hours(exchange, today.replace(day=1)).zone


def calendar_end(exchange: str, *, today: dt.date) -> dt.date:
    """Last session that the calendar knows."""
    if exchange == WEEKDAYS:
        return dt.date.max
    return _hours(exchange, today.replace(day=1)).days[-1].date


@dataclass(frozen=True, slots=True)
class _Hours:
    zone: str
    days: tuple[TradingDay, ...]


@lru_cache(maxsize=16)
def _hours(exchange: str, month: dt.date) -> _Hours:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        # The library hands out the same object for ever; its class makes a new one.
        kind = type(exchange_calendars.get_calendar(exchange))
    except InvalidCalendarName:
        raise ConfigError(
            f"schedule.calendar: there is no exchange {exchange!r}",
            hint="a code such as XTKS, XNYS or XLON; see the list of exchange_calendars",
        ) from None
    first, last = kind.bound_min(), kind.bound_max()
    start, end = month - HISTORY, month + FUTURE
    if last is not None and start > last.date():
        raise ConfigError(
            f"{exchange}: its calendar ended on {last.date()}", hint="update exchange_calendars"
        )
    calendar = kind(
        start=start if first is None else max(start, first.date()),
        end=end if last is None else min(end, last.date()),
    )
    rows = calendar.schedule[["open", "close"]]
    days = (
        TradingDay(
            date=session.date(), open=row.open.to_pydatetime(), close=row.close.to_pydatetime()
        )
        for session, row in zip(rows.index, rows.itertuples(index=False), strict=True)
    )
    return _Hours(zone=str(calendar.tz), days=tuple(days))


def _weekday(day: dt.date) -> TradingDay:
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    return TradingDay(
        date=day, open=noon - dt.timedelta(hours=3), close=noon + dt.timedelta(hours=3)
    )
