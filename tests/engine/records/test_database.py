"""Rows of a SQLite file as records: what SQLite has no type for is made of it, what does not fit is named."""

import datetime as dt
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import EnvironmentProblem, IntegrityError
from engine.records.agenda import BookedAlert, BookedSession, Heartbeat
from engine.records.database import Database, read_records, read_rows, require_whole
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


def book(path: Path) -> Database:
    """Rows in pages of their own, one of them found by an index."""
    made = Database(
        path,
        ("CREATE TABLE IF NOT EXISTS a (n INTEGER PRIMARY KEY, text TEXT)",
         "CREATE INDEX IF NOT EXISTS by_text ON a (text)"),
        version=3,
    )  # fmt: skip
    with made.transaction() as connection:
        for number in range(200):
            connection.execute("INSERT INTO a (text) VALUES (?)", (f"row {number:03d} " * 4,))
    return made


def everything(path: Path) -> object:
    """What the file says to a writer and to those who only watch."""
    opened = book_of(path)
    rows = opened.rows("SELECT n, text FROM a ORDER BY text")
    opened.close()
    read = read_rows(path, "SELECT n, text FROM a WHERE text > 'row 2' ORDER BY text")
    return [tuple(row) for row in (*rows, *read)]


def book_of(path: Path) -> Database:
    return Database(path, (), version=3)


def test_no_bit_of_a_file_turns_over_in_silence(tmp_path: Path) -> None:
    """100 bits over the whole file: it is refused by its name, or says what it said before."""
    whole, rng = tmp_path / "whole.sqlite", random.Random(5)
    book(whole).close()
    content, right, refused = whole.read_bytes(), everything(whole), 0
    for number in range(100):
        path, wrong = tmp_path / f"{number}.sqlite", bytearray(content)
        bit = rng.randrange(len(content) * 8)
        wrong[bit // 8] ^= 1 << bit % 8
        path.write_bytes(wrong)
        try:
            said = everything(path)
        except (IntegrityError, EnvironmentProblem) as error:
            said, refused = error.message, refused + 1
        assert said == right or path.name in str(said), bit
        path.unlink()
    assert refused > 30


def test_a_row_that_nobody_wrote_is_refused_also_by_the_next_change(tmp_path: Path) -> None:
    """Not before the change is made: its sum would make the wrong row a right one."""
    path = tmp_path / "a.sqlite"
    open_book = book(path)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE a SET text = 'another' WHERE n = 7")
    with pytest.raises(IntegrityError, match="not those that were written"):
        open_book.transaction().__enter__()
    open_book.close()
    for ask in (require_whole, book_of):
        with pytest.raises(IntegrityError, match="not those that were written"):
            ask(path)


def test_a_file_of_a_version_before_has_no_sum_until_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with closing(sqlite3.connect(path)) as before, before:
        before.execute("CREATE TABLE a (n INTEGER PRIMARY KEY, text TEXT)")
        before.execute("INSERT INTO a VALUES (1, 'x')")
    require_whole(path)
    book_of(path).close()
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("UPDATE a SET text = 'y'")
    with pytest.raises(IntegrityError, match=r"a\.sqlite: damaged"):
        require_whole(path)
