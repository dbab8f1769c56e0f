"""The one chart: any numbers in any box, its own scale, whole errors, and the same keys wherever it is."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curve_picture import picture
from atft_tui.widgets.curves import WHOLE, Chart, Curve, View
from tests.tui.test_run_pictures import HOSTILE, fits

ANY = st.floats(allow_nan=True, allow_infinity=True)
VIEWS = st.builds(
    View, smooth=st.integers(0, 4), log=st.booleans(), band=st.booleans(), level=st.integers(0, 3),
    hidden=st.frozensets(st.integers(0, 7)), cursor=st.none() | st.floats(0, 1),
)  # fmt: skip


@st.composite
def charts(draw: st.DrawFn) -> Chart:
    curves = []
    for _ in range(draw(st.integers(0, 8))):
        y = draw(st.lists(ANY, max_size=40))
        errors = draw(st.lists(ANY, min_size=len(y), max_size=len(y)))
        quiet = draw(st.lists(st.booleans(), max_size=len(y)))
        curves.append(
            Curve(name=draw(HOSTILE), x=range(len(y)), y=y, errors=errors, quiet=quiet, best=quiet)
        )
    return Chart(
        curves=curves, x_name=draw(HOSTILE), levels=[(draw(HOSTILE), draw(ANY))], band=draw(ANY),
        end=draw(ANY), parts={draw(st.floats(0, 40)): draw(HOSTILE)}, zero=draw(st.booleans()),
        signs={0.0: ("!", BAD)},
    )  # fmt: skip


@given(charts(), VIEWS, st.floats(0.6, 600), st.tuples(st.integers(1, 120), st.integers(1, 30)))
@settings(max_examples=150, deadline=None)
def test_any_chart_stays_in_its_box(
    chart: Chart, view: View, zoom: float, size: tuple[int, int]
) -> None:
    fits(picture(chart, *size, view.zoomed(zoom)), *size)


def line(factor: float, name: str = "c", base: float = 0.0) -> Curve:
    return Curve(name=name, x=range(5), y=[base + factor * x for x in range(5)])


def test_letters_tell_curves_apart_without_colour() -> None:
    chart = Chart(curves=[line(0.01), line(-0.01)])
    _, *rows = picture(chart, 60, 12).plain.split("\n")
    drawn = "\n".join(rows)
    assert drawn.count("A") == drawn.count("B") == 4
    noise = Curve(name="c", x=(0, 1), y=(0.03, 0.02), quiet=(True, False))
    assert "a" in picture(Chart(curves=[noise, line(0.01)]), 60, 12).plain
    assert picture(Chart(curves=[Curve(name="c", x=(0.0,), y=(math.nan,))]), 60, 12).plain == ""


def rows_of(text: str, sign: str) -> set[int]:
    return {n for n, row in enumerate(text.split("\n")[1:]) if sign in row[8:]}


def test_the_curve_has_the_whole_height_and_the_band_only_when_asked() -> None:
    """+0.139 to +0.166 lay on one row of a scale that held zero."""
    values = [0.139, 0.150, 0.145, 0.166]
    curve = Curve(name="n", x=range(4), y=values, errors=[0.001] * 4)
    chart = Chart(curves=[curve], band=0.02)
    own = picture(chart, 80, 14)
    assert max(rows_of(own.plain, GLYPHS.point)) - min(rows_of(own.plain, GLYPHS.point)) >= 7
    assert not rows_of(own.plain, GLYPHS.band)
    whole = picture(chart, 80, 14, View(band=True)).plain
    assert rows_of(whole, GLYPHS.band)
    labels = [row[:6].strip() for row in own.plain.split("\n")[1:-1] if row[:6].strip()]
    assert labels == ["+0.165", "+0.160", "+0.155", "+0.150", "+0.145", "+0.140"]


def test_error_bars_are_whole_on_both_sides() -> None:
    curve = Curve(name="n", x=(0, 1, 2), y=(1.0, 1.0, 1.0), errors=(0.0, 0.5, 0.0))
    rows = picture(Chart(curves=[curve]), 40, 13).plain.split("\n")[1:-1]
    middle = next(n for n, row in enumerate(rows) if row.count(GLYPHS.point) > 1)
    bars = [n for n, row in enumerate(rows) if GLYPHS.bar in row[8:]]
    assert min(bars) - 0 == len(rows) - 1 - max(bars) <= 1
    assert min(bars) < middle < max(bars)


def test_there_is_room_for_the_epochs_to_come() -> None:
    rows = picture(Chart(curves=[line(0.01)], end=9.0), 107, 12).plain.split("\n")
    last = max(row.rfind(GLYPHS.point) for row in rows[1:])
    assert abs((last - 7) / 100 - 4 / 9) < 0.03


def test_a_fall_within_a_column_is_drawn_and_a_gap_stays_a_gap() -> None:
    values = [100.0] * 1000
    values[500] = 1.0
    price = Curve(name="price", x=range(1000), y=values)
    rows = picture(Chart(curves=[price], signs={500: ("!", BAD)}), 60, 12).plain.split("\n")
    at = rows[-2].index("!")
    assert all(row[at] != " " for row in rows[1:-3])
    assert all(row[at + 4] == " " for row in rows[3:-2])
    torn = Curve(name="price", x=range(120), y=[10.0] * 40 + [math.nan] * 40 + [20.0] * 40)
    rows = picture(Chart(curves=[torn]), 69, 10).plain.split("\n")
    assert all(row[9 + 30] == " " for row in rows[1:-1])


def test_zoom_and_crosshair_show_the_values_that_are_there() -> None:
    curve = Curve(name="net", x=range(1001), y=[x / 1000 for x in range(1001)])
    chart = Chart(curves=[curve], x_name="step")
    view = WHOLE.pointing(0.25)
    assert "step 250" in picture(chart, 80, 12, view).plain
    assert "net +0.2500" in picture(chart, 80, 12, view).plain
    near = view.zoomed(10)
    assert near.left < 0.25 < near.right
    assert math.isclose(near.right - near.left, 0.1)
    assert "10% in view" in picture(chart, 80, 12, near).plain
    steps = picture(chart, 80, 12, near).plain.split("\n")[-1].split()[1:]
    assert all(200 <= int(step.replace(",", "")) <= 330 for step in steps)
    assert near.panned(100).right == 1.0
    assert near.zoomed(0.001) == View(cursor=0.25)


def test_a_mean_of_the_last_points_and_a_logarithm() -> None:
    curve = Curve(name="loss", x=range(6), y=[1.0, 10.0, 100.0, 1.0, 10.0, 100.0])
    assert "loss +37" in picture(Chart(curves=[curve]), 80, 12, View(smooth=1)).plain
    rows = picture(Chart(curves=[curve]), 80, 12, View(log=True)).plain.split("\n")
    assert {row[:5].strip() for row in rows} >= {"1", "10", "100"}


def test_rivals_are_a_toggle() -> None:
    chart = Chart(curves=[line(0.001, base=0.1)], levels=[("mlp", 0.11), ("ridge", -0.5)])
    shown = [picture(chart, 80, 12, View(level=n)).plain for n in range(3)]
    assert ["mlp" in text for text in shown] == [True, True, False]
    assert ["ridge" in text for text in shown] == [False, True, False]


class _Panel(ChartPanel[Chart]):
    def chart(self, value: Chart) -> Chart:
        return value


class _One(App[None]):
    def compose(self) -> ComposeResult:
        yield _Panel(id="chart")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("+ +", View(left=0.375, right=0.625)),
        ("+ shift+right 0", WHOLE),
        ("left", View(cursor=1.0)),
        ("left left left", View(cursor=0.5)),
        ("S G Z R", View(smooth=1, log=True, band=True, level=1)),
        ("A", View(hidden=frozenset({0}))),
        ("A B C", View(hidden=frozenset({0}))),
        ("A A", WHOLE),
    ],
)
async def test_the_keys_of_a_chart(keys: str, expected: View) -> None:
    async with _One().run_test(size=(80, 24)) as pilot:
        panel = pilot.app.query_one(_Panel)
        panel.show_value(Chart(curves=[line(1.0, "one"), line(2.0, "two")]))
        panel.focus()
        await pilot.press(
            *(key.replace("+", "plus") if key == "+" else key for key in keys.split())
        )
        assert panel.view == expected
        assert "zoom" in str(panel.border_subtitle)
