"""What stands round the curves of a chart: legend with values, labels of the axes, what begins where."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import DIM, HERE, KEY, REFERENCE, STRONG
from atft_tui.widgets.canvas import Canvas, CellScale, placed, spread, ticks
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.curves import LEVELS, SMOOTHINGS, Chart, Curve, View, drawable, x_span


def pointed(chart: Chart, view: View) -> float | None:
    """x of the point of the first curve that is nearest to the crosshair."""
    points = next((c.x for c in chart.curves if len(c.x)), ())
    if view.cursor is None or not points:
        return None
    low, high = x_span(chart)
    wanted = low + view.cursor * (high - low)
    near = points[max(0, bisect_left(points, wanted) - 1) :][:2]
    return min(near, key=lambda x: abs(x - wanted))


def legend(chart: Chart, seen: Sequence[tuple[int, Curve]], view: View, width: int) -> list[Text]:
    """Each curve's letter and name with its value at the crosshair, else the last; the levels; the ways."""
    at, several = pointed(chart, view), len(chart.curves) > 1
    words: list[Text] = []
    if at is not None:
        words.append(Text(fmt.clean(f"{chart.x_name} {chart.x_words(at)}").strip(), HERE))
    for n, curve in seen:
        mark = "" if GLYPHS.braille else GLYPHS.lines[n]
        text = Text(f"{LETTERS[n] if several else GLYPHS.point}{mark} ", LETTER_STYLES[n])
        value, error = _value_at(curve, at)
        figure = written(chart, value, view)
        told = f" ± {written(chart, error, view).lstrip('+')}" if math.isfinite(error) else ""
        text.append(f"{fmt.clean(curve.name)} ", DIM).append(f"{figure}{told}", STRONG)
        words.append(text)
    words += (Text(f"({LETTERS[n]} hidden)", DIM) for n in sorted(view.hidden) if n < len(LETTERS))
    if LEVELS[view.level % 3] != "none":
        shown = chart.levels[:1] if view.level % 3 == 0 else chart.levels
        words += (
            Text(
                f"{GLYPHS.dotted} {fmt.clean(name)} {written(chart, v, view, raw=True)}", REFERENCE
            )
            for name, v in shown
        )
    if drawable(chart.band):
        words.append(Text(f"{GLYPHS.band} null ±{chart.band:.4f}", DIM))
    ways = [f"mean of {SMOOTHINGS[view.smooth % 4]}"] * bool(view.smooth % 4) + ["log"] * view.log
    if view.left > 0.0 or view.right < 1.0:
        ways.append(f"{fmt.percent(view.right - view.left)} in view")
    words += [Text(way, KEY) for way in ways]
    return _flowing(words, width)


_HEAD_LINES = 3


def _flowing(words: Sequence[Text], width: int) -> list[Text]:
    """Words side by side, on few lines."""
    lines = [Text(no_wrap=True)]
    for word in words:
        if lines[-1] and lines[-1].cell_len + word.cell_len + 2 > width:
            if len(lines) == _HEAD_LINES:
                break
            lines.append(Text(no_wrap=True))
        lines[-1].append("  " if lines[-1] else "").append_text(word)
    return lines


def _value_at(curve: Curve, at: float | None) -> tuple[float, float]:
    """Value and error at x, else the last ones that are known."""
    if at is None:
        i = next((i for i in reversed(range(len(curve.y))) if math.isfinite(curve.y[i])), 0)
    else:
        i = bisect_right(curve.x, at) - 1
    if not 0 <= i < len(curve.y):
        return math.nan, math.nan
    return curve.y[i], curve.errors[i] if i < len(curve.errors) else math.nan


def written(chart: Chart, value: float, view: View, *, raw: bool = False) -> str:
    if not math.isfinite(value):
        return fmt.DASH
    value = 10.0**value if view.log and not raw else value
    if chart.y_words is not None:
        return chart.y_words(value)
    return f"{value:+.4f}" if 1e-3 <= abs(value) < 100 or value == 0 else f"{value:+.3g}"


def y_labels(chart: Chart, y: CellScale, view: View) -> dict[int, str]:
    """Round values at their rows, with the digits that tell them apart."""
    count = max(2, 2 * y.columns // 3) if y.columns < _HIGH else y.columns // 3
    found = ticks(y.low, y.high, count)
    if view.log:
        whole = [t for t in found if abs(t - round(t)) < 1e-9]
        return {y.row(t): f"{10.0**t:.3g}" for t in (whole if len(whole) > 1 else found)}
    if chart.y_words is not None:
        return {y.row(t): chart.y_words(t) for t in found}
    step = min((b - a for a, b in pairwise(found)), default=10.0 ** _power(y.high - y.low))
    digits = next((d for d in range(9) if abs(round(step, d) - step) < 1e-3 * step), 9)
    big = max(map(abs, found), default=0.0) >= 1e5
    return {y.row(t): f"{t:+.3g}" if big else f"{t:+.{digits}f}" for t in found}


_HIGH = 15
"""Rows from which about every third one has a label."""


def _power(span: float) -> int:
    return math.floor(math.log10(span)) if 0 < span < math.inf else 0


def x_axis(chart: Chart, x: CellScale) -> str:
    """Round values under their columns, the ends where there is no other."""
    found = [t for t in ticks(x.low, x.high, max(2, x.columns // 14)) if t == round(t)]
    if not found:
        ends = (chart.x_words(x.low), chart.x_words(x.high))
        return spread(ends if ends[0] != ends[1] else ends[:1], x.columns)
    words = [(x.column(t), chart.x_words(t)) for t in found]
    return placed(((min(at, x.columns - len(w)), w) for at, w in words), x.columns)


def signs_line(signs: Mapping[float, tuple[str, Style]], x: CellScale, left: int) -> Text:
    canvas = Canvas(x.columns, 1)
    for at, (sign, style) in signs.items():
        if not x.beyond(at):
            canvas.put(x.column(at), 0, sign, style)
    return canvas.framed({}, left)


def parts_line(parts: Mapping[float, str], x: CellScale) -> str:
    """``|name`` under where each part begins, cut where the next one does; of one begun before, its name."""
    return "".join(_part_cells(sorted(parts.items()), x))


def _part_cells(parts: Sequence[tuple[float, str]], x: CellScale) -> Iterator[str]:
    before = [name for at, name in parts if at < x.low]
    shown = [(x.column(at), f"|{fmt.clean(name)}") for at, name in parts if not x.beyond(at)]
    if before and (not shown or shown[0][0] > 0):
        shown.insert(0, (0, fmt.clean(before[-1])))
    if not shown:
        return
    yield " " * shown[0][0]
    for (at, word), (stop, _) in zip(shown, [*shown[1:], (x.columns, "")], strict=True):
        yield word[: max(0, stop - at)].ljust(stop - at)
