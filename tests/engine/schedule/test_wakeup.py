"""APScheduler under real time: it wakes the service, the heart beats, an error or a stop ends it."""

import datetime as dt
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.alerts.courier import Courier
from engine.errors import EnvironmentProblem
from engine.schedule.agenda import _HEARTBEAT, exclusive, read_agenda
from engine.schedule.jobs import ChildJob, Ended
from engine.schedule.service import Service
from engine.schedule.timetable import ClockReading, SystemClock, Timetable, difference
from engine.schedule.wakeup import _SessionTrigger, serve
from engine.stages.context import StopFlag
from tests.engine.schedule.desk import FakeRunner, configuration, sealed, service, states
from tests.engine.schedule.test_plan import at

PATIENCE_S = 120.0


@dataclass
class Moved:
    """The system's clock, shifted: real time passes from a moment of the test's choice."""

    start: dt.datetime

    def __post_init__(self) -> None:
        self._shift = self.start - dt.datetime.now(dt.UTC)

    def now(self) -> dt.datetime:
        return dt.datetime.now(dt.UTC) + self._shift

    def read(self) -> ClockReading:
        found = SystemClock().read()
        return ClockReading(wall=self.now(), awake_s=found.awake_s, elapsed_s=found.elapsed_s)


def make(workspace: Path, clock: Moved, runner: FakeRunner) -> tuple[Service, Courier]:
    desk = service(
        workspace,
        clock,  # type: ignore[arg-type]
        runner,
        "schedule.heartbeat_seconds=0.2",
        "schedule.report_formats=",
    )
    courier = Courier(desk.ledger.outbox, [], desk.config.alerts, clock.now, lambda text: None)
    courier.start()
    return desk, courier


def served(workspace: Path, clock: Moved, runner: FakeRunner, until: Callable[[], bool]) -> Service:
    """Serve until a condition holds, then stop."""
    desk, courier = make(workspace, clock, runner)
    stop = StopFlag()

    def watch() -> None:
        end = time.monotonic() + PATIENCE_S
        try:
            while not until() and not stop.requested and time.monotonic() < end:
                time.sleep(0.02)
        finally:
            stop.requested = True

    threading.Thread(target=watch, daemon=True).start()
    try:
        serve(desk, courier, stop, StopFlag())
    finally:
        courier.stop(5)
    return desk


def test_a_session_that_becomes_due_while_it_runs_is_done(tmp_path: Path) -> None:
    """Some seconds before New York's run time; the session before it is caught up at once."""
    moment = dt.datetime(2024, 11, 18, 22, 59, 56, tzinfo=dt.UTC)
    Timetable(configuration().schedule, "XNYS").latest(moment)  # reads the calendar
    clock = Moved(moment)
    runner = FakeRunner(tmp_path, clock)  # type: ignore[arg-type]
    desk = served(tmp_path, clock, runner, lambda: "2024-11-18" in sealed(tmp_path))
    assert states(desk) == {"2024-11-15": "done", "2024-11-18": "done"}
    beat = json.loads((tmp_path / _HEARTBEAT).read_text())
    assert beat["pid"]
    beaten = read_agenda(tmp_path, clock.now()).beat_at
    assert dt.datetime.fromisoformat(beaten) <= clock.now()


def test_the_heart_beats_while_a_job_runs(tmp_path: Path) -> None:
    clock = Moved(dt.datetime(2024, 11, 18, 23, 30, tzinfo=dt.UTC))
    beats: set[str] = set()

    class Slow(FakeRunner):
        def run(self, job: ChildJob) -> Ended:
            while len(beats) < 3:
                if (tmp_path / _HEARTBEAT).exists():
                    beats.add((tmp_path / _HEARTBEAT).read_text())
                time.sleep(0.02)
            return super().run(job)

    runner = Slow(tmp_path, clock)  # type: ignore[arg-type]
    served(tmp_path, clock, runner, lambda: bool(sealed(tmp_path)))
    assert len(beats) == 3
    assert len(runner.jobs) == 1


def test_an_error_in_a_job_ends_the_process_with_it(tmp_path: Path) -> None:
    class Broken(FakeRunner):
        def run(self, job: ChildJob) -> Ended:
            raise EnvironmentProblem("no space left on device")

    clock = Moved(dt.datetime(2024, 11, 18, 23, 30, tzinfo=dt.UTC))
    runner = Broken(tmp_path, clock)  # type: ignore[arg-type]
    with pytest.raises(EnvironmentProblem, match="no space left"):
        served(tmp_path, clock, runner, lambda: False)
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock))  # type: ignore[arg-type]
    assert states(desk) == {"2024-11-18": "running"}
    desk.recover()
    desk.sessions()
    assert states(desk) == {"2024-11-18": "done"}


def test_a_courier_that_died_ends_the_process(tmp_path: Path) -> None:
    clock = Moved(dt.datetime(2024, 11, 18, 12, tzinfo=dt.UTC))
    desk, courier = make(tmp_path, clock, FakeRunner(tmp_path, clock))  # type: ignore[arg-type]
    courier.stop(5)
    with pytest.raises(EnvironmentProblem, match="delivers alerts has ended"):
        serve(desk, courier, StopFlag(), StopFlag())


def test_the_trigger_fires_at_run_times_only_and_outlives_the_calendar() -> None:
    trigger = _SessionTrigger(Timetable(configuration().schedule, "XNYS"))
    fired, previous, now = [], None, dt.datetime(2024, 11, 26, 12, tzinfo=dt.UTC)
    for _ in range(4):
        previous = now = trigger.get_next_fire_time(previous, now)
        fired.append(f"{now:%m-%d %H:%M}")
    assert fired == ["11-26 23:00", "11-27 23:00", "11-29 20:00", "12-02 23:00"]
    assert str(trigger) == "session[XNYS]"
    config = configuration("schedule.calendar=XSHG").schedule
    over = dt.datetime(2027, 1, 5, tzinfo=dt.UTC)
    late = _SessionTrigger(Timetable(config, "XNYS")).get_next_fire_time(None, over)
    assert late == over + dt.timedelta(days=1)


def test_one_scheduler_at_a_time(tmp_path: Path) -> None:
    from engine.errors import LockedError
    from engine.schedule import agenda

    with exclusive(tmp_path), pytest.MonkeyPatch.context() as patch:
        patch.setattr(agenda, "_LOCK_PATIENCE_S", 0.1)
        with pytest.raises(LockedError, match="a scheduler is at work here already"):
            exclusive(tmp_path).__enter__()
    with exclusive(tmp_path):
        assert True


@pytest.mark.parametrize(
    ("wall_h", "awake_h", "elapsed_h", "words"),
    [
        (1, 1, 1, ""),
        (8, 1, 8, "the machine slept for 7:00:00"),
        (-1, 1, 1, "the clock was set back by 2:00:00"),
        (25, 1, 1, "the clock was set ahead by 1 day, 0:00:00"),
        (6, 1, 8, "the clock was set back by 2:00:00"),
    ],
)
def test_three_clocks_tell_what_happened(
    wall_h: float, awake_h: float, elapsed_h: float, words: str
) -> None:
    before = ClockReading(wall=at(4), awake_s=10.0, elapsed_s=20.0)
    after = ClockReading(
        wall=at(4) + dt.timedelta(hours=wall_h),
        awake_s=10.0 + 3600 * awake_h,
        elapsed_s=20.0 + 3600 * elapsed_h,
    )
    assert difference(before, after) == words
