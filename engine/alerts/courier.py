"""Alerts go out at least once: a durable queue with bounded attempts, and the courier that empties it."""

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.alerts.alert import Alert, DeliveryError
from engine.alerts.channels import Channel
from engine.config import AlertConfig
from engine.records.database import Database, timestamp

_LONGEST = dt.timedelta(hours=1)
"""Pause between two attempts."""
_POLL_S = 0.5
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
class _QueuedAlert:
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

    def due(self, now: dt.datetime) -> list[_QueuedAlert]:
        """Queued and not waiting; one that would wait longer than the longest pause (the clock was set
        back) is due too.
        """
        rows = self.database.rows(
            "SELECT * FROM alerts WHERE state = 'queued' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY created_at, key, channel",
            (timestamp(now), timestamp(now + _LONGEST)),
        )
        return [
            _QueuedAlert(
                alert=Alert(key=r["key"], kind=r["kind"], title=r["title"], text=r["text"]),
                channel=r["channel"],
                attempts=r["attempts"],
            )
            for r in rows
        ]

    def delivered(self, item: _QueuedAlert, now: dt.datetime) -> None:
        """The channel took it."""
        self._write(item, "delivered", now, "")

    def failed(self, item: _QueuedAlert, now: dt.datetime, problem: str) -> None:
        """No more attempts."""
        self._write(item, "failed", now, problem)

    def again(self, item: _QueuedAlert, at: dt.datetime, problem: str) -> None:
        """The next attempt is made ``at`` that time."""
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET attempts = attempts + 1, next_at = ?, problem = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (timestamp(at), problem, item.alert.key, item.channel),
            )

    def _write(self, item: _QueuedAlert, state: str, now: dt.datetime, problem: str) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "UPDATE alerts SET state = ?, attempts = attempts + 1, problem = ?, ended_at = ?"
                " WHERE key = ? AND channel = ? AND state = 'queued'",
                (state, problem, timestamp(now), item.alert.key, item.channel),
            )


class Courier:
    """Tries each queued alert until its channel takes it or its attempts are used up."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Sequence[Channel],
        config: AlertConfig,
        now: Callable[[], dt.datetime],
        told: Callable[[str], None],
    ) -> None:
        """``told`` hears of each delivery that failed for good."""
        self._outbox, self._config, self._now, self._told = outbox, config, now, told
        self._channels = {channel.name: channel for channel in channels}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to deliver in a thread."""
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """End after the delivery under way; what is queued stays queued."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(patience_s)

    def is_alive(self) -> bool:
        """Whether the thread is at work; a bug in it ends it."""
        return self._thread is not None and self._thread.is_alive()

    def deliver(self) -> int:
        """Try everything that is due, once; how many attempts were made."""
        items = self._outbox.due(self._now())
        for item in items:
            if self._stop.is_set():
                break
            self._attempt(item)
        return len(items)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.deliver()
            self._stop.wait(_POLL_S)

    def _attempt(self, item: _QueuedAlert) -> None:
        channel = self._channels.get(item.channel)
        try:
            if channel is None:
                raise DeliveryError(f"{item.channel}: no longer configured", final=True)
            channel.send(item.alert)
        except DeliveryError as problem:
            now = self._now()
            if problem.final or item.attempts + 1 >= self._config.attempts:
                self._outbox.failed(item, now, problem.message)
                self._told(f"alert {item.alert.title!r} was not delivered: {problem.message}")
            else:
                self._outbox.again(item, now + self._pause(item.attempts), problem.message)
            return
        self._outbox.delivered(item, self._now())

    def _pause(self, failures: int) -> dt.timedelta:
        seconds = self._config.backoff_seconds * 2.0 ** min(failures, 20)
        return min(dt.timedelta(seconds=seconds), _LONGEST)
