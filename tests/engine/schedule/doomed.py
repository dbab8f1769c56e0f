"""Scheduler processes that live through sessions under a clock of their own and are told when to die.

    python -m tests.engine.schedule.doomed WORKSPACE PROGRAM...

For each line ``FIRST LAST BOUNDARY`` on stdin a process is forked and its pid and, at its end, its status
are written. It catches FIRST up, lives on to LAST, and kills itself with SIGKILL at the BOUNDARY-th
crossing of a boundary (before and after each write of the book and each job) after LAST is due; 0 = never.
"""

import datetime as dt
import os
import signal
import sys
from pathlib import Path
from typing import Any

from engine.schedule.agenda import exclusive
from engine.schedule.jobs import ChildJob, ChildRunner, Ended
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.service import Service
from engine.schedule.timetable import Timetable
from tests.engine.schedule.desk import FakeClock, configuration
from tests.engine.schedule.desk import service as make_service

WRITES = ("open", "skip", "start", "enter", "retry", "finish", "miss", "interrupt", "void", "tell")


class Doom:
    def __init__(self, boundary: int) -> None:
        self.left = boundary

    def cross(self) -> None:
        if self.left:
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


class DoomedLedger(ScheduleLedger):
    doom = Doom(0)

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in WRITES:
            return found

        def crossing(*args: Any, **kwargs: Any) -> Any:
            self.doom.cross()
            answer = found(*args, **kwargs)
            self.doom.cross()
            return answer

        return crossing


class DoomedRunner:
    def __init__(self, inner: ChildRunner, doom: Doom) -> None:
        self._inner, self._doom = inner, doom

    def recover(self) -> bool:
        return self._inner.recover()

    def run(self, job: ChildJob) -> Ended:
        self._doom.cross()
        ended = self._inner.run(job)
        self._doom.cross()
        return ended


def live(
    workspace: Path, program: tuple[str, ...], first: dt.date, last: dt.date, boundary: int
) -> None:
    with exclusive(workspace):
        service, clock = build(workspace, program, ("schedule.report_formats=",))
        clock.set(due_at(first))
        service.recover()
        service.sessions()
        clock.run_to(due_at(last))
        assert isinstance(service.ledger, DoomedLedger)
        service.ledger.doom.left = boundary
        service.sessions()


def nurse(workspace: Path, program: tuple[str, ...]) -> None:
    """Everything is imported and every calendar made once; a fork takes milliseconds."""
    for line in sys.stdin:
        first, last, boundary = line.split()
        days = [dt.date.fromisoformat(day) for day in (first, last)]
        for day in days:
            due_at(day)
        pid = os.fork()
        if pid == 0:
            live(workspace, program, days[0], days[1], int(boundary))
            os._exit(0)
        _say(str(pid))
        _say(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


def _say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def build(
    workspace: Path, program: tuple[str, ...], overrides: tuple[str, ...]
) -> tuple[Service, FakeClock]:
    clock = FakeClock(dt.datetime(2024, 1, 1, tzinfo=dt.UTC))
    doom = Doom(0)
    inner = ChildRunner(workspace=workspace, lane="session", program=program)
    runner = DoomedRunner(inner, doom)
    service = make_service(workspace, clock, runner, *overrides)
    service.ledger.close()
    service.ledger = DoomedLedger(workspace, service.config.alerts, ["channel"])
    service.ledger.doom = doom
    return service, clock


def due_at(day: dt.date) -> dt.datetime:
    """A minute after the session's run time."""
    table = Timetable(configuration().schedule, "XNYS")
    noon = dt.datetime.combine(day, dt.time(12), dt.UTC)
    upcoming = table.upcoming(noon)
    assert upcoming is not None
    assert upcoming.date == day
    return upcoming.due_at + dt.timedelta(minutes=1)


if __name__ == "__main__":
    nurse(Path(sys.argv[1]), tuple(sys.argv[2:]))
