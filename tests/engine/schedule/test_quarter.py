"""A quarter of sessions in seconds: who was awake, what the clock did, and what the book says of it."""

import datetime as dt
from pathlib import Path

import pytest

from engine.schedule.jobs import Ended
from engine.schedule.timetable import Timetable
from tests.engine.schedule import book
from tests.engine.schedule.desk import (
    CHALLENGER,
    CHAMPION,
    FakeClock,
    FakeRunner,
    alerts,
    configuration,
    live_to,
    sealed,
    service,
    states,
)
from tests.engine.schedule.sealing import seal


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def sessions(first: str, last: str, exchange: str = "XNYS") -> list[str]:
    table = Timetable(configuration(f"schedule.calendar={exchange}").schedule, "XNYS")
    due = table.due(utc(f"{last}T23:59"), dt.date.fromisoformat(first))
    return [str(session.date) for session in due]


@pytest.mark.parametrize("exchange", ["XNYS", "XTKS"])
def test_every_session_of_a_quarter_gets_one_signal_and_no_other_day_does(
    tmp_path: Path, exchange: str
) -> None:
    """October to December 2024: summer time ends, Thanksgiving, two half days, Christmas; in Tokyo three
    holidays and a close that moves to 15:30. The data come 20 minutes late each day.
    """
    clock = FakeClock(utc("2024-10-01T03:00"))
    table = Timetable(configuration(f"schedule.calendar={exchange}").schedule, "XNYS")

    def data_at(day: dt.date) -> dt.datetime:
        session = table.due(utc("2025-01-02T00:00"), day)[0]
        return session.due_at + dt.timedelta(minutes=20)

    runner = FakeRunner(tmp_path, clock, data_at=data_at)
    desk = service(tmp_path, clock, runner, f"schedule.calendar={exchange}")
    seal(tmp_path, "2024-09-30", "TRADE")
    live_to(desk, clock, utc("2024-12-31T23:59"))
    expected = sessions("2024-09-30", "2024-12-31", exchange)
    assert len(expected) == {"XNYS": 65, "XTKS": 64}[exchange]
    assert list(sealed(tmp_path)) == expected
    assert states(desk) == dict.fromkeys(expected, "done")
    entries = desk.ledger.entries(exchange)
    later = [entry for day, entry in entries.items() if day > dt.date(2024, 9, 30)]
    assert {entry.attempts for entry in later} == {3}
    assert not any(entry.caught_up for entry in later)
    assert len([t for t in alerts(desk) if t.startswith("TRADE")]) == len(expected)
    asked = [job for job in runner.jobs if job.name == "signals"]
    assert {job.words[2] for job in asked} == set(expected[1:])  # the first was sealed before


def test_a_machine_asleep_over_three_sessions_catches_up_the_latest_only(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock))
    live_to(desk, clock, utc("2024-11-18T23:30"))
    clock.sleep_to(utc("2024-11-22T14:00"))  # over Tuesday, Wednesday and Thursday
    live_to(desk, clock, utc("2024-11-22T23:30"))
    assert states(desk) == {
        "2024-11-15": "done",
        "2024-11-18": "done",
        "2024-11-19": "late",
        "2024-11-20": "late",
        "2024-11-21": "done",
        "2024-11-22": "done",
    }
    assert list(sealed(tmp_path)) == ["2024-11-15", "2024-11-18", "2024-11-21", "2024-11-22"]
    caught_up = {str(d): e.caught_up for d, e in desk.ledger.entries("XNYS").items()}
    assert caught_up["2024-11-21"]
    assert not caught_up["2024-11-22"]
    assert "late XNYS 2024-11-19, 2024-11-20" in alerts(desk)
    text = next(
        str(a.alert.text)
        for a in desk.ledger.outbox.due(clock.now())
        if a.alert.key == "signal:XNYS:2024-11-21"
    )
    assert "caught up" in text


def test_a_sleep_and_a_clock_that_was_set_are_told_apart(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock))
    assert desk.watch_clock() == ""
    clock.run_to(utc("2024-11-18T13:00"))
    assert desk.watch_clock() == ""
    clock.sleep_to(utc("2024-11-18T15:00"))
    assert desk.watch_clock() == "the machine slept for 2:00:00"
    clock.set(utc("2024-11-18T13:00"))
    assert desk.watch_clock() == "the clock was set back by 2:00:00"
    clock.set(utc("2024-11-19T13:00"))
    assert desk.watch_clock() == "the clock was set ahead by 1 day, 0:00:00"
    assert book.notes(desk.ledger.database)[0] == "the clock was set ahead by 1 day, 0:00:00"


def test_a_clock_set_ahead_makes_no_signal_and_its_verdicts_are_void_when_it_is_right_again(
    tmp_path: Path,
) -> None:
    """The clock shows Wednesday while it is Tuesday noon: there are no data of Tuesday's close yet."""
    clock = FakeClock(utc("2024-11-18T12:00"))
    truth = {"offset": dt.timedelta(0)}
    table = Timetable(configuration().schedule, "XNYS")

    def data_at(day: dt.date) -> dt.datetime:
        return table.due(utc("2025-01-02T00:00"), day)[0].due_at + truth["offset"]

    runner = FakeRunner(tmp_path, clock, data_at=data_at)
    desk = service(tmp_path, clock, runner)
    live_to(desk, clock, utc("2024-11-19T12:00"))
    truth["offset"] = dt.timedelta(days=2)
    clock.set(clock.now() + dt.timedelta(days=2))
    live_to(desk, clock, clock.now() + dt.timedelta(hours=6))
    assert states(desk)["2024-11-19"] == "late"
    assert states(desk)["2024-11-20"] == "due"
    truth["offset"] = dt.timedelta(0)
    clock.set(utc("2024-11-19T18:00"))
    live_to(desk, clock, utc("2024-11-20T23:30"))
    expected = ["2024-11-15", "2024-11-18", "2024-11-19", "2024-11-20"]
    assert states(desk) == dict.fromkeys(expected, "done")
    assert list(sealed(tmp_path)) == expected
    assert not [title for title in alerts(desk) if not title.startswith("TRADE")]
    notes = book.notes(desk.ledger.database)
    assert any("void" in note for note in notes)


def test_a_clock_set_back_over_a_run_time_makes_no_second_signal(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    runner = FakeRunner(tmp_path, clock)
    desk = service(tmp_path, clock, runner)
    live_to(desk, clock, utc("2024-11-20T23:30"))
    asked = len(runner.jobs)
    before = sealed(tmp_path)
    clock.set(utc("2024-11-19T21:00"))
    live_to(desk, clock, utc("2024-11-20T23:45"))
    assert sealed(tmp_path) == before
    assert [job.name for job in runner.jobs[asked:] if job.name == "signals"] == []
    live_to(desk, clock, utc("2024-11-21T23:30"))
    assert list(sealed(tmp_path))[-1] == "2024-11-21"


def test_no_data_by_the_cut_off_is_missed_and_told(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T22:00"))
    runner = FakeRunner(tmp_path, clock, data_at=lambda day: utc("2024-11-20T12:00"))
    desk = service(tmp_path, clock, runner)
    live_to(desk, clock, utc("2024-11-19T12:00"))
    entry = desk.ledger.entries("XNYS")[dt.date(2024, 11, 18)]
    assert entry.state == "missed"
    assert entry.decided_at == utc("2024-11-19T11:00")  # 23:00 + 12 h
    assert entry.attempts == 12 * 6
    assert "no signal by the cut-off XNYS 2024-11-18" in alerts(desk)
    assert "signals: no bars of 2024-11-18 yet" in entry.reason


def test_a_failed_job_is_told_once_and_tried_again(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    runner = FakeRunner(tmp_path, clock)
    desk = service(tmp_path, clock, runner)
    live_to(desk, clock, utc("2024-11-18T22:00"))
    crash = Ended(exit_code=1)
    runner.faults["signals"] = [crash, crash, Ended(exit_code=4, answer={"error": "disk full"})]
    live_to(desk, clock, utc("2024-11-18T23:45"))
    entry = desk.ledger.entries("XNYS")[dt.date(2024, 11, 18)]
    assert (entry.state, entry.attempts) == ("done", 4)
    assert alerts(desk).count("failure XNYS 2024-11-18") == 1


def test_a_refusal_without_a_card_is_no_signal(tmp_path: Path) -> None:
    """Exit code 6 is a HOLD or STOP only with a verdict; a gate that refused to start has none."""
    clock = FakeClock(utc("2024-11-18T23:00"))
    runner = FakeRunner(tmp_path, clock)
    runner.faults["signals"] = [Ended(exit_code=6, answer={"error": "no champion"})]
    desk = service(tmp_path, clock, runner)
    desk.sessions()
    entry = desk.ledger.entries("XNYS")[dt.date(2024, 11, 18)]
    assert (entry.state, entry.reason) == ("due", "signals: no champion")


def test_hold_and_stop_are_done_and_told_with_their_reasons(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    verdicts = {"2024-11-18": "HOLD", "2024-11-19": "STOP"}
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock, verdicts=verdicts))
    live_to(desk, clock, utc("2024-11-19T23:30"))
    assert [e.verdict for e in desk.ledger.entries("XNYS").values()] == ["TRADE", "HOLD", "STOP"]
    assert alerts(desk)[-2:] == ["HOLD XNYS 2024-11-18", "STOP XNYS 2024-11-19"]
    queued = {a.alert.key: a.alert.text for a in desk.ledger.outbox.due(clock.now())}
    assert "data: as planned" in queued["signal:XNYS:2024-11-19"]


def test_kinds_that_are_not_wanted_are_not_queued(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-18T12:00"))
    wanted = 'alerts.kinds=["failure","missed"]'
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock), wanted)
    live_to(desk, clock, utc("2024-11-19T23:30"))
    assert alerts(desk) == []


def test_the_end_of_the_calendar_is_told_once_a_week(tmp_path: Path) -> None:
    import exchange_calendars

    end = type(exchange_calendars.get_calendar("XSHG")).bound_max().date()
    start = dt.datetime.combine(end - dt.timedelta(days=30), dt.time(1), dt.UTC)
    clock = FakeClock(start)
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock), "schedule.calendar=XSHG")
    live_to(desk, clock, start + dt.timedelta(days=14))
    told = [title for title in alerts(desk) if title.startswith("the calendar")]
    assert 2 <= len(told) <= 3
    live_to(
        desk, clock, start + dt.timedelta(days=40)
    )  # past its end: nothing is due, nothing fails
    assert states(desk)[max(states(desk))] == "done"


def test_a_book_that_is_empty_starts_with_the_latest_session(tmp_path: Path) -> None:
    clock = FakeClock(utc("2024-11-24T12:00"))  # a Sunday
    desk = service(tmp_path, clock, FakeRunner(tmp_path, clock))
    assert desk.is_due()
    desk.sessions()
    assert states(desk) == {"2024-11-22": "done"}
    assert not desk.is_due()


def test_errands_follow_the_signals(tmp_path: Path) -> None:
    """A report each session and month, a challenger each week, and none of them twice."""
    clock = FakeClock(utc("2024-10-28T12:00"))
    runner = FakeRunner(tmp_path, clock)
    desk = service(tmp_path, clock, runner, "schedule.retrain=weekly")
    live_to(desk, clock, utc("2024-11-05T23:30"))
    outputs = [job.words[-1] for job in runner.jobs if job.name == "report"]
    days = sessions("2024-10-25", "2024-11-05")
    assert sorted(outputs) == sorted(f"{tmp_path}/reports/{key}" for key in [*days, "2024-10"])
    trained = [job for job in runner.jobs if job.name == "challenger"]
    assert len(trained) == 2  # the weeks that began on October 28 and November 4
    audited = [job.words for job in runner.jobs if job.name == "audit"]
    assert audited == [("audit", CHAMPION)]  # with November
    assert all(job.in_background for job in runner.jobs if job.name != "signals")
    told = [title for title in alerts(desk) if title.startswith("new champion")]
    assert told == [f"new champion {CHALLENGER}"] * 2


def test_a_challenger_that_the_gate_refuses_is_told_and_one_that_fails_is_given_up(
    tmp_path: Path,
) -> None:
    clock = FakeClock(utc("2024-10-28T12:00"))
    runner = FakeRunner(tmp_path, clock)
    row = {"name": "champion", "passed": False, "detail": "not better"}
    refused = Ended(exit_code=6, answer={"run_id": CHALLENGER, "passed": False, "gate": [row]})
    start_up = Ended(exit_code=6, answer={"error": "a start-up assertion failed"})
    runner.faults = {
        "challenger": [start_up, refused],
        "report": [Ended(exit_code=1)] * 20,
    }
    desk = service(tmp_path, clock, runner, "schedule.retrain=weekly")
    live_to(desk, clock, utc("2024-10-29T23:30"))
    for _ in range(3):
        clock.run_to(clock.now() + dt.timedelta(minutes=16))
        desk.errands()
    assert len([job for job in runner.jobs if job.name == "challenger"]) == 2
    text = {a.alert.title: a.alert.text for a in desk.ledger.outbox.due(clock.now())}
    assert text[f"challenger {CHALLENGER} was kept out"] == "champion: not better"
    assert text["failure report 2024-10-25"] == "report: exit code 1, see logs/"


def test_data_that_are_not_complete_are_waited_for_and_nothing_is_told(tmp_path: Path) -> None:
    """`signals` gives a card without a seal: 30 % of the names are missing."""
    clock = FakeClock(utc("2024-11-18T12:00"))
    runner = FakeRunner(tmp_path, clock)
    light = {"name": "data", "verdict": "STOP", "reason": "2,812 of 3,950 names"}
    card = Ended(exit_code=6, answer={"verdict": "STOP", "seal": None, "lights": [light]})
    desk = service(tmp_path, clock, runner)
    live_to(desk, clock, utc("2024-11-18T22:00"))
    runner.faults["signals"] = [card, card]
    live_to(desk, clock, utc("2024-11-18T23:15"))
    entry = desk.ledger.entries("XNYS")[dt.date(2024, 11, 18)]
    assert (entry.state, entry.reason) == ("due", "signals: data: 2,812 of 3,950 names")
    live_to(desk, clock, utc("2024-11-18T23:45"))
    assert states(desk)["2024-11-18"] == "done"
    assert alerts(desk)[1:] == ["TRADE XNYS 2024-11-18"]


def test_a_signal_that_is_sealed_already_is_taken_over(tmp_path: Path) -> None:
    """By hand, or by an attempt that died before it was written down: nothing is run again."""
    clock = FakeClock(utc("2024-11-18T23:30"))
    runner = FakeRunner(tmp_path, clock)
    stamp = seal(tmp_path, "2024-11-18", "HOLD")
    desk = service(tmp_path, clock, runner)
    desk.sessions()
    entry = desk.ledger.entries("XNYS")[dt.date(2024, 11, 18)]
    assert (entry.state, entry.verdict, entry.seal, entry.exit_code) == ("done", "HOLD", stamp, 6)
    assert runner.jobs == []
    assert alerts(desk) == ["HOLD XNYS 2024-11-18"]
