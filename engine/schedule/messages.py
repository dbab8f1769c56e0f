"""The words of each alert. Its key names the event, so that the same event is told once."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from engine.alerts.alert import Alert
from engine.config import AlertKind
from engine.records.agenda import BookedSession
from engine.schedule.timetable import Session

_LIGHTS_SHOWN = 8


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


def new_champion(key: str, run: str) -> Alert:
    """A challenger became the champion."""
    text = "It passed the gate. `atft-tui champion rollback` is the way back."
    return Alert(key=f"challenger:{key}", kind="challenger", title=f"new champion {run}", text=text)


def kept_out(key: str, run: str, reasons: str) -> Alert:
    """The gate did not let a challenger through."""
    title = f"challenger {run} was kept out"
    return Alert(key=f"challenger:{key}", kind="challenger", title=title, text=reasons)


def audit_failed(key: str, run: str) -> Alert:
    """The audit found that something sees the future."""
    text = "Something sees the future: `atft-tui audit` names it. The cards will say STOP."
    title = f"the audit of {run} failed"
    return Alert(key=f"failure:audit:{key}", kind="failure", title=title, text=text)


def errand_failed(kind: str, key: str, reason: str) -> Alert:
    """The last attempt of an errand failed."""
    title = f"failure {kind} {key}"
    return Alert(key=f"failure:{kind}:{key}", kind="failure", title=title, text=reason)


def _of_session(kind: AlertKind, session: Session, what: str, text: str) -> Alert:
    """One session has one alert of a kind."""
    place = f"{session.exchange} {session.date}"
    key = f"{kind}:{session.exchange}:{session.date}"
    return Alert(key=key, kind=kind, title=f"{what} {place}", text=text)
