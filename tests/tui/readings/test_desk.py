"""Ledger, schedule and answers as their writers leave them; one torn file hides no other."""

import datetime as dt
import json
import os
from pathlib import Path

import pytest

from atft_tui.jobs import Job, outcome, read_answers
from atft_tui.readings.desk import read_desk, read_schedule, read_shadow
from engine.files import write_json
from engine.records.shadow import PARTS
from engine.runs import lock
from engine.schedule.agenda import _LOCK, write_heartbeat, write_outlook
from engine.schedule.timetable import Timetable
from tests.engine.schedule.desk import configuration
from tests.tui import signal_desk
from tests.tui.signal_desk import DAYS, NOW

LATER = NOW + dt.timedelta(minutes=3)


def test_the_shadow_ledger_by_hand(tmp_path: Path) -> None:
    assert read_shadow(tmp_path) is None
    signal_desk.shadow(tmp_path, n=4)
    shadow = read_shadow(tmp_path)
    assert shadow is not None
    assert read_shadow(tmp_path) is shadow
    total, running = shadow.told.all["open"], shadow.told.running["open"]
    assert (total.sessions, total.orders, total.unfilled) == (4, 16, 4)
    assert total.gap == pytest.approx(-2.5e-4)
    assert [point.gap for point in running] == pytest.approx([-1e-4, -1.5e-4, -2e-4, -2.5e-4])
    assert running[-1].se == pytest.approx(total.gap_se)
    newest = shadow.rows[0]
    assert (newest.session, newest.entry) == ("2026-10-04", "close")
    assert newest.gap == pytest.approx(-4e-4)
    assert sum(getattr(newest, part) for part in PARTS) == pytest.approx(newest.gap)
    assert shadow.told.pending == ("2026-11-24", "2026-11-25")


def test_a_ledger_of_an_older_version_has_no_running_gap(tmp_path: Path) -> None:
    signal_desk.shadow(tmp_path)
    path = tmp_path / "signals" / "ledger.json"
    told = json.loads(path.read_text())
    del told["running"]
    write_json(path, told)
    shadow = read_shadow(tmp_path)
    assert shadow is not None
    assert shadow.told.running == {}
    assert shadow.told.all["open"].sessions == 12


def test_the_schedules_book_by_hand(tmp_path: Path) -> None:
    assert read_schedule(tmp_path, NOW) is None
    signal_desk.schedule(tmp_path)
    told = read_schedule(tmp_path, NOW)
    assert told is not None
    assert [(str(entry.session), entry.state) for entry in told.agenda.sessions] == [
        ("2026-11-25", "due"), ("2026-11-24", "late"), ("2026-11-20", "done"),
    ]  # fmt: skip
    waits = told.agenda.sessions[0]
    assert (waits.attempts, waits.reason) == (1, "update: no bars yet")
    assert waits.next_at == NOW + dt.timedelta(minutes=5)
    assert told.agenda.sessions[2].verdict == "TRADE"
    assert [(one.kind, one.key, one.state) for one in told.agenda.errands] == [
        ("report", "2026-11-20", "wanted")
    ]
    assert (told.process, told.agenda.pid, told.beat_s) == ("stopped", None, None)
    assert told.agenda.notes[0][1] == "the machine slept for 8 hours"
    assert told.log[-1].text.startswith("warning schedule: XTKS 2026-11-25")
    assert told.log[-1].at == NOW


def test_the_countdown_goes_by_minutes_then_by_seconds(tmp_path: Path) -> None:
    signal_desk.schedule(tmp_path)
    due = dt.datetime(2026, 11, 26, 9, 30, tzinfo=dt.UTC)

    def left(now: dt.datetime) -> float:
        told = read_schedule(tmp_path, now)
        assert told is not None
        assert told.seconds is not None
        return told.seconds

    assert left(due - dt.timedelta(hours=3, seconds=59)) == 3 * 3600
    assert left(due - dt.timedelta(seconds=59.5)) == 59
    assert left(due + dt.timedelta(seconds=30)) == -30


def test_a_living_process_is_known_by_its_lock_and_a_stuck_one_by_its_heart(tmp_path: Path) -> None:
    signal_desk.schedule(tmp_path)
    write_heartbeat(tmp_path, NOW)
    with lock.hold(tmp_path / _LOCK):
        fresh = read_schedule(tmp_path, NOW + dt.timedelta(seconds=61))
        stale = read_schedule(tmp_path, LATER)
    dead = read_schedule(tmp_path, LATER)
    assert fresh is not None
    assert stale is not None
    assert dead is not None
    assert (fresh.process, fresh.agenda.pid, fresh.beat_s) == ("running", os.getpid(), 60)
    assert (stale.process, dead.process) == ("stuck", "stopped")


def test_the_engines_outlook_is_read(tmp_path: Path) -> None:
    signal_desk.schedule(tmp_path)
    timetable = Timetable(configuration("schedule.calendar=WEEKDAYS").schedule, "WEEKDAYS")
    write_outlook(tmp_path, timetable.outlook(NOW))
    told = read_schedule(tmp_path, NOW)
    assert told is not None
    outlook = told.agenda.outlook
    assert outlook is not None
    assert (outlook.exchange, outlook.zone, outlook.next_session) == (
        "WEEKDAYS",
        "UTC",
        "2026-11-25",
    )
    assert outlook.next_at == "2026-11-25T17:00:00+00:00"


def test_reading_takes_no_lock_and_writes_nothing_to_the_book(tmp_path: Path) -> None:
    signal_desk.schedule(tmp_path)
    book = tmp_path / "schedule" / "ledger.sqlite"
    before = book.read_bytes()
    with lock.hold(tmp_path / _LOCK):
        read_schedule(tmp_path, NOW)
    assert book.read_bytes() == before


def test_one_torn_file_hides_no_other_part(tmp_path: Path) -> None:
    signal_desk.whole(tmp_path)
    for name in ("signals/ledger.parquet", "schedule/ledger.sqlite", "models/champion.json"):
        path = tmp_path / name
        path.write_bytes(path.read_bytes()[:100])
    desk = read_desk(tmp_path, None, NOW, rows=True)
    for part in (desk.shadow, desk.schedule, desk.champion):
        assert part.value is None
        assert part.trouble
    assert desk.card is not None
    assert desk.card.word == "TRADE"
    assert len(desk.cards) == 3


def test_the_first_picture_needs_no_table(tmp_path: Path) -> None:
    signal_desk.whole(tmp_path)
    desk = read_desk(tmp_path, DAYS[1], NOW, rows=False)
    assert desk.signal is not None
    assert (desk.signal.seal.name, desk.signal.lines) == (DAYS[1], ())
    assert desk.card is not None
    assert desk.card.word == "TRADE"
    gone = read_desk(tmp_path, "2020-01-01", NOW, rows=False)
    assert gone.signal is not None
    assert gone.signal.seal.name == DAYS[2]


# ---- what jobs answered --------------------------------------------------------------------------


def write_job(workspace: Path, number: int, words: tuple[str, ...], answer: object) -> None:
    folder = workspace / "logs" / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"20261125-120000-{number:06}-{words[0]}"
    about = {"words": list(words), "started": NOW.isoformat(), "pid": 2**22 + 1}
    (folder / f"{name}.json").write_text(json.dumps(about))
    (folder / f"{name}.out").write_text(json.dumps(answer) if answer is not None else "")
    (folder / f"{name}.log").write_text("")


def test_the_newest_answer_of_each_command_line(tmp_path: Path) -> None:
    good = {"signals": [{"name": DAYS[2], "checked": 312, "error": ""}], "damaged": 0}
    bad = {"signals": [{"name": DAYS[2], "checked": 0, "error": "x.bin: gone"}], "damaged": 1}
    write_job(tmp_path, 1, ("verify", f"{DAYS[2]}-r0"), bad)
    write_job(tmp_path, 2, ("verify", f"{DAYS[2]}-r0"), good)
    write_job(tmp_path, 3, ("verify", f"{DAYS[1]}-r0"), bad)
    write_job(
        tmp_path,
        4,
        ("replay", f"{DAYS[2]}-r0"),
        {"identical": False, "files": {"a": True, "b": False}},
    )
    write_job(tmp_path, 5, ("train",), {})
    write_job(tmp_path, 6, ("diff", "a", "b"), None)
    write_job(tmp_path, 7, ("diff", "a", "c"), {"error": "no sealed signal 'a'", "exit_code": 2})
    answers = read_answers(tmp_path)
    assert answers == read_answers(tmp_path)
    assert outcome(answers.of("verify", f"{DAYS[2]}-r0")) == (
        "312 files, inputs and model verified", True,
    )  # fmt: skip
    assert outcome(answers.of("verify", f"{DAYS[1]}-r0")) == ("x.bin: gone", False)
    assert outcome(answers.of("replay", f"{DAYS[2]}-r0")) == ("replay differs in b", False)
    assert outcome(answers.of("diff", "a", "b")) == ("diff: it died without an answer", False)
    assert outcome(answers.of("diff", "a", "c")) == ("diff: no sealed signal 'a'", False)
    assert [job.words[-1] for job in answers.diffs()] == ["c", "b"]
    assert outcome(None) == ("", None)
    write_job(tmp_path, 8, ("diff", "a", "b"), {"changed": []})
    assert outcome(read_answers(tmp_path).of("diff", "a", "b")) == ("answered", True)


def test_a_running_job_is_neither_well_nor_ill() -> None:
    job = Job(
        id="1-diff", words=("diff", "a", "b"), started="", status="running", answer={}, last=""
    )
    assert outcome(job) == ("diff is running", None)
