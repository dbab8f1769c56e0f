"""What comes next, in a file: who shows the schedule needs no calendar and no configuration to read it."""

import datetime as dt
from pathlib import Path
from typing import Any

from engine.data.calendar import exchange_zone
from engine.files import write_json
from engine.schedule.timetable import Timetable

AGENDA = Path("schedule") / "agenda.json"
"""In the workspace."""


def agenda(timetable: Timetable, now: dt.datetime) -> dict[str, Any]:
    """The next session with its times (UTC), the exchange's zone, and how often the heart beats."""
    upcoming = timetable.upcoming(now)
    return {
        "at": now.isoformat(),
        "exchange": timetable.exchange,
        "zone": exchange_zone(timetable.exchange, today=now.date()),
        "next": {
            "session": str(upcoming.date),
            "due_at": upcoming.due_at.isoformat(),
            "cutoff_at": upcoming.cutoff_at.isoformat(),
        }
        if upcoming
        else None,
        "calendar_days_left": timetable.days_left(now),
        "heartbeat_seconds": timetable.config.heartbeat_seconds,
    }


def write_agenda(workspace: Path, timetable: Timetable, now: dt.datetime) -> None:
    write_json(workspace / AGENDA, agenda(timetable, now))
