"""The book of sessions: what was due, what came of it. The truth of the schedule, in SQLite.

A session is ``due`` from its run time on, ``running`` while its jobs do, and ends as

- ``done``: a sealed signal exists, whatever its card says;
- ``missed``: attempts were made, no signal by the cut-off or before the next session;
- ``late``: nobody was awake in its time, and a newer session is due. No signal is made up for it.

Each change is one transaction that names the state it starts from, and holds the alerts it causes.
"""

import datetime as dt
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from engine.alerts.alert import Alert
from engine.alerts.outbox import OUTBOX_SCHEMA, Outbox, enqueue, withdraw
from engine.config import AlertConfig
from engine.errors import IntegrityError
from engine.records.database import Database, timestamp
from engine.schedule.agenda import LEDGER
from engine.schedule.errands import ERRANDS_SCHEMA
from engine.schedule.timetable import Session

State = Literal["due", "running", "done", "missed", "late"]
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One session in the book. Times are UTC."""

    exchange: str
    session: dt.date
    state: State
    due_at: dt.datetime
    give_up_at: dt.datetime
    next_at: dt.datetime
    """Not before this is the next attempt made."""
    caught_up: bool
    """Started later than the grace allows: the machine slept or was off."""
    attempts: int
    stage: str
    """Last job started."""
    reason: str
    """Why the last attempt gave no signal, or why none is made."""
    verdict: str | None
    """TRADE, HOLD or STOP."""
    seal: str | None
    exit_code: int | None
    decided_at: dt.datetime | None
    """When it got its final state."""

    @classmethod
    def of(cls, row: sqlite3.Row) -> Self:
        due, give_up, following = (
            dt.datetime.fromisoformat(row[name]) for name in ("due_at", "give_up_at", "next_at")
        )
        decided = row["decided_at"]
        return cls(
            exchange=row["exchange"],
            session=dt.date.fromisoformat(row["session"]),
            state=row["state"],
            due_at=due,
            give_up_at=give_up,
            next_at=following,
            caught_up=bool(row["caught_up"]),
            decided_at=dt.datetime.fromisoformat(decided) if decided else None,
            **{k: row[k] for k in ("attempts", "stage", "reason", "verdict", "seal", "exit_code")},
        )


class Ledger:
    def __init__(self, workspace: Path, alerts: AlertConfig, channels: Sequence[str]) -> None:
        """``channels``: names of those that each alert of a wanted kind is queued for."""
        self.database = Database(
            workspace / LEDGER, (*_SCHEMA, *ERRANDS_SCHEMA, *OUTBOX_SCHEMA), version=_VERSION
        )
        self._kinds, self._channels = alerts.kinds, tuple(channels)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.database)

    def entries(self, exchange: str, since: dt.date = dt.date.min) -> dict[dt.date, Entry]:
        rows = self.database.rows(
            "SELECT * FROM sessions WHERE exchange = ? AND session >= ? ORDER BY session",
            (exchange, since.isoformat()),
        )
        return {entry.session: entry for entry in map(Entry.of, rows)}

    def entry(self, session: Session) -> Entry | None:
        return self.entries(session.exchange, session.date).get(session.date)

    def open_since(self, exchange: str) -> dt.date | None:
        """From which session on the book is not closed: the first that may still change, else the
        newest; None while the book is empty.
        """
        row = self.database.rows(
            "SELECT MIN(session) FILTER (WHERE state IN ('due', 'running')) AS pending,"
            " MAX(session) AS newest FROM sessions WHERE exchange = ?",
            (exchange,),
        )[0]
        found = row["pending"] or row["newest"]
        return dt.date.fromisoformat(found) if found else None

    def open(self, session: Session, *, give_up_at: dt.datetime, caught_up: bool) -> None:
        """Its time has come."""
        with self.database.transaction() as connection:
            self._insert(connection, session, "due", give_up_at, caught_up=caught_up)

    def skip(self, sessions: Sequence[Session], now: dt.datetime, alert: Alert) -> None:
        """Nobody was there in their time, and a newer one is due: late."""
        reason = "nobody was awake in its time, and a newer session is due"
        with self.database.transaction() as connection:
            for session in sessions:
                connection.execute(
                    "DELETE FROM sessions WHERE exchange = ? AND session = ?"
                    " AND state = 'due' AND attempts = 0",
                    (session.exchange, session.date.isoformat()),
                )
                self._insert(connection, session, "late", session.cutoff_at, caught_up=False)
                self._change(
                    connection, session, "late", "late", reason=reason, decided_at=timestamp(now)
                )
            self._tell(connection, [alert], now)

    def start(self, session: Session) -> None:
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
        """The attempt gave no signal."""
        with self.database.transaction() as connection:
            change = {"next_at": timestamp(at), "reason": reason, "exit_code": exit_code}
            self._change(connection, session, "running", "due", **change)
            self._tell(connection, alerts, now)

    def interrupt(self, entry: Entry, now: dt.datetime) -> None:
        """The process of a running attempt died; it is tried again at once."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE sessions SET state = 'due', next_at = ?, reason = 'the attempt was cut short'"
                " WHERE exchange = ? AND session = ? AND state = 'running'",
                (timestamp(now), entry.exchange, entry.session.isoformat()),
            )

    def done_before(self, session: Session) -> dt.date | None:
        """The newest done session before this one."""
        row = self.database.rows(
            "SELECT MAX(session) AS day FROM sessions"
            " WHERE exchange = ? AND session < ? AND state = 'done'",
            _key(session),
        )[0]
        return dt.date.fromisoformat(row["day"]) if row["day"] else None

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
        with self.database.transaction() as connection:
            self._change(
                connection,
                session,
                "running",
                "done",
                verdict=verdict,
                seal=seal,
                exit_code=exit_code,
                reason="",
                decided_at=timestamp(now),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO errands (kind, key, next_at) VALUES (?, ?, ?)",
                [(kind, key, timestamp(now)) for kind, key in errands],
            )
            self._tell(connection, alerts, now)

    def miss(self, session: Session, now: dt.datetime, *, reason: str, alert: Alert) -> None:
        with self.database.transaction() as connection:
            self._change(
                connection, session, "due", "missed", reason=reason, decided_at=timestamp(now)
            )
            self._tell(connection, [alert], now)

    def void(self, entries: Sequence[Entry], now: dt.datetime, note: str) -> None:
        """Take back what a wrong clock wrote; a done session is never among it."""
        with self.database.transaction() as connection:
            for entry in entries:
                connection.execute(
                    "DELETE FROM sessions WHERE exchange = ? AND session = ? AND state != 'done'",
                    (entry.exchange, entry.session.isoformat()),
                )
                withdraw(
                    connection,
                    [
                        f"{kind}:{entry.exchange}:{entry.session}"
                        for kind in ("late", "missed", "failure")
                    ],
                )
            self._note(connection, note, now)

    def tell(self, alerts: Sequence[Alert], now: dt.datetime) -> None:
        with self.database.transaction() as connection:
            self._tell(connection, alerts, now)

    def note(self, text: str, now: dt.datetime) -> None:
        with self.database.transaction() as connection:
            self._note(connection, text, now)

    def notes(self, limit: int) -> list[dict[str, str]]:
        rows = self.database.rows(
            "SELECT at, text FROM notes ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [{"at": row["at"], "text": row["text"]} for row in rows]

    def close(self) -> None:
        self.database.close()

    def _insert(
        self,
        connection: sqlite3.Connection,
        session: Session,
        state: State,
        give_up_at: dt.datetime,
        *,
        caught_up: bool,
    ) -> None:
        connection.execute(
            "INSERT INTO sessions (exchange, session, state, due_at, give_up_at, next_at, caught_up)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *_key(session),
                state,
                timestamp(session.due_at),
                timestamp(give_up_at),
                timestamp(session.due_at),
                caught_up,
            ),
        )

    def _change(
        self,
        connection: sqlite3.Connection,
        session: Session,
        before: State,
        after: State,
        **values: object,
    ) -> None:
        sets = "".join(f", {name} = ?" for name in values)
        done = connection.execute(
            f"UPDATE sessions SET state = ?{sets} WHERE exchange = ? AND session = ? AND state = ?",
            (after, *values.values(), *_key(session), before),
        )
        if done.rowcount != 1:
            raise IntegrityError(
                f"{self.database.path}: {session} is not {before}, so it cannot become {after}",
                hint="does something else write to the ledger?",
            )

    def _tell(
        self, connection: sqlite3.Connection, alerts: Sequence[Alert], now: dt.datetime
    ) -> None:
        wanted = [alert for alert in alerts if alert.kind in self._kinds]
        enqueue(connection, wanted, self._channels, now)

    def _note(self, connection: sqlite3.Connection, text: str, now: dt.datetime) -> None:
        connection.execute("INSERT INTO notes (at, text) VALUES (?, ?)", (timestamp(now), text))
        connection.execute(
            "DELETE FROM notes WHERE id <= (SELECT MAX(id) FROM notes) - ?", (_NOTES_KEPT,)
        )


def _key(session: Session) -> tuple[str, str]:
    return session.exchange, session.date.isoformat()
