"""The book: each change from the state it must start from, whole or not at all, and damage is named."""

import datetime as dt
import sqlite3
from pathlib import Path

import pytest

from engine.alerts.alert import Alert
from engine.config import AlertConfig
from engine.errors import EnvironmentProblem, IntegrityError
from engine.schedule.agenda import LEDGER
from engine.schedule.errands import _ATTEMPTS, Errands, errands_after
from engine.schedule.ledger import ScheduleLedger
from tests.engine.schedule import book
from tests.engine.schedule.desk import configuration
from tests.engine.schedule.test_plan import at, session

ALERT = Alert(key="late:X:2024-11-05", kind="late", title="late")


@pytest.fixture
def ledger(tmp_path: Path) -> ScheduleLedger:
    return ScheduleLedger(tmp_path, AlertConfig(), ["mail", "webhook"])


def opened(ledger: ScheduleLedger, day: int = 4) -> None:
    ledger.open(session(day), give_up_at=at(day + 1, 6), caught_up=False)


def test_a_session_goes_its_way_and_no_other(ledger: ScheduleLedger) -> None:
    one = session(4)
    with pytest.raises(IntegrityError, match="X 2024-11-04 is not due"):
        ledger.start(one)
    opened(ledger)
    with pytest.raises(sqlite3.IntegrityError):
        opened(ledger)
    ledger.start(one)
    with pytest.raises(IntegrityError, match="is not due, so it cannot become running"):
        ledger.start(one)
    ledger.enter(one, "signals")
    ledger.retry(one, at(4), at(4, 19), reason="no data", exit_code=3)
    entry = ledger.entry(one)
    assert entry is not None
    assert (entry.state, entry.attempts, entry.stage) == ("due", 1, "signals")
    assert (entry.next_at, entry.reason, entry.exit_code) == (at(4, 19), "no data", 3)
    ledger.start(one)
    finish(ledger)
    entry = ledger.entry(one)
    assert entry is not None
    assert (entry.state, entry.verdict, entry.seal, entry.reason) == ("done", "HOLD", "abc", "")
    with pytest.raises(IntegrityError):
        ledger.start(one)
    with pytest.raises(IntegrityError):
        finish(ledger)
    ledger.void([entry], at(4), "a done session is never void")
    assert ledger.entry(one) == entry


def finish(ledger: ScheduleLedger) -> None:
    ledger.finish(
        session(4), at(4, 20), verdict="HOLD", seal="abc", exit_code=6, alerts=[], errands=[]
    )


def test_a_change_that_fails_leaves_no_alert_behind(ledger: ScheduleLedger) -> None:
    opened(ledger)
    missed = Alert(key="missed:X:2024-11-04", kind="missed", title="missed")
    ledger.miss(session(4), at(5), reason="", alert=missed)
    assert book.counts(ledger.database)["queued"] == 2
    again = Alert(key="other", kind="missed", title="missed")
    with pytest.raises(IntegrityError):
        ledger.miss(session(4), at(5), reason="", alert=again)
    assert book.counts(ledger.database)["queued"] == 2


def test_voiding_takes_the_alerts_back(ledger: ScheduleLedger) -> None:
    ledger.skip([session(5)], at(6), ALERT)
    assert book.counts(ledger.database)["queued"] == 2
    ledger.void(list(ledger.entries("X").values()), at(4), "the clock is back")
    assert book.counts(ledger.database)["queued"] == 0
    assert ledger.entries("X") == {}
    assert book.notes(ledger.database)[0] == "the clock is back"


def test_the_open_part_of_the_book(ledger: ScheduleLedger) -> None:
    assert ledger.open_since("X") is None
    opened(ledger, 4)
    opened(ledger, 5)
    assert ledger.open_since("X") == dt.date(2024, 11, 4)
    for day in (4, 5):
        ledger.start(session(day))
    ledger.retry(session(4), at(5), at(5), reason="")
    ledger.miss(session(4), at(5), reason="", alert=ALERT)
    assert ledger.open_since("X") == dt.date(2024, 11, 5)
    assert ledger.open_since("Y") is None


def test_an_attempt_that_was_cut_short_is_due_at_once(ledger: ScheduleLedger) -> None:
    opened(ledger)
    ledger.start(session(4))
    entry = ledger.entry(session(4))
    assert entry is not None
    ledger.interrupt(entry, at(4, 20))
    entry = ledger.entry(session(4))
    assert entry is not None
    assert (entry.state, entry.next_at, entry.attempts) == ("due", at(4, 20), 1)


def test_two_processes_share_the_book(tmp_path: Path, ledger: ScheduleLedger) -> None:
    other = ScheduleLedger(tmp_path, AlertConfig(), [])
    opened(ledger)
    other.start(session(4))
    with pytest.raises(IntegrityError, match="is not due"):
        ledger.miss(session(4), at(5), reason="", alert=ALERT)


def test_a_book_of_the_future_or_a_damaged_one_is_refused(
    tmp_path: Path, ledger: ScheduleLedger
) -> None:
    path = tmp_path / LEDGER
    ledger.database.rows("PRAGMA user_version = 99")
    ledger.close()
    with pytest.raises(IntegrityError, match="newer version"):
        ScheduleLedger(tmp_path, AlertConfig(), [])
    path.write_bytes(b"nonsense" * 1000)
    with pytest.raises(IntegrityError, match="damaged") as caught:
        ScheduleLedger(tmp_path, AlertConfig(), [])
    assert "move it away" in caught.value.hint
    path.unlink()
    path.mkdir()
    with pytest.raises(EnvironmentProblem, match=r"ledger\.sqlite"):
        ScheduleLedger(tmp_path, AlertConfig(), [])


def test_notes_do_not_grow_without_end(ledger: ScheduleLedger) -> None:
    for number in range(520):
        ledger.note(str(number), at(4))
    rows = ledger.database.rows("SELECT COUNT(*) AS n FROM notes")
    assert rows[0]["n"] == 500
    assert book.notes(ledger.database)[0] == "519"


def test_what_a_session_sets_off_by_hand() -> None:
    config = configuration("schedule.retrain=monthly").schedule
    friday, monday, december = (dt.date(2024, 11, d) for d in (29, 25, 22))
    assert errands_after(friday, monday, config) == [("report", "2024-11-29")]
    first = dt.date(2024, 12, 2)
    assert errands_after(first, friday, config) == [
        ("report", "2024-12-02"),
        ("report", "2024-11"),
        ("audit", "2024-12"),
        ("challenger", "2024-12"),
    ]
    assert errands_after(first, None, config) == [("report", "2024-12-02")]
    weekly = configuration("schedule.retrain=weekly", "schedule.report_formats=").schedule
    assert errands_after(monday, december, weekly) == [("challenger", "2024-W48")]
    assert errands_after(friday, monday, weekly) == []
    new_year = errands_after(dt.date(2025, 1, 2), dt.date(2024, 12, 31), weekly)
    assert new_year == [("audit", "2025-01")]  # both in 2025-W01


def test_an_errand_is_tried_a_few_times(ledger: ScheduleLedger) -> None:
    opened(ledger)
    ledger.start(session(4))
    ledger.finish(
        session(4), at(4), verdict="TRADE", seal="", exit_code=0, alerts=[],
        errands=[("challenger", "w"), ("report", "r")],
    )  # fmt: skip
    errands = Errands(ledger.database)
    assert [e.kind for e in errands.wanted(at(4))] == ["report", "challenger"]
    report = errands.wanted(at(4))[0]
    errands.start(report)
    errands.done(report, at(4))
    tries = 0
    for hour in range(19, 40):
        for errand in errands.wanted(at(4, hour)):
            tries += 1
            errands.start(errand)
            if tries == 1:
                errands.release(errand, at(4, hour))  # asked to stop: not counted
            elif not errands.again(errand, at(4, hour), "no"):
                break
    assert {errand.state for errand in book.errands(ledger.database)} == {"failed", "done"}
    assert tries == _ATTEMPTS + 1
