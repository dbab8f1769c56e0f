"""APScheduler wakes us: at each session's run time, at every heartbeat, and for errands.

It holds no state worth keeping; what is due is read from the ledger. So a wake-up that comes late, twice
or not at all (sleep, a clock that was moved) costs nothing but the time to the next heartbeat.
"""

import datetime as dt
import logging
import threading
from typing import Any

from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from engine.alerts.courier import Courier
from engine.errors import EnvironmentProblem
from engine.schedule.process import write_heartbeat
from engine.schedule.service import Service
from engine.schedule.timetable import Timetable
from engine.stages.context import StopFlag

STOP_POLL_S = 0.1
NO_SESSION = dt.timedelta(days=1)
"""Until the calendar is looked at again after it ran out."""


class SessionTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Fires when the next session's signal is due."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def get_next_fire_time(self, previous: dt.datetime | None, now: dt.datetime) -> dt.datetime:
        after = max(previous, now) if previous is not None else now
        session = self._timetable.upcoming(after.astimezone(dt.UTC))
        return session.due_at if session is not None else after + NO_SESSION

    def __str__(self) -> str:
        return f"session[{self._timetable.exchange}]"


def serve(service: Service, courier: Courier, stop: StopFlag) -> None:
    """Run until asked to stop. An error in a job ends it: the next start is the way to recover."""
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its errors are raised below
    pools = {name: ThreadPoolExecutor(1) for name in ("sessions", "errands", "pulse")}
    scheduler = BackgroundScheduler(
        executors={**pools, "default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=dt.UTC,
    )
    failures: list[BaseException] = []
    scheduler.add_listener(lambda event: failures.append(event.exception), EVENT_JOB_ERROR)
    beat = IntervalTrigger(seconds=service.config.schedule.heartbeat_seconds, timezone=dt.UTC)
    now = dt.datetime.now(dt.UTC)
    pulse = Pulse(service, scheduler)
    scheduler.add_job(service.sessions, SessionTrigger(service.timetable), id="sessions",
                      executor="sessions", name="sessions")  # fmt: skip
    scheduler.add_job(service.errands, beat, id="errands", executor="errands", next_run_time=now)
    scheduler.add_job(pulse.beat, beat, id="pulse", executor="pulse", next_run_time=now)
    scheduler.start()
    wait = threading.Event()
    try:
        while not stop.requested and not failures:
            wait.wait(STOP_POLL_S)
            if not courier.is_alive():
                raise EnvironmentProblem("the thread that delivers alerts has ended")
    finally:
        stop.requested = True  # jobs under way end too
        scheduler.shutdown(wait=True)
    if failures:
        raise failures[0]


class Pulse:
    def __init__(self, service: Service, scheduler: Any) -> None:
        self._service, self._scheduler = service, scheduler

    def beat(self) -> None:
        """Show that the process lives, look at the clock, and see whether anything is due."""
        service = self._service
        service.watch_clock()
        write_heartbeat(service.workspace, service.clock.now())
        if service.is_due():
            self._scheduler.modify_job("sessions", next_run_time=dt.datetime.now(dt.UTC))
