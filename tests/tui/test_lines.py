"""Lines in their box, and figures with their intervals on a scale."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from atft_tui.screens import data, runs, signals
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG
from atft_tui.widgets import run_panels
from atft_tui.widgets.backtest import panels
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.intervals import Estimate, estimate_row, judged, span_of
from atft_tui.widgets.lines import cut, page, painted, start, tab_line

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
WORDS = st.text(st.sampled_from("ab 日本"), max_size=12)


def test_a_page_says_what_it_leaves_out() -> None:
    lines = [Text(str(number)) for number in range(5)]
    assert page(lines, 40, 5).plain.split("\n") == list("01234")
    assert page(lines, 40, 3).plain.split("\n") == [
        "0",
        "1",
        "3 more lines: m for the whole screen",
    ]
    assert page(lines, 40, 1, "tab").plain == "5 more lines: tab"
    assert page(lines, 40, 0).plain == ""


def test_what_is_cut_says_so_and_keeps_its_styles() -> None:
    lines = [Text("whole"), Text("too long", BAD), Text("gone")]
    assert cut(lines, 5, 2).plain == "whole\ntoo …"
    assert [(s.start, s.end, s.style) for s in cut(lines, 5, 2).spans] == [(6, 11, BAD)]
    assert lines[1].plain == "too long", "what is given is not changed"
    assert cut(Text("a\n\nbcd\n"), 2, 9).plain == "a\n\nb…\n"
    assert cut(Text("日本語"), 4, 1).plain == "日 …"


@given(st.lists(WORDS, max_size=6), st.integers(1, 9), st.integers(0, 7))
def test_nothing_leaves_its_box(words: list[str], width: int, height: int) -> None:
    for given_lines in ([Text(word) for word in words], Text("\n".join(words))):
        shown = cut(given_lines, width, height).split("\n", allow_blank=True)
        assert len(shown) <= max(1, height)
        assert all(line.cell_len <= width for line in shown)
    told = page([Text(word) for word in words], width, height).split("\n", allow_blank=True)
    assert len(told) == max(1, min(len(words), height))


def test_neighbours_of_one_style_are_one_span() -> None:
    line = painted([("a", GOOD), ("b", GOOD), (" ", PLAIN), ("c", DIM)])
    assert line.plain == "ab c"
    assert [(s.start, s.end, s.style) for s in line.spans] == [(0, 2, GOOD), (3, 4, DIM)]


def test_what_is_appended_to_a_start_does_not_inherit_its_style() -> None:
    line = start("head", STRONG).append(" tail")
    assert [(s.start, s.end) for s in line.spans] == [(0, 4)]


# ---- intervals ---------------------------------------------------------------------------------------


@given(NUMBERS, NUMBERS, NUMBERS, st.integers(1, 90))
def test_an_interval_is_one_line_of_its_width(
    value: float, error: float, band: float, columns: int
) -> None:
    reading = judged(value, error, band)
    span = span_of([reading])
    row = estimate_row(CellScale(low=-span, high=span, columns=columns), reading)
    assert row.cell_len == columns
    assert "\n" not in row.plain


def test_a_judged_figure_by_hand() -> None:
    """One standard error, over the null band; inside it the figure is marked and dim."""
    scale, zero = CellScale(low=-1.0, high=1.0, columns=9), {0.0: ("|", DIM)}

    def drawn(value: float, error: float, band: float) -> str:
        return estimate_row(scale, judged(value, error, band), lines=zero).plain

    assert drawn(0.5, 0.25, 0.25) == "   ░|├●┤ "
    assert drawn(0.1, 0.1, 0.5) == "  ░░~┤░  "
    assert drawn(0.1, math.nan, 0.5) == "  ░░~░░  "
    assert drawn(math.nan, 0.1, math.nan) == "    |    "
    styles = [judged(value, 0.1, 0.2).style for value in (0.3, -0.3, 0.1)]
    assert styles == [GOOD, BAD, DIM]
    assert judged(0.3, 0.2, 0.2).style == PLAIN, "beyond the band, and within 1.96 errors of zero"


def test_a_span_holds_every_end() -> None:
    assert span_of([judged(0.2, 0.1, 0.1), judged(-0.3, 0.2, math.nan)]) == pytest.approx(0.55)
    assert span_of([judged(0.1, math.nan, 0.4)]) == pytest.approx(0.44)
    assert span_of([judged(math.nan, 0.1, math.nan)]) == span_of([]) == 0.0
    assert span_of([Estimate(value=float("inf"))]) == 0.0


@pytest.mark.parametrize(
    "names",
    [run_panels.TABS, data.TABS, signals.PAGES, tuple(panels.TABS), tuple(runs._TITLES.values())],
)
def test_the_names_of_all_panels_have_room_on_80_columns(names: tuple[str, ...]) -> None:
    """`[networks]`, the last of ten, did not fit when it was chosen: the row wrapped, and it was gone."""
    assert all(tab_line(names, name).cell_len <= 80 for name in names)
