"""The scheduler with the real `ingest` and `signals` on the small market, revealed day by day.

In this process where speed is the point, as processes of their own where their death is.
"""

import datetime as dt
import random
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.cli import main
from engine.config.file import write_resolved
from engine.runs.sink import ListSink
from engine.schedule.ledger import ScheduleLedger
from engine.schedule.service import Service
from engine.signals.seal import SealStore, verify_seal
from tests.engine.schedule.desk import FakeClock, live_to, states
from tests.engine.schedule.market import InProcess, Market, open_market
from tests.engine.schedule.test_kill import kill, nursery
from tests.engine.schedule.test_quarter import sessions, utc

FIRST, LAST = dt.date(2024, 10, 1), dt.date(2024, 12, 31)
ENGINE = (sys.executable, "-m", "engine")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Market:
    """Never changed: tests work on copies."""
    return open_market(tmp_path_factory.mktemp("trained") / "workspace", FIRST, LAST)


@pytest.fixture
def market(trained: Market, tmp_path: Path) -> Market:
    workspace = tmp_path / "workspace"
    shutil.copytree(trained.workspace, workspace)
    schedule = trained.config.schedule.model_copy(
        update={"update_prices": str(workspace / "inbox" / "{session}.csv")}
    )
    config = trained.config.model_copy(update={"schedule": schedule})
    write_resolved(workspace / "config.toml", config)
    return replace(trained, workspace=workspace, config=config)


def service_of(market: Market, clock: FakeClock) -> tuple[Service, InProcess]:
    runner = InProcess(market.workspace, [])
    found = Service(
        workspace=market.workspace,
        config=market.config,
        ledger=ScheduleLedger(market.workspace, market.config.alerts, ["channel"]),
        runner=runner,
        background=runner,
        clock=clock,
        sink=ListSink(),
    )
    return found, runner


def live_through(
    market: Market, last: dt.date, *, asleep: tuple[str, str] | None = None
) -> Service:
    """Each session's file comes 15 minutes after its run time; the machine may sleep over some."""
    clock = FakeClock(utc("2024-10-01T12:00"))
    desk, _ = service_of(market, clock)
    for text in sessions("2024-10-01", str(last)):
        day = dt.date.fromisoformat(text)
        due = desk.timetable.due(utc("2025-01-02T00:00"), day)[0].due_at
        arrival = due + dt.timedelta(minutes=15)
        if asleep and asleep[0] <= text < asleep[1]:
            market.deliver(day)
            continue
        if asleep and text == asleep[1]:
            clock.sleep_to(due - dt.timedelta(hours=6))
        live_to(desk, clock, arrival)
        market.deliver(day)
        live_to(desk, clock, due + dt.timedelta(hours=1))
    return desk


def seals_are_sound(market: Market, expected: list[str]) -> None:
    """One seal a session, whole, its inputs there; nothing half-made beside."""
    seals = SealStore(market.workspace / "signals")
    pins = seals.pins
    assert [one.name for one in seals] == expected
    for one in seals:
        verify_seal(one, pins)
    assert not list((market.workspace / "signals").glob(".staging*"))


def replayed(market: Market, session: str) -> int:
    return main(["replay", session, "--workspace", str(market.workspace), "--json"])


@pytest.mark.slow
def test_a_week_with_a_sleep_over_three_sessions(
    market: Market, capsys: pytest.CaptureFixture[str]
) -> None:
    """October 2024, asleep from Wednesday 2 to Monday 7 at noon: Friday is caught up, Wednesday and
    Thursday are late. A seal can be made again byte for byte.
    """
    desk = live_through(market, dt.date(2024, 10, 7), asleep=("2024-10-02", "2024-10-07"))
    book = states(desk)
    assert {day: state for day, state in book.items() if day >= "2024-10-01"} == {
        "2024-10-01": "done",
        "2024-10-02": "late",
        "2024-10-03": "late",
        "2024-10-04": "done",
        "2024-10-07": "done",
    }
    done = [day for day, state in book.items() if state == "done"]
    seals_are_sound(market, done)
    assert replayed(market, done[-1]) == 0
    capsys.readouterr()


@pytest.mark.long
@pytest.mark.slow
def test_a_whole_quarter(market: Market) -> None:
    """Half days, Thanksgiving, Christmas, the end of summer time: one seal a session, none on another day."""
    desk = live_through(market, LAST)
    expected = sessions("2024-10-01", "2024-12-31")
    assert [
        d for d, state in states(desk).items() if state == "done" and d >= "2024-10"
    ] == expected
    seals_are_sound(market, [d for d, state in states(desk).items() if state == "done"])


@pytest.mark.slow
def test_a_real_signal_killed_in_its_course_is_made_whole_by_the_next_start(
    market: Market,
) -> None:
    kill_real_signals(market, deaths=1)


@pytest.mark.long
@pytest.mark.slow
def test_real_signals_killed_fifty_times(market: Market) -> None:
    kill_real_signals(market, deaths=50)


def kill_real_signals(market: Market, *, deaths: int) -> None:
    """Killed at a random moment of a life that appends the session and makes its signal, each time with
    its jobs left alone or killed too, in turn.
    """
    dice = random.Random(8)
    for text in sessions("2024-10-01", "2024-12-31"):
        market.deliver(dt.date.fromisoformat(text))
    calendar = [dt.date.fromisoformat(day) for day in sessions("2024-10-01", "2024-12-31")]
    before: dict[str, str] = {}
    with nursery(market.workspace, ENGINE) as lives:
        started = time.monotonic()
        lives.begin(calendar[0], calendar[1])
        assert lives.end() == 0
        longest_s = time.monotonic() - started  # of two sessions: where a death may fall
        for number in range(deaths):
            first, last = calendar[number + 1], calendar[number + 2]
            pid = lives.begin(first, last)
            time.sleep(dice.uniform(0.0, 0.6 * longest_s))
            kill(pid, with_job=number % 2 == 1)
            assert lives.end() in (0, -signal.SIGKILL)
            after = seals_of(market)
            assert after.items() >= before.items()
            before = after
        lives.begin(calendar[deaths + 1], calendar[deaths + 2])
        assert lives.end() == 0
    book = {day: state for day, state in book_of(market).items() if day >= "2024-10-01"}
    assert book[str(calendar[deaths + 2])] == book[str(calendar[deaths + 1])] == "done"
    assert set(book.values()) <= {"done", "late", "missed"}
    seals_are_sound(market, [day for day, state in book_of(market).items() if state == "done"])


def seals_of(market: Market) -> dict[str, str]:
    """Name -> seal of each directory, after every file of it was found whole."""
    seals = SealStore(market.workspace / "signals")
    pins = seals.pins
    found = {}
    for one in seals:
        verify_seal(one, pins)
        found[one.name] = one.digest
    return found


def book_of(market: Market) -> dict[str, str]:
    ledger = ScheduleLedger(market.workspace, market.config.alerts, ())
    try:
        return {str(day): entry.state for day, entry in ledger.entries("XNYS").items()}
    finally:
        ledger.close()
