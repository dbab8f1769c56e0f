"""Values with their intervals on one common scale, a row each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, DIM, GOOD, PLAIN, STRONG
from atft_tui.widgets.canvas import CellScale, placed
from atft_tui.widgets.lines import painted
from engine.records.figure import SURE, is_noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
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


def judged(value: float, error: float, band: float) -> Estimate:
    """A figure with one standard error, NaN where unknown: ``~`` and dim inside its null band; good or bad
    by its sign where it is also beyond `SURE` errors of zero.
    """
    noise = math.isfinite(band) and is_noise(value, band)
    sure = not math.isfinite(error) or abs(value) > SURE * abs(error)
    return Estimate(
        value=value,
        low=value - abs(error),
        high=value + abs(error),
        band=abs(band),
        mark="~" if noise else GLYPHS.point,
        style=DIM if noise else PLAIN if not sure else GOOD if value > 0 else BAD,
    )


def span_of(estimates: Sequence[Estimate]) -> float:
    """Half-width of a scale around zero that holds value, interval and band of every estimate; 0 for none."""
    ends = [x for one in estimates for x in (one.value, one.low, one.high, one.band)]
    return 1.1 * max((abs(end) for end in ends if math.isfinite(end)), default=0.0)


def estimate_row(
    scale: CellScale,
    estimate: Estimate,
    *,
    lines: Mapping[float, tuple[str, Style]] | None = None,
    over: Mapping[float, tuple[str, Style]] | None = None,
    quiet: Style = DIM,
) -> Text:
    """One row, from below: null band, vertical ``lines`` (value -> character, style), bar, interval, the
    lines ``over`` it, and the mark of the value.
    """
    if scale.columns < 1:
        return Text()
    cells = [(" ", PLAIN)] * scale.columns
    if math.isfinite(estimate.band):
        for x in range(scale.column(-estimate.band), scale.column(estimate.band) + 1):
            cells[x] = (GLYPHS.band, quiet)

    def rule(drawn: Mapping[float, tuple[str, Style]]) -> None:
        for value, cell in drawn.items():
            if math.isfinite(value) and not scale.beyond(value):
                cells[scale.column(value)] = cell

    rule(lines or {})
    if not math.isfinite(estimate.value):
        rule(over or {})
        return painted(cells)
    _draw(cells, scale, estimate)
    at = scale.column(estimate.value)
    mark = cells[at]
    rule(over or {})
    cells[at] = mark
    return painted(cells)


def _draw(cells: list[tuple[str, Style]], scale: CellScale, estimate: Estimate) -> None:
    at = scale.column(estimate.value)
    if estimate.bar:
        zero = scale.column(0.0)
        for x in range(min(zero, at), max(zero, at) + 1):
            cells[x] = (GLYPHS.heat[-1], estimate.style)
    if math.isfinite(estimate.low) and math.isfinite(estimate.high):
        first, last = scale.column(estimate.low), scale.column(estimate.high)
        for x in range(first, last + 1):
            cells[x] = (GLYPHS.full if not estimate.bar else GLYPHS.heat[2], estimate.style)
        if not scale.beyond(estimate.low) and first < at:
            cells[first] = (GLYPHS.cap_left, estimate.style)
        if not scale.beyond(estimate.high) and last > at:
            cells[last] = (GLYPHS.cap_right, estimate.style)
    beyond = scale.beyond(estimate.value)
    mark = (estimate.mark, GLYPHS.beyond_right, GLYPHS.beyond_left)[beyond]
    if not estimate.bar or beyond:
        cells[at] = (mark, estimate.style + STRONG)


def axis_row(scale: CellScale, values: Mapping[float, str], style: Style) -> Text:
    """Labels under their values; one that would touch the one before is left out."""
    columns = scale.columns
    starts = (
        (max(0, min(scale.column(value) - len(label) // 2, columns - len(label))), label)
        for value, label in sorted(values.items())
    )
    return Text(placed(starts, columns), style=style, no_wrap=True, end="")
