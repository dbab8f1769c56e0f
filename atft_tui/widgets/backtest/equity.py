"""Equity with the baselines, the drawdown below it, and the day under the cursor."""

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import events
from textual.message import Message

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest import Curves, Series
from atft_tui.styles import DIM, INK, STRONG, Ink, ink_of
from atft_tui.widgets.backtest.words import kept, percent
from atft_tui.widgets.canvas import Canvas, CellScale, column_of, placed, ticks
from atft_tui.widgets.chart import LETTERS, Trace, plot
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curves import View, smoothed
from atft_tui.widgets.lines import cut, line

_LEFT = 8
"""Columns of the y labels."""
_LABELS = 25
"""Columns of the names at the lines' ends."""
_ROOMY = 90
"""Columns from which on the lines' names stand beside them."""
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityValue:
    """The curves of a backtest and what the reader points at."""

    curves: Curves
    cursor: int
    """Number of the session under the cursor."""
    log: bool = False
    before: Series | None = None
    """Equity of the backtest that this one replaced, on its own days."""
    beta: float = math.nan
    """Of the whole book to the market."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    name: str
    values: Series
    style: Style
    mark: str = ""
    """What the line consists of where there is no braille."""


class EquityPanel(ChartPanel[EquityValue]):
    """The panel of the curves; the crosshair is the day that the whole place shows."""

    title: ClassVar[str] = "equity after costs, compounded"
    empty: ClassVar[str] = "No backtest yet: b makes one."

    @dataclass
    class Picked(Message):
        """A day was clicked."""

        session: int

    def on_click(self, event: events.Click) -> None:
        value, inside = self.value, event.get_content_offset(self)
        if value is None or inside is None or not value.curves.dates:
            return
        columns = _plot_columns(self.size.width)
        share = min(1.0, max(0.0, (inside.x - _LEFT) / max(1, columns - 1)))
        first, stop = self.view.window(self.points())
        self.post_message(self.Picked(first + round(share * (stop - 1 - first))))

    def points(self) -> int:
        return len(self.value.curves.dates) if self.value is not None else 0

    def action_point(self, step: int) -> None:
        """The place's own cursor goes on."""
        if self.value is not None and self.points():
            to = min(self.points() - 1, max(0, self.value.cursor + step))
            self.post_message(self.Picked(to))

    def action_hide(self, number: int) -> None:
        """The curves are always seen beside their rivals; `R` takes these away."""

    def depends(self, value: EquityValue) -> tuple[object, ...]:
        """The curves, the cursor and the theme."""
        return (value.curves, value.cursor, value.before, self.app.theme)

    def picture(self, value: EquityValue, width: int, height: int) -> Text:
        """The curves in the colours of the theme."""
        seen = within(replace(value, log=self.view.log), self.view)
        return equity_picture(seen, width, height, ink=ink_of(self.app.current_theme))


def within(value: EquityValue, view: View) -> EquityValue:
    """What is in view; returns are still counted from the first day of all."""
    first, stop = view.window(len(value.curves.dates))
    part, window = value.curves, slice(first, stop)
    rivals = [] if view.level == 2 else part.rivals
    smooth = partial(smoothed, number=view.smooth, first=first, stop=stop)
    part = replace(
        part, dates=part.dates[window], net=part.net[window], equity=tuple(smooth(part.equity)),
        drawdown=part.drawdown[window], rivals=tuple((n, tuple(smooth(v))) for n, v in rivals),
    )  # fmt: skip
    before = None if value.before is None else tuple(smooth(value.before))
    cursor = min(max(value.cursor - first, 0), max(0, stop - first - 1))
    return replace(value, curves=part, cursor=cursor, before=before)


def equity_picture(value: EquityValue, width: int, height: int, *, ink: Ink = INK) -> Text:
    """The cursor's day in words, the curves, the drawdown, dates below."""
    curves, n = value.curves, len(value.curves.dates)
    if n == 0 or width < 24 or height < 4:
        words = "no room" if n else "the backtest has no session"
        return cut([Text(words, style=DIM)], width, height)
    labels = _LABELS if width >= _ROOMY else 0
    columns = _plot_columns(width)
    body = height - 2
    low_rows = max(1, body // 4) if body >= 4 else 0
    drawn = _lines(value, ink, 4 if labels else 3)
    rows = [
        _readout(value, drawn, ink, labelled=bool(labels)),
        *_curves(value, drawn, columns, body - low_rows, labels, ink),
        *_drawdown(value, columns, low_rows, ink),
        _dates(curves.dates, columns, ink),
    ]
    return cut(rows, width, height)


def _plot_columns(width: int) -> int:
    """Columns of the curves in a picture this wide."""
    return width - _LEFT - (_LABELS if width >= _ROOMY else 0)


def _lines(value: EquityValue, ink: Ink, count: int) -> list[_Drawn]:
    """Baselines first, the scores' own curve last and so on top."""
    rivals = dict(value.curves.rivals)

    def end(name: str) -> float:
        last = rivals[name][-1] if rivals[name] else math.nan
        return last if math.isfinite(last) else -math.inf

    names = kept(sorted(rivals, key=end, reverse=True), count)
    out = [
        _Drawn(fmt.model_name(name), rivals[name], ink.others[i % len(ink.others)], str(i + 1))
        for i, name in enumerate(names)
    ]
    if value.before is not None and len(value.before) == len(value.curves.equity):
        out.append(_Drawn("before", value.before, ink.accent, "b"))
    return [*out, _Drawn("these scores", value.curves.equity, ink.main + STRONG)]


def _readout(value: EquityValue, lines: Sequence[_Drawn], ink: Ink, *, labelled: bool) -> Text:
    curves, at = value.curves, value.cursor
    head = GLYPHS.best if labelled else LETTERS[len(lines) - 1]
    text = line(
        (f"{curves.dates[at]:%Y-%m-%d} ", ink.accent + STRONG), (f"{head} ", ink.main + STRONG),
        (percent(curves.equity[at] - 1.0), STRONG),
    )  # fmt: skip
    day = line(
        f"  day {percent(curves.net[at], 2)}",
        (f"  drawdown {percent(curves.drawdown[at], sign=False)}", ink.bad),
    )
    rivals = Text()
    for n, drawn in enumerate(lines[:-1]):
        rivals.append(f"  {'' if labelled else LETTERS[n] + ' '}{drawn.name} ", style=drawn.style)
        rivals.append(percent(drawn.values[at] - 1.0).removesuffix("%"))
    # Where the letters are all that tells the curves apart, what they mean comes first.
    for part in (day, rivals) if labelled else (rivals, day):
        text.append_text(part)
    return text


def _curves(
    value: EquityValue, lines: Sequence[_Drawn], columns: int, rows: int, labels: int, ink: Ink
) -> list[Text]:
    canvas = Canvas(columns, rows)
    height = _Height([line.values for line in lines], canvas.rows, log=value.log)
    days = range(len(value.curves.dates))
    placed_at = (list(map(height, line.values)) if height.log else line.values for line in lines)
    traces = [
        Trace(days, up, line.style, line.mark) for line, up in zip(lines, placed_at, strict=True)
    ]
    plot(canvas, traces, _days(value, columns), height.scale)
    canvas.rule(height.row(1.0), GLYPHS.dotted, ink.quiet, every=2)
    _cursor(canvas, value, ink)
    if not labels:
        _letters(canvas, lines, height)
    names = {height.row(1.0 + tick): percent(tick, 0) for tick in height.ticks(max(2, rows // 3))}
    shown = canvas.framed(names, _LEFT, style=ink.quiet).split("\n", allow_blank=True)
    for y, drawn in (_ends(lines, canvas, height) if labels else {}).items():
        mark = "" if GLYPHS.braille else drawn.mark
        word = Text(f"{mark or ' '}{drawn.name} {percent(drawn.values[-1] - 1.0)}", drawn.style)
        word.truncate(labels)
        shown[y].append_text(word)
    return list(shown)


def _letters(canvas: Canvas, lines: Sequence[_Drawn], height: "_Height") -> None:
    """A letter on each line where there is no room for its name, each at a place of its own."""
    for n, drawn in enumerate(lines):
        share = (n + 1) / (len(lines) + 1)
        at = drawn.values[round(share * (len(drawn.values) - 1))]
        if math.isfinite(at):
            column = round(share * (canvas.columns - 1))
            canvas.put(column, height.row(at), LETTERS[n], drawn.style + STRONG)


def _drawdown(value: EquityValue, columns: int, rows: int, ink: Ink) -> list[Text]:
    """Filled down from the high; the deepest fall sets the scale."""
    if rows < 1:
        return []
    falls = value.curves.drawdown
    deepest = min((v for v in falls if math.isfinite(v)), default=0.0)
    canvas = Canvas(columns, rows)
    if deepest < 0:
        y = CellScale(low=deepest, high=0.0, columns=rows)
        trace = Trace(range(len(falls)), falls, ink.bad, hanging=True)
        plot(canvas, [trace], _days(value, columns), y)
    _cursor(canvas, value, ink)
    names = {0: "0%", rows - 1: fmt.percent(deepest) if rows > 1 else "fall"}
    return list(canvas.framed(names, _LEFT, style=ink.quiet).split("\n", allow_blank=True))


def _days(value: EquityValue, columns: int) -> CellScale:
    return CellScale(low=0.0, high=float(len(value.curves.dates) - 1), columns=columns)


def _cursor(canvas: Canvas, value: EquityValue, ink: Ink) -> None:
    x = column_of(value.cursor, len(value.curves.dates), canvas.columns)
    for y in range(canvas.rows):
        canvas.put_behind(x, y, GLYPHS.bar, ink.accent)


def _ends(lines: Sequence[_Drawn], canvas: Canvas, height: "_Height") -> dict[int, _Drawn]:
    """Row -> line whose name stands there: each as near to its end as the others leave it."""
    taken: dict[int, _Drawn] = {}
    for drawn in reversed(lines):
        free = [y for y in range(canvas.rows) if y not in taken]
        if free and math.isfinite(drawn.values[-1]):
            wanted = height.row(drawn.values[-1])
            taken[min(free, key=lambda y: (abs(y - wanted), y))] = drawn
    return taken


class _Height:
    """The place of a growth of 1 on the scale: itself, or its logarithm if asked for and possible."""

    def __init__(self, series: Sequence[Series], rows: int, *, log: bool) -> None:
        values = [1.0, *(v for line in series for v in line if math.isfinite(v))]
        self.low, self.high = min(values), max(values)
        self.log = log and self.low > 0
        if self.high - self.low < 1e-6:
            self.low, self.high = self.low - 0.01, self.high + 0.01
        self.scale = CellScale(low=self(self.low), high=self(self.high), columns=rows)

    def __call__(self, value: float) -> float:
        if not math.isfinite(value) or (self.log and value <= 0):
            return math.nan
        return math.log(value) if self.log else value

    def row(self, value: float) -> int:
        return self.scale.row(self(value))

    def ticks(self, count: int) -> list[float]:
        """Returns since the start, round ones."""
        if not self.log or self.high / self.low < 4:
            return ticks(self.low - 1.0, self.high - 1.0, count)
        return [p * m - 1.0 for p in (0.01, 0.1, 1, 10, 100, 1000) for m in (1, 2, 5)
                if self.low <= p * m <= self.high]  # fmt: skip


def _dates(dates: Sequence[dt.date], columns: int, ink: Ink) -> Text:
    """Years, or months where there are few, each under its first session."""
    numbers = [date.year * 12 + date.month - 1 for date in dates]
    months, room = numbers[-1] - numbers[0] + 1, max(1, columns // 10)
    step = next((s for s in _MONTH_STEPS if months / s <= room), _MONTH_STEPS[-1])
    labels = []
    for i, (date, number) in enumerate(zip(dates, numbers, strict=True)):
        begins = i == 0 or number // step != numbers[i - 1] // step
        # The first session begins a span only where it is the span's first month, or all are few.
        if begins and (i > 0 or number % step == 0 or len(dates) < 30):
            label = f"{date:%Y}" if step >= 12 else f"{date:%Y-%m}"
            labels.append((column_of(i, len(dates), columns), label))
    words = placed(labels, columns)
    if not words.strip():
        words = f"{dates[0]:%Y-%m-%d}"[:columns]
    return line((" " * _LEFT + words, ink.quiet))
