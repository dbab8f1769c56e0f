"""Values with their intervals on one common scale, a row each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS, Glyphs
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG
from atft_tui.widgets.lines import painted
from engine.records.judgement import is_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    low: float
    high: float
    columns: int

    def column(self, value: float) -> int:
        """The cell of a value; one beyond the ends has the cell at the end."""
        span = (self.high - self.low) or 1.0
        share = min(1.0, max(0.0, (value - self.low) / span))
        return round(share * (self.columns - 1))

    def beyond(self, value: float) -> int:
        """-1 left of the scale, 1 right of it, 0 on it."""
        return -1 if value < self.low else 1 if value > self.high else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """NaN where unknown."""

    value: float
    low: float = math.nan
    high: float = math.nan
    band: float = math.nan
    """Half-width of the null band around zero."""
    mark: str = GLYPHS.point
    style: Style = PLAIN
    bar: bool = False
    """Filled from zero to the value."""


def judged(value: float | None, error: float | None, band: float | None) -> Reading:
    """A figure with one standard error, None where unknown: ``~`` and dim inside its null band, else
    good or bad by its sign.
    """
    at = _known(value)
    half, width = abs(_known(error)), abs(_known(band))
    noise = math.isfinite(width) and is_noise(at, width)
    return Reading(
        value=at,
        low=at - half,
        high=at + half,
        band=width,
        mark="~" if noise else GLYPHS.point,
        style=DIM if noise else GOOD if at > 0 else BAD,
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def span_of(readings: Sequence[Reading]) -> float:
    """Half-width of a scale around zero that holds value, interval and band of every reading; 0 for none."""
    ends = [x for one in readings for x in (one.value, one.low, one.high, one.band)]
    return 1.1 * max((abs(end) for end in ends if math.isfinite(end)), default=0.0)


def reading_row(
    scale: Scale,
    reading: Reading,
    *,
    lines: Mapping[float, tuple[str, Style]] | None = None,
    over: Mapping[float, tuple[str, Style]] | None = None,
    quiet: Style = DIM,
    glyphs: Glyphs = GLYPHS,
) -> Text:
    """One row, from below: null band, vertical ``lines`` (value -> character, style), bar, interval, the
    lines ``over`` it, and the mark of the value.
    """
    if scale.columns < 1:
        return Text()
    cells = [(" ", PLAIN)] * scale.columns
    if math.isfinite(reading.band):
        for x in range(scale.column(-reading.band), scale.column(reading.band) + 1):
            cells[x] = (glyphs.band, quiet)
    _rule(cells, scale, lines or {})
    known = math.isfinite(reading.value)
    if known:
        _draw(cells, scale, reading, glyphs)
    mark = cells[scale.column(reading.value)] if known else (" ", PLAIN)
    _rule(cells, scale, over or {})
    if known:
        cells[scale.column(reading.value)] = mark
    return painted(cells)


def _rule(
    cells: list[tuple[str, Style]], scale: Scale, lines: Mapping[float, tuple[str, Style]]
) -> None:
    for value, cell in lines.items():
        if math.isfinite(value) and not scale.beyond(value):
            cells[scale.column(value)] = cell


def _draw(cells: list[tuple[str, Style]], scale: Scale, reading: Reading, glyphs: Glyphs) -> None:
    at = scale.column(reading.value)
    if reading.bar:
        zero = scale.column(0.0)
        for x in range(min(zero, at), max(zero, at) + 1):
            cells[x] = (glyphs.heat[-1], reading.style)
    if math.isfinite(reading.low) and math.isfinite(reading.high):
        first, last = scale.column(reading.low), scale.column(reading.high)
        for x in range(first, last + 1):
            cells[x] = (glyphs.full if not reading.bar else glyphs.heat[2], reading.style)
        if not scale.beyond(reading.low) and first < at:
            cells[first] = (glyphs.cap_left, reading.style)
        if not scale.beyond(reading.high) and last > at:
            cells[last] = (glyphs.cap_right, reading.style)
    beyond = scale.beyond(reading.value)
    mark = (reading.mark, glyphs.beyond_right, glyphs.beyond_left)[beyond]
    if not reading.bar or beyond:
        cells[at] = (mark, reading.style + STRONG)


def axis_row(scale: Scale, values: Mapping[float, str], style: Style) -> Text:
    """Labels under their values; one that would touch the one before is left out."""
    cells = [" "] * scale.columns
    free = 0
    for value, label in sorted(values.items()):
        start = min(scale.column(value) - len(label) // 2, scale.columns - len(label))
        start = max(0, start)
        if start >= free and start + len(label) <= scale.columns:
            cells[start : start + len(label)] = label
            free = start + len(label) + 1
    return Text("".join(cells), style=style, no_wrap=True, end="")
