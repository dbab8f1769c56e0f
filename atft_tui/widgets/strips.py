"""One-line pictures: strips of blocks, meters, and heat on a logarithmic scale."""

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BAR, DIM, FAINT_BAR, PLAIN, STRONG, WARN
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.lines import painted
from engine.records.figure import GRADIENT_HEALTHY, GRADIENT_LOW

_LOWEST = -6
"""Order of magnitude of the first shade; one shade a decade from there."""
DEAD = "x"
RAMP = (FAINT_BAR, BAR, FAINT_BAR, BAR, FAINT_BAR, BAR, STRONG)
"""With the characters, which grow denser, every decade is its own: no colour alone says how much."""


def strip(values: Sequence[float], width: int, *, low: float, high: float) -> str:
    """A block per value between ``low`` and ``high``, newest right; NaN is a blank.

    Of the values that share a cell the last one is shown.
    """
    n = len(values)
    if n > width:
        values = [values[(i + 1) * n // width - 1] for i in range(width)]
    return "".join(map(BlockScale(low, high), values))


class BlockScale:
    """The block that stands for a value between two others: the higher the more; NaN is a blank."""

    def __init__(self, low: float, high: float) -> None:
        self._scale = CellScale(low=low, high=max(low, high), columns=len(GLYPHS.blocks))

    def __call__(self, value: float) -> str:
        if math.isnan(value):
            return " "
        flat = self._scale.high == self._scale.low
        return GLYPHS.blocks[0 if flat else self._scale.column(value)]


def meter(share: float, width: int) -> str:
    """A bar of ``width`` cells, filled up to a share of 0..1."""
    full = round(min(1.0, max(0.0, share)) * width)
    return GLYPHS.full * full + " " * (width - full)


def log_heat(values: Sequence[float], width: int) -> Text:
    """A cell per value, newest right; the smallest of those that share a cell. NaN is a blank.

    Values are positive magnitudes: one that is zero or starved is ``x``, one below healthy is a warning.
    """
    return painted(map(heat_cell, _smallest(values, width)))


def heat_cell(value: float) -> tuple[str, Style]:
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


def heat_legend() -> Text:
    """The logarithmic scale in words."""
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
