"""A running mean with its error: how the gap settles as sessions are added."""

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BETTER, DIM, PLAIN, WARN
from atft_tui.widgets.chart import Grid
from engine.records.judgement import SURE

_LABEL = 8
"""Columns of the axis."""
_LEAST = 0.1
"""Half height of the picture when there is nothing to see. Basis points."""


def gap_chart(means: Sequence[float], errors: Sequence[float], *, width: int, height: int) -> Text:
    """Means over sessions, oldest left, in the band of ``SURE`` errors; zero is a line. Basis points.

    The newest points are shown when there are more than columns. The axis fits the means and the newest
    band; early bands, which are wide, are cut off. What is not a number leaves its column empty.
    """
    rows, columns = max(1, height), max(1, width - _LABEL)
    points = list(zip(means, errors, strict=True))[-columns:]
    step = max(1, min(4, columns // max(1, len(points))))
    low, high = _limits(points)

    def row_of(value: float) -> int:
        share = (value - low) / (high - low)
        return round((1.0 - min(1.0, max(0.0, share))) * (rows - 1))

    grid: Grid = [[(" ", PLAIN)] * columns for _ in range(rows)]
    for i, (mean, error) in enumerate(points):
        if math.isfinite(mean) and math.isfinite(error):
            top, bottom = row_of(mean + SURE * error), row_of(mean - SURE * error)
            for y in range(top, bottom + 1):
                grid[y][i * step : (i + 1) * step] = [(GLYPHS.band, DIM)] * step
    grid[row_of(0.0)] = [(GLYPHS.empty, DIM) if c == " " else (c, s) for c, s in grid[row_of(0.0)]]
    for i, (mean, error) in enumerate(points):
        if math.isfinite(mean):
            grid[row_of(mean)][i * step + step // 2] = _mark(mean, error)
    labels = {0: high, rows - 1: low, row_of(0.0): 0.0}
    text = Text(no_wrap=True, end="")
    for y, cells in enumerate(grid):
        text.append("\n" if y else "")
        label = f"{labels[y]:+.1f}" if y in labels else ""
        text.append(f"{label[: _LABEL - 1]:>{_LABEL - 1}} "[:width], style=DIM)
        for character, style in cells[: max(0, width - _LABEL)]:
            text.append(character, style=style)
    return text


def _mark(mean: float, error: float) -> tuple[str, Style]:
    """A mean within its error of nothing is ``~``."""
    if not math.isfinite(error) or abs(mean) <= SURE * error:
        return "~", DIM
    return GLYPHS.point, WARN if mean < 0 else BETTER


def _limits(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    values = [mean for mean, _ in points if math.isfinite(mean)]
    if points and all(map(math.isfinite, points[-1])):
        mean, error = points[-1]
        values += [mean - SURE * error, mean + SURE * error]
    values = [value for value in values if math.isfinite(value)]
    low, high = min([*values, -_LEAST]), max([*values, _LEAST])
    room = 0.05 * (high - low)
    if not math.isfinite(high - low):
        return -1e300, 1e300
    return low - room, high + room
