"""What the signals screen shows of the scheduler: its agenda, how long until the next session, its log."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from atft_tui.readings.files import last_lines
from engine.records.agenda import Agenda
from engine.schedule.agenda import LEDGER, read_agenda

_LOG = Path("logs") / "schedule.log"
_ROWS, _LINES = 30, 40
"""Newest ones read: rows of each kind, lines of the log."""
_SECONDS_BELOW = 3600.0
"""A countdown shorter than this shows seconds, a longer one minutes."""


@dataclass(frozen=True, slots=True)
class ScheduleLine:
    """A line of the scheduler's log."""

    at: dt.datetime | None
    """UTC; None for a line without a time."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The agenda as it is painted: ages in coarse steps, so that nothing is painted anew for nothing."""

    agenda: Agenda
    beat_s: float | None
    """Age of the newest heartbeat, in steps of 10 s; None before the first one."""
    seconds: float | None
    """Until the next session, in steps of a minute, below an hour of a second; negative = it has passed."""
    log: tuple[ScheduleLine, ...]
    """Oldest first."""

    @property
    def process(self) -> str:
        """Running, stuck or stopped: where none was ever started, one pass may have been made by hand."""
        return "stopped" if self.agenda.process == "never" else self.agenda.process

    @property
    def failed_alerts(self) -> int:
        """Number of alerts that were given up."""
        return self.agenda.alert_counts.get("failed", 0)


def read_schedule(workspace: Path, now: dt.datetime) -> Schedule | None:
    """None before a scheduler has run in the workspace; EngineError where its files cannot be read."""
    if not (workspace / LEDGER).is_file():
        return None
    agenda = read_agenda(workspace, now, limit=_ROWS)
    beat = moment(agenda.beat_at)
    age = None if beat is None else 10.0 * ((now - beat).total_seconds() // 10.0)
    due = moment(agenda.outlook.next_at) if agenda.outlook else None
    left = None if due is None else (due - now).total_seconds()
    if left is not None:
        step = 1.0 if abs(left) < _SECONDS_BELOW else 60.0
        left = step * (left // step)
    log = tuple(map(_log_line, last_lines(workspace / _LOG, _LINES)))
    return Schedule(agenda=agenda, beat_s=age, seconds=left, log=log)


def moment(text: str) -> dt.datetime | None:
    """The moment an ISO 8601 text names, UTC; None for what is no time or has no zone."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else None


def _log_line(line: str) -> ScheduleLine:
    stamp, _, text = line.partition(" ")
    at = moment(stamp)
    return ScheduleLine(at, text if at else line)
