"""APScheduler wakes us: at each session's run time and at every heartbeat.

It holds no state worth keeping; what is due is read from the ledger. So a wake-up that comes late, twice
or not at all (sleep, a clock that was moved) costs nothing but the time to the next heartbeat. Its jobs
do no work: they ring, and the work is done in threads of ours that outlast it.
"""

import datetime as dt
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from apscheduler.events import EVENT_JOB_ERROR
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.interval import IntervalTrigger

from engine.alerts.courier import Courier
from engine.errors import EnvironmentProblem
from engine.schedule.agenda import write_heartbeat, write_outlook
from engine.schedule.service import Service
from engine.schedule.timetable import Timetable
from engine.stages.context import Stop, StopFlag

_POLL_S = 0.1
_NO_SESSION = dt.timedelta(days=1)
"""Until the calendar is looked at again after it ran out."""


class _SessionTrigger(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """Fires when the next session's signal is due."""

    def __init__(self, timetable: Timetable) -> None:
        self._timetable = timetable

    def get_next_fire_time(self, previous: dt.datetime | None, now: dt.datetime) -> dt.datetime:
        after = max(previous, now) if previous is not None else now
        session = self._timetable.upcoming(after.astimezone(dt.UTC))
        return session.due_at if session is not None else after + _NO_SESSION

    def __str__(self) -> str:
        return f"session[{self._timetable.exchange}]"


class _Lane:
    """One kind of work, done when it is rung for and by one thread at a time."""

    def __init__(self, work: Callable[[], None], pool: ThreadPoolExecutor) -> None:
        self._work, self._pool = work, pool
        self._rung = threading.Event()
        self._running: Future[None] | None = None

    def ring(self) -> None:
        """Ask for the work; asking twice before it begins asks once."""
        self._rung.set()

    def step(self) -> None:
        """Begin what was rung for; raises what went wrong in the work before."""
        if self._running is not None and self._running.done():
            running, self._running = self._running, None
            running.result()
        if self._running is None and self._rung.is_set():
            self._rung.clear()
            self._running = self._pool.submit(self._work)

    def finish(self) -> None:
        """Wait for the work under way; raises what went wrong in it."""
        if self._running is not None:
            self._running.result()


def serve(service: Service, courier: Courier, stop: Stop, ended: StopFlag) -> None:
    """Run until asked to stop. An error in any work ends it: the next start is the way to recover.

    ``ended`` is raised on the way out, so that jobs under way end too.
    """
    with ThreadPoolExecutor(2) as pool:
        sessions, errands = _Lane(service.sessions, pool), _Lane(service.errands, pool)

        def beat() -> None:
            """Show that the process lives, look at the clock, and see whether anything is due."""
            service.watch_clock()
            write_heartbeat(service.workspace, service.clock.now())
            if service.is_due():
                sessions.ring()
            errands.ring()
            write_outlook(service.workspace, service.timetable.outlook(service.clock.now()))

        failures: list[BaseException] = []
        scheduler = _scheduler(service, sessions.ring, beat, failures)
        scheduler.start()
        wait = threading.Event()
        try:
            while not stop.requested:
                for lane in (sessions, errands):
                    lane.step()
                if failures:
                    raise failures[0]
                if not courier.is_alive():
                    raise EnvironmentProblem("the thread that delivers alerts has ended")
                wait.wait(_POLL_S)
        finally:
            ended.requested = True
            scheduler.shutdown(wait=True)
        for lane in (sessions, errands):
            lane.finish()


def _scheduler(
    service: Service,
    ring: Callable[[], None],
    beat: Callable[[], None],
    failures: list[BaseException],
) -> BackgroundScheduler:
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)  # its errors are raised in `serve`
    scheduler = BackgroundScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        timezone=dt.UTC,
    )
    scheduler.add_listener(lambda event: failures.append(event.exception), EVENT_JOB_ERROR)
    every = IntervalTrigger(seconds=service.config.schedule.heartbeat_seconds, timezone=dt.UTC)
    scheduler.add_job(ring, _SessionTrigger(service.timetable), id="session")
    scheduler.add_job(beat, every, id="beat", next_run_time=dt.datetime.now(dt.UTC))
    return scheduler
