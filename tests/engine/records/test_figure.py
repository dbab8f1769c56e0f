"""A figure as text, and how it is judged."""

import math

import pytest

from engine.records.figure import DASH, Figure, Interval, _Role


@pytest.mark.parametrize(
    ("figure", "digits", "text"),
    [
        (Figure(0.0205, 0.0042, n=252), 4, "+0.0205 ± 0.0042 (n=252)"),
        (Figure(-0.5), 2, "-0.50"),
        (Figure(0.123, 0.01, unit="%"), 1, "+12.3 ± 1.0%"),
        (Figure(0.00012, unit="bps"), 2, "+1.20 bps"),
        (Figure(math.nan, 0.1, n=5), 4, DASH),
        (Figure(1.0, n=1234), 1, "+1.0 (n=1,234)"),
    ],
)
def test_text(figure: Figure, digits: int, text: str) -> None:
    assert figure.text(digits) == text


@pytest.mark.parametrize(
    ("figure", "role"),
    [
        (Figure(0.03, 0.001, 0.02), "good"),
        (Figure(-0.03, 0.001, 0.02), "bad"),
        (Figure(0.02, 0.001, 0.02), "plain"),
        (Figure(0.03, 0.01), "good"),
        (Figure(0.02, 0.01), "plain"),
        (Figure(0.02), "plain"),
        (Figure(math.nan), "unknown"),
    ],
)
def test_role(figure: Figure, role: _Role) -> None:
    assert figure.role == role


def test_interval() -> None:
    assert Interval(0.91, 0.2, 1.62).text() == "+0.91 [+0.20, +1.62]"
    assert Interval(0.91).text() == "+0.91"
    assert Interval(math.nan, 0.0, 1.0).text() == DASH
    assert Interval(0.5, 0.25, 0.75).text(1, sign=False) == "0.5 [0.2, 0.8]"
