"""Trading sessions. The one module that knows exchange_calendars (slow to import: only inside calls)."""

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import Market
from engine.errors import ConfigError

EXCHANGES: Mapping[Market, str] = {"us": "XNYS", "jp": "XTKS"}
"""Market -> ISO code of its own calendar; the synthetic market trades on all weekdays."""
_CURRENCIES: Mapping[Market, str] = {"us": "USD", "jp": "JPY"}
_WEEKDAYS = "WEEKDAYS"
"""The synthetic market's calendar: Monday to Friday, 09:00 to 15:00 UTC."""
_EVERY_DAY = "24/7"
"""Every day is a session, 00:00 to 24:00 UTC."""
_PLAIN = (_WEEKDAYS, _EVERY_DAY)
"""Calendars without holidays, for which no library is asked."""
_FIXED = {"XNYS": 252, _WEEKDAYS: 252, "XTKS": 245, _EVERY_DAY: 365}
"""Sessions a year by convention; those of other exchanges are counted."""
_COUNTED = range(2015, 2025)
"""Years that are counted: fixed, so that no figure changes on New Year's Day."""
_HISTORY = dt.timedelta(days=450)
_FUTURE = dt.timedelta(days=400)
"""How far a calendar of trading hours reaches before and after the month that asks."""
_EARLIEST = dt.date(1950, 1, 1)
"""Where calendars begin whose library knows no first day."""
_SUGGESTED = 3


def exchange_of(market: Market, calendar: str) -> str:
    """Code of the calendar that decides: the one that was named, else the market's own."""
    return calendar or EXCHANGES.get(market, _WEEKDAYS)


def currency_of(market: Market, currency: str, calendar: str = "") -> str:
    """Label of prices and money: the one that was named, else the market's own; may be empty.

    On another exchange than the market's own nothing is known of the currency.
    """
    if currency or calendar not in ("", EXCHANGES.get(market)):
        return currency
    return _CURRENCIES.get(market, "")


def exchange_named(code: str, *, key: str = "data.calendar") -> str:
    """The code as exchange_calendars writes it (LSE is XLON); "" stays "".

    A code that it does not know, or whose calendar it cannot make, is a ConfigError.
    """
    if not code or code in _PLAIN:
        return code
    import exchange_calendars

    _kind(code, key)
    return str(exchange_calendars.resolve_alias(code))


def weekdays(first: str, count: int) -> NDArray[np.datetime64]:
    """Array ``[count]`` of Mondays to Fridays from ``first`` (ISO date, itself included when a weekday)."""
    start = np.busday_offset(np.datetime64(first, "D"), 0, roll="forward")
    return np.busday_offset(start, np.arange(count))


def sessions_between(exchange: str, first: dt.date, last: dt.date) -> NDArray[np.datetime64]:
    """Sessions ``[S]`` of the exchange from ``first`` to ``last``, both included."""
    if exchange in _PLAIN:
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        return days if exchange == _EVERY_DAY else days[np.is_busday(days)]
    begin, end = calendar_span(exchange)
    first, last = max(first, begin), min(last, end)
    if last < first:
        return np.empty(0, dtype="datetime64[D]")
    calendar = _calendar(exchange, 0)
    if first < calendar.first_session.date():
        calendar = _calendar(exchange, first.year)
    sessions = np.asarray(calendar.sessions.values, dtype="datetime64[D]")
    return sessions[(sessions >= np.datetime64(first)) & (sessions <= np.datetime64(last))]


def calendar_span(exchange: str) -> tuple[dt.date, dt.date]:
    """First and last day of which the calendar knows whether they are sessions."""
    if exchange in _PLAIN:
        return dt.date.min, dt.date.max
    earliest = _kind(exchange).bound_min()
    begin = _EARLIEST if earliest is None else earliest.date()
    return begin, _calendar(exchange, 0).last_session.date()


@lru_cache(maxsize=64)
def sessions_per_year(exchange: str) -> int:
    """What annualised figures are scaled by, and printed beside them.

    252 in New York, 245 in Tokyo, 365 where every day is one; elsewhere the median of the full years from
    2015 to 2024.
    """
    if exchange in _FIXED:
        return _FIXED[exchange]
    begin, end = calendar_span(exchange)
    counts = [
        sessions_between(exchange, dt.date(year, 1, 1), dt.date(year, 12, 31)).size
        for year in _COUNTED
        if begin <= dt.date(year, 1, 1) and dt.date(year, 12, 31) <= end
    ]
    return round(float(np.median(counts)))


@lru_cache(maxsize=16)
def _calendar(exchange: str, year: int) -> Any:
    """Sessions from before a year on; year 0: of the newest two decades."""
    import exchange_calendars

    if not year:
        return exchange_calendars.get_calendar(exchange)
    earliest = _kind(exchange).bound_min()
    start = dt.date(year - 1, 12, 1)
    return exchange_calendars.get_calendar(
        exchange, start=max(start, earliest.date()) if earliest is not None else start
    )


@lru_cache(maxsize=64)
def _kind(exchange: str, key: str = "data.calendar") -> Any:
    """The library's class of a calendar; it hands out one object for ever, its class makes new ones."""
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        return type(exchange_calendars.get_calendar(exchange))
    except InvalidCalendarName:
        codes = [_WEEKDAYS, *exchange_calendars.get_calendar_names()]
        near = get_close_matches(exchange.upper(), codes, n=_SUGGESTED)
        raise ConfigError(
            f"{key}: there is no exchange {exchange!r}",
            hint=(f"did you mean {', '.join(near)}? " if near else "")
            + f"a code such as XTKS, XNYS, XLON or {_EVERY_DAY}; see the list of exchange_calendars",
        ) from None
    except (NotImplementedError, ValueError) as problem:
        raise ConfigError(
            f"{key}: exchange_calendars {exchange_calendars.__version__} fails to make the calendar of "
            f"{exchange} ({type(problem).__name__})",
            hint="take an exchange with the same holidays, or 24/5 for all weekdays",
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingDay:
    """A session and its hours."""

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
    if exchange in _PLAIN:
        days = sessions_between(exchange, first, last).tolist()
        return [_round_the_clock(day) if exchange == _EVERY_DAY else _weekday(day) for day in days]
    found = _hours(exchange, today.replace(day=1))
    begin = bisect_left(found, first, key=lambda day: day.date)
    end = bisect_right(found, last, key=lambda day: day.date)
    return list(found[begin:end])


def exchange_zone(exchange: str) -> str:
    """IANA name of the exchange's time zone."""
    if exchange in _PLAIN:
        return "UTC"
    import exchange_calendars

    _kind(exchange, "schedule.calendar")
    return str(exchange_calendars.get_calendar(exchange).tz)


def calendar_end(exchange: str, *, today: dt.date) -> dt.date:
    """Last session that the calendar knows."""
    if exchange in _PLAIN:
        return dt.date.max
    return _hours(exchange, today.replace(day=1))[-1].date


@lru_cache(maxsize=16)
def _hours(exchange: str, month: dt.date) -> tuple[TradingDay, ...]:
    """Sessions from `_HISTORY` before a month to `_FUTURE` after it."""
    kind = _kind(exchange, "schedule.calendar")
    first, last = kind.bound_min(), kind.bound_max()
    start, end = month - _HISTORY, month + _FUTURE
    if last is not None and start > last.date():
        raise ConfigError(
            f"{exchange}: its calendar ended on {last.date()}", hint="update exchange_calendars"
        )
    calendar = kind(
        start=start if first is None else max(start, first.date()),
        end=end if last is None else min(end, last.date()),
    )
    rows = calendar.schedule[["open", "close"]]
    return tuple(
        TradingDay(
            date=session.date(), open=row.open.to_pydatetime(), close=row.close.to_pydatetime()
        )
        for session, row in zip(rows.index, rows.itertuples(index=False), strict=True)
    )


def _weekday(day: dt.date) -> TradingDay:
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    return TradingDay(
        date=day, open=noon - dt.timedelta(hours=3), close=noon + dt.timedelta(hours=3)
    )


def _round_the_clock(day: dt.date) -> TradingDay:
    midnight = dt.datetime.combine(day, dt.time(), dt.UTC)
    return TradingDay(date=day, open=midnight, close=midnight + dt.timedelta(days=1))
