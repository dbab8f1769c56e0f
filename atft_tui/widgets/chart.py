"""The one door to plotext, which draws every line of the screen; axes, letters and marks are our own cells.

plotext keeps one global figure and takes 10 to 20 ms for 120 x 30 cells, most of it for the points: a line
is thinned to a few points a column, and what was drawn last is kept, so a cursor that moves over a picture
does not draw its lines again.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rich.style import Style

from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.widgets.canvas import Canvas, CellScale

LETTERS = "ABCDEF"
LETTER_STYLES = tuple(style + styles.STRONG for style in styles.CURVES)
"""Styles of the letters, in their order."""
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of a braille cell from top to bottom, left and right (Unicode 15, block 2800)."""
_COLOURS = re.compile(r"\x1b\[(?:0|38;5;(\d+))m")
_Points = tuple[tuple[float, float], ...]
_Line = tuple[int, str, _Points]
"""Number, marker and points of what plotext draws."""


@dataclass(frozen=True, slots=True)
class Trace:
    """A line through its points, in the order of x; a value of y that is not finite leaves a gap."""

    x: Sequence[float]
    y: Sequence[float]
    style: Style
    mark: str = ""
    """What the line consists of where the terminal has no braille."""
    fine: bool = False
    """Whether no fall or rise between two columns may be lost."""
    hanging: bool = False
    """Whether the room above the line is filled, as above a drawdown."""


def plot(canvas: Canvas, traces: Sequence[Trace], x: CellScale, y: CellScale) -> None:
    """Draw lines into a canvas, the last one on top; the scales' ends are the canvas' outermost dots."""
    lines: tuple[_Line, ...] = tuple(
        (number, "braille" if GLYPHS.braille else trace.mark or GLYPHS.curve, points)
        for number, trace in enumerate(traces)
        for points in _unbroken(trace, _thinned(trace, canvas.columns), x, y)
    )
    if not lines:
        return
    for column, row, character, number in _drawn(lines, canvas.columns, canvas.rows):
        hanging = traces[number].hanging
        canvas.put(column, row, _hung(character) if hanging else character, traces[number].style)
        if hanging:
            for above in range(row):
                canvas.put_behind(column, above, GLYPHS.dots, traces[number].style)


def _hung(character: str) -> str:
    """A cell of braille with all dots above its lowest ones."""
    if not GLYPHS.braille:
        return character
    bits = ord(character) - ord(GLYPHS.braille)
    for column in _DOTS:
        lowest = max((y for y, bit in enumerate(column) if bits & bit), default=-1)
        bits |= sum(column[: lowest + 1])
    return chr(ord(GLYPHS.braille) + bits)


def _unbroken(trace: Trace, kept: Sequence[int], x: CellScale, y: CellScale) -> Iterator[_Points]:
    """The parts of a line between its gaps, as shares of the canvas (0 to 1).

    plotext would step through every cell on the way to a value beyond the scale, and overflow where
    values are huge.
    """
    for known, part in groupby(kept, key=lambda i: math.isfinite(trace.y[i])):
        if known:
            yield tuple((x.share(trace.x[i]), y.share(trace.y[i])) for i in part)


def _thinned(trace: Trace, columns: int) -> Sequence[int]:
    """Positions that are drawn: the last known one of each column, of a fine line also its extremes."""
    n, y = len(trace.y), trace.y
    if n <= columns:
        return range(n)
    kept: list[int] = []
    for column in range(columns):
        part = range(column * n // columns, (column + 1) * n // columns)
        last = next((i for i in reversed(part) if math.isfinite(y[i])), part[-1])
        if trace.fine and math.isfinite(y[last]):
            known = [i for i in part if math.isfinite(y[i])]
            kept += sorted({min(known, key=y.__getitem__), max(known, key=y.__getitem__)} - {last})
        kept.append(last)
    return kept


@lru_cache(maxsize=16)
def _drawn(
    lines: tuple[_Line, ...], columns: int, rows: int
) -> tuple[tuple[int, int, str, int], ...]:
    """The cells that plotext fills: column, row, character and number of the line."""
    import plotext  # 35 ms, not before there is something to draw

    plotext.clear_figure()
    plotext.theme("clear")
    # Else no picture is larger than what plotext takes for the terminal: 80 x 24 where it cannot ask.
    plotext.limit_size(False, False)
    plotext.plotsize(columns, rows)
    plotext.frame(False)
    plotext.xfrequency(0)
    plotext.yfrequency(0)
    plotext.xlim(0.0, 1.0)
    plotext.ylim(0.0, 1.0)
    for number, mark, points in lines:
        across, up = zip(*points, strict=True)
        plotext.plot(list(across), list(up), marker=mark, color=number + 1)
    cells = []
    for row, line in enumerate(plotext.build().split("\n")[:rows]):
        column, number = 0, 0
        for part, text in enumerate(_COLOURS.split(line)):
            if part % 2:  # a change of colour; None at its end
                number = int(text) - 1 if text else number
                continue
            cells += [(column + i, row, c, number) for i, c in enumerate(text) if c != " "]
            column += len(text)
    return tuple(cells)
