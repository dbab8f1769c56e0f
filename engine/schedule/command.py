"""`schedule`: the process that makes signals by itself, what it has done, and one pass without it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from engine.alerts.alert import find_secrets
from engine.alerts.channels import channels
from engine.alerts.courier import Courier
from engine.errors import EnvironmentProblem, UsageError
from engine.runs.events import Noted, Warned
from engine.runs.sink import TeeSink
from engine.schedule.agenda import write_outlook
from engine.schedule.clock import SystemClock
from engine.schedule.jobs import ChildRunner
from engine.schedule.ledger import Entry, Ledger
from engine.schedule.log import LogSink
from engine.schedule.outcome import GATE
from engine.schedule.process import exclusive
from engine.schedule.service import NO_DATA, Service
from engine.schedule.status import entry_json, status
from engine.stages.context import AnyStop, Outcome, StageContext, StopFlag

_COURIER_PATIENCE_S = 5.0
"""Beyond the longest delivery."""


def schedule(context: StageContext, *, action: str) -> Outcome:
    """``run`` until stopped, ``once`` = one catch-up pass, ``status`` = what is due and done."""
    if action == "status":
        return status(context)
    if action == "run":
        return _run(context)
    if action == "once":
        return _once(context)
    raise UsageError(f"schedule {action}: known are run, status and once")


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
    answer: dict[str, Any] = {
        "session": str(session.date) if session else None,
        "made": _is_done(entry) and not _is_done(before),
        "entry": entry_json(entry) if entry else None,
    }
    if entry is None:
        return Outcome(json=answer, text="no session is due yet", exit_code=NO_DATA)
    made = "" if answer["made"] or not _is_done(entry) else " (made before)"
    text = f"{entry.exchange} {entry.session}: {entry.verdict or entry.state}{made} {entry.reason}"
    return Outcome(json=answer, text=text.rstrip(), exit_code=_exit_code(entry))


def _is_done(entry: Entry | None) -> bool:
    return entry is not None and entry.state == "done"


def _exit_code(entry: Entry) -> int:
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
        ledger = Ledger(context.workspace, config.alerts, [channel.name for channel in found])

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
