"""The J-Quants source against a local server: complete, resumable, paced, and silent about the key."""

import datetime as dt
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.config import JQuantsConfig
from engine.data.jquants import normalise
from engine.data.jquants.assemble import read_jquants
from engine.data.jquants.audit import day_to_audit
from engine.data.jquants.client import ATTEMPTS, Api, key_from
from engine.data.jquants.pace import OWN_PER_MINUTE, PER_MINUTE, Pace
from engine.data.jquants.pull import Pull, PullReport, patient_sleep, vendor_rules
from engine.data.store import PanelStore
from engine.data.tables import RawTables
from engine.errors import DataError, EngineError, EnvironmentProblem, Interrupted
from engine.runs.events import Noted, Warned, encode
from engine.runs.sink import ListSink
from tests.engine.data.jquants_server import CODES, KEY, FakeJQuants, Fault

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


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeJQuants(FIRST, LAST) as server:
        yield Desk(tmp_path, server)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[RawTables, str, int]:
    """Tables, snapshot and number of requests of an undisturbed pull."""
    with FakeJQuants(FIRST, LAST) as server:
        desk = Desk(tmp_path_factory.mktemp("clean"), server)
        report = desk.pull()
        return desk.read(report), desk.snapshot(report), report.requests


def test_a_full_pull_is_the_servers_data(desk: Desk) -> None:
    report = desk.pull()
    raw = desk.read(report)
    quotes = {
        (day, code): quote
        for day in desk.server.days
        for code in CODES
        if (quote := desk.server.quoted(code, day))
    }
    stored = {(r["date"], r["symbol"]): (r["close"], r["volume"]) for r in raw.bars.to_dicts()}
    assert stored == quotes
    assert report.lacking == []
    assert report.requests == len(desk.server.seen)
    assert raw.securities["symbol"].to_list() == sorted(CODES)
    assert raw.securities.row(1, named=True) == {
        "symbol": "130A0",
        "name": "Name 130A0",
        "sector": "Information & Communication",
        "industry": "IT & SERVICES, OTHERS",
        "shortable": True,
        "borrow_class": None,
    }
    assert raw.index is not None
    assert raw.index["date"].to_list() == desk.server.days
    assert set(raw.optional) == {"flow", "margin", "short", "statements", "earnings", "options"}


def test_each_day_is_asked_for_once_and_a_second_pull_renews_the_newest(desk: Desk) -> None:
    desk.pull()
    days = [day.isoformat() for day in desk.server.days]
    assert desk.server.asked(BARS) == days
    desk.server.seen.clear()
    report = desk.pull()
    audited = day_to_audit(desk.server.days, 2, LAST)
    assert desk.server.asked(BARS) == [*days[-2:], str(audited)]
    assert desk.server.asked("/equities/master") == []
    assert report.revised == []


def test_units_and_days_of_use(clean: tuple[RawTables, str, int]) -> None:
    raw, _, _ = clean
    flow = raw.optional["flow"].filter(investor="foreign").row(0, named=True)
    assert flow["date"] == dt.date(2024, 1, 5)
    assert flow["available"] == dt.date(2024, 1, 12)  # published on Thursday the 11th
    published = (dt.date(2024, 1, 11) - dt.date(2020, 1, 1)).days
    assert flow["buy"] == 1000.0 * (1000 + published)  # thousand yen at the vendor
    margin = raw.optional["margin"]
    assert set(margin["date"]) == {dt.date(2024, 1, 5), LAST}
    friday = margin.filter(pl.col("date") == dt.date(2024, 1, 5))
    # Monday the 8th is a holiday: Tuesday, Wednesday, Thursday.
    assert set(friday["available"]) == {dt.date(2024, 1, 11)}
    short = raw.optional["short"].row(0, named=True)
    assert (short["turnover"], short["short_turnover"]) == (1000.0, 400.0)
    assert short["available"] == dt.date(2024, 1, 5)
    assert set(raw.optional["short"]["sector"]) <= set(raw.securities["sector"])
    options = raw.optional["options"]
    assert set(options["kind"]) == {"put", "call"}
    assert set(options["implied_volatility"]) == {0.215}
    assert len(options) == 2 * 6
    assert options.row(0, named=True)["available"] == dt.date(2024, 1, 5)


def test_statements_count_from_the_close_that_could_know_them(
    clean: tuple[RawTables, str, int],
) -> None:
    statements = clean[0].optional["statements"]
    before = statements.filter(pl.col("period") == "3Q")
    assert before["available"].to_list() == [*_sessions()]
    assert set(before["forecast_sales"]) == {140000.0}
    assert set(before["net_profit"]) == {-500.0}
    assert before["equity"].null_count() == len(before)
    after = statements.filter(pl.col("period") == "FY")
    assert after["available"].to_list() == [*_sessions()[1:], dt.date(2024, 1, 15)]
    assert set(after["forecast_sales"]) == {150000.0}
    revision = statements.filter(pl.col("period").is_null())
    assert set(revision["period_end"]) == {dt.date(2024, 3, 31)}
    assert set(revision["forecast_sales"]) == {140000.0}
    earnings = clean[0].optional["earnings"]
    assert earnings["available"].to_list() == [*_sessions()[1:], dt.date(2024, 1, 15)]
    assert 0 < earnings["date"].null_count() < len(earnings)


def _sessions() -> list[dt.date]:
    return [dt.date(2024, 1, day) for day in (4, 5, 9, 10, 11, 12)]


def test_a_day_without_a_trade_has_no_bar(clean: tuple[RawTables, str, int]) -> None:
    bars = clean[0].bars
    assert len(bars) < len(CODES) * 6
    assert bars["close"].null_count() == 0


# -- interruptions -----------------------------------------------------------------------------------


def test_stopped_after_every_request_it_still_arrives(
    desk: Desk, clean: tuple[RawTables, str, int]
) -> None:
    done = {"at": 0}
    for _ in range(200):
        done["at"] = len(desk.server.seen)
        try:
            report = desk.pull(stopped=lambda: len(desk.server.seen) > done["at"])
            break
        except Interrupted:
            continue
    assert desk.snapshot(report) == clean[1]
    assert len(desk.server.seen) == clean[2]  # nothing twice


@pytest.mark.parametrize("at", [1, 9, 30])
def test_killed_at_a_request_it_resumes(
    desk: Desk, clean: tuple[RawTables, str, int], at: int
) -> None:
    def die(number: int) -> None:
        desk.time.dying = number == at

    desk.server.before = die
    with pytest.raises(Killed):
        desk.pull()
    finished = {path.stem for path in desk.folder.glob("bars/*.parquet")}
    desk.server.before = lambda number: None
    desk.time = Time()
    desk.server.seen.clear()
    report = desk.pull()
    assert desk.snapshot(report) == clean[1]
    assert not finished & set(desk.server.asked(BARS))


def test_a_page_that_fails_leaves_no_part_of_the_day(desk: Desk) -> None:
    second_page = 5
    desk.server.faults = dict.fromkeys(range(second_page, second_page + ATTEMPTS), "500")
    with pytest.raises(EnvironmentProblem, match="500, 6 times"):
        desk.pull()
    asked = desk.server.seen[second_page]
    assert asked.path == BARS
    assert "pagination_key" in asked.params
    assert not (desk.folder / "bars" / f"{asked.params['date']}.parquet").exists()
    assert not list(desk.root.rglob("*.tmp"))


def test_an_interrupted_update_goes_on_with_what_it_had_left_to_renew(desk: Desk) -> None:
    desk.pull()
    desk.server.seen.clear()
    bar_requests = 2 * 2
    with pytest.raises(Interrupted):
        desk.pull(stopped=lambda: len(desk.server.seen) >= bar_requests // 2)
    desk.pull()
    assert desk.server.asked(BARS) == ["2024-01-11", "2024-01-12"]


# -- faults ------------------------------------------------------------------------------------------


@given(st.dictionaries(st.integers(0, 60), st.sampled_from(PASSING), max_size=ATTEMPTS - 1))
@example(dict(zip(range(0, 32, 4), PASSING, strict=True)))
@example({2: "500", 3: "cut", 4: "429", 5: "html", 6: "503"})
@settings(max_examples=2)
def test_passing_faults_change_nothing(
    tmp_path_factory: pytest.TempPathFactory,
    clean: tuple[RawTables, str, int],
    faults: dict[int, Fault],
) -> None:
    with FakeJQuants(FIRST, LAST, faults=faults) as server:
        desk = Desk(tmp_path_factory.mktemp("faults"), server)
        report = desk.pull()
    struck = sum(number < report.requests for number in faults)
    assert desk.snapshot(report) == clean[1]
    assert report.requests == clean[2] + struck
    assert len(desk.said(Warned)) == struck
    assert all("again in" in line for line in desk.said(Warned))


def test_a_slow_server_is_asked_again(desk: Desk) -> None:
    desk.server.faults = {1: "slow"}
    report = desk.pull(timeout=0.5)
    assert report.requests == len(desk.server.seen)
    assert ["no answer for 0.5 s" in line for line in desk.said(Warned)] == [True]


@pytest.mark.parametrize(
    ("fault", "error", "text"),
    [
        ("500", EnvironmentProblem, "failed with 500"),
        ("429", EnvironmentProblem, "too many requests"),
        ("cut", DataError, "cut off"),
        ("html", DataError, "a web page"),
        ("not-json", DataError, "not JSON"),
        ("no-data", DataError, "without rows"),
    ],
)
def test_a_lasting_fault_ends_after_bounded_attempts(
    desk: Desk, fault: Fault, error: type[EngineError], text: str
) -> None:
    desk.server.faults = dict.fromkeys(range(500), fault)
    with pytest.raises(error, match=text) as caught:
        desk.pull()
    assert len(desk.server.seen) == ATTEMPTS
    assert "run the same command" in caught.value.hint
    assert not list(desk.folder.glob("*/*.parquet"))


@pytest.mark.parametrize(("fault", "status"), [("401", "401"), ("redirect", "302")])
def test_a_refusal_is_not_repeated(desk: Desk, fault: Fault, status: str) -> None:
    desk.server.faults = {0: fault}
    with pytest.raises(EnvironmentProblem, match=status):
        desk.pull()
    assert len(desk.server.seen) == 1


def test_nobody_there(desk: Desk) -> None:
    with FakeJQuants(FIRST, LAST) as gone:
        pass
    desk.server = gone
    with pytest.raises(EnvironmentProblem, match="no connection, 6 times"):
        desk.pull()


def test_an_answer_without_a_column_is_no_table(desk: Desk) -> None:
    desk.server.drop_column = "AdjFactor"
    with pytest.raises(DataError, match="AdjFactor"):
        desk.pull()
    assert not (desk.folder / "bars").exists()


def test_rows_of_another_day_are_not_kept(desk: Desk) -> None:
    right = desk.server.bars
    desk.server.bars = lambda day: right(FIRST)  # type: ignore[method-assign]
    with pytest.raises(DataError, match="asked for bars of 2024-01-05"):
        desk.pull()
    assert [path.stem for path in desk.folder.glob("bars/*")] == ["2024-01-04"]


def test_codes_blanks_and_dates_of_the_vendor() -> None:
    rows = pl.DataFrame(
        {
            "PubDate": ["2024-01-05"] * 4,
            "Code": ["7203", "130A", "25935", " 13010 "],
            "SchDate": ["2024-02-01T00:00:00", "", "-", "2024-02-03"],
        }
    )
    out = normalise.earnings(rows, vendor_rules())
    assert set(out["symbol"]) == {"72030", "130A0", "25935", "13010"}
    assert out["date"].drop_nulls().to_list() == [dt.date(2024, 2, 3), dt.date(2024, 2, 1)]
    for column, value in (("SchDate", "soon"), ("PubDate", "2024-13-01")):
        with pytest.raises(DataError, match=value):
            normalise.earnings(rows.with_columns(pl.lit(value).alias(column)), vendor_rules())
    with pytest.raises(DataError, match="a row without symbol"):
        normalise.earnings(rows.with_columns(pl.lit(None, pl.String).alias("Code")), vendor_rules())


# -- the key -----------------------------------------------------------------------------------------


def test_a_wrong_key_is_named_by_its_variable_and_not_repeated(desk: Desk) -> None:
    with pytest.raises(EnvironmentProblem, match="JQUANTS_API_KEY") as caught:
        desk.pull(key="wrong-key-8d2")
    assert len(desk.server.seen) == 1
    # The server repeats the key in its message.
    assert "wrong-key-8d2" not in f"{caught.value!r} {caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "línea", "a\nb"])
def test_what_is_no_key_is_refused_without_being_shown(value: str | None) -> None:
    with pytest.raises(EnvironmentProblem, match="JQUANTS_API_KEY") as caught:
        key_from({} if value is None else {"JQUANTS_API_KEY": value})
    if value and value.strip():
        assert value not in caught.value.message + caught.value.hint


def test_the_key_is_in_no_output(
    desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    desk.server.faults = {2: "500", 5: "html", 7: "cut", 9: "429"}
    desk.snapshot(desk.pull())
    errors = []
    for fault in ("500", "401", "cut", "redirect", "html"):
        desk.server.faults = dict.fromkeys(range(1000), fault)
        with pytest.raises(EngineError) as caught:
            desk.pull()
        seen: BaseException | None = caught.value
        while seen is not None:
            errors.append(repr(seen) + str(vars(seen)))
            seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    events = "".join(encode(event) for event in desk.sink.events)
    shown = capfd.readouterr()
    for text in (caplog.text, events, shown.out, shown.err, *errors):
        assert KEY not in text
    written = [path for path in desk.root.rglob("*") if path.is_file()]
    assert len(written) > 20
    assert all(KEY.encode() not in path.read_bytes() for path in written)


# -- splits and revisions ----------------------------------------------------------------------------


def test_a_split_changes_no_earlier_row(tmp_path: Path) -> None:
    before = SPLIT_DAY - dt.timedelta(days=1)
    with FakeJQuants(FIRST, before) as server:
        server.splits = {("72030", SPLIT_DAY): 0.5}
        desk = Desk(tmp_path, server)
        report = desk.pull()
        old, old_id = desk.read(report), desk.snapshot(report)
        unadjusted = server.bars(before)
        server.extend(LAST)
        assert server.bars(before) != unadjusted  # the vendor's adjusted columns are re-based
        report = desk.pull()
        new, new_id = desk.read(report), desk.snapshot(report)
    assert report.revised == []
    assert new.bars.filter(pl.col("date") <= before).equals(old.bars)
    factors = new.bars.filter(pl.col("adjustment_factor") != 1).select(
        "date", "symbol", "adjustment_factor"
    )
    assert factors.rows() == [(SPLIT_DAY, "72030", 0.5)]
    assert new_id != old_id
    store = PanelStore(tmp_path / "data")
    assert store.current() == new_id
    assert store.load_raw(old_id).bars.equals(old.bars)


def test_a_corrected_factor_is_a_new_snapshot_and_the_old_one_stays(desk: Desk) -> None:
    report = desk.pull()
    old, old_id = desk.read(report), desk.snapshot(report)
    parts = {path: path.stat().st_mtime_ns for path in desk.folder.glob("*/*.parquet")}
    desk.server.splits = {("99840", SPLIT_DAY): 0.1}
    original = desk.server.quoted
    desk.server.quoted = lambda code, day: _unsplit(original(code, day), code, day)  # type: ignore[method-assign]
    report = desk.pull()
    new, new_id = desk.read(report), desk.snapshot(report)
    assert report.revised == [f"bars {SPLIT_DAY}"]
    assert any("factor of 99840 1 -> 0.1" in line for line in desk.said(Noted))
    changed = {p.relative_to(desk.folder) for p, at in parts.items() if p.stat().st_mtime_ns != at}
    assert changed == {Path("bars") / f"{SPLIT_DAY}.parquet"}
    assert new_id != old_id
    store = PanelStore(desk.root / "data")
    assert store.load_raw(old_id).bars.equals(old.bars)
    difference = new.bars.join(old.bars, on=new.bars.columns, how="anti", nulls_equal=True)
    assert difference.select("date", "symbol", "adjustment_factor").rows() == [
        (SPLIT_DAY, "99840", 0.1)
    ]


def test_a_factor_corrected_long_ago_is_found_by_the_audit(desk: Desk) -> None:
    today = next(LAST + dt.timedelta(i) for i in range(3) if (LAST.toordinal() + i) % 4 < 3)
    audited = day_to_audit(desk.server.days, 2, today)
    assert audited is not None
    corrected = next(day for day in desk.server.days if day > audited)
    code = next(code for code in CODES if desk.server.quoted(code, audited))
    plain = {(code, day): desk.server.quoted(code, day) for day in desk.server.days}
    report = desk.pull(today=today)
    old, old_id = desk.read(report), desk.snapshot(report)
    desk.server.splits = {(code, corrected): 0.25}
    original = desk.server.quoted
    desk.server.quoted = (  # type: ignore[method-assign]
        lambda code, day: plain.get((code, day)) or original(code, day)
    )
    report = desk.pull(today=today)
    assert report.revised == [f"bars {corrected}"]
    new, new_id = desk.read(report), desk.snapshot(report)
    changed = new.bars.join(old.bars, on=new.bars.columns, how="anti", nulls_equal=True)
    assert changed["symbol"].to_list() == [code]
    assert changed["adjustment_factor"].to_list() == [0.25]
    assert PanelStore(desk.root / "data").load_raw(old_id).bars.equals(old.bars)
    assert new_id != old_id
    assert desk.pull(today=today).revised == []


def test_a_day_that_the_server_forgets_is_kept_and_one_it_lacks_is_asked_for_again(
    desk: Desk,
) -> None:
    desk.server.silent = {dt.date(2024, 1, 9), LAST}
    first = desk.read(desk.pull())
    assert first.bars["date"].n_unique() == 4
    desk.server.silent = {dt.date(2024, 1, 11)}
    second = desk.read(desk.pull())
    assert second.bars["date"].unique().sort().to_list() == desk.server.days
    assert any("no bars of 2024-01-11" in line for line in desk.said(Noted))


def _unsplit(
    quote: tuple[float, float] | None, code: str, day: dt.date
) -> tuple[float, float] | None:
    """The vendor corrects the factor; what was quoted stays."""
    if quote is None or code != "99840" or day < SPLIT_DAY:
        return quote
    return round(quote[0] * 10, 1), quote[1]


# -- plans and pace ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "lacking"),
    [
        ("free", ["index", "flow", "margin", "short", "options"]),
        ("light", ["margin", "short", "options"]),
        ("standard", []),
    ],
)
def test_what_the_plan_lacks_is_asked_once_and_listed_once(
    desk: Desk, plan: str, lacking: list[str]
) -> None:
    desk.server.plan = desk.plan = plan
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
    for kind, limit in {"": PER_MINUTE[plan], **OWN_PER_MINUTE}.items():
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
