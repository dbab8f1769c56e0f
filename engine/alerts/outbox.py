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
class Queued:
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
    database: Database

    def due(self, now: dt.datetime) -> list[Queued]:
        """Queued and not waiting; one that would wait longer than the longest pause (the clock was set
        back) is due too.
        """
        rows = self.database.rows(
            "SELECT * FROM alerts WHERE state = 'queued' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY created_at, key, channel",
            (timestamp(now), timestamp(now + LONGEST)),
        )
        return [
            Queued(
                alert=Alert(key=r["key"], kind=r["kind"], title=r["title"], text=r["text"]),
                channel=r["channel"],
                attempts=r["attempts"],
            )
            for r in rows
        ]

    def delivered(self, item: Queued, now: dt.datetime) -> None:
        self._write(item, "delivered", now, "")

    def failed(self, item: Queued, now: dt.datetime, problem: str) -> None:
        """No more attempts."""
        self._write(item, "failed", now, problem)

    def again(self, item: Queued, at: dt.datetime, problem: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET attempts = attempts + 1, next_at = ?, problem = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (timestamp(at), problem, item.alert.key, item.channel),
            )

    def counts(self) -> dict[str, int]:
        rows = self.database.rows("SELECT state, COUNT(*) AS n FROM alerts GROUP BY state")
        return {"queued": 0, "delivered": 0, "failed": 0} | {r["state"]: r["n"] for r in rows}

    def newest(self, limit: int) -> list[dict[str, object]]:
        """Rows for display, newest first."""
        rows = self.database.rows(
            "SELECT created_at, kind, channel, title, state, attempts, problem FROM alerts"
            " ORDER BY created_at DESC, key, channel LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    def _write(self, item: Queued, state: str, now: dt.datetime, problem: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET state = ?, attempts = attempts + 1, problem = ?, ended_at = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (state, problem, timestamp(now), item.alert.key, item.channel),
            )
