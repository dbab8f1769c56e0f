"""Charts of few points drawn with characters: RankIC per epoch with error bars, and strips of blocks."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BETTER, DIM, PLAIN, REFERENCE
from engine.records.judgement import is_noise

AXIS_WIDTH, MAX_STEP = 7, 12
Grid = list[list[tuple[str, Style]]]
"""Rows of (character, style)."""
_RowOf = Callable[[float], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPoint:
    value: float
    error: float
    band: float
    """Half-width of the null band."""
    is_best: bool
    starts_phase: str = ""
    """Name of the phase that begins with this point."""


def epoch_chart(
    points: Sequence[EpochPoint],
    *,
    width: int,
    height: int,
    planned: int = 0,
    reference: tuple[str, float] | None = None,
) -> Text:
    """Points with +- one standard error over the shaded null band; the reference is dotted.

    A point inside its band is a small dim ``~``. There is room for ``planned`` points; the newest
    ones win when there are too many.
    """
    rows, columns = max(3, height - 1), max(8, width - AXIS_WIDTH)
    step = max(1, min(MAX_STEP, columns // max(1, planned, len(points))))
    points = list(points)[-(columns // step) :]
    low, high = _limits(points, reference)

    def row_of(value: float) -> int:
        share = (value - low) / (high - low)
        return round((1.0 - min(1.0, max(0.0, share))) * (rows - 1))

    grid = [[(" ", PLAIN)] * columns for _ in range(rows)]
    _shade_band(grid, points, step, row_of)
    zero = row_of(0.0)
    grid[zero] = [(c, s) if c != " " else (GLYPHS.empty, DIM) for c, s in grid[zero]]
    if reference is not None:
        line = row_of(reference[1])
        grid[line] = [
            (GLYPHS.dotted, REFERENCE) if x % 2 == 0 else grid[line][x] for x in range(columns)
        ]
    for i, point in enumerate(points):
        _draw_point(grid, point, i * step + step // 2, row_of)
    labels = {row_of(low): low, row_of(high): high, zero: 0.0, rows // 2: (low + high) / 2}
    text = Text(no_wrap=True)
    for y, cells in enumerate(grid):
        label = f"{labels[y]:+.3f}" if y in labels else ""
        text.append(f"{label:>{AXIS_WIDTH - 1}} ", style=DIM)
        for character, style in cells:
            text.append(character, style=style)
        text.append("\n")
    text.append(_phase_labels(points, step, columns))
    return text


def strip(values: Sequence[float], width: int, *, low: float, high: float) -> str:
    """A one-line chart of blocks, newest right; NaN is a blank."""
    top = len(GLYPHS.blocks) - 1
    out = ""
    for value in _fit(values, width):
        if math.isnan(value):
            out += " "
            continue
        out += GLYPHS.blocks[round(_share(value, low, high) * top)]
    return out


def heat(values: Sequence[float], width: int, *, low: float, high: float) -> str:
    """A one-line heat strip, newest right: darker is more."""
    top = len(GLYPHS.heat) - 1
    cells = ""
    for value in _fit(values, width):
        share = 0.0 if math.isnan(value) else _share(value, low, high)
        cells += GLYPHS.heat[math.ceil(share * top)]
    return cells


def meter(share: float, width: int) -> str:
    """A filled bar for a share of 0..1."""
    full = round(min(1.0, max(0.0, share)) * width)
    return GLYPHS.full * full + " " * (width - full)


def _share(value: float, low: float, high: float) -> float:
    """Where the value lies between low and high, 0..1; beyond them, the nearer end."""
    return min(1.0, max(0.0, (value - low) / ((high - low) or 1.0)))


def _fit(values: Sequence[float], width: int) -> list[float]:
    """The last value of each of ``width`` equal parts, or all values if there are fewer."""
    n = len(values)
    if n <= width:
        return list(values)
    return [values[(i + 1) * n // width - 1] for i in range(width)]


def _limits(
    points: Sequence[EpochPoint], reference: tuple[str, float] | None
) -> tuple[float, float]:
    values = [p.value for p in points if not math.isnan(p.value)]
    values += [p.value + p.error for p in points if not math.isnan(p.error)]
    values += [p.value - p.error for p in points if not math.isnan(p.error)]
    values += [band for p in points for band in (p.band, -p.band) if not math.isnan(band)]
    values += [reference[1]] if reference else []
    low, high = min([*values, 0.0]), max([*values, 0.005])
    room = 0.06 * (high - low)
    return low - room, high + room


def _shade_band(grid: Grid, points: Sequence[EpochPoint], step: int, row_of: _RowOf) -> None:
    for i, point in enumerate(points):
        if math.isnan(point.band):
            continue
        for y in range(row_of(point.band), row_of(-point.band) + 1):
            for x in range(i * step, min((i + 1) * step, len(grid[0]))):
                grid[y][x] = (GLYPHS.band, DIM)


def _draw_point(grid: Grid, point: EpochPoint, x: int, row_of: _RowOf) -> None:
    if math.isnan(point.value) or x >= len(grid[0]):
        return
    noise = is_noise(point.value, point.band)
    style = DIM if noise else BETTER if point.value > 0 else BAD
    if not math.isnan(point.error):
        for y in range(row_of(point.value + point.error), row_of(point.value - point.error) + 1):
            grid[y][x] = (GLYPHS.bar, style)
    mark = "~" if noise else GLYPHS.best if point.is_best else GLYPHS.point
    grid[row_of(point.value)][x] = (mark, style)


def _phase_labels(points: Sequence[EpochPoint], step: int, columns: int) -> Text:
    """Names under the points with which phases begin, cut where the next one begins.

    In a long phase the newest points may hold no beginning at all.
    """
    line = [" "] * columns
    starts = [i for i, point in enumerate(points) if point.starts_phase]
    for i, following in zip(starts, [*starts, columns][1:], strict=True):
        room = max(1, (following - i) * step - 1) if following != columns else columns
        word = f"|{fmt.clean(points[i].starts_phase)}"[:room]
        for j, character in enumerate(word[: columns - i * step]):
            line[i * step + j] = character
    return Text(" " * AXIS_WIDTH + "".join(line), style=DIM, no_wrap=True)
