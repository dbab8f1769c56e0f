"""What to do about the sessions that are due. A pure function of calendar, book and time."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.config import ScheduleConfig
from engine.records.agenda import BookedSession
from engine.schedule.timetable import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What is to be written and done now; an empty one says that nothing is."""

    void: tuple[BookedSession, ...] = ()
    """Written while the clock was ahead of what it shows now."""
    late: tuple[Session, ...] = ()
    missed: tuple[Session, ...] = ()
    open: Session | None = None
    give_up_at: dt.datetime | None = None
    """When attempts at the session to open end."""
    attempt: Session | None = None
    """Run its jobs now."""


def decide(
    now: dt.datetime,
    due: Sequence[Session],
    upcoming: Session | None,
    entries: Mapping[dt.date, BookedSession],
    config: ScheduleConfig,
    *,
    at_once: bool = False,
) -> SessionPlan:
    """``due``: sessions whose run time has come, oldest first, from the first open one in the book on.

    Only the latest is ever attempted: the trades of an older one can no longer be made. A running
    entry is nobody's (its process was found dead), so it counts as one whose attempt failed. ``at_once``:
    the pause before the next attempt is not waited for.
    """
    newest = due[-1].date if due else None
    void = tuple(e for e in entries.values() if _is_of_another_time(e, now, newest))
    known = {day: entry for day, entry in entries.items() if entry not in void}
    if not due:
        return SessionPlan(void=void)
    *older, latest = due
    late, missed = [], []
    for session in older:
        entry = known.get(session.date)
        if entry is None or (entry.state == "due" and not entry.attempts):
            late.append(session)
        elif entry.state == "due":
            missed.append(session)
    plan = SessionPlan(void=void, late=tuple(late), missed=tuple(missed))
    entry = known.get(latest.date)
    if entry is None:
        limit = _give_up_at(now, latest, upcoming, config)
        return replace(plan, open=latest, give_up_at=limit, attempt=latest)
    if entry.state != "due":
        return plan
    if entry.attempts and now >= entry.give_up_at:
        return replace(plan, missed=(*missed, latest))
    return replace(plan, attempt=latest) if at_once or _is_ready(entry, now, config) else plan


def is_caught_up(now: dt.datetime, session: Session, config: ScheduleConfig) -> bool:
    """Opened so late that it is told."""
    return now - session.due_at > dt.timedelta(minutes=config.grace_minutes)


def _is_of_another_time(entry: BookedSession, now: dt.datetime, newest: dt.date | None) -> bool:
    """Due only later, or the latest session given up at a time that is still to come."""
    if entry.state in ("done", "running"):
        return False
    given_up = entry.decided_at is not None and entry.decided_at > now
    return entry.due_at > now or (given_up and entry.session == newest)


def _is_ready(entry: BookedSession, now: dt.datetime, config: ScheduleConfig) -> bool:
    """Its pause is over; a pause longer than any that is made comes of a clock that was set back."""
    longest = dt.timedelta(minutes=config.retry_minutes)
    return entry.next_at <= now or entry.next_at > now + longest


def _give_up_at(
    now: dt.datetime, session: Session, upcoming: Session | None, config: ScheduleConfig
) -> dt.datetime:
    """The cut-off; for one that is caught up as long after the start, but not into the next session."""
    limit = session.cutoff_at
    if is_caught_up(now, session, config):
        limit = max(limit, now + dt.timedelta(hours=config.cutoff_hours))
    return limit if upcoming is None else min(limit, upcoming.due_at)
