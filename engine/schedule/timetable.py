"""When each session's signal is due, from the exchange's calendar; and the clock that tells it is."""

import datetime as dt
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from engine.config import Config, ScheduleConfig
from engine.data.calendar import (
    TradingDay,
    calendar_end,
    exchange_of,
    exchange_zone,
    trading_days,
)
from engine.data.store import PanelStore
from engine.records.agenda import Outlook

_COMPLETE_AT = {"XTKS": "18:30"}
"""Exchange -> local time from which its data are complete (Tokyo closes at 15:30)."""
_LOOK_AHEAD = dt.timedelta(days=40)
"""Longer than any exchange stays closed."""
_MARGIN = dt.timedelta(days=3)
"""Between a UTC date and the date of a session that is due near it: time zones and late closes."""
_MOVED_S = 90.0
"""A difference of the clocks beyond this is told; corrections of a second or a leap are not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One trading day of an exchange, and when its signal is due and given up. UTC."""

    exchange: str
    date: dt.date
    due_at: dt.datetime
    cutoff_at: dt.datetime
    """UTC."""

    def __str__(self) -> str:
        return f"{self.exchange} {self.date}"


def timetable_of(workspace: Path, config: Config) -> "Timetable":
    """The exchange is that of the stored data, or of the configuration's market before there are any."""
    store = PanelStore(workspace / "data")
    if store.is_empty:
        return Timetable(config.schedule, exchange_of(config.data.market, config.data.calendar))
    return Timetable(config.schedule, store.snapshot().exchange)


@dataclass(frozen=True, slots=True)
class Timetable:
    """The sessions of one exchange with the run times that the configuration gives them."""

    config: ScheduleConfig
    traded: str
    """Code of the exchange of the data."""

    @property
    def exchange(self) -> str:
        """Code of the calendar that is kept to: ``schedule.calendar`` where it is given."""
        return self.config.calendar or self.traded

    def due(self, now: dt.datetime, since: dt.date) -> list[Session]:
        """Sessions from ``since`` on whose run time has come, oldest first."""
        found = self._sessions(since, now.date() + _MARGIN, now)
        return [session for session in found if session.due_at <= now]

    def latest(self, now: dt.datetime) -> Session | None:
        """The newest session whose run time has come."""
        found = self.due(now, now.date() - _LOOK_AHEAD)
        return found[-1] if found else None

    def upcoming(self, now: dt.datetime) -> Session | None:
        """The next session to come; None when the calendar has run out."""
        found = self._sessions(now.date() - _MARGIN, now.date() + _LOOK_AHEAD, now)
        return next((session for session in found if session.due_at > now), None)

    def outlook(self, now: dt.datetime) -> Outlook:
        """What a screen needs to know of the calendar."""
        upcoming = self.upcoming(now)
        return Outlook(
            exchange=self.exchange,
            at=now.isoformat(timespec="seconds"),
            due=tuple(str(session.date) for session in self.due(now, now.date() - _LOOK_AHEAD)),
            next_session=str(upcoming.date) if upcoming else "",
            next_at=upcoming.due_at.isoformat() if upcoming else "",
            calendar_days_left=self.days_left(now),
            heartbeat_seconds=self.config.heartbeat_seconds,
            zone=exchange_zone(self.exchange),
        )

    def days_left(self, now: dt.datetime) -> int:
        """Until the calendar's last session. Days."""
        return (calendar_end(self.exchange, today=now.date()) - now.date()).days

    def _sessions(self, first: dt.date, last: dt.date, now: dt.datetime) -> list[Session]:
        days = trading_days(self.exchange, first, last, today=now.date())
        closed = set(self.config.closed)
        return [self._session(day, now) for day in days if day.date.isoformat() not in closed]

    def _session(self, day: TradingDay, now: dt.datetime) -> Session:
        text = self.config.run_at or _COMPLETE_AT.get(self.exchange, "")
        if text:
            zone = ZoneInfo(exchange_zone(self.exchange))
            local = day.close.astimezone(zone)
            chosen = dt.datetime.combine(local.date(), dt.time.fromisoformat(text), zone)
            due = max(chosen.astimezone(dt.UTC), day.close)
        else:
            due = day.close + dt.timedelta(minutes=self.config.delay_minutes)
        return Session(
            exchange=self.exchange,
            date=day.date,
            due_at=due,
            cutoff_at=due + dt.timedelta(hours=self.config.cutoff_hours),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """Three clocks at one moment."""

    wall: dt.datetime
    """UTC; may be set at any time."""
    awake_s: float
    """Seconds the machine ran; stands still while it sleeps."""
    elapsed_s: float
    """Seconds that passed, asleep or not, however the wall clock was set."""


class Clock(Protocol):
    """Whoever tells the time: the system, or a test."""

    def now(self) -> dt.datetime:
        """UTC."""
        ...

    def read(self) -> ClockReading:
        """All three clocks at one moment."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC)

    def read(self) -> ClockReading:
        boottime = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # Linux has it
        return ClockReading(
            wall=self.now(),
            awake_s=time.clock_gettime(time.CLOCK_MONOTONIC),
            elapsed_s=time.clock_gettime(boottime),
        )


def difference(before: ClockReading, after: ClockReading) -> str:
    """What happened to the clock between two readings; empty if nothing did.

    Where the system has no clock that runs on through sleep, a sleep reads as a clock set ahead.
    """
    elapsed = after.elapsed_s - before.elapsed_s
    set_by = (after.wall - before.wall).total_seconds() - elapsed
    slept = elapsed - (after.awake_s - before.awake_s)
    if abs(set_by) > _MOVED_S:
        return f"the clock was set {'ahead' if set_by > 0 else 'back'} by {_span(abs(set_by))}"
    return f"the machine slept for {_span(slept)}" if slept > _MOVED_S else ""


def _span(seconds: float) -> str:
    return str(dt.timedelta(seconds=round(seconds)))
