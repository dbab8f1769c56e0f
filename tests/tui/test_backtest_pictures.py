"""Every picture of the backtest screen stays in its box and says what its numbers say."""

import datetime as dt
import math
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text

from atft_tui.glyphs import ASCII, UNICODE
from atft_tui.readings.backtest import Curves, falls, growth
from atft_tui.styles import BAD, INK, PLAIN, THEMES, ink_of
from atft_tui.widgets import chart
from atft_tui.widgets.backtest.book import (
    costs_picture,
    decay_picture,
    quantiles_picture,
    rules_picture,
)
from atft_tui.widgets.backtest.days import (
    MonthsValue,
    exposures_picture,
    month_cell,
    months_picture,
)
from atft_tui.widgets.backtest.equity import EquityValue, equity_picture
from atft_tui.widgets.backtest.words import (
    SummaryValue,
    sharpe_picture,
    summary_picture,
    verdict_words,
)
from atft_tui.widgets.canvas import Canvas, CellScale, column_of, last_of_parts, ticks
from atft_tui.widgets.intervals import Estimate, axis_row, estimate_row
from engine.records import record
from engine.records.backtest import BacktestSummary
from tests.engine.report.samples import NASTY
from tests.tui.backtest_files import figures as sample
from tests.tui.backtest_files import sessions

ANY = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-2, 2),
    st.sampled_from([0.0, math.nan, math.inf, -math.inf]),
)
WIDTHS, HEIGHTS = st.integers(1, 170), st.integers(1, 40)


def figures(found: dict[str, Any]) -> BacktestSummary:
    return record.convert(found, BacktestSummary, "backtest.json")


def in_box(text: Text, width: int, height: int) -> None:
    lines = text.split("\n", allow_blank=True)
    assert len(lines) <= height
    assert max((line.cell_len for line in lines), default=0) <= width


def curves(count: int, values: list[float] | None = None) -> Curves:
    net = tuple(values[i % len(values)] if values else 0.001 for i in range(count))
    equity = growth(net)
    flat = tuple(0.5 for _ in range(count))
    return Curves(
        dates=tuple(sessions(count)), net=net, equity=equity, drawdown=falls(equity),
        long=net, short=flat, names=flat, turnover=net,
        rivals=(("lightgbm", equity), (NASTY, net), ("index", flat)),
        sectors=(("日本の銀行業と証券業", net), (NASTY, flat)),
    )  # fmt: skip


def scrambled(values: list[float]) -> BacktestSummary:
    """The sample with every number replaced by one of these."""
    at = iter(range(10**6))

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(item) for key, item in value.items()}
        if isinstance(value, list):
            return [replace(item) for item in value]
        if isinstance(value, float):
            return values[next(at) % len(values)]
        return value

    return figures(replace(sample(60)))


@given(values=st.lists(ANY, min_size=1, max_size=12), width=WIDTHS, height=HEIGHTS)
@settings(max_examples=40, deadline=None)
def test_pictures_of_any_figures_stay_in_their_box(
    values: list[float], width: int, height: int
) -> None:
    found = scrambled(values)
    for picture in (sharpe_picture, costs_picture, rules_picture, quantiles_picture, decay_picture):
        in_box(picture(found, width, height), width, height)
    summary = SummaryValue(found, f"/{'long' * 40}/report.html", True)
    in_box(summary_picture(summary, width, height), width, height)


@given(
    values=st.lists(st.one_of(st.floats(-0.9, 3.0), st.just(math.nan)), min_size=1, max_size=9),
    count=st.sampled_from([1, 2, 3, 28, 252, 1300]),
    width=WIDTHS,
    height=HEIGHTS,
    log=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_pictures_of_any_days_stay_in_their_box(
    values: list[float], count: int, width: int, height: int, log: bool
) -> None:
    found = curves(count, values)
    for at in {0, count // 2, count - 1}:
        value = EquityValue(curves=found, cursor=at, log=log, before=found.equity)
        in_box(equity_picture(value, width, height), width, height)
        in_box(exposures_picture(value, width, height), width, height)
        months = MonthsValue(tuple(found.months.items()), (2015, 1))
        in_box(months_picture(months, width, height), width, height)


def test_no_session_and_no_figures_have_words() -> None:
    empty = curves(0)
    value = EquityValue(curves=empty, cursor=0, log=False)
    assert "no session" in equity_picture(value, 80, 20).plain
    assert "no session" in exposures_picture(value, 40, 9).plain
    older = figures({"sharpe": None})
    for picture in (quantiles_picture, decay_picture, rules_picture):
        assert "older version" in picture(older, 80, 20).plain
    in_box(sharpe_picture(older, 50, 10), 50, 10)
    assert "no interval" in verdict_words(older).plain


# ---- what the pictures say -------------------------------------------------------------------------


def test_the_meter_puts_point_interval_and_target_where_they_are() -> None:
    """41 columns for -1 .. 3: a tenth each. Sharpe 0.4 at 14, interval -0.9 .. 1.7 at 1 and 27."""
    scale = CellScale(low=-1.0, high=3.0, columns=41)
    row = estimate_row(
        scale, Estimate(value=0.4, low=-0.9, high=1.7, mark="o"), over={0.849: ("T", PLAIN)}
    ).plain
    assert [row.index(UNICODE.cap_left), row.index("o"), row.index("T")] == [1, 14, 18]
    assert row.index(UNICODE.cap_right) == 27
    assert row[:1] == " "
    assert estimate_row(scale, Estimate(value=7.0, mark="o")).plain[-1] == UNICODE.beyond_right
    assert estimate_row(scale, Estimate(value=-4.0, mark="o")).plain[0] == UNICODE.beyond_left
    assert (
        axis_row(scale, {-1.0: "-1", 0.0: "0", 3.0: "3"}, PLAIN).plain
        == "-1        0" + " " * 29 + "3"
    )


@pytest.mark.parametrize(
    ("low", "high", "verdict", "words"),
    [
        (0.9, 2.0, "above", "above: all of 90% [+0.90, +2.00] is over 0.849"),
        (-0.3, 0.5, "below", "below: all of 90% [-0.30, +0.50] is under 0.849"),
        (-0.12, 1.49, "undecided", "undecided: 0.849 lies inside 90% [-0.12, +1.49]"),
    ],
)
def test_the_verdict_in_words(low: float, high: float, verdict: str, words: str) -> None:
    found = sample(60) | {"sharpe_low": low, "sharpe_high": high, "verdict": verdict}
    assert verdict_words(figures(found)).plain == words


def test_the_meter_keeps_the_rivals_that_matter_when_lines_are_few() -> None:
    small = sharpe_picture(figures(sample(60)), 80, 8).plain
    assert "LightGBM" in small
    assert "equal weight" in small
    assert "index" in small
    assert "random" not in small
    assert "random scores" in sharpe_picture(figures(sample(60)), 80, 20).plain


def test_the_waterfall_hangs_each_cost_where_the_last_one_ended() -> None:
    rows = costs_picture(figures(sample(60)), 92, 6).plain.split("\n")
    assert [row.split()[0] for row in rows] == [
        "gross", "commission", "spread", "impact", "borrow", "net",
    ]  # fmt: skip
    full, part = UNICODE.heat[-1], UNICODE.heat[-2]
    starts = [row.index(c) for row, c in zip(rows, (full, *[part] * 4, full), strict=True)]
    ends = [row.rindex(c) for row, c in zip(rows, (full, *[part] * 4, full), strict=True)]
    assert ends[1] == ends[0], "the first cost begins where gross ends"
    assert ends[2:5] == starts[1:4], "each goes on where the one before ended"
    assert ends[5] == starts[4], "and net ends where the last one does"
    assert starts[0] == starts[5]
    assert "+15.0%" in rows[0]
    assert f"{0.15 / 252 * 1e4:+.1f} bp" in rows[0]
    assert "-3.0%" in rows[2]


def test_months_show_numbers_where_there_is_room_and_always_a_sign() -> None:
    months = {(2015, 1): 0.123, (2015, 2): -0.004, (2015, 3): 0.0}
    value = MonthsValue(tuple(months.items()), (2015, 2))
    wide = months_picture(value, 100, 10).plain
    assert "+12.3" in wide
    assert "-0.4" in wide
    narrow = months_picture(value, 45, 10).plain.split("\n")[1]
    assert [narrow[5 + 2 * i] for i in range(3)] == ["+", "-", "0"]
    assert f"{(1.123 * 0.996 - 1) * 100:+.1f}%" in narrow
    assert month_cell(None, 3, 0.1).plain.strip() == UNICODE.waiting


def test_twenty_years_of_months_show_the_newest_and_count_the_rest() -> None:
    found = curves(5040)
    value = MonthsValue(tuple(found.months.items()), (2015, 1))
    lines = months_picture(value, 80, 12).plain.split("\n")
    assert lines[10].startswith(f"{found.dates[-1].year}")
    assert "10 earlier years" in lines[11]


def test_a_decay_point_inside_its_null_band_is_marked() -> None:
    rows = decay_picture(figures(sample(60)), 70, 20).plain.split("\n")
    inside = next(row for row in rows if row.startswith("  1 "))
    outside = next(row for row in rows if row.startswith(" 20 "))
    assert "~+0.012" in inside  # 0.012 against a band of 0.012
    assert "~" not in outside
    assert "+0.050" in outside


def test_the_cursor_reads_its_own_day() -> None:
    found = curves(300, [0.01, -0.02])
    text = equity_picture(EquityValue(curves=found, cursor=1, log=False), 150, 20).plain
    first = text.split("\n")[0]
    assert first.startswith(f"{found.dates[1]} ")
    assert f"{(1.01 * 0.98 - 1) * 100:+.1f}%" in first
    assert "day -2.00%" in first


def test_rules_say_what_was_left_and_mute_what_took_nothing() -> None:
    found = sample(60)
    found["alpha_to_orders"]["steps"].append(
        found["alpha_to_orders"]["steps"][1] | {"name": "dollar neutral"}
    )
    found["alpha_to_orders"]["orders"] |= {"wanted": 200.0, "beyond_adv": 50.0}
    text = rules_picture(figures(found), 70, 20)
    assert "25.00%  beyond the share of turnover" in text.plain
    assert "-0.20" in text.plain, "the sector cap took a fifth of the equity from the gross"
    rows = text.split("\n")
    assert any(span.style == INK.quiet for span in rows[3].spans), "nothing was taken"
    assert not any(span.style == INK.quiet for span in rows[2].spans)


# ---- canvas ----------------------------------------------------------------------------------------


@given(values=st.lists(ANY, max_size=60), columns=st.integers(2, 40), rows=st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_a_canvas_keeps_its_size_whatever_is_drawn(
    values: list[float], columns: int, rows: int
) -> None:
    for glyphs in (UNICODE, ASCII):
        with patch.object(chart, "GLYPHS", glyphs):
            lines = drawn(columns, rows, values, hanging=True)
        assert [len(line) for line in lines] == [columns] * rows
        if glyphs is ASCII:
            assert all(line.isascii() for line in lines)


def drawn(columns: int, rows: int, values: list[float], *, hanging: bool = False) -> list[str]:
    """A line of values from 0 to 1 in a canvas of its own."""
    canvas = Canvas(columns, rows)
    x = CellScale(low=0.0, high=float(max(1, len(values) - 1)), columns=columns)
    y = CellScale(low=0.0, high=1.0, columns=rows)
    chart.plot(canvas, [chart.Trace(range(len(values)), values, BAD, hanging=hanging)], x, y)
    canvas.put(columns + 3, -1, "x", PLAIN)
    return [line.plain for line in canvas.lines()]


def test_a_curve_goes_through_its_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "GLYPHS", ASCII)
    assert drawn(3, 3, [0.0, 0.5, 1.0]) == ["  *", " * ", "*  "]
    assert drawn(3, 1, [0.0, math.nan, 0.0]) == ["* *"]


def test_a_thinned_line_keeps_its_ends_and_a_fine_one_every_fall() -> None:
    values = [1.0] * 200
    values[90] = 0.0
    for fine in (False, True):
        canvas = Canvas(20, 2)
        x = CellScale(low=0.0, high=199.0, columns=20)
        y = CellScale(low=0.0, high=1.0, columns=2)
        chart.plot(canvas, [chart.Trace(range(200), values, PLAIN, fine=fine)], x, y)
        top, bottom = (line.plain for line in canvas.lines())
        assert " " not in top.strip()
        assert bool(bottom.strip()) is fine


@given(st.lists(ANY, min_size=1, max_size=200), st.integers(1, 50))
def test_each_part_is_known_by_its_last_value(values: list[float], width: int) -> None:
    found = last_of_parts(values, width)
    assert len(found) == width
    known = {v for v in values if math.isfinite(v)}
    assert {v for v in found if not math.isnan(v)} <= known
    assert last_of_parts([1.0, 2.0, math.nan, math.inf], 2)[0] == 2.0


@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(1, 10))
def test_ticks_are_round_inside_and_few(low: float, span: float, count: int) -> None:
    found = ticks(low, low + span, count)
    assert len(found) <= count + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)
    assert ticks(0.0, 1.0, 4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert ticks(1.0, 1.0, 4) == []


def test_the_cursor_column_is_that_of_the_value() -> None:
    assert [column_of(i, 5, 9) for i in range(5)] == [0, 2, 4, 6, 8]
    assert column_of(0, 1, 9) == 0


def test_every_theme_has_an_ink() -> None:
    assert len({ink_of(theme) for theme in THEMES}) == len(THEMES)
    assert INK.shade(-2.0) == INK.shade(-1.0) != INK.shade(1.0)


def test_dates_of_one_day_and_of_twenty_years() -> None:
    one = EquityValue(curves=curves(1), cursor=0, log=True)
    assert "2015-01" in equity_picture(one, 80, 12).plain.split("\n")[-1]
    years = equity_picture(EquityValue(curves=curves(5040), cursor=9, log=True), 150, 20).plain
    axis = years.split("\n")[-1].split()
    assert [dt.date(int(word), 1, 1).year for word in axis] == list(range(2016, 2033, 2))
