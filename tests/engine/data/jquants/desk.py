"""A workspace, a server and a clock that only sleeping moves: what the J-Quants tests sit at."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.config import JQuantsConfig
from engine.data.jquants.client import PER_MINUTE, Api, Pace
from engine.data.jquants.parts import read_jquants
from engine.data.jquants.pull import Pull, PullReport
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.runs.events import Noted, Warned
from engine.runs.sink import ListSink
from tests.engine.data.jquants.server import KEY, FakeJQuants, Fault

FIRST, LAST = dt.date(2024, 1, 4), dt.date(2024, 1, 12)
SPLIT_DAY = dt.date(2024, 1, 11)
BARS = "/equities/bars/daily"
PASSING: tuple[Fault, ...] = ("500", "503", "429", "cut", "html", "not-json", "no-data", "blocked")


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)
    dying: bool = False

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        if self.dying:
            raise Killed
        self.now += seconds
        self.slept.append(seconds)


@dataclass
class Desk:
    """A workspace, a server and a clock."""

    root: Path
    server: FakeJQuants
    time: Time = field(default_factory=Time)
    sink: ListSink = field(default_factory=ListSink)
    plan: str = "premium"
    first: str = FIRST.isoformat()

    @property
    def folder(self) -> Path:
        return self.root / "data" / "jquants"

    def pull(
        self, *, key: str = KEY, today: dt.date | None = None, stopped: Callable[[], bool] | None = None,
        timeout: float = 5.0,
    ) -> PullReport:  # fmt: skip
        chosen = JQuantsConfig(
            plan=self.plan,
            base_url=self.server.url,
            first=self.first,
            refetch_sessions=2,
        )
        pace = Pace(PER_MINUTE[self.plan], clock=self.time.clock, sleep=self.time.sleep)
        api = Api(
            base_url=chosen.base_url, key=key, timeout=timeout, pace=pace, sink=self.sink,
            draw=lambda: 0.5,
        )  # fmt: skip
        day = today or self.server.last
        now = dt.datetime.combine(day, dt.time(12, 0), dt.UTC)
        return Pull(
            folder=self.folder, settings=chosen, api=api, sink=self.sink, now=now,
            stopped=stopped or (lambda: False),
        ).run()  # fmt: skip

    def read(self, report: PullReport) -> RawTables:
        return read_jquants(
            self.folder,
            first=dt.date.fromisoformat(self.first),
            tables=report.tables,
            notes=report.notes,
        )

    def snapshot(self, report: PullReport) -> str:
        return PanelStore(self.root / "data").save(self.read(report))

    def said(self, kind: type[Warned] | type[Noted]) -> list[str]:
        return [event.message for event in self.sink.events if isinstance(event, kind)]
