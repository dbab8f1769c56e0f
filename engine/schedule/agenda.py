"""What the scheduler tells those who watch it: its files in the workspace, read without its lock or its code.

    schedule/lock            held while a scheduler lives
    schedule/heartbeat.json  written at every look at the clock
    schedule/ledger.sqlite   the book of sessions, alerts and notes
    schedule/outlook.json    what the exchange calendar says

A screen must not load an exchange calendar; so the scheduler writes down what it has read in it.
"""

import datetime as dt
import sqlite3
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from engine.errors import IntegrityError
from engine.files import read_json, write_json
from engine.records.database import read_rows
from engine.runs import lock

_FOLDER = Path("schedule")
"""In the workspace, like all of these."""
LOCK = _FOLDER / "lock"
HEARTBEAT = _FOLDER / "heartbeat.json"
LEDGER = _FOLDER / "ledger.sqlite"
OUTLOOK = _FOLDER / "outlook.json"
_STALE_BEATS = 4
"""Heartbeats that may be missing before the process counts as stuck."""
HEARTBEAT_S = 30.0
"""Taken for the pause between two where no outlook tells it."""

_Process = Literal["never", "stopped", "stuck", "running"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the exchange calendar said when the scheduler last looked."""

    exchange: str
    at: str
    """UTC, ISO 8601."""
    due: tuple[str, ...]
    """Sessions of the last weeks whose run time had come, oldest first, ISO dates."""
    next_session: str
    """The next to come; empty when the calendar has run out."""
    next_at: str
    """Its run time. UTC, ISO 8601."""
    calendar_days_left: int
    heartbeat_seconds: float
    zone: str = "UTC"
    """IANA name of the exchange's own time zone."""

    def behind(self, last: str) -> int:
        """Sessions that are due and later than the session ``last``."""
        return sum(day > last for day in self.due)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedSession:
    """A line of the book; see `engine.schedule.ledger`."""

    exchange: str
    session: str
    state: str
    """due, running, done, missed or late."""
    verdict: str
    """TRADE, HOLD or STOP; empty without a signal."""
    attempts: int
    caught_up: bool
    stage: str
    """The last job started."""
    reason: str
    due_at: str
    decided_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldAlert:
    created_at: str
    kind: str
    channel: str
    title: str
    state: str
    """queued, delivered or failed."""
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    process: _Process = "never"
    pid: int | None = None
    beat_at: str = ""
    """Of the last heartbeat. UTC, ISO 8601."""
    outlook: Outlook | None = None
    sessions: tuple[BookedSession, ...] = ()
    """Newest first."""
    alerts: tuple[ToldAlert, ...] = ()
    """Newest first."""
    notes: tuple[tuple[str, str], ...] = field(default=())
    """(UTC, text), newest first: sleep, a moved clock, late sessions."""


def write_outlook(workspace: Path, outlook: Outlook) -> None:
    write_json(workspace / OUTLOOK, asdict(outlook))


def read_outlook(workspace: Path) -> Outlook | None:
    """None before a scheduler has written one. Keys of a later version are left out."""
    path = workspace / OUTLOOK
    if not path.is_file():
        return None
    found = read_json(path)
    try:
        values = {item.name: found[item.name] for item in fields(Outlook) if item.name in found}
        return Outlook(**{**values, "due": tuple(map(str, values["due"]))})
    except (KeyError, TypeError) as error:
        raise IntegrityError(f"{path}: no outlook of a scheduler", hint="delete it") from error


def read_agenda(
    workspace: Path, now: dt.datetime, *, sessions: int = 10, alerts: int = 10
) -> Agenda:
    """Everything there is to show of the schedule; `Agenda()` where none ever ran."""
    if not (workspace / _FOLDER).is_dir():
        return Agenda()
    outlook = read_outlook(workspace)
    beat = heartbeat(workspace)
    told: dict[str, Any] = {}
    if (workspace / LEDGER).is_file():
        told = _book(workspace / LEDGER, sessions, alerts)
    return Agenda(
        process=_process(workspace, now, beat, outlook),
        pid=lock.holder(workspace / LOCK),
        beat_at=beat.isoformat() if beat else "",
        outlook=outlook,
        **told,
    )


def heartbeat(workspace: Path) -> dt.datetime | None:
    """When the scheduler last showed that it lives; None before the first time."""
    path = workspace / HEARTBEAT
    if not path.is_file():
        return None
    try:
        return dt.datetime.fromisoformat(str(read_json(path)["at"]))
    except (KeyError, ValueError) as error:
        raise IntegrityError(f"{path}: no heartbeat", hint="delete it") from error


def is_stale(age: float | None, heartbeat_seconds: float) -> bool:
    """Whether the last heartbeat is so old (seconds) that a living process must be stuck."""
    return age is not None and age > _STALE_BEATS * heartbeat_seconds


def _process(
    workspace: Path, now: dt.datetime, beat: dt.datetime | None, outlook: Outlook | None
) -> _Process:
    if not lock.is_held(workspace / LOCK):
        return "stopped" if beat is not None else "never"
    age = (now - beat).total_seconds() if beat is not None else None
    pause = outlook.heartbeat_seconds if outlook is not None else HEARTBEAT_S
    return "stuck" if is_stale(age, pause) else "running"


def _book(path: Path, sessions: int, alerts: int) -> dict[str, Any]:
    booked = read_rows(
        path,
        "SELECT exchange, session, state, COALESCE(verdict, '') AS verdict, attempts, caught_up, stage,"
        " reason, due_at, COALESCE(decided_at, '') AS decided_at FROM sessions"
        " ORDER BY session DESC, exchange LIMIT ?",
        (sessions,),
    )
    told = read_rows(
        path,
        "SELECT created_at, kind, channel, title, state, problem FROM alerts"
        " ORDER BY created_at DESC, key, channel LIMIT ?",
        (alerts,),
    )
    notes = read_rows(path, "SELECT at, text FROM notes ORDER BY id DESC LIMIT ?", (alerts,))
    return {
        "sessions": tuple(_booked(row) for row in booked),
        "alerts": tuple(ToldAlert(**dict(row)) for row in told),
        "notes": tuple((str(row["at"]), str(row["text"])) for row in notes),
    }


def _booked(row: sqlite3.Row) -> BookedSession:
    values = dict(row)
    return BookedSession(**{**values, "caught_up": bool(values["caught_up"])})
