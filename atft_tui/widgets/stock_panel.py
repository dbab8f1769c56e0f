"""One code: who it is, its price, and what the quality gates found on which day."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.data import StockRow
from atft_tui.readings.stock import StockBars
from atft_tui.styles import BAD, DIM, GOOD, HERE, PLAIN, STRONG, WARN
from atft_tui.widgets.chart import PRICE_AXIS, price_chart
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel
from engine.records.quality import Hit

_SIGNS = {"error": ("!", BAD), "warning": ("v", WARN), "info": (".", DIM)}
"""Sign and style of a finding by its level."""
_EVENTS = {"break": ("B", BAD), "proceeds": ("p", WARN), "dividend": ("d", DIM)}
"""Sign and style of what happened to the shares; a split of any source is ``s``. Warnings and errors
of another name go before them."""
_LISTED = 3
"""Findings written out under the chart."""


@dataclass(frozen=True, slots=True)
class StockView:
    stock: StockRow
    bars: StockBars | None = None
    """None while they are read."""
    examples: tuple[Hit, ...] = ()
    """Listed findings of this code."""
    day: str = ""
    """The day that was asked for."""
    trouble: str = ""


class StockPanel(PlacePanel[StockView]):
    title: ClassVar[str] = "selected stock"
    empty: ClassVar[str] = "Choose a code in the list of stocks: its price and findings come here."

    def picture(self, value: StockView, width: int, height: int) -> Text:
        return stock_picture(value, width, height)


def stock_picture(view: StockView, width: int, height: int) -> Text:
    head, notes = _head(view), _notes(view)
    notes = notes[: max(0, height - len(head) - 4)]
    lines = [*head, *_chart(view, width, height - len(head) - len(notes)), *notes]
    return cut(lines, width, height)


def _head(view: StockView) -> list[Text]:
    stock = view.stock
    who = Text(fmt.clean(stock.symbol), style=STRONG, no_wrap=True)
    who.append(f"  {fmt.clean(stock.name) or 'no name'}", style=PLAIN if stock.name else DIM)
    who.append(f"  {fmt.clean(stock.sector) or 'no sector'}", style=DIM)
    when = Text(no_wrap=True)
    if not stock.rows:
        when.append("no bar", style=WARN)
        return [who, when]
    when.append(f"{stock.first} to {stock.last}  {stock.kept:,} bars kept")
    if stock.kept < stock.rows:
        when.append(f" of {stock.rows:,}", style=WARN)
    when.append("  in the universe" if stock.member else "", style=GOOD)
    when.append("  not in the universe" if stock.member is False else "", style=DIM)
    return [who, when]


def _chart(view: StockView, width: int, height: int) -> list[Text]:
    if view.trouble:
        return [Text(fmt.clean(view.trouble), style=BAD)]
    if view.bars is None:
        return [Text("reading ...", style=DIM)]
    bars = view.bars
    if not bars.dates or height < 4:
        return [Text("no price to draw" if not bars.dates else "", style=DIM)]
    happened = {at: _EVENTS.get(name, ("s", STRONG)) for at, name in bars.events}
    marks: dict[int, tuple[str, Style]] = {}
    for level in ("info", "warning", "error"):
        for example in view.examples:
            if example.level == level:
                marks[bisect_left(bars.dates, example.date)] = _sign(example)
        if level == "info":
            marks |= happened
    if view.day:
        at = bisect_left(bars.dates, view.day)
        marks[at] = (marks.get(at, ("^", ""))[0], HERE)
    chart = price_chart(bars.close, width=width, height=height - 1, marks=marks)
    return [*chart.split("\n", allow_blank=True), _axis(bars, width)]


def _sign(example: Hit) -> tuple[str, Style]:
    """Sign and style: those of what happened to the shares where the finding says just that."""
    return _EVENTS.get(example.rule) or _SIGNS.get(example.level, (".", PLAIN))


def _axis(bars: StockBars, width: int) -> Text:
    kind = "adjusted close" if bars.cleaned else "close as it came"
    room = width - PRICE_AXIS - len(bars.dates[0]) - len(bars.dates[-1])
    axis = Text(" " * PRICE_AXIS + bars.dates[0], style=DIM, no_wrap=True)
    axis.append(kind.center(room) if room > len(kind) + 1 else " " * max(1, room))
    axis.append(bars.dates[-1])
    return axis


def _notes(view: StockView) -> list[Text]:
    """The finding of the chosen day, else the first ones; how many more there are."""
    chosen = [one for one in view.examples if one.date == view.day] or list(view.examples)
    lines = [happened] if (happened := _events(view)) else []
    for example in chosen[:_LISTED]:
        sign, style = _sign(example)
        line = Text(f"{sign} {fmt.clean(example.date)} {fmt.clean(example.rule)}  ", style=style)
        line.append(fmt.clean(example.text))
        lines.append(line)
    if not view.examples:
        return [*lines, Text("no listed finding of this code", style=DIM)]
    if len(view.examples) > len(chosen[:_LISTED]):
        shown = len(chosen[:_LISTED])
        lines.append(Text(f"{shown} of {len(view.examples)} listed findings", style=DIM))
    return lines


def _events(view: StockView) -> Text | None:
    """``s split 1, d dividend 12``: how often each happened; None where nothing did."""
    counts = Counter(name for _, name in view.bars.events) if view.bars else Counter[str]()
    if not counts:
        return None
    text = Text(no_wrap=True)
    for name, count in counts.items():
        sign, style = _EVENTS.get(name, ("s", STRONG))
        text.append(sign, style=style).append(f" {name} {count:,}  ", style=DIM)
    return text
