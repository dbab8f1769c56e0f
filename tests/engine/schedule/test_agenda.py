"""What comes next, as it is written for those who show it."""

import datetime as dt
import json
from pathlib import Path

from engine.schedule.agenda import AGENDA, write_agenda
from engine.schedule.timetable import Timetable
from tests.engine.schedule.desk import configuration


def test_new_york_by_hand(tmp_path: Path) -> None:
    """Friday evening: the next close is Monday's at 16:00, 21:00 UTC; two hours later it is due."""
    now = dt.datetime(2024, 11, 16, 1, 0, tzinfo=dt.UTC)
    write_agenda(tmp_path, Timetable(configuration().schedule, "us"), now)
    told = json.loads((tmp_path / AGENDA).read_text())
    assert told["next"] == {
        "session": "2024-11-18",
        "due_at": "2024-11-18T23:00:00+00:00",
        "cutoff_at": "2024-11-19T11:00:00+00:00",
    }
    assert (told["exchange"], told["zone"]) == ("XNYS", "America/New_York")
    assert told["calendar_days_left"] > 300
    assert told["heartbeat_seconds"] == configuration().schedule.heartbeat_seconds
