"""What is decided for any book at any time: by hand, and as a life under a clock that does anything."""

import datetime as dt
import tempfile
from pathlib import Path
from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.config import ScheduleConfig
from engine.records.agenda import BookedSession, SessionState
from engine.schedule.jobs import Ended
from engine.schedule.plan import SessionPlan, decide
from engine.schedule.timetable import Session
from tests.engine.schedule.desk import FakeClock, FakeRunner, live_to, sealed, service

CONFIG = ScheduleConfig(cutoff_hours=12, retry_minutes=10, grace_minutes=60)
HOUR = dt.timedelta(hours=1)


def at(day: int, hour: float = 18) -> dt.datetime:
    return dt.datetime(2024, 11, day, tzinfo=dt.UTC) + dt.timedelta(hours=hour)


def session(day: int) -> Session:
    due = at(day)
    return Session(
        exchange="X", date=due.date(), due_at=due, cutoff_at=due + dt.timedelta(hours=12)
    )


def entry(day: int, state: SessionState, attempts: int = 0, **more: object) -> BookedSession:
    made = BookedSession(
        exchange="X",
        session=at(day).date(),
        state=state,
        due_at=at(day),
        give_up_at=at(day + 1, 6),
        next_at=at(day),
        caught_up=False,
        attempts=attempts,
        stage="",
        reason="",
        verdict=None,
        seal=None,
        exit_code=None,
        decided_at=None,
    )
    return replace(made, **more)


def plan(now: dt.datetime, days: list[int], *book: BookedSession) -> SessionPlan:
    due = [session(day) for day in days]
    upcoming = session(days[-1] + 1) if days else session(20)
    return decide(now, due, upcoming, {e.session: e for e in book}, CONFIG)


def test_nothing_due_nothing_done() -> None:
    assert plan(at(4, 12), []) == SessionPlan()
    assert plan(at(4), [4], entry(4, "done")) == SessionPlan()


def test_a_new_session_is_opened_until_its_cut_off_and_tried() -> None:
    assert plan(at(4), [4]) == SessionPlan(open=session(4), give_up_at=at(5, 6), attempt=session(4))


def test_one_that_is_caught_up_has_as_long_from_now_but_not_into_the_next() -> None:
    assert plan(at(5, 2), [4]).give_up_at == at(5, 14)
    assert plan(at(5, 12), [4]).give_up_at == at(5, 18)
    assert plan(at(4, 18.5), [4]).give_up_at == at(5, 6)


def test_only_the_latest_is_tried_the_others_are_late_or_missed() -> None:
    found = plan(at(7), [4, 5, 6, 7], entry(4, "done"), entry(5, "due", attempts=3))
    assert found.missed == (session(5),)
    assert found.late == (session(6),)
    assert found.attempt == found.open == session(7)
    untouched = plan(at(5), [4, 5], entry(4, "due"))
    assert (untouched.late, untouched.missed) == ((session(4),), ())


def test_a_pause_is_kept_and_the_cut_off_ends_it() -> None:
    waiting = entry(4, "due", attempts=1, next_at=at(4, 20))
    assert plan(at(4, 19.9), [4], waiting) == SessionPlan()
    assert plan(at(4, 20), [4], waiting).attempt == session(4)
    book = {waiting.session: waiting}
    asked = decide(at(4, 19), [session(4)], session(5), book, CONFIG, at_once=True)
    assert asked.attempt == session(4)
    assert plan(at(5, 6), [4], waiting) == SessionPlan(missed=(session(4),))


def test_the_last_chance_of_one_that_was_never_tried_is_not_taken_away() -> None:
    """The process died between opening and trying it, and came back after the cut-off."""
    assert plan(at(5, 7), [4], entry(4, "due")).attempt == session(4)


def test_what_a_clock_that_was_ahead_has_written_is_void() -> None:
    ahead = entry(6, "missed", decided_at=at(7, 6))
    assert plan(at(4, 12), [], ahead).void == (ahead,)
    given_up = entry(4, "missed", attempts=3, decided_at=at(5, 6))
    assert plan(at(4, 19), [4], given_up).void == (given_up,)
    assert plan(at(5, 7), [4], given_up) == SessionPlan()
    done = entry(6, "done", decided_at=at(6, 19))
    assert plan(at(4, 12), [], done).void == ()


def test_a_pause_from_before_the_clock_was_set_back_is_not_waited_for() -> None:
    waiting = entry(4, "due", attempts=1, next_at=at(5, 3))
    assert plan(at(4, 18.5), [4], waiting).attempt == session(4)


Move = tuple[Literal["run", "sleep", "set", "die"], int]
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 40 * 60)),
        st.tuples(st.just("sleep"), st.integers(1, 120 * 60)),
        st.tuples(st.just("set"), st.integers(-72 * 60, 72 * 60)),
        st.tuples(st.just("die"), st.integers(0, 2)),
    ),
    max_size=25,
)
ANSWERS = st.lists(st.sampled_from([0, 0, 1, 3, 4, 5, 124]), max_size=20)


@given(MOVES, ANSWERS)
@settings(max_examples=20)
def test_whatever_the_clock_does_a_session_is_sealed_at_most_once_and_the_book_heals(
    moves: list[Move], answers: list[int]
) -> None:
    """A machine that sleeps, dies in a job, and whose clock is set anywhere by up to three days.

    Then it behaves for a week: every session of that week is done, in time, by the first attempt, and
    no session that was sealed has ever been asked for again.
    """
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        clock = FakeClock(at(11, 12))
        runner = FakeRunner(workspace, clock)
        runner.faults["signals"] = [Ended(exit_code=c) for c in answers if c]
        desk = service(workspace, clock, runner, "schedule.report_formats=")
        asked: list[str] = []
        for kind, size in moves:
            step = dt.timedelta(minutes=size)
            if kind == "run":
                clock.run_to(clock.now() + step)
            elif kind == "sleep":
                clock.sleep_to(clock.now() + step)
            elif kind == "set":
                clock.set(clock.now() + step)
            else:
                found = desk.ledger.entries("XNYS")
                for item in (e for e in found.values() if e.state == "due"):
                    desk.ledger.start(_session_of(item))
                desk = service(workspace, clock, runner, "schedule.report_formats=")
                desk.recover()
            before = sealed(workspace)
            desk.sessions()
            words = [job.words[2] for job in runner.jobs[len(asked) :] if job.name == "signals"]
            asked += words
            assert not set(words) & set(before)
            after = sealed(workspace)
            assert after.items() >= before.items()
            assert len(after) - len(before) <= 1
            _book_is_sound(desk.ledger.entries("XNYS"), after, clock.now())
        runner.faults.clear()
        book = desk.ledger.entries("XNYS")
        start = max([clock.now(), *(item.due_at for item in book.values())]) + HOUR
        live_to(desk, clock, start + dt.timedelta(days=7))
        week = [e for e in desk.ledger.entries("XNYS").values() if e.due_at > start]
        assert len(week) >= 3
        assert {(e.state, e.attempts) for e in week} == {("done", 1)}


def _session_of(item: BookedSession) -> Session:
    return Session(
        exchange=item.exchange, date=item.session, due_at=item.due_at, cutoff_at=item.give_up_at
    )


def _book_is_sound(
    entries: dict[dt.date, BookedSession], seals: dict[str, str], now: dt.datetime
) -> None:
    done = {str(day) for day, item in entries.items() if item.state == "done"}
    assert done == set(seals)
    assert not [item for item in entries.values() if item.state == "running"]
    pending = [day for day, item in entries.items() if item.state == "due"]
    assert pending in ([], [max(entries)])
    # Nothing is written of times to come, but that a session before a sealed one is late.
    newest = max(
        (day for day, item in entries.items() if item.state == "done"), default=dt.date.min
    )
    assert all(item.due_at <= now for day, item in entries.items() if day > newest)
