"""Formats and charts alone: any number, any width."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atft_tui import format as fmt
from atft_tui.glyphs import ASCII, UNICODE, _choose
from atft_tui.widgets import strips

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


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


@given(st.floats(0, 1), st.integers(1, 80))
def test_a_meter_is_exactly_as_wide_as_asked(share: float, width: int) -> None:
    assert len(strips.meter(share, width)) == width


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
