"""Rows of a SQLite file as records: what SQLite has no type for is made of it, what does not fit is named."""

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from engine.errors import EnvironmentProblem
from engine.records.agenda import BookedAlert, BookedSession, Heartbeat
from engine.records.database import Database, read_records
from engine.records.record import RecordError, read

COLUMNS = (
    "exchange TEXT, session TEXT, state TEXT, due_at TEXT, give_up_at TEXT, next_at TEXT,"
    " caught_up INTEGER, attempts INTEGER, stage TEXT, reason TEXT, verdict TEXT, later TEXT"
)
"""Those of an older ledger, without seal, exit code and end, and one of a later version."""
AT = "2026-11-25T09:30:00.000000+00:00"


def write(path: Path, *, state: str = "done", caught_up: object = 1) -> Path:
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE sessions ({COLUMNS})")
        connection.execute(
            "INSERT INTO sessions VALUES ('XTKS', '2026-11-25', ?, ?, ?, ?, ?, 2, 'signals', '', NULL, 'x')",
            (state, AT, AT, AT, caught_up),
        )
    connection.close()
    return path


def test_a_row_of_an_older_ledger_is_a_record(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.sqlite")
    due = dt.datetime(2026, 11, 25, 9, 30, tzinfo=dt.UTC)
    booked = BookedSession(
        exchange="XTKS",
        session=dt.date(2026, 11, 25),
        state="done",
        due_at=due,
        give_up_at=due,
        next_at=due,
        caught_up=True,
        attempts=2,
        stage="signals",
        reason="",
    )
    assert read_records(path, BookedSession, "SELECT * FROM sessions") == (booked,)
    opened = Database(path, (), version=1)
    assert opened.records(BookedSession, "SELECT * FROM sessions") == (booked,)
    opened.close()


@pytest.mark.parametrize(
    ("state", "caught_up", "field"), [("gone", 1, "state"), ("done", "maybe", "caught_up")]
)
def test_a_row_that_does_not_fit_is_named_by_its_field(
    tmp_path: Path, state: str, caught_up: object, field: str
) -> None:
    path = write(tmp_path / "ledger.sqlite", state=state, caught_up=caught_up)
    with pytest.raises(RecordError, match=rf"ledger\.sqlite: .*{field}"):
        read_records(path, BookedSession, "SELECT * FROM sessions")


def test_a_table_that_is_not_there_is_a_file_that_cannot_be_read_now(tmp_path: Path) -> None:
    path = write(tmp_path / "ledger.sqlite")
    with pytest.raises(EnvironmentProblem, match="no such table"):
        read_records(path, BookedAlert, "SELECT * FROM alerts")


def test_a_heartbeat_without_a_moment_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "heartbeat.json"
    path.write_text('{"at": "2026-11-25T12:00:00+00:00", "pid": 7, "host": "a"}')
    assert read(path, Heartbeat).at == dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
    path.write_text('{"at": "noon"}')
    with pytest.raises(RecordError, match=r"heartbeat\.json: .*at"):
        read(path, Heartbeat)
