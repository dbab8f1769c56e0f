"""What is to be done because a session is done, and how: reports, the audit anew, a challenger; and what the
alerts say.

Attempts are bounded and made in the background, so that an errand never holds a session up.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.alerts.alert import Alert
from engine.config import AlertKind, Config, ScheduleConfig
from engine.files import write_json
from engine.records.agenda import BookedErrand, BookedSession, ErrandKind
from engine.records.database import Database, timestamp
from engine.schedule.jobs import STOPPED, ChildJob, Ended, Runner
from engine.schedule.timetable import Clock, Session

_ATTEMPTS = 3
_PAUSE = dt.timedelta(minutes=15)
ERRANDS_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS errands (
        kind TEXT NOT NULL CHECK (kind IN ('report', 'audit', 'challenger')), key TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'done', 'failed')),
        attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT NOT NULL,
        reason TEXT NOT NULL DEFAULT '', ended_at TEXT,
        PRIMARY KEY (kind, key)) WITHOUT ROWID""",
)
_LIGHTS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Errands:
    """The queue of errands in the ledger's file."""

    database: Database

    def wanted(self, now: dt.datetime) -> tuple[BookedErrand, ...]:
        """Those whose pause is over: reports, then audits, then challengers, which need one."""
        return self.database.records(
            BookedErrand,
            "SELECT * FROM errands WHERE state = 'wanted' AND (next_at <= ? OR next_at > ?)"
            " ORDER BY CASE kind WHEN 'report' THEN 0 WHEN 'audit' THEN 1 ELSE 2 END, key",
            (timestamp(now), timestamp(now + _PAUSE)),
        )

    def start(self, errand: BookedErrand) -> None:
        """Counted before it is tried: one that kills the process is not tried for ever."""
        self._update(errand, "attempts = attempts + 1")

    def done(self, errand: BookedErrand, now: dt.datetime, reason: str = "") -> None:
        """It is done; ``reason`` says what came of it."""
        self._update(errand, "state = 'done', reason = ?, ended_at = ?", reason, timestamp(now))

    def again(self, errand: BookedErrand, now: dt.datetime, reason: str) -> bool:
        """Another attempt later; False if it was the last."""
        if errand.attempts + 1 >= _ATTEMPTS:
            self._update(
                errand, "state = 'failed', reason = ?, ended_at = ?", reason, timestamp(now)
            )
            return False
        self._update(errand, "reason = ?, next_at = ?", reason, timestamp(now + _PAUSE))
        return True

    def release(self, errand: BookedErrand, now: dt.datetime) -> None:
        """The scheduler was asked to stop: no attempt, the next start takes it up."""
        self._update(errand, "attempts = attempts - 1, next_at = ?", timestamp(now))

    def _update(self, errand: BookedErrand, sets: str, *values: object) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                f"UPDATE errands SET {sets} WHERE kind = ? AND key = ?",  # noqa: S608 - text of ours
                (*values, errand.kind, errand.key),
            )


def errands_after(
    session: dt.date, previous: dt.date | None, config: ScheduleConfig
) -> list[tuple[ErrandKind, str]]:
    """(kind, key) of what a finished session sets off; ``previous``: the one before it in the book."""
    wanted: list[tuple[ErrandKind, str]] = []
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


# ---- one attempt ---------------------------------------------------------------------------------

_DONE, _REFUSED = 0, 6
_LIMIT_S = 3600.0
"""Longest that a report or an audit may take, seconds."""
REPORTS = "reports"
"""Directory in the workspace."""


class _Unfinished(Exception):  # noqa: N818 - ends an attempt, and is caught by it
    def __init__(self, ended: Ended, stage: str) -> None:
        super().__init__(f"{stage}: {ended.problem}")
        self.stopped = ended.exit_code == STOPPED


def carry_out(
    errand: BookedErrand,
    errands: Errands,
    runner: Runner,
    config: Config,
    clock: Clock,
    reports: Path,
) -> list[Alert]:
    """One attempt; what there is to tell of it. ``reports``: directory they are written under."""
    errands.start(errand)
    try:
        if errand.kind == "report":
            outcome, alerts = _report(errand, runner, config, reports)
        elif errand.kind == "audit":
            outcome, alerts = _audit(errand, runner)
        else:
            outcome, alerts = _challenger(errand, runner, config)
    except _Unfinished as problem:
        if problem.stopped:
            errands.release(errand, clock.now())
            return []
        if errands.again(errand, clock.now(), str(problem)):
            return []
        return [_errand_failed(errand.kind, errand.key, str(problem))]
    errands.done(errand, clock.now(), outcome)
    return alerts


def _report(
    errand: BookedErrand, runner: Runner, config: Config, reports: Path
) -> tuple[str, list[Alert]]:
    run = _champion(runner)
    words = ("report", run, "--format", config.schedule.report_formats)
    output = reports / errand.key
    _run(runner, *words, "--output", str(output))
    shadow = _run(runner, "ledger")
    write_json(output / "ledger.json", shadow.answer)
    return run, []


def _audit(errand: BookedErrand, runner: Runner) -> tuple[str, list[Alert]]:
    """The card holds when the last audit is too old, so it is renewed with the month."""
    run = _champion(runner)
    ended = _run(runner, "audit", run, good=(_DONE, _REFUSED))
    if ended.exit_code == _DONE:
        return f"{run} passed", []
    return f"{run} failed", [_audit_failed(errand.key, run)]


def _challenger(errand: BookedErrand, runner: Runner, config: Config) -> tuple[str, list[Alert]]:
    limit_s = 3600 * config.schedule.retrain_hours
    words, good = ("champion", "challenge"), (_DONE, _REFUSED)
    ended = _run(runner, *words, name="challenger", limit_s=limit_s, good=good)
    if "passed" not in ended.answer:  # a gate on the way, not the one of the champion
        raise _Unfinished(ended, "challenger")
    run = str(ended.answer["run_id"])
    if ended.exit_code == _DONE:
        return f"{run} promoted", [_new_champion(errand.key, run)]
    rows = [row for row in ended.answer.get("gate", ()) if not row.get("passed")]
    reasons = "; ".join(f"{row.get('name')}: {row.get('detail')}" for row in rows)
    return f"{run} kept out", [_kept_out(errand.key, run, reasons)]


def _champion(runner: Runner) -> str:
    """Id of its run."""
    return str(_run(runner, "champion").answer["run_id"])


def _run(
    runner: Runner,
    *words: str,
    name: str = "",
    limit_s: float = _LIMIT_S,
    good: tuple[int, ...] = (_DONE,),
) -> Ended:
    """Run a command in the background; its log bears its own name where none is given."""
    name = name or words[0]
    ended = runner.run(ChildJob(name=name, words=words, limit_s=limit_s, in_background=True))
    if ended.exit_code not in good:
        raise _Unfinished(ended, name)
    return ended


def signal(
    session: Session, entry: BookedSession, answer: Mapping[str, Any], now: dt.datetime
) -> Alert:
    """The card of a sealed signal: verdict, the lights that are not green, where it lies."""
    lights = [light for light in answer.get("lights", ()) if light.get("verdict") != "TRADE"]
    lines = [f"{light.get('name')}: {light.get('reason')}" for light in lights[:_LIGHTS_SHOWN]]
    if "orders" in answer:
        lines.append(f"orders: {len(answer['orders'])}, refused: {len(answer['refused'])}")
    lines.append(f"{answer.get('directory', '')} seal {str(answer.get('seal', ''))[:16]}")
    if entry.caught_up:
        behind = dt.timedelta(minutes=round((now - session.due_at).total_seconds() / 60))
        lines.append(f"caught up {behind} h after its time: check the market before trading")
    return _of_session("signal", session, str(answer["verdict"]), "\n".join(lines))


def failure(session: Session, reason: str) -> Alert:
    """An attempt failed, and another one will be made."""
    text = f"{reason}\nIt is tried again until the cut-off."
    return _of_session("failure", session, "failure", text)


def late(sessions: Sequence[Session]) -> Alert:
    """Sessions passed while nobody was awake; the key is that of the newest."""
    newest = sessions[-1]
    days = ", ".join(str(session.date) for session in sessions)
    return Alert(
        key=f"late:{newest.exchange}:{newest.date}",
        kind="late",
        title=f"late {newest.exchange} {days}",
        text="The scheduler was not awake in their time; only the latest session is caught up.",
    )


def missed(session: Session, reason: str) -> Alert:
    """No attempt gave a signal in time."""
    return _of_session("missed", session, "no signal by the cut-off", reason)


def calendar_ends(exchange: str, today: dt.date, days: int) -> Alert:
    """The exchange's calendar will run out; told once a week."""
    year, week, _ = today.isocalendar()
    return Alert(
        key=f"calendar:{exchange}:{year}-W{week:02d}",
        kind="calendar",
        title=f"the calendar of {exchange} ends in {days} days",
        text="Update the package exchange_calendars, or sessions after that are not known.",
    )


def _new_champion(key: str, run: str) -> Alert:
    """A challenger became the champion."""
    text = "It passed the gate. `atft-tui champion rollback` is the way back."
    return Alert(key=f"challenger:{key}", kind="challenger", title=f"new champion {run}", text=text)


def _kept_out(key: str, run: str, reasons: str) -> Alert:
    """The gate did not let a challenger through."""
    title = f"challenger {run} was kept out"
    return Alert(key=f"challenger:{key}", kind="challenger", title=title, text=reasons)


def _audit_failed(key: str, run: str) -> Alert:
    """The audit found that something sees the future."""
    text = "Something sees the future: `atft-tui audit` names it. The cards will say STOP."
    title = f"the audit of {run} failed"
    return Alert(key=f"failure:audit:{key}", kind="failure", title=title, text=text)


def _errand_failed(kind: str, key: str, reason: str) -> Alert:
    """The last attempt of an errand failed."""
    title = f"failure {kind} {key}"
    return Alert(key=f"failure:{kind}:{key}", kind="failure", title=title, text=reason)


def _of_session(kind: AlertKind, session: Session, what: str, text: str) -> Alert:
    """One session has one alert of a kind."""
    place = f"{session.exchange} {session.date}"
    key = f"{kind}:{session.exchange}:{session.date}"
    return Alert(key=key, kind=kind, title=f"{what} {place}", text=text)
