"""Pictures of the Data screen alone: in their box for any numbers, holes never hidden."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from atft_tui.readings.data import Coverage, Mark, StockBars, StockRow
from atft_tui.widgets.coverage import MARKS, CoveragePanel
from atft_tui.widgets.data_panels import GraphPanel, StockPanel, StockView
from engine.records.features import GraphManifest
from engine.records.quality import Hit, Level

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
WIDTH, HEIGHT = st.integers(4, 180), st.integers(1, 40)
SIGN: tuple[Mark, ...] = ("", "missing", "excluded", "thin", "unknown")


def fits(text: Text, width: int, height: int) -> bool:
    lines = text.split("\n", allow_blank=True)
    return len(lines) <= height and max(line.cell_len for line in lines) <= width


def made(names: list[int], marks: list[Mark], members: list[int | None]) -> Coverage:
    dates = tuple(f"2{i:03d}-01-01" for i in range(len(names)))
    return Coverage(dates=dates, names=tuple(names), members=tuple(members), marks=tuple(marks))


@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.sampled_from(SIGN), st.none() | st.integers(0, 10**7)),
        min_size=1,
        max_size=400,
    ),
    WIDTH,
    st.integers(4, 40),
)
@settings(max_examples=50)
def test_coverage_stays_in_its_box(
    rows: list[tuple[int, Mark, int | None]], width: int, height: int
) -> None:
    coverage = made([r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])
    panel = CoveragePanel(id="coverage")
    panel.value = coverage
    assert fits(panel.picture(coverage, width, height), width, height)


@pytest.mark.parametrize("mark", [m for m in SIGN if m])
@pytest.mark.parametrize("at", [0, 17, 398, 999])
def test_one_bad_day_of_a_thousand_is_seen(mark: Mark, at: int) -> None:
    names = [100] * 1000
    marks: list[Mark] = [""] * 1000
    names[at], marks[at] = 0, mark
    if at:
        marks[at - 1] = "unknown"  # a lesser one in the same column
    panel = CoveragePanel(id="coverage")
    panel.value = made(names, marks, [50] * 1000)
    lines = panel.picture(panel.value, 80, 12).plain.split("\n")
    column = lines[-2].index(MARKS[mark][0])
    assert abs((column - 6) / 73 - at / 999) < 0.02
    assert any(line[column] not in " ─" for line in lines[-4:-2]), "the fall to 0 is drawn"


def test_the_crosshair_finds_marked_days() -> None:
    marks: list[Mark] = [""] * 50
    marks[10], marks[40] = "thin", "missing"
    panel = CoveragePanel(id="coverage")
    panel.value = made([5] * 50, marks, [None] * 50)
    found = [panel.at]
    for step in (-1, -1, -1, 1):
        panel.to_mark(step)
        found.append(panel.at)
    assert found == [49, 40, 10, 10, 40]
    panel.to("2007-06-30")
    assert panel.at == 8


SERIES = st.lists(NUMBERS, max_size=60).map(tuple)


@given(st.dictionaries(st.sampled_from(["nodes", "turnover", "mean_abs_rho", "other"]), SERIES),
       st.booleans(), WIDTH, HEIGHT)  # fmt: skip
@settings(max_examples=30)
def test_graph_statistics_stay_in_their_box(
    series: dict[str, tuple[float, ...]], fit: bool, width: int, height: int
) -> None:
    graph = GraphManifest(
        graph={"kind": "correlation \x1b[2J", "k": 10},
        statistics={"date": ("2020-01-01",), **series},
    )
    text = GraphPanel(id="graph").picture((graph, fit), width, height)
    assert fits(text, width, height)
    assert "\x1b" not in text.plain


@given(
    st.text(max_size=60),
    st.lists(NUMBERS, max_size=60),
    st.lists(st.sampled_from(["2000-01-01", "2030-01-05", "2050-01-01"]), max_size=6),
    WIDTH,
    HEIGHT,
)
@settings(max_examples=40)
def test_a_stock_stays_in_its_box(
    name: str, close: list[float], hits: list[str], width: int, height: int
) -> None:
    stock = StockRow(
        symbol="130A", name=name, sector=name, first="2030-01-01", last="2030-03-01",
        rows=70, kept=len(close), turnover=None, member=None, findings=len(hits),
    )  # fmt: skip
    dates = tuple(f"2030-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(len(close)))
    bars = StockBars(symbol="130A", dates=dates, close=tuple(close), cleaned=True)
    examples = tuple(
        Hit(rule="jump", level="warning", symbol="130A", date=day, text=name) for day in hits
    )
    view = StockView(stock, bars, examples, "2030-01-05")
    assert fits(StockPanel(id="stock").picture(view, width, height), width, height)


def test_what_happened_to_the_shares_is_marked_and_counted_and_findings_go_before() -> None:
    stock = StockRow(
        symbol="A", name="Alpha", sector="", first="2030-01-01", last="2030-02-20",
        rows=50, kept=50, turnover=None, member=None, findings=1,
    )  # fmt: skip
    dates = tuple(f"2030-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(50))
    events = ((5, "dividend"), (20, "vendor_split"), (30, "break"), (40, "dividend"))
    bars = StockBars(symbol="A", dates=dates, close=(10.0,) * 50, cleaned=True, events=events)
    wrong = Hit(rule="jump", level="warning", symbol="A", date=dates[40], text="x")
    lines = (
        StockPanel(id="stock").picture(StockView(stock, bars, (wrong,)), 56, 14).plain.split("\n")
    )
    marks = next(line for line in lines if "s" in line and set(line) <= set(" dsBv"))
    assert [(i - 6, sign) for i, sign in enumerate(marks) if sign != " "] == [
        (5, "d"), (20, "s"), (30, "B"), (40, "v"),
    ]  # fmt: skip
    assert "d dividend 2  s vendor_split 1  B break 1" in "\n".join(lines)


def test_a_finding_that_says_what_happened_has_its_sign_and_a_note_hides_no_split() -> None:
    stock = StockRow(
        symbol="A", name="Alpha", sector="", first="2030-01-01", last="2030-02-20",
        rows=50, kept=50, turnover=None, member=None, findings=3,
    )  # fmt: skip
    dates = tuple(f"2030-{1 + i // 28:02d}-{1 + i % 28:02d}" for i in range(50))
    events = ((5, "dividend"), (20, "vendor_split"), (30, "break"))
    bars = StockBars(symbol="A", dates=dates, close=(10.0,) * 50, cleaned=True, events=events)
    said: tuple[tuple[int, str, Level], ...] = (
        (5, "dividend", "info"),
        (20, "vendor_split", "info"),
        (30, "break", "error"),
    )
    found = tuple(
        Hit(rule=rule, level=level, symbol="A", date=dates[at], text="x")
        for at, rule, level in said
    )
    picture = StockPanel(id="stock").picture(StockView(stock, bars, found), 56, 16).plain
    marks = next(line for line in picture.split("\n") if "s" in line and set(line) <= set(" dsB"))
    assert [(i - 6, sign) for i, sign in enumerate(marks) if sign != " "] == [
        (5, "d"), (20, "s"), (30, "B"),
    ]  # fmt: skip
    assert f"d {dates[5]} dividend" in picture
