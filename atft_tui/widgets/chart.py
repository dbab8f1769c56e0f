"""The one door to plotext, which draws every line of the screen; axes, letters and marks are our own cells.

plotext keeps one global figure and takes 10 to 20 ms for 120 x 30 cells, most of it for the points: a line
is thinned to a few points a column, and what was drawn last is kept, so a cursor that moves over a picture
does not draw its lines again.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from rich.cells import cell_len, set_cell_size
from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAR, DIM, PLAIN
from atft_tui.widgets.canvas import Canvas, CellScale, spread, ticks

LETTERS = "ABCDEF"
LETTER_STYLES = tuple(style + styles.STRONG for style in styles.CURVES)
"""Styles of the letters, in their order."""
PRICE_AXIS, _AXIS = 9, 8
"""Columns of the labels on the left."""
_MIN_WIDTH, _MIN_HEIGHT = 20, 4
"""Cells that a picture of curves needs."""
_HUGE = 1e100
"""A value beyond it is not drawn: the span of two such would not be a number."""
_FEW = 8
"""Letters on a curve of many points."""
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


# ---- several curves, told apart by letters -------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A point of a curve, which has its letter on it."""

    x: float
    y: float
    noise: bool = False
    """Inside its null band: a small letter."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve with its name."""

    name: str
    points: tuple[CurvePoint, ...]

    def drawable(self) -> Iterator[CurvePoint]:
        """The points that are finite numbers and not too large to be drawn."""
        for point in self.points:
            if all(math.isfinite(v) and abs(v) < _HUGE for v in (point.x, point.y)):
                yield point


def curves(
    given: Sequence[Curve], *, width: int, height: int, zero: bool = True, digits: int = 3
) -> Text:
    """Draw curve n with letter n on its points. Where two letters fall on one place there is a ``+``.

    Points that are no finite numbers are left out; with none at all the text is empty. ``zero``: the
    line of 0 is in the picture, unless all values lie on one side further from 0 than from each other.
    """
    kept = [sorted(curve.drawable(), key=lambda p: p.x) for curve in given[: len(LETTERS)]]
    if width < _MIN_WIDTH or height < _MIN_HEIGHT or not any(kept):
        return Text()
    canvas = Canvas(width - _AXIS, height - 1)
    xs = [p.x for points in kept for p in points]
    ys = [p.y for points in kept for p in points]
    if zero and min(abs(min(ys)), abs(max(ys))) <= max(ys) - min(ys):
        ys.append(0.0)
    x = CellScale(low=min(xs), high=max(xs), columns=canvas.columns)
    y = CellScale(low=min(ys), high=max(ys), columns=canvas.rows)
    labels = {0: _label(y.high, digits), canvas.rows - 1: _label(y.low, digits)}
    traces = [
        Trace([p.x for p in points], [p.y for p in points], style, mark)
        for points, style, mark in zip(kept, styles.CURVES, GLYPHS.lines, strict=False)
    ]
    plot(canvas, traces, x, y)
    if y.low <= 0.0 <= y.high:
        canvas.rule(y.row(0.0), GLYPHS.empty, DIM)
        labels[y.row(0.0)] = _label(0.0, digits)
    _put_letters(canvas, kept, x, y)
    ends = (f"{x.low:g}"[:10], f"{x.high:g}"[:10])
    return canvas.framed(labels, _AXIS, below=spread(ends, canvas.columns))


def legend(given: Sequence[Curve], width: int) -> Text:
    """``A name`` of each curve, as many to a line as fit."""
    text, used = Text(no_wrap=True), 0
    room = max(8, min(40, max((cell_len(fmt.clean(c.name)) for c in given), default=0) + 5))
    known = zip(LETTERS, LETTER_STYLES, GLYPHS.lines, given, strict=False)
    for letter, style, mark, curve in known:
        if used and used + room > width:
            text.append("\n")
            used = 0
        head = f"{letter} " if GLYPHS.braille else f"{letter}{mark} "
        text.append(head, style=style)
        text.append(set_cell_size(fmt.clean(curve.name), min(room, width) - len(head)))
        used += room
    return text


def _put_letters(
    canvas: Canvas, kept: Sequence[Sequence[CurvePoint]], x: CellScale, y: CellScale
) -> None:
    """All points have their letter while there is room, else a few, each curve at its own."""
    taken: dict[tuple[int, int], int] = {}
    for number, points in enumerate(kept):
        stride = 1 if 2 * len(points) <= canvas.columns else math.ceil(len(points) / _FEW)
        for i, point in enumerate(points):
            if (i + number) % stride and i != len(points) - 1:
                continue
            place = (x.column(point.x), y.row(point.y))
            letter = LETTERS[number].lower() if point.noise else LETTERS[number]
            style = DIM if point.noise else LETTER_STYLES[number]
            if taken.setdefault(place, number) != number:
                letter, style = "+", styles.STRONG
            canvas.put(*place, letter, style)


def _label(value: float, digits: int) -> str:
    written = f"{value:+.{digits}f}"
    return written if len(written) < _AXIS else f"{value:.0e}"


# ---- long series -------------------------------------------------------------------------------


def line_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, width: int, height: int
) -> Text:
    """Draw named lines over a common x of whole steps, their names above; text without any is empty.

    All values of x are finite and in order.
    """
    if not series or width < 12 or height < 4:
        return Text()
    canvas = Canvas(width - _AXIS, height - 2)
    xs = [value for x, _ in series.values() for value in x]
    ys = [v for _, found in series.values() for v in found if math.isfinite(v)] or [0.0]
    x = CellScale(low=min(xs), high=max(xs), columns=canvas.columns)
    y = CellScale(low=min(ys), high=max(ys), columns=canvas.rows)
    looks = list(zip(series.items(), (PLAIN, *styles.CURVES), GLYPHS.lines, strict=False))
    traces = [Trace(*points, style, mark) for (_, points), style, mark in looks]
    names = Text.assemble(*((f"{GLYPHS.empty} {name}  ", style) for (name, _), style, _ in looks),
                          no_wrap=True, end="")  # fmt: skip
    names.truncate(width)
    plot(canvas, traces, x, y)
    labels = {y.row(tick): f"{tick:g}" for tick in ticks(y.low, y.high, 3)}
    steps = sorted({round(x.low + (x.high - x.low) * i / 3) for i in range(4)})
    axis = spread([f"{step:,}" for step in steps], canvas.columns)
    return names.append("\n").append_text(canvas.framed(labels, _AXIS, below=axis))


def price_chart(
    values: Sequence[float], *, width: int, height: int, marks: Mapping[int, tuple[str, Style]]
) -> Text:
    """Draw ``height`` lines: a price by session, and under it the ``marks`` (position -> sign and style).

    No fall between two columns is lost; NaN and infinity are gaps. Text without any value is empty.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return Text(no_wrap=True, overflow="crop")
    canvas = Canvas(width - PRICE_AXIS, height - 1)
    low, high, n = min(known), max(known), len(values)
    x = CellScale(low=0.0, high=float(n), columns=canvas.columns)
    y = CellScale(low=low, high=high, columns=canvas.rows)
    plot(canvas, [Trace(range(n), values, BAR, GLYPHS.point, fine=True)], x, y)
    labels = {canvas.rows - 1: f"{low:,.6g}", 0: f"{high:,.6g}"}
    signs = Canvas(canvas.columns, 1)
    for position, (sign, style) in marks.items():
        if 0 <= position < n:
            signs.put(position * canvas.columns // n, 0, sign, style)
    text = canvas.framed(labels, PRICE_AXIS).append("\n")
    return text.append_text(signs.framed({}, PRICE_AXIS))
