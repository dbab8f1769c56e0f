"""What the scheduler writes is what a watcher reads."""

import datetime as dt
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.alerts.alert import Alert
from engine.config import AlertConfig, ScheduleConfig
from engine.errors import IntegrityError
from engine.files import write_json
from engine.records import record
from engine.records.agenda import Agenda, BookedSession, Outlook
from engine.runs import lock
from engine.schedule import agenda
from engine.schedule.agenda import read_agenda, write_heartbeat, write_outlook
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.timetable import Timetable

NOW = dt.datetime(2026, 11, 25, 12, 0, tzinfo=dt.UTC)
"""A Wednesday; Tokyo's session of the day is due at 18:30 there, 09:30 UTC."""
TIMETABLE = Timetable(ScheduleConfig(), "XTKS")


def test_nothing_ran_yet(tmp_path: Path) -> None:
    assert read_agenda(tmp_path, NOW) == Agenda()


def test_the_outlook_is_the_timetable_s(tmp_path: Path) -> None:
    """Tokyo: closed on Monday the 23rd (Labour Thanksgiving)."""
    outlook = TIMETABLE.outlook(NOW)
    assert outlook.due[-4:] == ("2026-11-19", "2026-11-20", "2026-11-24", "2026-11-25")
    assert outlook.next_session == "2026-11-26"
    assert outlook.next_at == "2026-11-26T09:30:00+00:00"
    assert outlook.zone == "Asia/Tokyo"
    assert outlook.behind("2026-11-25") == 0
    assert outlook.behind("2026-11-20") == 2
    assert outlook.behind("2026-11-19") == 3
    write_outlook(tmp_path, outlook)
    assert record.read(tmp_path / agenda._OUTLOOK, Outlook) == outlook


def test_an_outlook_of_a_later_version_is_read_and_a_broken_one_named(tmp_path: Path) -> None:
    write_outlook(tmp_path, TIMETABLE.outlook(NOW))
    path = tmp_path / agenda._OUTLOOK
    path.write_text(json.dumps(json.loads(path.read_text()) | {"new": 1}))
    assert record.read(tmp_path / agenda._OUTLOOK, Outlook) == TIMETABLE.outlook(NOW)
    path.write_text("{}")
    with pytest.raises(IntegrityError, match=r"outlook\.json"):
        record.read(tmp_path / agenda._OUTLOOK, Outlook)


def test_the_process_is_alive_by_its_lock_and_stuck_without_heartbeats(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, NOW)
    assert read_agenda(tmp_path, NOW).process == "stopped"
    with lock.hold(tmp_path / agenda._LOCK):
        assert read_agenda(tmp_path, NOW + dt.timedelta(seconds=100)).process == "running"
        late = NOW + dt.timedelta(seconds=130)
        assert read_agenda(tmp_path, late).process == "stuck"
        slow = TIMETABLE.outlook(NOW)
        write_outlook(tmp_path, replace(slow, heartbeat_seconds=60.0))
        assert read_agenda(tmp_path, late).process == "running"


def test_sessions_alerts_and_notes_come_from_the_book(tmp_path: Path) -> None:
    """Also while the scheduler has it open."""
    ledger = ScheduleLedger(tmp_path, AlertConfig(), ["mail", "webhook"])
    session = TIMETABLE.latest(NOW)
    assert session is not None
    ledger.open(session, give_up_at=NOW + dt.timedelta(hours=5), caught_up=True)
    ledger.start(session)
    ledger.enter(session, "signals")
    alert = Alert(key="signal:1", kind="signal", title="2026-11-25 TRADE")
    ledger.finish(session, NOW, verdict="TRADE", seal="ab", exit_code=0, alerts=[alert], errands=[])
    ledger.note("the machine slept", NOW)
    found = read_agenda(tmp_path, NOW)
    ledger.close()
    assert found.sessions == (
        BookedSession(
            exchange="XTKS",
            session=dt.date(2026, 11, 25),
            state="done",
            verdict="TRADE",
            attempts=1,
            caught_up=True,
            stage="signals",
            reason="",
            due_at=NOW.replace(hour=9, minute=30),
            next_at=NOW.replace(hour=9, minute=30),
            give_up_at=NOW + dt.timedelta(hours=5),
            seal="ab",
            exit_code=0,
            decided_at=NOW,
        ),
    )
    assert [(told.channel, told.title, told.state) for told in found.alerts] == [
        ("mail", "2026-11-25 TRADE", "queued"),
        ("webhook", "2026-11-25 TRADE", "queued"),
    ]
    assert [text for _, text in found.notes] == ["the machine slept"]
    assert found.process == "never"


def test_a_damaged_book_is_named(tmp_path: Path) -> None:
    path = tmp_path / agenda.LEDGER
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(IntegrityError, match=r"ledger\.sqlite"):
        read_agenda(tmp_path, NOW)


def test_a_heartbeat_without_a_zone_is_no_moment(tmp_path: Path) -> None:
    write_heartbeat(tmp_path, NOW)
    write_json(tmp_path / agenda._HEARTBEAT, {"at": "2026-11-25T12:00:00", "pid": 1, "host": "a"})
    with pytest.raises(record.RecordError, match=r"\$\.at"):
        read_agenda(tmp_path, NOW)
