"""Several curves in one picture, told apart by a letter on their points and a character between them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS

LETTERS = "ABCDEF"
STYLES = tuple(style + styles.STRONG for style in styles.CURVES)
"""Of the letters."""
_AXIS_WIDTH = 8
_HUGE = 1e100
"""Beyond it a value is not drawn: the span of two such would not be a number."""
MIN_WIDTH, MIN_HEIGHT = 20, 4
_FEW = 8
"""Letters on a curve of many points."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    x: float
    y: float
    noise: bool = False
    """Inside its null band: a small letter."""


@dataclass(frozen=True, slots=True)
class Curve:
    name: str
    points: tuple[CurvePoint, ...]


_Cell = tuple[str, Style]
NONE, DIM = styles.PLAIN, styles.DIM


def curves(
    given: Sequence[Curve], *, width: int, height: int, zero: bool = True, digits: int = 3
) -> Text:
    """Curve n has letter n. Where two letters fall on one place there is a ``+``.

    Points that are no finite numbers are left out; with none at all the text is empty. ``zero``: the
    line of 0 is in the picture, unless all values lie on one side further from 0 than from each other.
    """
    kept = [
        sorted((p for p in curve.points if _drawable(p)), key=lambda p: p.x)
        for curve in given[: len(LETTERS)]
    ]
    if width < MIN_WIDTH or height < MIN_HEIGHT or not any(kept):
        return Text()
    columns, rows = width - _AXIS_WIDTH, height - 1
    xs = [p.x for points in kept for p in points]
    ys = [p.y for points in kept for p in points]
    if zero and min(abs(min(ys)), abs(max(ys))) <= max(ys) - min(ys):
        ys.append(0.0)
    scale = _Scale(min(xs), max(xs), min(ys), max(ys), columns, rows)
    grid: list[list[_Cell]] = [[(" ", NONE)] * columns for _ in range(rows)]
    if scale.low <= 0.0 <= scale.high:
        grid[scale.row(0.0)] = [(GLYPHS.empty, DIM)] * columns
    for number, points in enumerate(kept):
        _draw_line(grid, points, number, scale)
    _draw_letters(grid, kept, scale)
    return _with_axes(grid, scale, digits)


def legend(given: Sequence[Curve], width: int) -> Text:
    """``A· name`` of each curve, as many to a line as fit."""
    text, used = Text(no_wrap=True), 0
    room = max(8, min(40, max((cell_len(fmt.clean(c.name)) for c in given), default=0) + 6))
    for number, curve in enumerate(given[: len(LETTERS)]):
        if used and used + room > width:
            text.append("\n")
            used = 0
        style = STYLES[number]
        text.append(f"{LETTERS[number]}{GLYPHS.lines[number]} ", style=style)
        text.append(set_cell_size(fmt.clean(curve.name), min(room, width) - 3))
        used += room
    return text


@dataclass(frozen=True, slots=True)
class _Scale:
    left: float
    right: float
    low: float
    high: float
    columns: int
    rows: int

    def column(self, x: float) -> int:
        return round(_share(x, self.left, self.right) * (self.columns - 1))

    def row(self, y: float) -> int:
        """0 is the top; all equal values lie in the middle."""
        return round((1.0 - _share(y, self.low, self.high)) * (self.rows - 1))


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if high <= low else min(1.0, max(0.0, (value - low) / (high - low)))


def _drawable(point: CurvePoint) -> bool:
    return all(math.isfinite(value) and abs(value) < _HUGE for value in (point.x, point.y))


def _draw_line(
    grid: list[list[_Cell]], points: Sequence[CurvePoint], number: int, scale: _Scale
) -> None:
    cell = (GLYPHS.lines[number], styles.CURVES[number])
    for a, b in pairwise(points):
        first, last = scale.column(a.x), scale.column(b.x)
        before = scale.row(a.y)
        for column in range(first, last + 1):
            share = (column - first) / (last - first) if last > first else 1.0
            row = scale.row(a.y + (b.y - a.y) * share)
            for y in range(min(row, before), max(row, before) + 1):
                if grid[y][column][1] in (NONE, DIM):
                    grid[y][column] = cell
            before = row


def _draw_letters(
    grid: list[list[_Cell]], kept: Sequence[Sequence[CurvePoint]], scale: _Scale
) -> None:
    """All points have their letter while there is room, else a few, each curve at its own."""
    taken: dict[tuple[int, int], int] = {}
    for number, points in enumerate(kept):
        stride = 1 if 2 * len(points) <= scale.columns else math.ceil(len(points) / _FEW)
        for i, point in enumerate(points):
            if (i + number) % stride and i != len(points) - 1:
                continue
            place = (scale.row(point.y), scale.column(point.x))
            letter = LETTERS[number].lower() if point.noise else LETTERS[number]
            style = DIM if point.noise else STYLES[number]
            if taken.setdefault(place, number) != number:
                letter, style = "+", styles.STRONG
            grid[place[0]][place[1]] = (letter, style)


def _with_axes(grid: list[list[_Cell]], scale: _Scale, digits: int) -> Text:
    labels = {0: scale.high, scale.rows - 1: scale.low}
    if scale.low <= 0.0 <= scale.high:
        labels[scale.row(0.0)] = 0.0
    text = Text(no_wrap=True)
    for y, cells in enumerate(grid):
        label = _label(labels[y], digits) if y in labels else ""
        text.append(f"{label:>{_AXIS_WIDTH - 1}} ", style=DIM)
        for character, style in cells:
            text.append(character, style=style)
        text.append("\n")
    first, last = f"{scale.left:g}"[:10], f"{scale.right:g}"[:10]
    gap = max(1, scale.columns - len(first) - len(last))
    line = (first + " " * gap + last)[: scale.columns]
    text.append(" " * _AXIS_WIDTH + line, style=DIM)
    return text


def _label(value: float, digits: int) -> str:
    written = f"{value:+.{digits}f}"
    return written if len(written) < _AXIS_WIDTH else f"{value:.0e}"
