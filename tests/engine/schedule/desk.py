"""A scheduler whose clock, data and jobs are in a test's hand."""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import Config
from engine.config.file import resolve
from engine.runs.sink import ListSink
from engine.schedule.jobs import ChildJob, Ended, Runner
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.service import Service
from engine.schedule.timetable import ClockReading
from engine.schedule.wakeup import _SessionTrigger
from tests.engine.schedule import book
from tests.engine.schedule.sealing import seal

CHAMPION, CHALLENGER = "20261101-000000-train-0000", "20261102-000000-train-1111"
OVERRIDES = ("schedule.calendar=XNYS", "schedule.retry_minutes=10", "schedule.cutoff_hours=12")


@dataclass
class FakeClock:
    """Stands still until it is moved."""

    wall: dt.datetime
    awake_s: float = 1000.0
    elapsed_s: float = 1000.0

    def now(self) -> dt.datetime:
        return self.wall

    def read(self) -> ClockReading:
        return ClockReading(wall=self.wall, awake_s=self.awake_s, elapsed_s=self.elapsed_s)

    def run_to(self, moment: dt.datetime) -> None:
        """Time passes, awake."""
        seconds = (moment - self.wall).total_seconds()
        assert seconds >= 0, "time does not pass backwards; use `set`"
        self.awake_s += seconds
        self.elapsed_s += seconds
        self.wall = moment

    def sleep_to(self, moment: dt.datetime) -> None:
        self.elapsed_s += (moment - self.wall).total_seconds()
        self.wall = moment

    def set(self, moment: dt.datetime) -> None:
        """Somebody sets the clock; no time passes."""
        self.wall = moment


@dataclass
class FakeRunner:
    """Jobs that happen at once. ``data_at``: when the data of a session are there."""

    workspace: Path
    clock: FakeClock
    data_at: Callable[[dt.date], dt.datetime] | None = None
    verdicts: dict[str, str] = field(default_factory=dict)
    faults: dict[str, list[Ended]] = field(default_factory=dict)
    """ChildJob name -> answers given before it works."""
    jobs: list[ChildJob] = field(default_factory=list)
    orphans: int = 0

    def recover(self) -> bool:
        had, self.orphans = self.orphans > 0, 0
        return had

    def run(self, job: ChildJob) -> Ended:
        self.jobs.append(job)
        if self.faults.get(job.name):
            return self.faults[job.name].pop(0)
        match job.name:
            case "signals":
                return self._signals(job)
            case "champion":
                return Ended(exit_code=0, answer={"run_id": CHAMPION})
            case "challenger":
                return Ended(exit_code=0, answer={"run_id": CHALLENGER, "passed": True})
            case _:
                return Ended(exit_code=0)

    def _signals(self, job: ChildJob) -> Ended:
        session = job.words[job.words.index("--date") + 1]
        day = dt.date.fromisoformat(session)
        if self.data_at is not None and self.clock.now() < self.data_at(day):
            return Ended(exit_code=3, answer={"error": f"no bars of {session} yet"})
        verdict = self.verdicts.get(session, "TRADE")
        stamp = seal(self.workspace, session, verdict)
        answer = {
            "session": session,
            "verdict": verdict,
            "seal": stamp,
            "lights": [{"name": "data", "verdict": verdict, "reason": "as planned"}],
            "directory": f"signals/{session}",
            "orders": [{}, {}, {}],
            "refused": [],
        }
        return Ended(exit_code=0 if verdict == "TRADE" else 6, answer=answer)


def configuration(*overrides: str, workspace: Path | None = None) -> Config:
    """New York's schedule over the workspace's own configuration, if it has one."""
    files = [workspace / "config.toml"] if workspace is not None else []
    return resolve(files, overrides=(*OVERRIDES, *overrides)).config


def service(
    workspace: Path, clock: FakeClock, runner: Runner, *overrides: str, channels: int = 1
) -> Service:
    config = configuration(*overrides, workspace=workspace)
    names = [f"channel{n}" for n in range(channels)]
    return Service(
        workspace=workspace,
        config=config,
        ledger=ScheduleLedger(workspace, config.alerts, names),
        runner=runner,
        background=runner,
        clock=clock,
        sink=ListSink(),
    )


def live_to(desk: Service, clock: FakeClock, end: dt.datetime) -> None:
    """Wake the service as APScheduler would: at each run time, and when a pause is over."""
    trigger = _SessionTrigger(desk.timetable)
    while True:
        desk.sessions()
        desk.errands()
        now = clock.now()
        wake = trigger.get_next_fire_time(None, now)
        for entry in desk.ledger.entries(desk.timetable.exchange).values():
            if entry.state == "due":
                wake = min(wake, max(entry.next_at, now + dt.timedelta(seconds=30)))
        if wake > end:
            clock.run_to(end)
            return
        clock.run_to(wake)


def sealed(workspace: Path) -> dict[str, str]:
    """Session -> seal of every complete signal; an unfinished directory fails."""
    found = {}
    for directory in sorted((workspace / "signals").glob("*")):
        if directory.name.startswith(".staging"):
            continue
        manifest = (directory / "manifest.json").read_bytes()
        stamp = (directory / "SEAL").read_text().strip()
        assert hashlib.sha256(manifest).hexdigest() == stamp
        for name, entry in json.loads(manifest)["files"].items():
            content = (directory / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        found[directory.name] = stamp
    return found


def states(desk: Service) -> dict[str, str]:
    entries = desk.ledger.entries(desk.timetable.exchange)
    return {str(day): entry.state for day, entry in entries.items()}


def alerts(desk: Service) -> list[str]:
    """Titles of what was queued, oldest first."""
    return [alert.title for alert in reversed(book.alerts(desk.ledger.database))]
