"""What the scheduler does and has done, for people and programs; read without its lock."""

from typing import Any

from engine.runs import lock
from engine.schedule.agenda import LEDGER, LOCK, is_stale
from engine.schedule.errands import Errands
from engine.schedule.ledger import Entry, Ledger
from engine.schedule.process import heartbeat_age
from engine.schedule.timetable import timetable_of
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

SESSIONS_SHOWN, ALERTS_SHOWN, NOTES_SHOWN = 10, 5, 5


def status(context: StageContext) -> Outcome:
    now = context.now()
    config = context.config.schedule
    timetable = timetable_of(context.workspace, context.config)
    alive = lock.is_held(context.workspace / LOCK)
    age = heartbeat_age(context.workspace, now)
    stale = is_stale(age, config.heartbeat_seconds)
    upcoming = timetable.upcoming(now)
    answer: dict[str, Any] = {
        "process": "stopped" if not alive else "stuck" if stale else "running",
        "pid": lock.holder(context.workspace / LOCK),
        "heartbeat_age_seconds": age,
        "exchange": timetable.exchange,
        "next": {"session": str(upcoming.date), "due_at": upcoming.due_at.isoformat()}
        if upcoming
        else None,
        "calendar_days_left": timetable.days_left(now),
        **_book(context, timetable.exchange),
    }
    return Outcome(json=answer, text=_text(answer, config.warn_days))


def entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "exchange": entry.exchange,
        "session": str(entry.session),
        "state": entry.state,
        "verdict": entry.verdict,
        "seal": entry.seal,
        "exit_code": entry.exit_code,
        "attempts": entry.attempts,
        "caught_up": entry.caught_up,
        "stage": entry.stage,
        "reason": entry.reason,
        "due_at": entry.due_at.isoformat(),
        "decided_at": entry.decided_at.isoformat() if entry.decided_at else None,
    }


def _book(context: StageContext, exchange: str) -> dict[str, Any]:
    if not (context.workspace / LEDGER).exists():
        return {"sessions": [], "alerts": {}, "newest_alerts": [], "errands": [], "notes": []}
    ledger = Ledger(context.workspace, context.config.alerts, ())
    try:
        entries = list(ledger.entries(exchange).values())[-SESSIONS_SHOWN:]
        return {
            "sessions": [entry_json(entry) for entry in reversed(entries)],
            "alerts": ledger.outbox.counts(),
            "newest_alerts": ledger.outbox.newest(ALERTS_SHOWN),
            "errands": Errands(ledger.database).newest(ALERTS_SHOWN),
            "notes": ledger.notes(NOTES_SHOWN),
        }
    finally:
        ledger.close()


def _text(answer: dict[str, Any], warn_days: int) -> str:
    age = answer["heartbeat_age_seconds"]
    beat = "no heartbeat yet" if age is None else f"heartbeat {age:.0f} s ago"
    pid = f" (process {answer['pid']})" if answer["pid"] else ""
    upcoming = answer["next"]
    due = f"{upcoming['session']} at {upcoming['due_at'][:16]} UTC" if upcoming else "none known"
    lines = [f"{answer['process']}{pid}, {beat}", f"next {answer['exchange']} session: {due}"]
    if answer["calendar_days_left"] < warn_days:
        lines.append(f"warning: the calendar ends in {answer['calendar_days_left']} days")
    if answer["sessions"]:
        rows = [
            [
                row["session"],
                row["state"] + (" (caught up)" if row["caught_up"] else ""),
                row["verdict"] or "",
                str(row["attempts"]),
                row["reason"][:60],
            ]
            for row in answer["sessions"]
        ]
        lines += ["", table(rows, header=["session", "state", "card", "attempts", "reason"])]
    counts = answer["alerts"]
    if counts and any(counts.values()):
        told = ", ".join(f"{number} {state}" for state, number in counts.items())
        lines += ["", f"alerts: {told}"]
        failed = [row for row in answer["newest_alerts"] if row["state"] == "failed"]
        lines += [f"  {row['channel']} {row['title']}: {row['problem']}" for row in failed]
    lines += [f"note: {note['at'][:19]} {note['text']}" for note in answer["notes"]]
    return "\n".join(lines)
