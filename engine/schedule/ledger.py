"""The book of sessions: what was due, what came of it. The truth of the schedule, in SQLite.

A session is ``due`` from its run time on, ``running`` while its jobs do, and ends as

- ``done``: a sealed signal exists, whatever its card says;
- ``missed``: attempts were made, no signal by the cut-off or before the next session;
- ``late``: nobody was awake in its time, and a newer session is due. No signal is made up for it.

Each change is one transaction that names the state it starts from, and holds the alerts it causes.
"""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.alerts.alert import Alert
from engine.alerts.courier import OUTBOX_SCHEMA, Outbox, enqueue, withdraw
from engine.config import AlertConfig
from engine.errors import IntegrityError
from engine.records.agenda import BookedSession, SessionState
from engine.records.database import Database, timestamp
from engine.schedule.agenda import LEDGER
from engine.schedule.errands import ERRANDS_SCHEMA
from engine.schedule.timetable import Session

_VERSION = 1
_NOTES_KEPT = 500
_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS sessions (
        exchange TEXT NOT NULL, session TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('due', 'running', 'done', 'missed', 'late')),
        due_at TEXT NOT NULL, give_up_at TEXT NOT NULL, next_at TEXT NOT NULL,
        caught_up INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        stage TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
        verdict TEXT, seal TEXT, exit_code INTEGER, decided_at TEXT,
        PRIMARY KEY (exchange, session)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS notes (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, text TEXT NOT NULL)""",
)


class ScheduleLedger:
    """The book of one workspace, and the queues of errands and alerts that lie in the same file."""

    def __init__(self, workspace: Path, alerts: AlertConfig, channels: Sequence[str]) -> None:
        """``channels``: names of those that each alert of a wanted kind is queued for."""
        self.database = Database(
            workspace / LEDGER, (*_SCHEMA, *ERRANDS_SCHEMA, *OUTBOX_SCHEMA), version=_VERSION
        )
        self.outbox = Outbox(self.database)
        self._kinds, self._channels = alerts.kinds, tuple(channels)

    # ---- what is in it ---------------------------------------------------------------------------

    def entries(self, exchange: str, since: dt.date = dt.date.min) -> dict[dt.date, BookedSession]:
        """The sessions of an exchange from a date on, oldest first."""
        found = self.database.records(
            BookedSession,
            "SELECT * FROM sessions WHERE exchange = ? AND session >= ? ORDER BY session",
            (exchange, since.isoformat()),
        )
        return {entry.session: entry for entry in found}

    def entry(self, session: Session) -> BookedSession | None:
        """What the book says of a session; None where it says nothing."""
        return self.entries(session.exchange, session.date).get(session.date)

    def open_since(self, exchange: str) -> dt.date | None:
        """From which session on the book is not closed: the first that may still change, else the
        newest; None while the book is empty.
        """
        return self._day(
            "SELECT COALESCE(MIN(session) FILTER (WHERE state IN ('due', 'running')), MAX(session))"
            " FROM sessions WHERE exchange = ?",
            exchange,
        )

    def done_before(self, session: Session) -> dt.date | None:
        """The newest done session before this one."""
        query = (
            "SELECT MAX(session) FROM sessions"
            " WHERE exchange = ? AND session < ? AND state = 'done'"
        )
        return self._day(query, *_key(session))

    # ---- what happens to a session ---------------------------------------------------------------

    def open(self, session: Session, *, give_up_at: dt.datetime, caught_up: bool) -> None:
        """Its time has come."""
        with self.database.transaction() as connection:
            _insert(connection, session, "due", give_up_at, caught_up=caught_up)

    def skip(self, sessions: Sequence[Session], now: dt.datetime, alert: Alert) -> None:
        """Nobody was there in their time, and a newer one is due: late."""
        reason = "nobody was awake in its time, and a newer session is due"
        with self.database.transaction() as connection:
            for session in sessions:
                connection.execute(
                    "DELETE FROM sessions WHERE exchange = ? AND session = ?"
                    " AND state = 'due' AND attempts = 0",
                    _key(session),
                )
                _insert(connection, session, "late", session.cutoff_at, caught_up=False)
                said = {"reason": reason, "decided_at": timestamp(now)}
                self._change(connection, session, "late", "late", **said)
            self._tell(connection, [alert], now)

    def start(self, session: Session) -> None:
        """An attempt begins; it is counted before it is made."""
        with self.database.transaction() as connection:
            self._change(connection, session, "due", "running")
            connection.execute(
                "UPDATE sessions SET attempts = attempts + 1 WHERE exchange = ? AND session = ?",
                _key(session),
            )

    def enter(self, session: Session, stage: str) -> None:
        """A job of a running session starts."""
        with self.database.transaction() as connection:
            self._change(connection, session, "running", "running", stage=stage)

    def retry(
        self,
        session: Session,
        now: dt.datetime,
        at: dt.datetime,
        *,
        reason: str,
        exit_code: int | None = None,
        alerts: Sequence[Alert] = (),
    ) -> None:
        """The attempt gave no signal; the next one is made ``at`` that time."""
        change = {"next_at": timestamp(at), "reason": reason, "exit_code": exit_code}
        with self.database.transaction() as connection:
            self._change(connection, session, "running", "due", **change)
            self._tell(connection, alerts, now)

    def interrupt(self, entry: BookedSession, now: dt.datetime) -> None:
        """The process of a running attempt died; it is tried again at once."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE sessions SET state = 'due', next_at = ?, reason = 'the attempt was cut short'"
                " WHERE exchange = ? AND session = ? AND state = 'running'",
                (timestamp(now), entry.exchange, entry.session.isoformat()),
            )

    def finish(
        self,
        session: Session,
        now: dt.datetime,
        *,
        verdict: str,
        seal: str,
        exit_code: int,
        alerts: Sequence[Alert],
        errands: Sequence[tuple[str, str]],
    ) -> None:
        """The signal is sealed. ``errands``: (kind, key) of what is to be done because of it."""
        result = {"verdict": verdict, "seal": seal, "exit_code": exit_code, "reason": ""}
        with self.database.transaction() as connection:
            self._change(
                connection, session, "running", "done", **result, decided_at=timestamp(now)
            )
            connection.executemany(
                "INSERT OR IGNORE INTO errands (kind, key, next_at) VALUES (?, ?, ?)",
                [(kind, key, timestamp(now)) for kind, key in errands],
            )
            self._tell(connection, alerts, now)

    def miss(self, session: Session, now: dt.datetime, *, reason: str, alert: Alert) -> None:
        """No attempt gave a signal in its time."""
        said = {"reason": reason, "decided_at": timestamp(now)}
        with self.database.transaction() as connection:
            self._change(connection, session, "due", "missed", **said)
            self._tell(connection, [alert], now)

    def void(self, entries: Sequence[BookedSession], now: dt.datetime, note: str) -> None:
        """Take back what a wrong clock wrote; a done session is never among it."""
        with self.database.transaction() as connection:
            for entry in entries:
                connection.execute(
                    "DELETE FROM sessions WHERE exchange = ? AND session = ? AND state != 'done'",
                    (entry.exchange, entry.session.isoformat()),
                )
                told = f"{entry.exchange}:{entry.session}"
                withdraw(connection, [f"{kind}:{told}" for kind in ("late", "missed", "failure")])
            self._note(connection, note, now)

    # ---- what is told ----------------------------------------------------------------------------

    def tell(self, alerts: Sequence[Alert], now: dt.datetime) -> None:
        """Queue alerts that no change of a session causes."""
        with self.database.transaction() as connection:
            self._tell(connection, alerts, now)

    def note(self, text: str, now: dt.datetime) -> None:
        """Keep a line on what happened; the newest 500 stay."""
        with self.database.transaction() as connection:
            self._note(connection, text, now)

    def close(self) -> None:
        """Give the file free."""
        self.database.close()

    def _day(self, query: str, *values: str) -> dt.date | None:
        found = self.database.rows(query, values)[0][0]
        return dt.date.fromisoformat(found) if found else None

    def _change(
        self,
        connection: sqlite3.Connection,
        session: Session,
        before: SessionState,
        after: SessionState,
        **values: object,
    ) -> None:
        sets = "".join(f", {name} = ?" for name in values)
        done = connection.execute(
            # Names of columns are those of the callers' keywords.
            f"UPDATE sessions SET state = ?{sets} WHERE exchange = ? AND session = ? AND state = ?",  # noqa: S608
            (after, *values.values(), *_key(session), before),
        )
        if done.rowcount != 1:
            raise IntegrityError(
                f"{self.database.path}: {session} is not {before}, so it cannot become {after}",
                hint="does something else write to the ledger?",
            )

    def _tell(
        self, connection: sqlite3.Connection, alerts: Iterable[Alert], now: dt.datetime
    ) -> None:
        wanted = [alert for alert in alerts if alert.kind in self._kinds]
        enqueue(connection, wanted, self._channels, now)

    def _note(self, connection: sqlite3.Connection, text: str, now: dt.datetime) -> None:
        connection.execute("INSERT INTO notes (at, text) VALUES (?, ?)", (timestamp(now), text))
        connection.execute(
            "DELETE FROM notes WHERE id <= (SELECT MAX(id) FROM notes) - ?", (_NOTES_KEPT,)
        )


def _insert(
    connection: sqlite3.Connection,
    session: Session,
    state: SessionState,
    give_up_at: dt.datetime,
    *,
    caught_up: bool,
) -> None:
    due = timestamp(session.due_at)
    connection.execute(
        "INSERT INTO sessions (exchange, session, state, due_at, give_up_at, next_at, caught_up)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*_key(session), state, due, timestamp(give_up_at), due, caught_up),
    )


def _key(session: Session) -> tuple[str, str]:
    return session.exchange, session.date.isoformat()
