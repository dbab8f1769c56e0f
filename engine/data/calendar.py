"""Trading sessions. The one module that knows exchange_calendars (slow to import: only inside calls)."""

import datetime as dt
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.config import Market

EXCHANGES = {"us": "XNYS", "jp": "XTKS"}
"""Market -> ISO code of its calendar; the synthetic market trades on all weekdays."""
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
