"""kill -9 of the scheduler, and of its job, at every boundary and at random moments.

After each death: what is sealed is whole and is what it was, and the next start repairs the book.
"""

import contextlib
import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from engine.config import AlertConfig
from engine.runs import lock
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.timetable import Timetable
from tests.engine.schedule.desk import configuration, sealed

BOUNDARIES = 10
"""Of one session's way: open, start, enter, the job, finish; before and after each."""
FAKE = (sys.executable, "-m", "tests.engine.schedule.fake_engine")


class Nursery:
    """Lives one after another; see `doomed`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def begin(self, first: dt.date, last: dt.date, boundary: int = 0) -> int:
        """Pid of a new life."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{first} {last} {boundary}\n")
        self._process.stdin.flush()
        return self._read()

    def end(self) -> int:
        """How it ended: 0, or minus the signal."""
        return self._read()

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the nursery died"
        return int(line)


@contextmanager
def nursery(workspace: Path, program: tuple[str, ...] = FAKE) -> Iterator[Nursery]:
    words = [sys.executable, "-m", "tests.engine.schedule.doomed", str(workspace), *program]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


def days(count: int) -> list[dt.date]:
    """Sessions of XNYS from June 2024 on."""
    table = Timetable(configuration().schedule, "XNYS")
    found = table.due(dt.datetime(2024, 12, 31, tzinfo=dt.UTC), dt.date(2024, 6, 3))
    return [session.date for session in found][:count]


def states(workspace: Path) -> dict[str, str]:
    ledger = ScheduleLedger(workspace, AlertConfig(), ())
    try:
        return {str(day): entry.state for day, entry in ledger.entries("XNYS").items()}
    finally:
        ledger.close()


def live_and_die_at(workspace: Path, boundaries: list[int]) -> None:
    calendar = days(len(boundaries) + 2)
    before: dict[str, str] = {}
    with nursery(workspace) as lives:
        for number, boundary in enumerate(boundaries):
            lives.begin(calendar[number], calendar[number + 1], boundary)
            assert lives.end() == -signal.SIGKILL
            after = sealed(workspace)
            assert after.items() >= before.items()
            assert str(calendar[number]) in after  # what the death before left undone was repaired
            before = after
        lives.begin(calendar[-2], calendar[-1], BOUNDARIES + 1)
        assert lives.end() == 0  # there is no boundary beyond these
    assert states(workspace) == {str(day): "done" for day in calendar}
    assert list(sealed(workspace)) == [str(day) for day in calendar]


def test_killed_at_every_boundary_the_next_start_repairs_it(tmp_path: Path) -> None:
    live_and_die_at(tmp_path, [n + 1 for n in range(BOUNDARIES)])


def kill_at_random(workspace: Path, deaths: int, *, with_job: bool, longest_s: float) -> int:
    """Every life is ended after a random time, with or without its job; the next one starts at once,
    while an orphan may still be sealing. How many died at work.
    """
    dice = random.Random(4)
    calendar = days(deaths + 2)
    before: dict[str, str] = {}
    died = 0
    with nursery(workspace) as lives:
        for number in range(deaths):
            pid = lives.begin(calendar[number], calendar[number + 1])
            time.sleep(dice.uniform(0.0, longest_s))
            kill(pid, with_job=with_job)
            ended = lives.end()
            assert ended in (0, -signal.SIGKILL)
            died += ended != 0
            after = sealed(workspace)
            assert after.items() >= before.items()
            before = after
        lives.begin(calendar[-2], calendar[-1])
        assert lives.end() == 0
    final = sealed(workspace)
    assert final.items() >= before.items()
    book = states(workspace)
    assert {day for day, state in book.items() if state == "done"} == set(final)
    assert set(book.values()) <= {"done", "late", "missed"}
    assert book[str(calendar[-1])] == book[str(calendar[-2])] == "done"
    assert not lock.is_held(workspace / "schedule" / "session.job")
    return died


def kill(pid: int, *, with_job: bool) -> None:
    """A scheduler, and its jobs if so; one that has ended meanwhile is left."""
    with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
        family = psutil.Process(pid).children(recursive=True)
        os.kill(pid, signal.SIGKILL)
        for child in family if with_job else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGKILL)


@pytest.mark.parametrize("with_job", [False, True])
def test_killed_at_random_moments(tmp_path: Path, *, with_job: bool) -> None:
    assert kill_at_random(tmp_path, 6, with_job=with_job, longest_s=0.8) > 1


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("with_job", [False, True])
def test_killed_fifty_times(tmp_path: Path, *, with_job: bool) -> None:
    assert kill_at_random(tmp_path, 50, with_job=with_job, longest_s=0.8) > 20
