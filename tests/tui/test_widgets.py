"""Formats and charts alone: any number, any width."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atft_tui import format as fmt
from atft_tui.glyphs import ASCII, UNICODE, _choose
from atft_tui.widgets import point_chart, strips
from atft_tui.widgets.chart import line_chart

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)
CORRELATION = st.floats(-1.0, 1.0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "—"),
        (math.nan, "—"),
        (0, "0s"),
        (59.9, "59s"),
        (372, "6:12"),
        (11_100, "3h 05m"),
        (187_200, "2d 4h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert fmt.duration(seconds) == text


def test_figures_carry_sign_and_error() -> None:
    assert fmt.rank_ic(0.0205, 0.0042, 252) == "+0.0205 ± 0.0042 (n=252)"
    assert fmt.rank_ic(math.nan, 0.1) == "—"
    assert fmt.number(-0.5, 2) == "-0.50"
    assert fmt.gradient(0.0) == "dead"
    assert fmt.gradient(1e-8) == "-8.0"
    assert fmt.memory(812.4) == "812 MiB"
    assert fmt.memory(3174.4) == "3.1 GiB"
    assert fmt.count(46_000) == "46.0k"


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_clean_text_has_no_control_characters(text: str) -> None:
    cleaned = fmt.clean(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert fmt.clean(cleaned) == cleaned


@given(st.lists(NUMBERS, max_size=300), st.integers(1, 200))
@settings(max_examples=100)
def test_strips_fit_their_width_for_any_numbers(values: list[float], width: int) -> None:
    assert len(strips.strip(values, width, low=0.0, high=1.0)) <= width


@given(
    st.lists(
        st.tuples(CORRELATION, CORRELATION.map(abs), CORRELATION.map(abs)), min_size=1, max_size=80
    ),
    st.integers(10, 150),
    st.integers(3, 40),
)
@settings(max_examples=100)
def test_the_epoch_chart_stays_in_its_box(
    rows: list[tuple[float, float, float]], width: int, height: int
) -> None:
    points = [point_chart.EpochPoint(value=v, error=e, band=b, is_best=False) for v, e, b in rows]
    text = point_chart.epoch_chart(points, width=width, height=height, reference=("ridge", 0.01))
    lines = text.plain.split("\n")
    assert len(lines) <= max(height, 4) + 1
    assert max(map(len, lines)) <= max(width, point_chart.AXIS_WIDTH + 8)


@given(st.floats(0, 1), st.integers(1, 80))
def test_a_meter_is_exactly_as_wide_as_asked(share: float, width: int) -> None:
    assert len(strips.meter(share, width)) == width


def test_line_charts_of_strange_series() -> None:
    assert line_chart({}, width=40, height=10).plain == ""
    assert line_chart({"a": ([1.0], [2.0])}, width=5, height=2).plain == ""
    one = line_chart({"a": ([1.0], [2.0])}, width=40, height=8)
    many = line_chart(
        {"a": ([float(i) for i in range(5000)], [math.sin(i / 50) for i in range(5000)])},
        width=60,
        height=10,
    )
    assert one.plain
    assert len(many.plain.splitlines()) <= 10


def test_a_picture_larger_than_a_small_terminal_is_filled() -> None:
    """plotext draws by itself no more than the 80 x 24 that it takes for the terminal."""
    steps = [float(i) for i in range(200)]
    lines = line_chart({"a": (steps, steps)}, width=200, height=60).plain.splitlines()
    assert len(lines[1].rstrip()) == 200
    assert all(line[8:].strip() for line in lines[1:-1])


@pytest.mark.parametrize(
    ("told", "plain"),
    [
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "ja_JP.UTF-8"}, True),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C", "LC_ALL": "en_US.UTF-8"}, False),
        ({}, False),
        ({"TERM": "linux"}, True),
    ],
)
def test_the_locale_c_gets_ascii_though_python_says_it_were_utf8(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, str], plain: bool
) -> None:
    for name in ("LC_ALL", "LC_CTYPE", "LANG", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("locale.getpreferredencoding", lambda _: "utf-8")
    assert _choose() is (ASCII if plain else UNICODE)


def test_both_sets_of_glyphs_have_single_characters() -> None:
    for glyphs in (UNICODE, ASCII):
        for name in ("band", "dotted", "point", "bar", "best", "running", "done", "failed"):
            assert len(getattr(glyphs, name)) == 1
    assert all(ord(c) < 128 for name in ASCII.__slots__ for c in getattr(ASCII, name))
