"""What is to be done because a session is done: reports, audits, challengers. Bounded attempts."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

from engine.config import ScheduleConfig
from engine.records.database import Database, timestamp

_ErrandKind = Literal["audit", "challenger", "report"]
ATTEMPTS = 3
_PAUSE = dt.timedelta(minutes=15)
ERRANDS_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS errands (
        kind TEXT NOT NULL CHECK (kind IN ('report', 'audit', 'challenger')), key TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'done', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '', ended_at TEXT,
        PRIMARY KEY (kind, key)) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    kind: _ErrandKind
    key: str
    """Of a report its session or month (2026-11-25, 2026-11), of the others their week or month."""
    attempts: int


@dataclass(frozen=True, slots=True)
class Errands:
    database: Database

    def wanted(self, now: dt.datetime) -> list[Errand]:
        """Those whose pause is over: reports, then audits, then challengers, which need one."""
        rows = self.database.rows(
            "SELECT * FROM errands WHERE state = 'wanted' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY CASE kind WHEN 'report' THEN 0 WHEN 'audit' THEN 1 ELSE 2 END, key",
            (timestamp(now), timestamp(now + _PAUSE)),
        )
        return [Errand(kind=row["kind"], key=row["key"], attempts=row["attempts"]) for row in rows]

    def start(self, errand: Errand) -> None:
        """Counted before it is tried: one that kills the process is not tried for ever."""
        self._update(errand, "attempts = attempts + 1")

    def done(self, errand: Errand, now: dt.datetime, reason: str = "") -> None:
        self._update(errand, "state = 'done', reason = ?, ended_at = ?", reason, timestamp(now))

    def again(self, errand: Errand, now: dt.datetime, reason: str) -> bool:
        """Another attempt later; False if it was the last."""
        if errand.attempts + 1 >= ATTEMPTS:
            self._update(
                errand, "state = 'failed', reason = ?, ended_at = ?", reason, timestamp(now)
            )
            return False
        self._update(errand, "reason = ?, next_at = ?", reason, timestamp(now + _PAUSE))
        return True

    def release(self, errand: Errand, now: dt.datetime) -> None:
        """The scheduler was asked to stop: no attempt, the next start takes it up."""
        self._update(errand, "attempts = attempts - 1, next_at = ?", timestamp(now))

    def newest(self, limit: int) -> list[dict[str, Any]]:
        rows = self.database.rows(
            "SELECT kind, key, state, attempts, reason FROM errands ORDER BY next_at DESC LIMIT ?",
            (limit,),
        )
        return [dict(row) for row in rows]

    def _update(self, errand: Errand, sets: str, *values: object) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                f"UPDATE errands SET {sets} WHERE kind = ? AND key = ?",
                (*values, errand.kind, errand.key),
            )


def errands_after(
    session: dt.date, previous: dt.date | None, config: ScheduleConfig
) -> list[tuple[str, str]]:
    """(kind, key) of what a finished session sets off; ``previous``: the one before it in the book."""
    wanted: list[tuple[str, str]] = []
    new_month = previous is not None and _month(previous) != _month(session)
    if config.report_formats:
        wanted.append(("report", session.isoformat()))
        if new_month and previous is not None:
            wanted.append(("report", _month(previous)))
    if new_month:
        wanted.append(("audit", _month(session)))
    if config.retrain == "monthly" and new_month:
        wanted.append(("challenger", _month(session)))
    if config.retrain == "weekly" and previous is not None and _week(previous) != _week(session):
        wanted.append(("challenger", _week(session)))
    return wanted


def _month(day: dt.date) -> str:
    return f"{day:%Y-%m}"


def _week(day: dt.date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"
