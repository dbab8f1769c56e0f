"""What a plan lacks, and its pace."""

import datetime as dt
import time
from pathlib import Path

import pytest

from engine.config import JQuantsConfig
from engine.data.jquants.client import _OWN_PER_MINUTE, PER_MINUTE, Api, Pace
from engine.data.jquants.pull import Pull, patient_sleep
from engine.data.tables import RawTables
from engine.errors import EnvironmentProblem, Interrupted
from engine.runs.events import Warned
from engine.runs.sink import ListSink
from tests.engine.data.jquants.desk import FIRST, LAST, Desk, Time
from tests.engine.data.jquants.server import KEY, FakeJQuants


@pytest.mark.parametrize(
    ("plan", "lacking"),
    [
        ("free", ["index", "flow", "margin", "short", "options", "holdings"]),
        ("light", ["margin", "short", "options", "holdings"]),
        ("standard", ["disclosures"]),
    ],
)
def test_what_the_plan_lacks_is_asked_once_and_listed_once(
    desk: Desk, plan: str, lacking: list[str]
) -> None:
    desk.server.plan = desk.plan = plan
    desk.server.tdnet = "disclosures" not in lacking
    desk.server.limit, desk.server.clock = int(PER_MINUTE[plan]), desk.time.clock
    report = desk.pull(today=LAST + dt.timedelta(weeks=12) if plan == "free" else LAST)
    raw = desk.read(report)
    assert report.lacking == lacking
    assert not set(lacking) & set(raw.optional)
    assert (raw.index is None) == ("index" in lacking)
    assert [note for note in raw.notes if "not in the J-Quants plan" in note] == (
        [f"not in the J-Quants plan, their features are masked: {', '.join(lacking)}"]
        if lacking
        else []
    )
    assert sum(s.status == 403 for s in desk.server.seen) == len(lacking)
    assert not any(s.status == 429 for s in desk.server.seen)
    assert any("12 weeks" in note for note in raw.notes) == (plan == "free")


def test_dates_outside_the_plan_are_left_out_and_noted(desk: Desk) -> None:
    desk.first = "2023-12-01"
    desk.server.covers = (dt.date(2024, 1, 5), dt.date(2024, 1, 10))
    report = desk.pull()
    bars = desk.read(report).bars
    assert (bars["date"].min(), bars["date"].max()) == (dt.date(2024, 1, 5), dt.date(2024, 1, 10))
    assert "J-Quants: the plan covers 2024-01-05 to 2024-01-10" in report.notes


def test_days_that_the_plan_has_left_behind_stay(desk: Desk) -> None:
    before = desk.read(desk.pull()).bars
    desk.server.covers = (dt.date(2024, 1, 11), None)
    for today in range(4):
        after = desk.read(desk.pull(today=LAST + dt.timedelta(days=today))).bars
        assert after.equals(before)


def test_nothing_of_the_plan_is_an_error(desk: Desk) -> None:
    desk.server.covers = (dt.date(2010, 1, 4), dt.date(2010, 12, 30))
    with pytest.raises(EnvironmentProblem, match="2010-01-04"):
        desk.pull()


def test_a_storm_of_429_is_waited_out_as_the_server_asks(
    desk: Desk, clean: tuple[RawTables, str, int]
) -> None:
    desk.server.limit, desk.server.clock = 7, desk.time.clock
    report = desk.pull()
    assert desk.snapshot(report) == clean[1]
    refused = [s for s in desk.server.seen if s.status == 429]
    assert 0 < len(refused) <= len(desk.server.seen) / 7
    assert len(desk.said(Warned)) == len(refused)


def test_without_retry_after_the_pause_is_a_minute(desk: Desk) -> None:
    desk.server.faults = {1: "429"}
    desk.pull()
    assert any(60 <= seconds <= 75 for seconds in desk.time.slept)


@pytest.mark.parametrize("plan", list(PER_MINUTE))
def test_no_window_of_a_minute_holds_more_than_the_plan_allows(plan: str) -> None:
    now = Time()
    pace = Pace(PER_MINUTE[plan], clock=now.clock, sleep=now.sleep)
    sent = []
    for number in range(1200):
        path = "/fins/summary" if number % 2 else "/other"
        pace.wait(path)
        sent.append((now.now, path))
        now.now += 0.01 * (number % 3)
    for kind, limit in {"": PER_MINUTE[plan], **_OWN_PER_MINUTE}.items():
        at = [t for t, path in sent if path.startswith(kind)]
        most = int(limit)
        gaps = [b - a for a, b in zip(at, at[most:], strict=False)]
        assert min(gaps, default=99.0) > 60.0


def test_a_server_that_enforces_a_limit_sees_none_above_it(tmp_path: Path) -> None:
    # Real time: a minute is a second here, and the plan 40 requests.
    with FakeJQuants(FIRST, dt.date(2024, 1, 5), limit=40, window_s=1.0) as server:
        sink = ListSink()
        chosen = JQuantsConfig(plan="premium", base_url=server.url, first=FIRST.isoformat())
        pace = Pace(40 * 60.0, sleep=patient_sleep(lambda: False))
        api = Api(base_url=server.url, key=KEY, timeout=5, pace=pace, sink=sink)
        now = dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)
        begin = time.monotonic()
        for folder in ("a", "b"):
            Pull(folder=tmp_path / folder, settings=chosen, api=api, sink=sink, now=now).run()
        assert api.requests == len(server.seen)
        assert time.monotonic() - begin >= (api.requests - 1) / 40
    assert len(server.seen) > 40
    assert not any(s.status == 429 for s in server.seen)
    at = [s.at for s in server.seen]
    assert min(b - a for a, b in zip(at, at[40:], strict=False)) > 1.0


def test_a_stop_ends_a_long_wait() -> None:
    flag = iter([False, True, True])
    begin = time.monotonic()
    with pytest.raises(Interrupted):
        patient_sleep(lambda: next(flag))(60)
    assert time.monotonic() - begin < 5
