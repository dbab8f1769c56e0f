"""The queue of alerts: durable, each event once per channel, with bounded attempts."""

import datetime as dt
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.alerts.alert import Alert
from engine.records.database import Database, timestamp

LONGEST = dt.timedelta(hours=1)
"""Pause between two attempts."""
OUTBOX_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS alerts (
        key TEXT NOT NULL, channel TEXT NOT NULL, kind TEXT NOT NULL,
        title TEXT NOT NULL, text TEXT NOT NULL, created_at TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('queued', 'delivered', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT NOT NULL,
        problem TEXT NOT NULL DEFAULT '', ended_at TEXT,
        PRIMARY KEY (key, channel)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS alerts_queued ON alerts (next_at) WHERE state = 'queued'",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedAlert:
    """An alert that waits for its channel."""

    alert: Alert
    channel: str
    attempts: int


def enqueue(
    connection: sqlite3.Connection,
    alerts: Iterable[Alert],
    channels: Sequence[str],
    now: dt.datetime,
) -> None:
    """Within the caller's transaction: told if and only if what it tells of is written."""
    connection.executemany(
        "INSERT OR IGNORE INTO alerts (key, channel, kind, title, text, created_at, state, next_at)"
        " VALUES (?, ?, ?, ?, ?, ?, 'queued', ?)",
        [
            (a.key, channel, a.kind, a.title, a.text, timestamp(now), timestamp(now))
            for a in alerts
            for channel in channels
        ],
    )


def withdraw(connection: sqlite3.Connection, keys: Iterable[str]) -> None:
    """Take back alerts of what turned out not to be so: not sent any more, and may be told again."""
    connection.executemany("DELETE FROM alerts WHERE key = ?", [(key,) for key in keys])


@dataclass(frozen=True, slots=True)
class Outbox:
    """The queue in the ledger's file."""

    database: Database

    def due(self, now: dt.datetime) -> list[QueuedAlert]:
        """Queued and not waiting; one that would wait longer than the longest pause (the clock was set
        back) is due too.
        """
        rows = self.database.rows(
            "SELECT * FROM alerts WHERE state = 'queued' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY created_at, key, channel",
            (timestamp(now), timestamp(now + LONGEST)),
        )
        return [
            QueuedAlert(
                alert=Alert(key=r["key"], kind=r["kind"], title=r["title"], text=r["text"]),
                channel=r["channel"],
                attempts=r["attempts"],
            )
            for r in rows
        ]

    def delivered(self, item: QueuedAlert, now: dt.datetime) -> None:
        """The channel took it."""
        self._write(item, "delivered", now, "")

    def failed(self, item: QueuedAlert, now: dt.datetime, problem: str) -> None:
        """No more attempts."""
        self._write(item, "failed", now, problem)

    def again(self, item: QueuedAlert, at: dt.datetime, problem: str) -> None:
        """The next attempt is made ``at`` that time."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET attempts = attempts + 1, next_at = ?, problem = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (timestamp(at), problem, item.alert.key, item.channel),
            )

    def _write(self, item: QueuedAlert, state: str, now: dt.datetime, problem: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET state = ?, attempts = attempts + 1, problem = ?, ended_at = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (state, problem, timestamp(now), item.alert.key, item.channel),
            )
