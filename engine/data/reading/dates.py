"""Dates as people write them: the format is decided by a whole column, and by the exchange calendar.

Every way to read the column that fits all of its values is kept: orders of day and month, units of an
epoch, the day of a zone. One is taken at once; of several the calendar takes the one whose days are
sessions and leave none out, and where it cannot tell the user is asked.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.reading import stamps
from engine.data.reading.numbers import MISSING, BadValue
from engine.data.reading.stamps import Candidate
from engine.records.reading import Dates, DecidedBy

_Sessions = Callable[[dt.date, dt.date], NDArray[np.datetime64]]
"""(first, last) -> session days of the exchange between them, both included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What dates are held against."""

    zone: str
    sessions: _Sessions
    now: dt.datetime


_EARLIEST = dt.date(1900, 1, 1)
_COMPUTERS = dt.date(1970, 1, 1)
"""Readings that begin earlier give way to others: two digits were taken for a year that are a day."""
_ASK = "say the order with --date-format, e.g. MM/DD/YYYY or DD/MM/YYYY"
_CLEAR = 3
"""Sessions by which a reading must be the better one: a holiday or two may be wrong in a calendar."""


def read_dates(
    column: pl.Series,
    *,
    format: str,  # noqa: A002 - the user's word for it, as in --date-format
    zone: str,
    exchange_zone: str,
    sessions: _Sessions | None,
    after: dt.date | None,
    now: dt.datetime,
) -> tuple[pl.Series, Dates]:
    """The column as session days (Date, null where it is empty), and how it was read.

    ``zone`` is the user's: its local day is taken of values that carry a time zone. ``after`` is the last
    session that is stored already. BadValue names the first row that no date or no possible one.
    """
    if column.dtype in (pl.Categorical, pl.Enum):
        column = column.cast(pl.String)
    local = _zone(zone or exchange_zone)
    today = now.astimezone(_zone(exchange_zone)).date()
    distinct = _distinct(column)
    if distinct.is_empty():
        nothing = pl.repeat(None, len(column), dtype=pl.Date, eager=True).rename(column.name)
        return nothing, Dates(format="", decided_by="default", why="the column is empty")
    fitting = stamps.candidates(
        distinct, wanted=format, zone=zone, local=local.key, last_year=today.year + 1
    )
    bounds = (_EARLIEST, dt.date(today.year + 1, 12, 31))
    possible = [one for one in fitting if _within(one.days, *bounds)]
    if not possible:
        raise _refusal(column, distinct, fitting, format, bounds)
    past = [one for one in possible if _within(one.days, _EARLIEST, today)]
    if not past:
        late = distinct.filter(possible[0].days > today)
        raise _bad(column, late, f"is after today, {today.isoformat()} at the exchange")
    recent = [one for one in past if _within(one.days, _COMPUTERS, today)]
    taken, decided_by, why = _choose(recent or past, sessions, after)
    if format or (zone and taken.zone == zone):
        decided_by = "option"
    days = column.replace_strict(distinct, taken.days, default=None, return_dtype=pl.Date)
    return days, Dates(format=taken.format, zone=taken.zone, decided_by=decided_by, why=why)


def _distinct(column: pl.Series) -> pl.Series:
    """Values that say something, once each."""
    distinct = column.unique(maintain_order=True).drop_nulls()
    if column.dtype.is_float():
        return distinct.drop_nans()
    if column.dtype == pl.String:
        return distinct.filter(~distinct.str.strip_chars().str.to_lowercase().is_in(MISSING))
    return distinct


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValue(
            f"There is no time zone {name!r}", value=name, hint="an IANA name such as Asia/Tokyo"
        ) from None


def _within(days: pl.Series, first: dt.date, last: dt.date) -> bool:
    """Whether all values were read, and lie between the two."""
    return not days.null_count() and bool(days.is_between(first, last).all())


def _bad(column: pl.Series, wrong: pl.Series, why: str, hint: str = "") -> BadValue:
    """The first row that holds one of the wrong values."""
    row = int(column.is_in(wrong.implode()).arg_max() or 0)
    return BadValue(
        why,
        row=row,
        value=str(column[row]),
        hint=hint or "take the row out, or say how dates are written with --date-format",
    )


def _refusal(
    column: pl.Series,
    distinct: pl.Series,
    fitting: Sequence[Candidate],
    wanted: str,
    bounds: tuple[dt.date, dt.date],
) -> BadValue:
    """Which value stands against the reading that fits most of them."""
    hint = "say how dates are written with --date-format, e.g. DD/MM/YYYY, YYYYMMDD or epoch ms"
    best = min(fitting, key=lambda one: one.days.null_count(), default=None)
    if best is None or best.days.null_count() == len(distinct):
        what = f"is not a date like {wanted}" if wanted else "is not a date in a known format"
        return _bad(column, distinct, what, hint)
    if best.days.null_count():
        return _bad(
            column, distinct.filter(best.days.is_null()), f"is not a date like {best.format}", hint
        )
    outside = distinct.filter(~best.days.is_between(*bounds))
    year = best.days.filter(~best.days.is_between(*bounds)).dt.year()[0]
    return _bad(
        column,
        outside,
        f"is in the year {year}, outside {bounds[0].year} to {bounds[1].year}",
        hint,
    )


def _choose(
    candidates: Sequence[Candidate], sessions: _Sessions | None, after: dt.date | None
) -> tuple[Candidate, DecidedBy, str]:
    """One of the readings that fit; the first is the natural one, and stays unless the calendar objects."""
    different = [candidates[0]]
    for one in candidates[1:]:
        if not any(one.days.equals(other.days) for other in different):
            different.append(one)
    if len(different) == 1:
        return different[0], "values", ""
    faults = [_faults(one.days, sessions or _weekdays, after) for one in different]
    order = sorted(range(len(different)), key=lambda at: faults[at])
    best, second = order[0], order[1]
    plain = different[0].natural
    if plain and faults[0] < faults[best] + max(_CLEAR, faults[best]):
        return different[0], "values", ""
    if not plain and faults[second] < faults[best] + max(_CLEAR, faults[best]):
        both = " and ".join(
            f"{one.format} ({one.days.min()!s} to {one.days.max()!s})" for one in different
        )
        raise BadValue(
            f"The dates fit more than one order: {both}, and the exchange calendar does not tell",
            hint=_ASK,
        )
    other = min(fault for at, fault in enumerate(faults) if at != best)
    why = f"{faults[best]} sessions missing or days without one; {other} if read otherwise"
    return different[best], "calendar", why


def _faults(days: pl.Series, sessions: _Sessions, after: dt.date | None) -> int:
    """Days that are no session, and sessions left out between them, and between them and ``after``."""
    dates = np.unique(days.to_numpy().astype("datetime64[D]"))
    first, last = dates[0].item(), dates[-1].item()
    known = sessions(min(first, after or first), max(last, after or last)).astype("datetime64[D]")
    strange = np.setdiff1d(dates, known, assume_unique=True).size
    if after and after < first:
        known = known[known > np.datetime64(after)]
    elif after and after <= last:
        known = known[(known >= dates[0]) & (known <= dates[-1])]
    return int(strange + np.setdiff1d(known, dates).size)


def _weekdays(first: dt.date, last: dt.date) -> NDArray[np.datetime64]:
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
    return days[np.is_busday(days)]
