"""Curves with axes, as every chart of the screen draws them.

Curves are told apart by letter, by colour and, without braille, by what their line consists of.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import CURVES, DIM, KEY, REFERENCE, STRONG
from atft_tui.widgets.canvas import Canvas, CellScale
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS, Trace, plot
from atft_tui.widgets.curve_words import legend, parts_line, pointed, signs_line, x_axis, y_labels
from atft_tui.widgets.curves import LEVELS, WHOLE, Chart, Curve, View, drawable, smoothed, x_span
from atft_tui.widgets.lines import cut, line

_MIN_WIDTH, _MIN_HEIGHT = 20, 4
"""Cells that a picture of curves needs."""
_LOW = 9
"""Rows below which the curves need what the rest of the legend and the names of the parts take."""
_FEW = 8
"""Letters on a curve of many points."""
_WITH_ERRORS = 2
"""Curves whose errors can be told apart in one picture."""
_AXIS, _LEAST_AXIS = 10, 6
"""Columns of the labels on the left: at most, at least."""


def picture(chart: Chart, width: int, height: int, view: View = WHOLE) -> Text:
    """Legend, curves and axis in so many cells; empty where there is no value or no room."""
    seen = [
        (n, _in_view(c, chart, view))
        for n, c in enumerate(chart.curves[: len(LETTERS)])
        if n not in view.hidden
    ]
    seen = [(n, curve) for n, curve in seen if any(map(drawable, curve.y))]
    if width < _MIN_WIDTH or height < _MIN_HEIGHT or not seen:
        return Text()
    head = legend(chart, seen, view, width)
    if height < _LOW:
        chart, head = replace(chart, parts=None), head[:1]
    below = 1 + (chart.parts is not None) + (chart.signs is not None)
    y, levels = _scale(chart, seen, view, max(2, height - len(head) - below))
    labels = y_labels(chart, y, view)
    left = min(_AXIS, max(_LEAST_AXIS, *(len(word) + 1 for word in labels.values()), 0))
    canvas = Canvas(width - left, y.columns)
    low, high = x_span(chart)
    x = CellScale(
        low=low + view.left * (high - low),
        high=low + view.right * (high - low),
        columns=canvas.columns,
    )
    _draw(canvas, chart, seen, levels, x, y, view)
    lines = list(canvas.framed(labels, left).split("\n", allow_blank=True))
    if chart.signs is not None:
        lines.append(signs_line(chart.signs, x, left))
    lines.append(
        line((f"{fmt.clean(chart.x_name)[: left - 1]:>{left - 1}} ", DIM), (x_axis(chart, x), DIM))
    )
    if chart.parts is not None:
        lines.append(line((" " * left + parts_line(chart.parts, x), DIM)))
    return cut([*head, *lines], width, height)


# ---- what is in view --------------------------------------------------------------------------


def _in_view(curve: Curve, chart: Chart, view: View) -> Curve:
    """The points in the window, one more on either side; smoothed, and as logarithms if asked for."""
    low, high = x_span(chart)
    a = max(0, bisect_left(curve.x, low + view.left * (high - low)) - 1)
    b = bisect_right(curve.x, low + view.right * (high - low)) + 1
    y = [v if drawable(v) else math.nan for v in smoothed(curve.y, view.smooth, a, b)]
    errors = [abs(e) if drawable(e) else math.nan for e in curve.errors[a:b]]
    if view.log:
        y, errors = [math.log10(v) if v > 0 else math.nan for v in y], []
    return replace(
        curve, x=curve.x[a:b], y=y, errors=errors, quiet=curve.quiet[a:b], best=curve.best[a:b]
    )


def _scale(
    chart: Chart, seen: Sequence[tuple[int, Curve]], view: View, rows: int
) -> tuple[CellScale, list[tuple[str, float]]]:
    """The scale of y, which holds what is seen and its whole errors; the levels that lie on it."""
    values: list[float] = []
    for _, curve in seen:
        values += (v for v in curve.y if not math.isnan(v))
        bars = zip(curve.y, curve.errors, strict=False)
        values += (end for v, e in bars for end in (v - e, v + e) if drawable(end))
    levels = [(name, math.log10(v) if view.log and v > 0 else v) for name, v in chart.levels]
    levels = [(name, v) for name, v in levels if drawable(v) and not (view.log and v > 0 > v)]
    wanted = {"best": levels[:1], "all": levels, "none": []}[LEVELS[view.level % 3]]
    values += [value for _, value in wanted]
    if view.band and not view.log:
        values += [0.0, *(end for end in (chart.band, -chart.band) if drawable(end))]
    if chart.zero and not view.log and min(abs(min(values)), abs(max(values))) <= _span(values):
        values.append(0.0)
    low, high = min(values), max(values)
    room = 0.02 * (high - low) or max(1e-6, 0.02 * abs(high))
    # Room does not reach zero, which is a line of its own where values lie on both sides of it.
    least = low * 1e-3 if low > 0 else -math.inf
    most = high * 1e-3 if high < 0 else math.inf
    y = CellScale(low=max(least, low - room), high=min(most, high + room), columns=rows)
    return y, [(name, v) for name, v in wanted if not y.beyond(v)]


def _span(values: Sequence[float]) -> float:
    return max(values) - min(values)


# ---- drawing ----------------------------------------------------------------------------------


def _draw(
    canvas: Canvas, chart: Chart, seen: Sequence[tuple[int, Curve]],
    levels: Sequence[tuple[str, float]], x: CellScale, y: CellScale, view: View,
) -> None:  # fmt: skip
    """From below: null band, errors, zero, levels, curves, letters and marks, crosshair."""
    if drawable(chart.band) and not view.log:
        for row in range(y.row(chart.band), y.row(-chart.band) + 1):
            if y.low <= chart.band and y.high >= -chart.band:
                canvas.rule(row, GLYPHS.band, DIM)
    inside = [(n, _clipped(curve, x)) for n, curve in seen]
    for n, curve in inside * (len(inside) <= _WITH_ERRORS):
        _put_errors(canvas, curve, x, y, CURVES[n])
    plot(canvas, [Trace(c.x, c.y, CURVES[n], GLYPHS.lines[n], fine=True) for n, c in inside], x, y)
    if y.low <= 0.0 <= y.high and not view.log:
        canvas.rule(y.row(0.0), GLYPHS.empty, DIM)
    for _, value in levels:
        for column in range(0, canvas.columns, 2):
            canvas.put_behind(column, y.row(value), GLYPHS.dotted, REFERENCE)
    _put_marks(canvas, inside, x, y, lettered=len(chart.curves) > 1)
    at = pointed(chart, view)
    if at is not None and not x.beyond(at):
        for row in range(canvas.rows):
            canvas.put_behind(x.column(at), row, GLYPHS.bar, KEY)


def _clipped(curve: Curve, x: CellScale) -> Curve:
    """Without the points beyond the ends, which would be drawn at the ends."""
    a, b = bisect_left(curve.x, x.low), bisect_right(curve.x, x.high)
    return replace(
        curve, x=curve.x[a:b], y=curve.y[a:b], errors=curve.errors[a:b], quiet=curve.quiet[a:b],
        best=curve.best[a:b],
    )  # fmt: skip


def _put_errors(canvas: Canvas, curve: Curve, x: CellScale, y: CellScale, style: Style) -> None:
    """Whole bars of one standard error, while there is room between them."""
    if 2 * len(curve.x) > canvas.columns:
        return
    for at, value, error in zip(curve.x, curve.y, curve.errors, strict=False):
        if math.isfinite(value) and math.isfinite(error):
            for row in range(y.row(value + error), y.row(value - error) + 1):
                canvas.put(x.column(at), row, GLYPHS.bar, style)


def _put_marks(
    canvas: Canvas, seen: Sequence[tuple[int, Curve]], x: CellScale, y: CellScale, *, lettered: bool
) -> None:
    """All points have their mark while there is room, of letters else a few, each curve at its own.

    Inside the null band it is ``~`` or a small letter; where two letters fall on one place it is ``+``.
    """
    taken: dict[tuple[int, int], int] = {}
    for n, curve in seen:
        many = 2 * len(curve.x) > canvas.columns
        if many and not lettered:
            continue
        stride = math.ceil(len(curve.x) / _FEW) if many else 1
        for i, (at, value) in enumerate(zip(curve.x, curve.y, strict=True)):
            if not math.isfinite(value) or ((i + n) % stride and i != len(curve.x) - 1):
                continue
            place = (x.column(at), y.row(value))
            mark, style = _mark(n, curve, i, lettered=lettered)
            if taken.setdefault(place, n) != n:
                mark, style = "+", STRONG
            canvas.put(*place, mark, style)


def _mark(n: int, curve: Curve, i: int, *, lettered: bool) -> tuple[str, Style]:
    quiet = i < len(curve.quiet) and curve.quiet[i]
    if lettered:
        return (LETTERS[n].lower(), DIM) if quiet else (LETTERS[n], LETTER_STYLES[n])
    best = i < len(curve.best) and curve.best[i]
    mark = "~" if quiet else GLYPHS.best if best else GLYPHS.point
    return mark, DIM if quiet else LETTER_STYLES[n]
