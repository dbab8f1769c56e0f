"""What the scheduler does and has done, from its files: book, heartbeat, outlook, log. No lock is taken."""

import datetime as dt
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atft_tui import format as fmt
from atft_tui.readings.tail import last_lines
from engine.records.database import read_rows
from engine.runs import lock
from engine.schedule.agenda import (
    HEARTBEAT_S,
    LEDGER,
    LOCK,
    Outlook,
    heartbeat,
    is_stale,
    read_outlook,
)

_LOG = Path("logs") / "schedule.log"
SESSIONS, LINES, NOTES = 30, 40, 5
"""Newest ones read."""
_SECONDS_BELOW = 3600.0
"""A countdown shorter than this shows seconds, a longer one minutes."""
_Process = Literal["running", "stuck", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One session in the book. Times are UTC."""

    session: str
    state: str
    """due, running, done, missed or late."""
    verdict: str
    """TRADE, HOLD or STOP; empty without a signal."""
    attempts: int
    stage: str
    reason: str
    caught_up: bool
    due_at: dt.datetime
    next_at: dt.datetime
    give_up_at: dt.datetime
    decided_at: dt.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upcoming:
    session: str
    due_at: dt.datetime
    """UTC."""
    seconds: float
    """Until then, in steps of a minute, below an hour of a second; negative = it has passed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A line of the log or a note of the book."""

    at: dt.datetime | None
    """UTC; None for a line without a time."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    kind: str
    key: str
    state: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    process: _Process
    pid: int | None
    beat_s: float | None
    """Age of the newest heartbeat, in steps of 10 s; None before the first one."""
    exchange: str
    zone: str
    """IANA name of the exchange's zone; UTC while it is not known."""
    upcoming: Upcoming | None
    calendar_days_left: int | None
    entries: tuple[Entry, ...]
    """Newest session first."""
    errands: tuple[Errand, ...]
    """Reports, audits and challengers that are wanted or failed."""
    alerts: tuple[tuple[str, int], ...]
    """State (queued, delivered, failed) and number."""
    notes: tuple[Told, ...]
    log: tuple[Told, ...]
    """Oldest first."""

    @property
    def newest(self) -> Entry | None:
        return self.entries[0] if self.entries else None

    @property
    def failed_alerts(self) -> int:
        return dict(self.alerts).get("failed", 0)


def utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def read_schedule(workspace: Path, now: dt.datetime) -> Schedule | None:
    """None before a scheduler has run in the workspace."""
    if not (workspace / LEDGER).is_file():
        return None
    outlook, beat = read_outlook(workspace), heartbeat(workspace)
    age = (now - beat).total_seconds() if beat is not None else None
    stuck = is_stale(age, outlook.heartbeat_seconds if outlook else HEARTBEAT_S)
    alive = lock.is_held(workspace / LOCK)
    sessions = _rows(workspace, "sessions ORDER BY session DESC, exchange", SESSIONS)
    return Schedule(
        process="stopped" if not alive else "stuck" if stuck else "running",
        pid=lock.holder(workspace / LOCK),
        beat_s=None if age is None else 10.0 * (age // 10.0),
        exchange=outlook.exchange if outlook else str(sessions[0]["exchange"]) if sessions else "",
        zone=outlook.zone if outlook else "UTC",
        upcoming=_upcoming(outlook, now),
        calendar_days_left=outlook.calendar_days_left if outlook else None,
        entries=tuple(map(_entry, sessions)),
        errands=tuple(
            Errand(**{name: row[name] for name in Errand.__dataclass_fields__})
            for row in _rows(workspace, "errands WHERE state != 'done' ORDER BY key DESC", NOTES)
        ),
        alerts=tuple(
            (str(row["state"]), int(row["number"]))
            for row in read_rows(
                workspace / LEDGER,
                "SELECT state, COUNT(*) AS number FROM alerts GROUP BY state ORDER BY state",
            )
        ),
        notes=tuple(
            Told(at=_moment(row["at"]), text=fmt.clean(row["text"]))
            for row in _rows(workspace, "notes ORDER BY id DESC", NOTES)
        ),
        log=tuple(map(_told, last_lines(workspace / _LOG, LINES))),
    )


def _rows(workspace: Path, what: str, limit: int) -> list[sqlite3.Row]:
    return read_rows(workspace / LEDGER, f"SELECT * FROM {what} LIMIT ?", (limit,))


def _upcoming(outlook: Outlook | None, now: dt.datetime) -> Upcoming | None:
    if outlook is None or not outlook.next_at:
        return None
    due_at = dt.datetime.fromisoformat(outlook.next_at)
    left = (due_at - now).total_seconds()
    step = 1.0 if abs(left) < _SECONDS_BELOW else 60.0
    return Upcoming(session=outlook.next_session, due_at=due_at, seconds=step * (left // step))


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        session=row["session"],
        state=row["state"],
        verdict=row["verdict"] or "",
        attempts=row["attempts"],
        stage=row["stage"],
        reason=fmt.clean(row["reason"]),
        caught_up=bool(row["caught_up"]),
        due_at=dt.datetime.fromisoformat(row["due_at"]),
        next_at=dt.datetime.fromisoformat(row["next_at"]),
        give_up_at=dt.datetime.fromisoformat(row["give_up_at"]),
        decided_at=_moment(row["decided_at"]),
    )


def _told(line: str) -> Told:
    stamp, _, text = line.partition(" ")
    at = _moment(stamp)
    return Told(at=at, text=text if at else line)


def _moment(text: str | None) -> dt.datetime | None:
    """UTC; None for what is no time."""
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else None
