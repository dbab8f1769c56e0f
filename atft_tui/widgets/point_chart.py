"""Few points with their errors over a shaded band: RankIC by epoch, a mean that settles by session.

plotext has error bars, but no band behind them and no mark that says "noise"; these are cells of our own.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import BAD, BETTER, DIM, REFERENCE, WARN
from atft_tui.widgets.canvas import Canvas, CellScale
from atft_tui.widgets.lines import cut
from engine.records.figure import SURE, is_noise

AXIS_WIDTH = 7
"""Columns of the labels of the epochs' chart."""
_GAP_AXIS = 8
_WIDEST, _WIDEST_GAP = 12, 4
"""Columns of a point at most."""
_LEAST_GAP = 0.1
"""Half height of the gap's picture when there is nothing to see. Basis points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPoint:
    """RankIC of one epoch; NaN where unknown."""

    value: float
    error: float
    """One standard error."""
    band: float
    """Half-width of the null band."""
    is_best: bool
    starts_phase: str = ""
    """Name of the phase that begins with this point."""


@dataclass(frozen=True, slots=True)
class _Mark:
    value: float
    character: str
    style: Style
    error: float = math.nan
    """Half-length of the bar through the point."""
    band: tuple[float, float] = (math.nan, math.nan)
    """Ends of what is shaded behind it."""


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
    canvas = Canvas(max(8, width - AXIS_WIDTH), max(3, height - 1))
    step = max(1, min(_WIDEST, canvas.columns // max(1, planned, len(points))))
    points = list(points)[-(canvas.columns // step) :]
    values = [x for p in points for x in (p.value, p.value + p.error, p.value - p.error)]
    values += [x for p in points for x in (p.band, -p.band)]
    line = math.nan if reference is None else reference[1]
    low, high = _limits([*values, line, 0.0], least=(0.0, 0.005), room=0.06)
    y = CellScale(low=low, high=high, columns=canvas.rows)
    _draw(canvas, list(map(_epoch_mark, points)), step, y, line)
    labels = {canvas.rows - 1: low, 0: high, y.row(0.0): 0.0, canvas.rows // 2: (low + high) / 2}
    words = {row: f"{value:+.3f}" for row, value in labels.items()}
    return canvas.framed(words, AXIS_WIDTH, below=_phases(points, step, canvas.columns))


def gap_chart(means: Sequence[float], errors: Sequence[float], *, width: int, height: int) -> Text:
    """Means over sessions, oldest left, in the band of ``SURE`` errors; zero is a line. Basis points.

    The newest points are shown when there are more than columns. The axis fits the means and the newest
    band; early bands, which are wide, are cut off. What is not a number leaves its column empty.
    """
    canvas = Canvas(max(1, width - _GAP_AXIS), height)
    points = list(zip(means, errors, strict=True))[-canvas.columns :]
    step = max(1, min(_WIDEST_GAP, canvas.columns // max(1, len(points))))
    marks = [_gap_mark(mean, error) for mean, error in points]
    values = [mark.value for mark in marks] + [end for mark in marks[-1:] for end in mark.band]
    low, high = _limits(values, least=(-_LEAST_GAP, _LEAST_GAP), room=0.05)
    y = CellScale(low=low, high=high, columns=canvas.rows)
    _draw(canvas, marks, step, y, math.nan)
    labels = {0: f"{high:+.1f}", canvas.rows - 1: f"{low:+.1f}", y.row(0.0): "+0.0"}
    return cut(canvas.framed(labels, min(width, _GAP_AXIS)), width, height)


def _draw(
    canvas: Canvas, marks: Sequence[_Mark], step: int, y: CellScale, reference: float
) -> None:
    """From below: bands, the line of zero, the dotted reference, bars, points."""
    for i, mark in enumerate(marks):
        if all(map(math.isfinite, mark.band)):
            for row in range(y.row(mark.band[1]), y.row(mark.band[0]) + 1):
                for column in range(i * step, (i + 1) * step):
                    canvas.put(column, row, GLYPHS.band, DIM)
    canvas.rule(y.row(0.0), GLYPHS.empty, DIM)
    if math.isfinite(reference):
        for column in range(0, canvas.columns, 2):
            canvas.put(column, y.row(reference), GLYPHS.dotted, REFERENCE)
    for i, mark in enumerate(marks):
        column = i * step + step // 2
        if math.isfinite(mark.value) and math.isfinite(mark.error):
            ends = y.row(mark.value + mark.error), y.row(mark.value - mark.error)
            for row in range(ends[0], ends[1] + 1):
                canvas.put(column, row, GLYPHS.bar, mark.style)
        if math.isfinite(mark.value):
            canvas.put(column, y.row(mark.value), mark.character, mark.style)


def _epoch_mark(point: EpochPoint) -> _Mark:
    band = (-point.band, point.band)
    if is_noise(point.value, point.band):
        return _Mark(point.value, "~", DIM, point.error, band)
    character = GLYPHS.best if point.is_best else GLYPHS.point
    return _Mark(point.value, character, BETTER if point.value > 0 else BAD, point.error, band)


def _gap_mark(mean: float, error: float) -> _Mark:
    """A mean within its error of nothing is ``~``."""
    band = (mean - SURE * error, mean + SURE * error)
    if not math.isfinite(error) or abs(mean) <= SURE * error:
        return _Mark(mean, "~", DIM, band=band)
    return _Mark(mean, GLYPHS.point, WARN if mean < 0 else BETTER, band=band)


def _limits(
    values: Sequence[float], *, least: tuple[float, float], room: float
) -> tuple[float, float]:
    """Ends of a scale that holds every finite value and the ``least`` span, and a share of ``room``."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min([*known, least[0]]), max([*known, least[1]])
    more = room * (high - low)
    return (low - more, high + more) if math.isfinite(2.0 * more + high - low) else (-1e300, 1e300)


def _phases(points: Sequence[EpochPoint], step: int, columns: int) -> str:
    """Names under the points with which phases begin, cut where the next one begins.

    In a long phase the newest points may hold no beginning at all.
    """
    line = [" "] * columns
    starts = [i for i, point in enumerate(points) if point.starts_phase]
    for i, following in zip(starts, [*starts, columns][1:], strict=True):
        room = max(1, (following - i) * step - 1) if following != columns else columns
        word = f"|{fmt.clean(points[i].starts_phase)}"[:room][: columns - i * step]
        line[i * step : i * step + len(word)] = word
    return "".join(line)
