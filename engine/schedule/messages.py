"""The words of each alert."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from engine.alerts.alert import Alert
from engine.records.agenda import BookedSession
from engine.schedule.timetable import Session

_LIGHTS_SHOWN = 8


def signal(
    session: Session, entry: BookedSession, answer: Mapping[str, Any], now: dt.datetime
) -> list[Alert]:
    """The card of a sealed signal: verdict, the lights that are not green, where it lies."""
    verdict = str(answer["verdict"])
    lights = [light for light in answer.get("lights", ()) if light.get("verdict") != "TRADE"]
    lines = [f"{light.get('name')}: {light.get('reason')}" for light in lights[:_LIGHTS_SHOWN]]
    if "orders" in answer:
        lines.append(f"orders: {len(answer['orders'])}, refused: {len(answer['refused'])}")
    lines.append(f"{answer.get('directory', '')} seal {str(answer.get('seal', ''))[:16]}")
    if entry.caught_up:
        behind = dt.timedelta(minutes=round((now - session.due_at).total_seconds() / 60))
        lines.append(f"caught up {behind} h after its time: check the market before trading")
    return [
        Alert(
            key=f"signal:{session.exchange}:{session.date}",
            kind="signal",
            title=f"{verdict} {session.exchange} {session.date}",
            text="\n".join(lines),
        )
    ]


def failure(session: Session, reason: str) -> Alert:
    return Alert(
        key=f"failure:{session.exchange}:{session.date}",
        kind="failure",
        title=f"failure {session.exchange} {session.date}",
        text=f"{reason}\nIt is tried again until the cut-off.",
    )


def late(sessions: Sequence[Session]) -> Alert:
    newest = sessions[-1]
    days = ", ".join(str(session.date) for session in sessions)
    return Alert(
        key=f"late:{newest.exchange}:{newest.date}",
        kind="late",
        title=f"late {newest.exchange} {days}",
        text="The scheduler was not awake in their time; only the latest session is caught up.",
    )


def missed(session: Session, reason: str) -> Alert:
    return Alert(
        key=f"missed:{session.exchange}:{session.date}",
        kind="missed",
        title=f"no signal by the cut-off {session.exchange} {session.date}",
        text=reason,
    )


def calendar_ends(exchange: str, today: dt.date, days: int) -> Alert:
    """Once a week."""
    year, week, _ = today.isocalendar()
    return Alert(
        key=f"calendar:{exchange}:{year}-W{week:02d}",
        kind="calendar",
        title=f"the calendar of {exchange} ends in {days} days",
        text="Update the package exchange_calendars, or sessions after that are not known.",
    )


def new_champion(key: str, run: str) -> Alert:
    text = "It passed the gate. `atft-tui champion rollback` is the way back."
    return Alert(key=f"challenger:{key}", kind="challenger", title=f"new champion {run}", text=text)


def kept_out(key: str, run: str, reasons: str) -> Alert:
    title = f"challenger {run} was kept out"
    return Alert(key=f"challenger:{key}", kind="challenger", title=title, text=reasons)


def audit_failed(key: str, run: str) -> Alert:
    return Alert(
        key=f"failure:audit:{key}",
        kind="failure",
        title=f"the audit of {run} failed",
        text="Something sees the future: `atft-tui audit` names it. The cards will say STOP.",
    )


def errand_failed(kind: str, key: str, reason: str) -> Alert:
    return Alert(
        key=f"failure:{kind}:{key}", kind="failure", title=f"failure {kind} {key}", text=reason
    )
