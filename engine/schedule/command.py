"""`schedule`: the process that makes signals by itself, what it has done, and one pass without it."""

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from msgspec import structs

from engine.alerts.alert import find_secrets
from engine.alerts.channels import channels
from engine.alerts.courier import Courier
from engine.errors import EnvironmentProblem
from engine.records.agenda import Agenda, BookedSession
from engine.records.record import as_json
from engine.runs.events import Noted, Warned
from engine.runs.sink import TeeSink
from engine.schedule.agenda import LEDGER, exclusive, read_agenda, write_outlook
from engine.schedule.jobs import ChildRunner, LogSink
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.service import GATE, NO_DATA, Service
from engine.schedule.timetable import SystemClock, timetable_of
from engine.stages.context import AnyStop, Outcome, StageContext, StopFlag
from engine.stages.text import table

_COURIER_PATIENCE_S = 5.0
"""Beyond the longest delivery."""
_SHOWN, _NOTES_SHOWN = 10, 5
"""Newest sessions of the exchange; newest notes, alerts and errands."""


def schedule(context: StageContext, *, action: str) -> Outcome:
    """``run`` until stopped, ``once`` = one catch-up pass, ``status`` = what is due and done."""
    return {"run": _run, "once": _once, "status": _status}[action](context)


def _run(context: StageContext) -> Outcome:
    from engine.schedule.wakeup import serve

    ended = StopFlag()
    stop = AnyStop((context.stop, ended))
    with _service(replace(context, stop=stop)) as (service, courier):
        service.recover()
        session = service.timetable.upcoming(service.clock.now())
        due = f"next {session} at {session.due_at:%Y-%m-%d %H:%M} UTC" if session else "no session"
        service.sink.emit(Noted(message=f"scheduler started; {due}"))
        courier.start()
        serve(service, courier, stop, ended)
        service.sink.emit(Noted(message="scheduler stopped"))
    return Outcome(json={"status": "stopped"}, text="stopped")


def _once(context: StageContext) -> Outcome:
    """The exit code is the card's of the latest session: 0 TRADE, 6 HOLD or STOP, 3 no signal (yet)."""
    with _service(context) as (service, courier):
        service.recover()
        write_outlook(context.workspace, service.timetable.outlook(service.clock.now()))
        before = service.latest()[1]
        service.sessions(at_once=True)
        courier.deliver()  # before the errands, which may take hours
        service.errands()
        courier.deliver()
        session, entry = service.latest()
    answer: dict[str, object] = {
        "session": str(session.date) if session else None,
        "made": _is_done(entry) and not _is_done(before),
        "entry": _entry_json(entry) if entry else None,
    }
    if entry is None:
        return Outcome(json=answer, text="no session is due yet", exit_code=NO_DATA)
    made = "" if answer["made"] or not _is_done(entry) else " (made before)"
    text = f"{entry.exchange} {entry.session}: {entry.verdict or entry.state}{made} {entry.reason}"
    return Outcome(json=answer, text=text.rstrip(), exit_code=_exit_code(entry))


def _is_done(entry: BookedSession | None) -> bool:
    return entry is not None and entry.state == "done"


def _exit_code(entry: BookedSession) -> int:
    if entry.state == "done":
        return 0 if entry.verdict == "TRADE" else GATE
    if entry.exit_code is None:
        return NO_DATA
    # One of the contract's; a job that was ended or crashed is a fault of the environment here.
    return entry.exit_code if 2 <= entry.exit_code <= GATE else EnvironmentProblem.exit_code


@contextmanager
def _service(context: StageContext) -> Iterator[tuple[Service, Courier]]:
    """Everything the scheduler works with, under its lock."""
    with exclusive(context.workspace):
        config = context.config
        found = channels(config.alerts, find_secrets(config.alerts), sys.stderr)
        log = LogSink(context.workspace / "logs" / "schedule.log", context.now)
        sink = TeeSink([context.sink, log])
        ledger = ScheduleLedger(
            context.workspace, config.alerts, [channel.name for channel in found]
        )

        def stopped() -> bool:
            return context.stop.requested

        runner = ChildRunner(
            workspace=context.workspace,
            lane="session",
            configured=context.configured,
            stopped=stopped,
        )
        service = Service(
            workspace=context.workspace,
            config=config,
            ledger=ledger,
            runner=runner,
            background=replace(runner, lane="background"),
            clock=SystemClock(),
            sink=sink,
            stopped=stopped,
        )
        courier = Courier(
            ledger.outbox,
            found,
            config.alerts,
            context.now,
            lambda text: sink.emit(Warned(code="alert", message=text)),
        )
        try:
            yield service, courier
        finally:
            courier.stop(config.alerts.timeout_seconds + _COURIER_PATIENCE_S)
            ledger.close()


# ---- status --------------------------------------------------------------------------------------


def _status(context: StageContext) -> Outcome:
    """What the scheduler does and has done, read without its lock; the calendar is read anew."""
    now = context.now()
    timetable = timetable_of(context.workspace, context.config)
    agenda = read_agenda(context.workspace, now, limit=10 * _SHOWN)
    sessions = [one for one in agenda.sessions if one.exchange == timetable.exchange][:_SHOWN]
    upcoming, days_left = timetable.upcoming(now), timetable.days_left(now)
    beat = dt.datetime.fromisoformat(agenda.beat_at) if agenda.beat_at else None
    age = (now - beat).total_seconds() if beat else None
    process = "stopped" if agenda.process == "never" else agenda.process
    there = (context.workspace / LEDGER).exists()
    counts = dict.fromkeys(("queued", "delivered", "failed"), 0) if there else {}
    answer: dict[str, object] = {
        "process": process,
        "pid": agenda.pid,
        "heartbeat_age_seconds": age,
        "exchange": timetable.exchange,
        "next": {"session": str(upcoming.date), "due_at": upcoming.due_at.isoformat()}
        if upcoming
        else None,
        "calendar_days_left": days_left,
        "sessions": [_entry_json(entry) for entry in sessions],
        "alerts": counts | agenda.alert_counts,
        "newest_alerts": [as_json(alert) for alert in agenda.alerts[:_NOTES_SHOWN]],
        "errands": [as_json(errand) for errand in agenda.errands[:_NOTES_SHOWN]],
        "notes": [{"at": at, "text": text} for at, text in agenda.notes[:_NOTES_SHOWN]],
    }
    pid = f" (process {agenda.pid})" if agenda.pid else ""
    beaten = "no heartbeat yet" if age is None else f"heartbeat {age:.0f} s ago"
    due = f"{upcoming.date} at {upcoming.due_at:%Y-%m-%dT%H:%M} UTC" if upcoming else "none known"
    lines = [f"{process}{pid}, {beaten}", f"next {timetable.exchange} session: {due}"]
    if days_left < context.config.schedule.warn_days:
        lines.append(f"warning: the calendar ends in {days_left} days")
    return Outcome(json=answer, text="\n".join([*lines, *_book_lines(agenda, sessions)]))


def _book_lines(agenda: Agenda, sessions: list[BookedSession]) -> list[str]:
    """Sessions as a table, alerts counted with those that failed, and the notes."""
    lines = []
    if sessions:
        rows = [
            [
                str(entry.session),
                entry.state + (" (caught up)" if entry.caught_up else ""),
                entry.verdict or "",
                str(entry.attempts),
                entry.reason[:60],
            ]
            for entry in sessions
        ]
        lines += ["", table(rows, header=["session", "state", "card", "attempts", "reason"])]
    if agenda.alert_counts:
        counts = agenda.alert_counts
        told = (f"{counts.get(state, 0)} {state}" for state in ("queued", "delivered", "failed"))
        lines += ["", f"alerts: {', '.join(told)}"]
        newest = [alert for alert in agenda.alerts[:_NOTES_SHOWN] if alert.state == "failed"]
        lines += [f"  {alert.channel} {alert.title}: {alert.problem}" for alert in newest]
    return lines + [f"note: {at[:19]} {text}" for at, text in agenda.notes[:_NOTES_SHOWN]]


def _entry_json(entry: BookedSession) -> dict[str, object]:
    """Dates and moments as Python writes them in ISO 8601, with their offset."""
    fields = structs.asdict(entry).items()
    return {k: v.isoformat() if isinstance(v, dt.date) else v for k, v in fields}
