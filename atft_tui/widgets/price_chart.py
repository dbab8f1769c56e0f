"""A price over time in braille dots: no fall between two columns is lost, gaps stay gaps."""

import math
from collections.abc import Mapping, Sequence

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS, UNICODE
from atft_tui.styles import BAR, DIM, PLAIN

AXIS_WIDTH = 9
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character: four lines of two dots."""
_BLANK = 0x2800


def price_chart(
    values: Sequence[float],
    *,
    width: int,
    height: int,
    marks: Mapping[int, tuple[str, Style]],
) -> Text:
    """``height`` lines: the curve, and under it the ``marks`` (position -> sign and style).

    Each dot column covers the range from the lowest to the highest of its values and reaches to the last
    value before it; NaN and infinity are gaps.
    """
    columns, rows = max(1, width - AXIS_WIDTH), max(1, height - 1)
    known = [value for value in values if math.isfinite(value)]
    text = Text(no_wrap=True, overflow="crop")
    if not known:
        return text
    low, high = min(known), max(known)
    cells = _dots(values, columns, rows, low, high)
    for y, line in enumerate(cells):
        label = {0: high, rows - 1: low}.get(y)
        shown = "" if label is None else f"{label:,.6g}"[: AXIS_WIDTH - 1]
        text.append(f"{shown:>{AXIS_WIDTH - 1}} ", style=DIM)
        text.append("".join(map(_character, line)), style=BAR)
        text.append("\n")
    signs = [(" ", PLAIN)] * columns
    for position, mark in marks.items():
        if 0 <= position < len(values):
            signs[position * columns // len(values)] = mark
    text.append(" " * AXIS_WIDTH)
    for sign, mark_style in signs:
        text.append(sign, style=mark_style)
    return text


def _dots(
    values: Sequence[float], columns: int, rows: int, low: float, high: float
) -> list[list[int]]:
    """Bits of the dots that are set in each character."""
    cells = [[0] * columns for _ in range(rows)]
    n, wide, tall = len(values), 2 * columns, 4 * rows
    before: int | None = None
    for x in range(wide):
        start = x * n // wide
        part = values[start : max(start + 1, (x + 1) * n // wide)]
        inside = [
            round((1.0 - _share(value, low, high)) * (tall - 1))
            for value in part
            if math.isfinite(value)
        ]
        if not inside:
            before = None
            continue
        reach = inside if before is None else [*inside, before]
        for y in range(min(reach), max(reach) + 1):
            cells[y // 4][x // 2] |= _DOTS[y % 4][x % 2]
        before = inside[-1]
    return cells


def _share(value: float, low: float, high: float) -> float:
    """0..1 between low and high; halves keep the difference of huge numbers finite. 0.5 if they are equal."""
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span > 0 else 0.5


def _character(bits: int) -> str:
    if GLYPHS is not UNICODE:
        return GLYPHS.point if bits else " "
    return chr(_BLANK + bits) if bits else " "
