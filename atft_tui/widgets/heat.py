"""A heat strip on a logarithmic scale: denser is more, and what is too little has a colour and a letter."""

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BAR, DIM, PLAIN, STRONG, WARN
from engine.records.judgement import GRADIENT_HEALTHY, GRADIENT_LOW

_LOWEST = -6
"""Order of magnitude of the first shade; one shade a decade from there."""
DEAD = "x"
RAMP = (BAR + DIM, BAR, BAR + DIM, BAR, BAR + DIM, BAR, STRONG)
"""With the characters, which grow denser, every decade is its own: no colour alone says how much."""


def log_heat(values: Sequence[float], width: int) -> Text:
    """A cell per value, newest right; the smallest of those that share a cell. NaN is a blank.

    Values are positive magnitudes: one that is zero or starved is ``x``, one below healthy is a warning.
    """
    text = Text(no_wrap=True)
    for value in _smallest(values, width):
        text.append(*cell(value))
    return text


def cell(value: float) -> tuple[str, Style]:
    """Character and style of one magnitude."""
    if math.isnan(value):
        return " ", PLAIN
    if value < GRADIENT_LOW:
        return DEAD, BAD
    if value < GRADIENT_HEALTHY:
        return GLYPHS.heat[1], WARN
    level = math.floor(math.log10(value)) - _LOWEST if math.isfinite(value) else len(RAMP)
    return shade(max(0, min(level, len(RAMP) - 1)))


def shade(level: int) -> tuple[str, Style]:
    """Character and style of a level of `RAMP`: the characters grow denser with it too."""
    dense = GLYPHS.heat[2:]
    return dense[min(level // 2, len(dense) - 1)], RAMP[level]


def legend() -> Text:
    """The scale in words."""
    text = Text("log10 ", style=DIM, no_wrap=True, overflow="ellipsis")
    text.append(f"{DEAD} starved < -8  ", BAD)
    text.append(f"{GLYPHS.heat[1]} low < -6  ", WARN)
    text.append("from ", DIM)
    for level in range(len(RAMP)):
        text.append(*shade(level))
        text.append(f"{_LOWEST + level} ", DIM)
    return text


def _smallest(values: Sequence[float], width: int) -> list[float]:
    """The smallest of each of ``width`` equal parts, or all values if there are fewer."""
    n = len(values)
    if n <= width:
        return list(values)
    found = []
    for i in range(width):
        part = [v for v in values[i * n // width : (i + 1) * n // width] if not math.isnan(v)]
        found.append(min(part, default=math.nan))
    return found
