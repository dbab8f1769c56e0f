"""What to do about the sessions that are due: a pure function of calendar, book and time; and the jobs that
bring the store up to a session.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.config import Config, ScheduleConfig
from engine.data.calendar import trading_days
from engine.data.growth import incomplete
from engine.data.store import PanelStore, Snapshot
from engine.errors import DataError
from engine.hashes import sha256
from engine.records.agenda import BookedSession
from engine.schedule.jobs import ChildJob
from engine.schedule.timetable import Session, timetable_of


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


def update_jobs(
    workspace: Path, config: Config, session: dt.date, now: dt.datetime
) -> list[ChildJob]:
    """`ingest` commands, in order; none where someone else keeps the store current.

    For files one per session that the store lacks, up to this one: a hole in the history would
    change every feature that looks back over it, so it is waited for: DataError until the file is there.
    The newest stored session is read again when its file is another one now, see `_grew`.
    """
    source = config.schedule.update
    if source == "none":
        return []
    if source == "files":
        return [_job(config, *words) for words in _appends(workspace, config, session, now)]
    words = ("--until", session.isoformat()) if source == "synthetic" else ()
    return [_job(config, "--source", source, *words)]


def _job(config: Config, *words: str) -> ChildJob:
    limit_s = 60 * config.schedule.job_minutes
    return ChildJob(name="update", words=("ingest", *words), limit_s=limit_s)


def _appends(
    workspace: Path, config: Config, session: dt.date, now: dt.datetime
) -> list[tuple[str, ...]]:
    snapshot = PanelStore(workspace / "data").snapshot()
    stored = dt.date.fromisoformat(snapshot.days[-1])
    timetable = timetable_of(workspace, config)
    closed = set(config.schedule.closed)
    paths = []
    newest = _path(config, stored)
    if stored <= session and _grew(newest, snapshot, config, due=stored == session):
        paths.append(newest)
    first = stored + dt.timedelta(days=1)
    for day in trading_days(timetable.exchange, first, session, today=now.date()):
        if day.date.isoformat() in closed:
            continue
        path = _path(config, day.date)
        if not path.exists():
            raise DataError(f"{path}: the prices of {day.date} are not there yet")
        paths.append(path)
    return [("--source", "files", "--append", "--prices", str(path)) for path in paths]


def _path(config: Config, day: dt.date) -> Path:
    return Path(config.schedule.update_prices.format(session=day.isoformat()))


def _grew(path: Path, snapshot: Snapshot, config: Config, *, due: bool) -> bool:
    """Whether the file of the newest stored session may complete or correct it.

    It was not the one that was read, and its session is incomplete, or is the one that is due: then a file
    that was stored while it was still being written is read again. Of a session that came with the whole
    history nobody knows the file; that is read only to complete it.
    """
    if not path.is_file():
        return False
    read = snapshot.manifest.read.get(str(path.resolve()))
    thin = bool(incomplete(snapshot.names, config.quality.min_coverage))
    return (thin or (due and read is not None)) and sha256(path) != read
