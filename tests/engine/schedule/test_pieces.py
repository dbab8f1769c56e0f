"""A session whose file arrives in pieces: refused until it is whole, then stored and signalled once."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from engine.data.calendar import sessions_between
from engine.data.store import PanelStore
from engine.errors import IntegrityError
from engine.schedule.jobs import ChildJob, Ended
from engine.schedule.plan import update_jobs
from tests.engine.schedule.desk import FakeClock, FakeRunner, service, states
from tests.journeys.command import atft_here

SYMBOLS = [f"S{n:02d}" for n in range(12)]
SESSION = dt.date(2024, 12, 2)
DUE = dt.datetime(2024, 12, 2, 23, tzinfo=dt.UTC)
HEAD = "date,symbol,open,high,low,close,volume\n"


def lines(day: dt.date, names: int, close: float = 10.0) -> str:
    rows = (f"{day},{s},{close},{close + 1},{close - 1},{close},1000\n" for s in SYMBOLS[:names])
    return "".join(rows)


@dataclass
class Ingesting(FakeRunner):
    """Update jobs are the real command, in this process."""

    codes: list[int] = field(default_factory=list)

    def run(self, job: ChildJob) -> Ended:
        if job.name != "update":
            return super().run(job)
        self.jobs.append(job)
        done = atft_here(self.workspace, *job.words, "--json", "--set", "data.market=us")
        self.codes.append(done.code)
        return Ended(exit_code=done.code, answer=done.json)


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """A workspace with twelve stocks until Friday, November 29, each bar another than the day before."""
    days = sessions_between("XNYS", dt.date(2024, 10, 1), dt.date(2024, 11, 29))
    text = "".join(lines(day, 12, 10 + n / 8) for n, day in enumerate(days.tolist()))
    (tmp_path / "history.csv").write_text(HEAD + text)
    words = ("ingest", "--source", "files", "--prices", str(tmp_path / "history.csv"))
    done = atft_here(tmp_path, *words, "--set", "data.market=us")
    assert done.code == 0, done.err
    return tmp_path


def settings(market: Path) -> tuple[str, ...]:
    prices = f'schedule.update_prices="{market}/{{session}}.csv"'
    return ("data.market=us", "schedule.update=files", prices)


def test_the_file_is_waited_for_until_it_is_whole(market: Path) -> None:
    """At the first attempt there are 3 of 12 names, at the second 7, at the third all."""
    clock = FakeClock(DUE)
    runner = Ingesting(market, clock)
    desk = service(market, clock, runner, *settings(market))
    store, path = PanelStore(market / "data"), market / f"{SESSION}.csv"
    before = store.current()
    for names in (3, 7):
        path.write_text(HEAD + lines(SESSION, names))
        desk.sessions()
        assert states(desk) == {"2024-12-02": "due"}
        assert store.current() == before
        entry = desk.ledger.entry(desk.timetable.due(clock.now(), SESSION)[0])
        assert entry is not None
        assert f"incomplete, {names} of 12 names" in entry.reason
        clock.run_to(clock.now() + dt.timedelta(minutes=10))
    path.write_text(HEAD + lines(SESSION, 12))
    desk.sessions()
    assert states(desk) == {"2024-12-02": "done"}
    assert runner.codes == [3, 3, 0]
    assert store.snapshot().names[-1] == 12


def test_a_session_stored_incompletely_is_read_again_when_its_file_is_another_one(
    market: Path,
) -> None:
    """Somebody took the thin file on purpose; once all names are in it, nothing is left to read."""
    clock, path = FakeClock(DUE), market / f"{SESSION}.csv"
    runner = Ingesting(market, clock)
    desk = service(market, clock, runner, *settings(market))
    path.write_text(HEAD + lines(SESSION, 3))
    words = ("ingest", "--source", "files", "--append", "--prices", str(path))
    thin = atft_here(market, *words, "--set", "quality.min_coverage=0", "--set", "data.market=us")
    assert thin.code == 0, thin.err
    assert update_jobs(market, desk.config, SESSION, DUE) == []
    path.write_text(HEAD + lines(SESSION, 12))
    (job,) = update_jobs(market, desk.config, SESSION, DUE)
    assert job.words == words
    assert runner.run(job).exit_code == 0
    assert PanelStore(market / "data").snapshot().names[-1] == 12
    assert update_jobs(market, desk.config, SESSION, DUE) == []


def test_a_corrected_file_of_the_due_session_is_read_again_and_of_an_older_one_not(
    market: Path,
) -> None:
    clock, path = FakeClock(DUE), market / f"{SESSION}.csv"
    runner = Ingesting(market, clock)
    desk = service(market, clock, runner, *settings(market))
    path.write_text(HEAD + lines(SESSION, 12))
    (job,) = update_jobs(market, desk.config, SESSION, DUE)
    assert runner.run(job).exit_code == 0
    corrected = lines(SESSION, 12).replace("S03,10.0,11.0,9.0,10.0", "S03,10.0,11.0,9.0,10.5")
    path.write_text(HEAD + corrected)
    (again,) = update_jobs(market, desk.config, SESSION, DUE)
    assert runner.run(again).answer["revision"]["changed"] == 1
    close = PanelStore(market / "data").snapshot().raw().bars.filter(symbol="S03")["close"]
    assert close[-1] == 10.5
    assert update_jobs(market, desk.config, SESSION, DUE) == []
    path.write_text(HEAD + lines(SESSION, 12))
    tuesday = dt.date(2024, 12, 3)
    (market / f"{tuesday}.csv").write_text(HEAD + lines(tuesday, 12, 11.0))
    jobs = update_jobs(market, desk.config, tuesday, DUE + dt.timedelta(days=1))
    assert [Path(job.words[-1]).name for job in jobs] == ["2024-12-03.csv"]


def test_a_store_that_cannot_be_read_is_told_of_by_its_job_and_ends_no_scheduler(
    market: Path,
) -> None:
    """The exchange is the one that was known last; the sessions of New York stay due."""
    clock = FakeClock(DUE)
    desk = service(market, clock, FakeRunner(market, clock), "data.market=jp", "schedule.calendar=")
    assert desk.timetable.exchange == "XNYS"
    store = PanelStore(market / "data")
    (store.root / "snapshots" / store.current() / "manifest.json").write_text("{")
    assert desk.timetable.exchange == "XNYS"
    assert desk.is_due()
    # A new process knows no exchange, and says what is damaged.
    again = service(market, clock, FakeRunner(market, clock))
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        again.is_due()
