"""Whether the days of a table are sessions of its exchange; if not, what would make them so."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.calendar import EXCHANGES, calendar_span, sessions_between
from engine.data.months import key_of
from engine.data.tables import RawTables
from engine.records.reading import Problem

_SESSIONS = 0.95
"""Share of rows on sessions below which the dates were misread. Honest: at least 99.99 %; all dates a day
off: 80 % (Monday becomes Sunday); day and month swapped: about 69 %; weekends traded: 71 %."""
_HONEST = 0.995
"""Share below which the days are said; refused where they are all sessions of another exchange: a year of
Tokyo has 2 % of its days on holidays of New York."""
_EXPLAINED = 0.98
"""Share from which another reading of the dates explains them."""
_EARLIEST = 1900
_GAP = 5
"""Sessions missing between the store and a later file from which its first day is looked at again."""
_DAILY = 0.5
"""Share of the sessions between the first and the last day that daily bars fill. Honest: at least 99.6 %;
weekly bars: 20 %."""
_SPAN = 20
"""Sessions between the first and the last day from which that share says anything."""
_LARGE = (
    "XNYS", "XTKS", "XSHG", "XHKG", "XBOM", "XLON", "XPAR", "XFRA", "XTSE", "XKRX", "XTAI", "XASX",
)  # fmt: skip
"""Exchanges that are tried as an explanation; only where the days are no sessions of the one assumed."""
_WEEKEND = 0.2
"""Share of rows on Saturdays and Sundays from which every day is a trading day; 2/7 where all are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Days:
    """The days with bars."""

    day_D: NDArray[np.datetime64]
    """Increasing; those that the exchange's calendar reaches."""
    rows_D: NDArray[np.int64]
    sessions: NDArray[np.datetime64]
    """Sessions of the exchange in the years of these days."""
    share: float | None
    """Share of the rows that lie on sessions."""
    shifted: int = 0
    swapped: bool = False


def days_of(bars: pl.DataFrame, exchange: str) -> _Days:
    """The days of the bars held against the exchange's sessions."""
    begin, end = calendar_span(exchange)
    count = bars.group_by("date").len().sort("date").filter(pl.col("date").is_between(begin, end))
    day_D = count["date"].to_numpy().astype("datetime64[D]")
    rows_D = count["len"].to_numpy().astype(np.int64)
    if not day_D.size:
        return _Days(day_D=day_D, rows_D=rows_D, sessions=day_D, share=None)
    first, last = day_D[0].item(), day_D[-1].item()
    last_day = min(end, dt.date(last.year + 1, 1, 31))
    sessions = sessions_between(exchange, dt.date(first.year, 1, 1), last_day)
    share = _share(day_D, rows_D, sessions)
    shifted, swapped = 0, False
    if share < _SESSIONS:
        moved = {k: _share(day_D + k, rows_D, sessions) for k in (1, -1)}
        best = max(moved, key=lambda k: moved[k])
        shifted = best if moved[best] >= _EXPLAINED else 0
        swapped = not shifted and _share(_swapped(day_D), rows_D, sessions) >= _EXPLAINED
    return _Days(
        day_D=day_D, rows_D=rows_D, sessions=sessions, share=share, shifted=shifted, swapped=swapped
    )


def day_problems(
    raw: RawTables, days: _Days, *, today: dt.date, exchange: str, after: str
) -> list[Problem]:
    """Bars later than now, impossible years, days that are no sessions, a gap that a swap would close."""
    problems = _later(raw.bars, today) or _impossible(raw, today)
    if problems or days.share is None:
        return problems
    moved = days.shifted or days.swapped
    if not moved and (sparse := _sparse(days)):
        return [sparse]
    if days.share < _HONEST:
        problem = _no_sessions(days, exchange)
        if problem.refused:
            return [problem]
        problems = [problem]
    return problems + _gap(days, after, exchange) if after else problems


def _impossible(raw: RawTables, today: dt.date) -> list[Problem]:
    for name, table in raw.tables().items():
        key = key_of(name)
        if key not in table.columns or table.is_empty():
            continue
        last = dt.date(today.year + 1, 12, 31)
        wrong = table.filter(~pl.col(key).is_between(dt.date(_EARLIEST, 1, 1), last))
        if len(wrong):
            what = (
                f"{name}: {len(wrong):,} rows have years outside {_EARLIEST} to {last.year}, e.g. "
            )
            return [Problem(what=f"{what}{wrong[key].cast(pl.String)[0]}", mend=_FORMAT)]
    return []


_FORMAT = "say how dates are written: --date-format, e.g. MM/DD/YYYY"


def _later(bars: pl.DataFrame, today: dt.date) -> list[Problem]:
    later = bars.filter(pl.col("date") > today)
    if later.is_empty():
        return []
    symbol, day = later.row(0)[1], later.row(0)[0]
    what = (
        f"{len(later):,} bars are later than now ({today} at the exchange), e.g. {symbol} on {day}"
    )
    return [Problem(what=what, mend=f"remove them, or {_FORMAT}")]


def _sparse(days: _Days) -> Problem | None:
    """Bars of a week or a month, whatever day they are dated by."""
    first, last = days.day_D[0], days.day_D[-1]
    between = int(((days.sessions >= first) & (days.sessions <= last)).sum())
    if between < _SPAN or days.day_D.size >= _DAILY * between:
        return None
    what = (
        f"there are bars on {days.day_D.size:,} days of {between:,} sessions from {first} to {last}, one in "
        f"{between / days.day_D.size:.0f}: they are bars of a week or a month, and a row has to be a session"
    )
    return Problem(what=what, mend="take the daily bars of the same source")


def _no_sessions(days: _Days, exchange: str) -> Problem:
    off = [str(day) for day in days.day_D[~np.isin(days.day_D, days.sessions)][:3]]
    what = (
        f"{1 - (days.share or 0.0):.0%} of the rows are on days that are no sessions of {exchange} "
    )
    what += f"({', '.join(off)})"
    weekday_D = (days.day_D.astype(np.int64) + 3) % 7
    on_weekend = days.rows_D[weekday_D >= 5].sum() / days.rows_D.sum()
    others = _fitting(days, exchange) if not on_weekend else []
    if others:
        mend = " or ".join(f"--set {_setting(code)}" for code in others)
        return Problem(what=f"{what}; they are sessions of {', '.join(others)}", mend=mend)
    if days.shifted:
        way = "early" if days.shifted > 0 else "late"
        what += f"; all are a day {way}: the dates were cut in another zone"
        return Problem(what=what, mend="--timezone ZONE of the exchange, or of the file's clock")
    if days.swapped:
        return Problem(what=f"{what}; day and month were taken for each other", mend=_FORMAT)
    if on_weekend > _WEEKEND:
        return Problem(what=f"{what}; it trades every day", mend="--set data.calendar=24/7")
    return Problem(
        what=f"{what}; they are another exchange's, or no trading days",
        mend="--set data.calendar=CODE of its exchange (24/7: every day is a session)",
        refused=(days.share or 0.0) < _SESSIONS,
    )


def _setting(code: str) -> str:
    return "data.market=jp" if code == EXCHANGES["jp"] else f"data.calendar={code}"


def _fitting(days: _Days, exchange: str) -> list[str]:
    """Large exchanges of whose sessions all days are, those that miss the fewest first; three at most."""
    first, last = days.day_D[0].item(), days.day_D[-1].item()
    found = []
    for code in _LARGE:
        begin, end = calendar_span(code)
        if code == exchange or not begin <= first <= last <= end:
            continue
        sessions = sessions_between(code, first, last)
        if np.isin(days.day_D, sessions).all():
            found.append((sessions.size - days.day_D.size, code))
    return [code for missing, code in sorted(found) if missing == min(found)[0]][:3]


def _gap(days: _Days, after: str, exchange: str) -> list[Problem]:
    """On append: sessions left out before the first new day; refused where swapping leaves none out."""
    start = np.datetime64(after, "D")
    new_D = days.day_D[days.day_D > start]
    if not new_D.size:
        return []

    first_day = dt.date.fromisoformat(after) + dt.timedelta(days=1)

    def between(day: np.datetime64) -> int:
        return sessions_between(exchange, first_day, dt.date.fromisoformat(str(day))).size - 1

    missing = between(new_D[0])
    if missing < _GAP:
        return []
    other = _swapped(new_D[:1])[0]
    what = f"{missing} sessions are missing between the store ({after}) and {new_D[0]}"
    if start < other < new_D[0] and between(other) <= 0:
        what += (
            f"; read as {other} it would be the next one: day and month were taken for each other"
        )
        return [Problem(what=what, mend=_FORMAT)]
    return [Problem(what=what, mend="append the files between first", refused=False)]


def _share(
    day_D: NDArray[np.datetime64], rows_D: NDArray[np.int64], sessions: NDArray[np.datetime64]
) -> float:
    return float(rows_D[np.isin(day_D, sessions)].sum() / rows_D.sum())


def _swapped(day_D: NDArray[np.datetime64]) -> NDArray[np.datetime64]:
    """Day and month in each other's place where the day can be a month."""
    dates = [day.item() for day in day_D]
    moved = [d.replace(day=d.month, month=d.day) if d.day <= 12 else d for d in dates]
    return np.array(moved, dtype="datetime64[D]")
