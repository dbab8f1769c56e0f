"""What the scheduler tells those who watch it: what the calendar says, and the rows of its ledger."""

import datetime as dt
from typing import Annotated, Literal

from msgspec import Meta, Struct

ProcessState = Literal["never", "stopped", "stuck", "running"]
SessionState = Literal["due", "running", "done", "missed", "late"]
_Moment = Annotated[dt.datetime, Meta(tz=True)]
"""A time without a zone is none: it cannot be compared with now."""
ErrandKind = Literal["audit", "challenger", "report"]


class Outlook(Struct, frozen=True, kw_only=True):
    """What the exchange calendar said when the scheduler last looked. Moments are UTC, ISO 8601."""

    exchange: str
    at: str
    due: tuple[str, ...]
    """Sessions of the last weeks whose run time had come, oldest first, ISO dates."""
    next_session: str
    """The next to come; empty when the calendar has run out."""
    next_at: str
    """The run time of that session."""
    calendar_days_left: int
    heartbeat_seconds: float
    zone: str = "UTC"
    """IANA name of the exchange's own time zone."""

    def behind(self, last: str) -> int:
        """Count the sessions that are due and later than the session ``last``."""
        return sum(day > last for day in self.due)


class Heartbeat(Struct, frozen=True, kw_only=True):
    """The scheduler wrote this when it last showed that it lives."""

    at: _Moment
    pid: int = 0
    host: str = ""


class BookedSession(Struct, frozen=True, kw_only=True):
    """One session in the ledger. Moments are UTC."""

    exchange: str
    session: dt.date
    state: SessionState
    due_at: _Moment
    give_up_at: _Moment
    next_at: _Moment
    """The next attempt is not made before this."""
    caught_up: bool
    """It was started later than the grace allows: the machine slept or was off."""
    attempts: int
    stage: str
    """The last job that was started."""
    reason: str
    """Why the last attempt gave no signal, or why none is made."""
    verdict: str | None = None
    """TRADE, HOLD or STOP; None without a signal."""
    seal: str | None = None
    exit_code: int | None = None
    decided_at: _Moment | None = None
    """When it got its final state."""


class BookedErrand(Struct, frozen=True, kw_only=True):
    """A report, an audit or a challenger that a finished session asked for."""

    kind: ErrandKind
    key: str
    """A report has its session or month (2026-11-25, 2026-11), the others have their week or month."""
    state: Literal["wanted", "done", "failed"] = "wanted"
    attempts: int = 0
    reason: str = ""


class BookedAlert(Struct, frozen=True, kw_only=True):
    """An alert on its way to one channel."""

    created_at: str
    """UTC, ISO 8601."""
    kind: str
    channel: str
    title: str
    state: Literal["queued", "delivered", "failed"]
    attempts: int
    problem: str
    """Why the last delivery failed; empty if none did."""


class Agenda(Struct, frozen=True, kw_only=True):
    """Everything there is to show of the schedule; the value of no arguments where none ever ran."""

    process: ProcessState = "never"
    pid: int | None = None
    beat_at: str = ""
    """Moment of the last heartbeat. UTC, ISO 8601; empty before the first."""
    outlook: Outlook | None = None
    sessions: tuple[BookedSession, ...] = ()
    """Newest first."""
    errands: tuple[BookedErrand, ...] = ()
    """Those that are not done first, then the newest."""
    alerts: tuple[BookedAlert, ...] = ()
    """Newest first."""
    alert_counts: dict[str, int] = {}
    """State (queued, delivered, failed) -> number of alerts in it."""
    notes: tuple[tuple[str, str], ...] = ()
    """(UTC, text), newest first: sleep, a moved clock, late sessions."""
