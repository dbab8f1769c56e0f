"""Pictures of the signals screen: what they say by hand, and that none leaves its box, whatever is in it."""

import datetime as dt
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from rich.text import Text

from atft_tui.jobs import Job
from atft_tui.readings.desk import Schedule, ScheduleLine, Shadow
from atft_tui.readings.seals import Champion, ShownCard
from atft_tui.readings.signal import BookChange, Neighbour, StockLine, Why
from atft_tui.screens.signal_columns import VIEWS, line_columns
from atft_tui.widgets.card import CardPanel, Compared, DiffPanel, LedgerPanel, card_line, figure
from atft_tui.widgets.desk_panels import ChampionPanel, SchedulePanel, both_times
from atft_tui.widgets.lines import beside, cell, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import meter
from atft_tui.widgets.table import BrowseTable
from atft_tui.widgets.why_panel import ChangePanel, Question, WhyPanel, move_text
from engine.records.agenda import Agenda, BookedErrand, BookedSession, Outlook
from engine.records.card import Card, Light
from engine.records.champion import ChampionEntry, ChampionHistory, GateCondition, ModelFacts
from engine.records.orders import Order, Refused
from engine.records.rank_ic import RankICSummary
from engine.records.shadow import (
    ENTRIES,
    PARTS,
    GapPoint,
    LiveRecord,
    ShadowLedger,
    ShadowParts,
    ShadowTotal,
)
from tests.tui.signal_desk import NOW

HOSTILE = "\x1b]0;pwned\x07[red]日本\u202eabc\u200b" + "あ" * 40
WORDS = st.one_of(st.text(max_size=30), st.sampled_from(["", HOSTILE, "S&P 500", "x" * 300]))
NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
COUNTS = st.integers(0, 5000)
WIDTHS, HEIGHTS = st.integers(1, 130), st.integers(1, 40)


def check(text: Text, width: int, height: int) -> None:
    lines = text.split("\n", allow_blank=True)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width
    assert "\x1b" not in text.plain
    assert "\u202e" not in text.plain


SIDES = st.sampled_from(["buy", "sell"])
LINES = st.builds(
    StockLine,
    code=WORDS, name=WORDS, sector=WORDS, rank=st.none() | COUNTS, before=st.none() | COUNTS,
    score=NUMBERS, weight=NUMBERS, weight_before=NUMBERS,
    order=st.none() | st.builds(
        Order, symbol=WORDS, side=SIDES, shares=COUNTS, lots=COUNTS, limit=NUMBERS, close=NUMBERS,
        notional=NUMBERS, held=NUMBERS, reason=WORDS),
    refused=st.lists(st.builds(Refused, symbol=WORDS, side=SIDES, shares=NUMBERS, notional=NUMBERS,
                               rule=WORDS, reason=WORDS), max_size=2).map(tuple),
)  # fmt: skip
QUESTIONS = st.builds(
    Question,
    session=st.just("2026-11-25"), scored=COUNTS, horizon=st.just(5), line=LINES,
    why=st.builds(
        Why,
        code=WORDS,
        variables=st.lists(st.tuples(WORDS, NUMBERS), max_size=8).map(tuple),
        neighbours=st.lists(
            st.builds(Neighbour, code=WORDS, attention=st.none() | NUMBERS,
                      rank_without=st.none() | COUNTS), max_size=10).map(tuple),
        own=st.none() | NUMBERS,
        past=st.lists(st.tuples(WORDS, COUNTS), max_size=30).map(tuple),
    ),
    names=st.just({}),
)  # fmt: skip
VERDICTS = st.sampled_from(["TRADE", "HOLD", "STOP"])
CARDS = st.builds(
    ShownCard,
    name=WORDS, session=st.just("2026-11-25"), revision=COUNTS, reason=WORDS,
    standing=st.sampled_from(["sealed", "unsealed", "torn", "broken"]), trouble=WORDS, digest=WORDS,
    card=st.none() | st.builds(
        Card, session=st.just("2026-11-25"), exchange=WORDS, verdict=VERDICTS,
        lights=st.lists(
            st.builds(Light, name=WORDS, verdict=VERDICTS, value=NUMBERS | WORDS | st.none(),
                      limit=NUMBERS | WORDS | st.none(), reason=WORDS), max_size=20).map(tuple)),
)  # fmt: skip
CHANGES = st.builds(
    BookChange,
    since=WORDS, same_model=st.booleans(),
    **{name: st.lists(LINES, max_size=4).map(tuple) for name in ("entered", "left", "flipped", "moves")},
)  # fmt: skip
PARTS_MADE = st.builds(
    ShadowParts, **dict.fromkeys(("backtest", *PARTS, "realised"), NUMBERS)
)  # fmt: skip
POINTS = st.lists(st.builds(GapPoint, session=WORDS, gap=NUMBERS, se=NUMBERS), max_size=60)
TOTALS = st.builds(ShadowTotal, sessions=COUNTS, mean=PARTS_MADE, total=PARTS_MADE, gap=NUMBERS,
                   gap_se=NUMBERS, orders=COUNTS, unfilled=COUNTS)  # fmt: skip
SHADOWS = st.builds(
    Shadow,
    rows=st.just(()),
    told=st.builds(
        ShadowLedger, signals=COUNTS, pending=st.just(()), traded=st.just({}),
        all=st.fixed_dictionaries(dict.fromkeys(ENTRIES, TOTALS)),
        running=st.fixed_dictionaries(dict.fromkeys(ENTRIES, POINTS.map(tuple))),
        live=st.dictionaries(WORDS, st.builds(
            LiveRecord, rank_ic=NUMBERS, se=NUMBERS, sessions=COUNTS, horizon=COUNTS,
            expected=NUMBERS, low=NUMBERS, daily=st.just({})), max_size=2)),
)  # fmt: skip
MOMENTS = st.datetimes(dt.datetime(1990, 1, 2), dt.datetime(2099, 1, 1), timezones=st.just(dt.UTC))
OUTLOOKS = st.builds(
    Outlook,
    exchange=WORDS, at=WORDS, due=st.just(()), next_session=WORDS,
    next_at=MOMENTS.map(dt.datetime.isoformat) | WORDS,
    zone=st.sampled_from(["Asia/Tokyo", "UTC", "America/New_York", "Mars/Base", "../x", ""]),
    calendar_days_left=COUNTS, heartbeat_seconds=st.just(30.0),
)  # fmt: skip
AGENDAS = st.builds(
    Agenda,
    process=st.sampled_from(["running", "stuck", "stopped", "never"]), pid=st.none() | COUNTS,
    outlook=st.none() | OUTLOOKS,
    sessions=st.lists(
        st.builds(BookedSession, exchange=WORDS, session=st.dates(), attempts=COUNTS, stage=WORDS,
                  state=st.sampled_from(["due", "running", "done", "missed", "late"]),
                  verdict=st.none() | WORDS, reason=WORDS, caught_up=st.booleans(), due_at=MOMENTS,
                  next_at=MOMENTS, give_up_at=MOMENTS, decided_at=st.none() | MOMENTS),
        max_size=20).map(tuple),
    errands=st.lists(st.builds(BookedErrand, kind=st.just("report"), key=WORDS, attempts=COUNTS,
                               state=st.sampled_from(["wanted", "done", "failed"]), reason=WORDS),
                     max_size=3).map(tuple),
    alert_counts=st.just({"failed": 2}),
)  # fmt: skip
SCHEDULES = st.builds(
    Schedule,
    agenda=AGENDAS, beat_s=st.none() | st.floats(-1e6, 1e6), seconds=st.none() | st.floats(-1e7, 1e7),
    log=st.lists(st.builds(ScheduleLine, at=st.none() | MOMENTS,
                           text=WORDS.map(lambda w: w.replace("\x1b", " "))), max_size=30).map(tuple),
)  # fmt: skip
CHAMPIONS = st.builds(
    Champion,
    facts=st.none() | st.builds(
        ModelFacts, features=st.just(()), blocks=st.just(((), ())), rules=st.just({}),
        splits=st.just({}), last_session=WORDS, score_horizon=COUNTS,
        test=st.builds(RankICSummary, rank_ic=NUMBERS, rank_ic_se=NUMBERS, null_band=NUMBERS,
                       n_dates=COUNTS)),
    history=st.builds(ChampionHistory, history=st.lists(
        st.builds(ChampionEntry, n=COUNTS, at=WORDS, model=WORDS, run=WORDS, reason=WORDS,
                  action=st.sampled_from(["promoted", "rolled back", "refused"]),
                  gate=st.lists(st.builds(GateCondition, name=WORDS, passed=st.booleans(),
                                          detail=WORDS), max_size=4).map(tuple)),
        max_size=5).map(tuple)),
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | COUNTS | NUMBERS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
JOBS = st.builds(
    Job,
    id=st.just("1-diff"), words=st.just(("diff", "a", "b")), started=st.just(""), last=WORDS,
    status=st.sampled_from(["running", "done", "failed", "died"]),
    answer=st.fixed_dictionaries({}, optional={
        name: st.lists(st.dictionaries(
            st.sampled_from(["code", "before", "after", "move", "inputs", "neighbour_rows", "date"]),
            JSON, max_size=5), max_size=3) | JSON
        for name in ("changed", "ranks", "rows", "entered", "error")}),
)  # fmt: skip
COMPARED = st.builds(Compared, before=WORDS, after=WORDS, job=st.none() | JOBS)


@pytest.mark.parametrize(
    ("panel", "values"),
    [
        (WhyPanel(id="a"), QUESTIONS),
        (CardPanel(id="b"), CARDS),
        (ChangePanel(id="c"), CHANGES),
        (LedgerPanel(id="d"), SHADOWS),
        (SchedulePanel(id="e"), SCHEDULES),
        (ChampionPanel(id="f"), CHAMPIONS),
        (DiffPanel(id="g"), COMPARED),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_picture_leaves_its_box(
    panel: PlacePanel[object], values: st.SearchStrategy[object]
) -> None:
    @settings(max_examples=20)
    @given(values, WIDTHS, HEIGHTS)
    def try_it(value: object, width: int, height: int) -> None:
        check(panel.picture(value, width, height), width, height)

    try_it()


@given(CARDS)
@settings(max_examples=60)
def test_the_card_line_is_one_line_that_says_the_verdict(card: ShownCard) -> None:
    line = card_line(card).plain
    assert "\n" not in line
    assert "\x1b" not in line
    assert card.word in line


@given(st.lists(LINES, max_size=6))
@settings(max_examples=40)
def test_every_cell_of_every_view_is_clean_and_sortable(lines: list[StockLine]) -> None:
    for view, keep in VIEWS.items():
        for column in line_columns(view, wide=True):
            for line in filter(keep, lines):
                assert "\x1b" not in column.text(line).plain
                raw = column.raw(line)
                assert raw is None or raw == raw or isinstance(raw, float)


def test_every_view_exports_the_same_columns() -> None:
    names = {
        frozenset(c.name for c in line_columns(view, wide=w))
        for view in VIEWS
        for w in (True, False)
    }
    assert len(names) == 1
    table = BrowseTable(line_columns("orders", wide=False), key=lambda line: line.code, id="t")
    table.set_rows([StockLine(code="130A", name="ベリタス", rank=1)])
    assert "130A,ベリタス" in table.csv()


# ---- by hand ---------------------------------------------------------------------------------------


def test_a_move_has_a_sign_and_not_only_a_colour() -> None:
    assert [move_text(move).plain for move in (12, -3, 0, None)] == ["▲12", "▼3", "=", "new"]


def test_a_times_zone_and_utc_are_named() -> None:
    assert both_times(NOW, "Asia/Tokyo") == "21:00 Tokyo = 12:00 UTC"
    assert both_times(NOW, "America/New_York") == "07:00 New York = 12:00 UTC"
    late = NOW.replace(hour=20)
    assert both_times(late, "Asia/Tokyo") == "Thu 05:00 Tokyo = 20:00 UTC"
    assert both_times(NOW, "UTC") == both_times(NOW, "No/Where") == "12:00 UTC"


def test_figures_have_their_units() -> None:
    light = Light(name="cost", verdict="TRADE", value=2.1, limit=20.0, reason="")
    assert figure(light, 2.1) == "2.10 bp"
    assert figure(structs.replace(light, name="turnover"), 0.18) == "18.00%"
    assert figure(structs.replace(light, name="model_age"), 12.0) == "12 d"
    assert figure(structs.replace(light, name="gate"), 0.498) == "0.498"
    assert figure(light, None) == figure(light, math.inf) == "—"


def test_cells_have_the_width_of_wide_letters() -> None:
    assert cell("トヨタ自動車", 7).cell_len == 7
    assert cell("ab", 5, right=True).plain == "   ab"
    assert [line.plain for line in wrapped("a bb ccc", 4)] == ["a bb", "ccc "]
    assert [line.plain for line in beside([Text("a")], [Text("b"), Text("c")], 2)] == [
        "a   b",
        "    c",
    ]
    assert (meter(0.5, 4), meter(math.nan, 2), meter(7, 2)) == ("━━  ", "  ", "━━")


def test_only_the_largest_positions_are_explained_and_the_others_are_told_so() -> None:
    plain = Question(
        session="2026-11-25", scored=5, horizon=5, line=StockLine(code="A", rank=1),
        why=Why(code="A", neighbours=(Neighbour(code="B", attention=0.5, rank_without=None),)),
        names={},
    )  # fmt: skip
    text = WhyPanel(id="w").picture(plain, 60, 30).plain
    assert "signals.explain_names" in text
    assert "50.0%" in text
    explained = replace(plain, why=replace(plain.why, variables=(("reversal_5", 0.41),)))
    text = WhyPanel(id="w").picture(explained, 60, 30).plain
    assert "signals.explain_names" not in text
    assert "+0.410" in text
    assert "members" not in text
    said = (("network", 0.482), ("lightgbm", -0.113))
    blended = replace(explained, why=replace(explained.why, members=said))
    text = WhyPanel(id="w").picture(blended, 60, 30).plain
    assert text.index("members") < text.index("lightgbm") < text.index("reversal_5")
    assert "+0.482" in text
    assert "-0.113" in text


def test_a_broken_card_shows_no_light(tmp_path: Path) -> None:
    card = ShownCard(
        name="2026-11-25",
        session="2026-11-25",
        standing="broken",
        card=None,
        trouble="SEAL differs",
    )
    text = CardPanel(id="k").picture(card, 80, 20).plain
    assert "NOT VALID" in text
    assert "SEAL differs" in text
    assert "TRADE" not in text
