"""What the scheduler does and has done, from its files: book, heartbeat, agenda, log. No lock is taken."""

import datetime as dt
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from atft_tui import format as fmt
from engine.runs import lock

FOLDER = Path("schedule")
LOG = Path("logs") / "schedule.log"
SESSIONS, LINES, NOTES = 30, 40, 5
"""Newest ones read."""
TAIL_BYTES = 16_384
STALE_BEATS = 4
"""Heartbeats that may be missing before a living process counts as stuck, as `schedule status` has it."""
SECONDS_BELOW = 3600.0
"""A countdown shorter than this shows seconds, a longer one minutes."""
BUSY_S = 2.0
Process = Literal["running", "stuck", "stopped"]


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
    process: Process
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
    folder = workspace / FOLDER
    if not (folder / "ledger.sqlite").is_file():
        return None
    agenda = _json(folder / "agenda.json")
    beat = _json(folder / "heartbeat.json")
    limit = STALE_BEATS * float(agenda.get("heartbeat_seconds", 30.0))
    age = (now - dt.datetime.fromisoformat(beat["at"])).total_seconds() if beat else None
    alive = lock.is_held(folder / "lock")
    stuck = age is not None and age > limit
    book = _book(folder / "ledger.sqlite")
    return Schedule(
        process="stopped" if not alive else "stuck" if stuck else "running",
        pid=lock.holder(folder / "lock"),
        beat_s=None if age is None else 10.0 * (age // 10.0),
        exchange=str(agenda.get("exchange", book["exchange"])),
        zone=str(agenda.get("zone", "UTC")),
        upcoming=_upcoming(agenda.get("next"), now),
        calendar_days_left=agenda.get("calendar_days_left"),
        entries=tuple(_entry(row) for row in book["sessions"]),
        errands=tuple(
            Errand(**{name: row[name] for name in Errand.__dataclass_fields__})
            for row in book["errands"]
        ),
        alerts=tuple((str(row["state"]), int(row["number"])) for row in book["alerts"]),
        notes=tuple(
            Told(at=_moment(row["at"]), text=fmt.clean(row["text"])) for row in book["notes"]
        ),
        log=_log(workspace / LOG),
    )


def _upcoming(found: Mapping[str, Any] | None, now: dt.datetime) -> Upcoming | None:
    if not found:
        return None
    due_at = dt.datetime.fromisoformat(found["due_at"])
    left = (due_at - now).total_seconds()
    step = 1.0 if abs(left) < SECONDS_BELOW else 60.0
    return Upcoming(session=str(found["session"]), due_at=due_at, seconds=step * (left // step))


def _book(path: Path) -> dict[str, Any]:
    """Newest sessions, and what is queued, read in one look without writing to the file."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)
    connection.row_factory = sqlite3.Row
    try:
        rows = connection.execute
        exchange = rows("SELECT exchange FROM sessions ORDER BY due_at DESC LIMIT 1").fetchone()
        name = str(exchange["exchange"]) if exchange else ""
        return {
            "exchange": name,
            "sessions": rows(
                "SELECT * FROM sessions WHERE exchange = ? ORDER BY session DESC LIMIT ?",
                (name, SESSIONS),
            ).fetchall(),
            "errands": rows(
                "SELECT * FROM errands WHERE state != 'done' ORDER BY key DESC LIMIT ?", (NOTES,)
            ).fetchall(),
            "alerts": rows(
                "SELECT state, COUNT(*) AS number FROM alerts GROUP BY state ORDER BY state"
            ).fetchall(),
            "notes": rows(
                "SELECT at, text FROM notes ORDER BY id DESC LIMIT ?", (NOTES,)
            ).fetchall(),
        }
    except sqlite3.Error as error:
        raise ValueError(f"{path}: {error}") from error
    finally:
        connection.close()


def _entry(row: Mapping[str, Any]) -> Entry:
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


def _log(path: Path) -> tuple[Told, ...]:
    """The last lines; a first one that begins before the part that is read is left out."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - TAIL_BYTES)
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return ()
    if start:
        lines = lines[1:]
    return tuple(_told(line) for line in lines[-LINES:] if line.strip())


def _told(line: str) -> Told:
    stamp, _, text = line.partition(" ")
    at = _moment(stamp)
    return Told(at=at, text=fmt.clean(text if at else line))


def _moment(text: str | None) -> dt.datetime | None:
    """UTC; None for what is no time."""
    try:
        moment = dt.datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else None


def _json(path: Path) -> dict[str, Any]:
    """The object of a file that its writer replaces whole; empty before the first time."""
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{path}: not an object")
    return found
