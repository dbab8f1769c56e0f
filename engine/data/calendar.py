"""Trading sessions. The one module that knows exchange_calendars (slow to import: only inside calls)."""

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from engine.config import Market

EXCHANGES = {"us": "XNYS", "jp": "XTKS"}
"""Market -> ISO code of its calendar; the synthetic market trades on all weekdays."""


def weekdays(first: str, count: int) -> NDArray[np.datetime64]:
    """``count`` Mondays to Fridays from ``first`` (ISO date, itself included when a weekday)."""
    start = np.busday_offset(np.datetime64(first, "D"), 0, roll="forward")
    return np.busday_offset(start, np.arange(count))


def sessions_between(market: Market, first: dt.date, last: dt.date) -> NDArray[np.datetime64]:
    """Sessions of the market's exchange from ``first`` to ``last``, both included."""
    if market == "synthetic":
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        return days[np.is_busday(days)]
    import exchange_calendars

    calendar = exchange_calendars.get_calendar(
        EXCHANGES[market], start=first - dt.timedelta(days=7)
    )
    sessions = calendar.sessions_in_range(str(first), str(min(last, calendar.last_session.date())))
    return np.asarray(sessions.values, dtype="datetime64[D]")


def last_known_session(market: Market) -> dt.date:
    """Where the market's calendar ends (exchange_calendars looks one year ahead)."""
    if market == "synthetic":
        return dt.date.max
    import exchange_calendars

    last: dt.date = exchange_calendars.get_calendar(EXCHANGES[market]).last_session.date()
    return last
