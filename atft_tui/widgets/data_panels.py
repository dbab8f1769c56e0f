"""Panels of the data: how the files were read, one stock, the graph over time."""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import StockBars, StockRow
from atft_tui.styles import BAD, BAR, DIM, GOOD, HERE, PLAIN, STRONG, WARN, status
from atft_tui.widgets.chart_panel import ChartPanel
from atft_tui.widgets.curve_picture import picture
from atft_tui.widgets.curves import Chart, Curve
from atft_tui.widgets.lines import beside, cell, cut, line, page, start, wrapped
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import strip
from engine.records.features import GraphManifest
from engine.records.quality import Hit
from engine.records.snapshot import SourceReading

_LABEL = 10
"""Columns of the word that a line starts with."""
_STYLES = {"left": DIM, "note": WARN, "warning": WARN, "refused": BAD}
"""Styles of lines by the word they start with; others are plain."""

_STATISTICS = {
    "nodes": ("nodes", "count"),
    "edges": ("edges", "count"),
    "mean_degree": ("edges a node", "number"),
    "max_in_degree": ("most sources", "count"),
    "max_out_degree": ("largest hub", "count"),
    "mean_abs_rho": ("mean |rho|", "number"),
    "same_sector_share": ("same sector", "share"),
    "turnover": ("new edges", "share"),
    "isolated_share": ("without a source", "share"),
    "unheard_share": ("source of none", "share"),
}
"""Words for a statistic and how it is written; one that is not here is left out."""
_LABEL_WIDTH, _VALUE_WIDTH = 18, 8
_RULES = ("window", "half_life", "shrinkage", "threshold", "k", "rebuild_sessions")
"""Rules of a graph that are shown beside its kind."""


class ReadingPanel(PlacePanel[SourceReading]):
    """How the current snapshot's files were read, with the verdict in the title."""

    title: ClassVar[str] = "reading"
    empty: ClassVar[str] = "How the files were read comes here: i ingests market data."

    def show_value(self, value: SourceReading | None) -> None:
        """The verdict stands in the title: the lines that say it may be below the edge."""
        super().show_value(value)
        self.border_title = verdict_words(value) if value and value.reading_verdict else self.title

    def picture(self, value: SourceReading, width: int, height: int) -> Text:
        return page(reading_lines(value, width), width, height)


def reading_lines(read: SourceReading, width: int) -> list[Text]:
    """The error and its way out first, then plan and evidence with a hanging indent."""
    lines = _folded(f"{GLYPHS.failed} {read.error}", width, BAD) if read.error else []
    lines += _folded(read.hint, width, STRONG) if read.hint else []
    for label, said in read.reading_lines():
        if len(label) < _LABEL:
            words = _folded(said, width - _LABEL, _STYLES.get(label, PLAIN))
            lines += beside([cell(label, _LABEL - 1, STRONG)], words, _LABEL - 1, gap=1)
        else:  # files that were not read, and how many
            lines += _folded(f"{label}: {said}", width, WARN)
    return lines


def _folded(words: str, width: int, style: Style) -> list[Text]:
    """Broken at spaces, and long words (paths) at the edge: of a refusal nothing may be cut off."""
    room = max(1, width)
    parts = (word[i : i + room] for word in words.split() for i in range(0, len(word), room))
    return wrapped(" ".join(parts), room, style)


def verdict_words(read: SourceReading) -> Text:
    """``✓ reading ok``; empty where no verdict was recorded."""
    verdict = read.reading_verdict
    found = status(verdict)
    return start(f"{found.mark} reading {verdict}", found.style) if verdict else Text()


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


class StockPanel(ChartPanel[StockView]):
    title: ClassVar[str] = "selected stock"
    empty: ClassVar[str] = "Choose a code in the list of stocks: its price and findings come here."

    def picture(self, value: StockView, width: int, height: int) -> Text:
        head = _head(value)
        notes = _notes(value)[: max(0, height - len(head) - 4)]
        drawn = _without_chart(value) or picture(
            self.chart(value), width, height - len(head) - len(notes), self.view
        )
        return cut([*head, *drawn.split("\n", allow_blank=True), *notes], width, height)

    def chart(self, value: StockView) -> Chart:
        """The price by session, and under it what happened and what was found."""
        bars = value.bars
        if bars is None:
            return Chart(curves=())
        kind = "adjusted close" if bars.cleaned else "close as it came"
        return Chart(
            curves=[Curve(name=kind, x=range(len(bars.close)), y=bars.close)],
            signs=_signs(value, bars),
            x_words=lambda n: bars.dates[round(n)],
            y_words=lambda v: f"{v:,.6g}",
        )


def _head(view: StockView) -> list[Text]:
    stock = view.stock
    called, sector = fmt.clean(stock.name), fmt.clean(stock.sector)
    name = (f"  {called or 'no name'}", STRONG + (PLAIN if called else DIM))
    who = line(
        (fmt.clean(stock.symbol), STRONG), name, (f"  {sector or 'no sector'}", DIM + STRONG)
    )
    if not stock.rows:
        return [who, line(("no bar", WARN))]
    when = line(f"{stock.first} to {stock.last}  {fmt.counted(stock.kept, 'bar')} kept")
    if stock.kept < stock.rows:
        when.append(f" of {stock.rows:,}", style=WARN)
    if stock.member is not None:
        inside = "  in the universe" if stock.member else "  not in the universe"
        when.append(inside, style=GOOD if stock.member else DIM)
    return [who, when]


def _without_chart(view: StockView) -> Text:
    """Why there is no price to see; empty where there is one."""
    if view.trouble:
        return Text(fmt.clean(view.trouble), style=BAD)
    if view.bars is None:
        return Text("reading ...", style=DIM)
    return Text("" if view.bars.dates else "no price to draw", style=DIM)


def _signs(view: StockView, bars: StockBars) -> dict[float, tuple[str, Style]]:
    """Position -> sign and style: the worst finding of a session over what happened on it."""
    happened: dict[float, tuple[str, Style]] = {
        at: _EVENTS.get(name, ("s", STRONG)) for at, name in bars.events
    }
    marks: dict[float, tuple[str, Style]] = {}
    for level in ("info", "warning", "error"):
        for example in view.examples:
            if example.level == level:
                marks[bisect_left(bars.dates, example.date)] = _sign(example)
        if level == "info":
            marks |= happened
    if view.day:
        at = bisect_left(bars.dates, view.day)
        marks[at] = (marks.get(at, ("^", ""))[0], HERE)
    return marks


def _sign(example: Hit) -> tuple[str, Style]:
    """Sign and style: those of what happened to the shares where the finding says just that."""
    return _EVENTS.get(example.rule) or _SIGNS.get(example.level, (".", PLAIN))


def _notes(view: StockView) -> list[Text]:
    """What happened and how often, the finding of the chosen day, else the first ones; how many more."""
    counts = Counter(name for _, name in view.bars.events) if view.bars else Counter[str]()
    lines = [Text(no_wrap=True)] if counts else []
    for name, count in counts.items():
        sign, style = _EVENTS.get(name, ("s", STRONG))
        lines[0].append(sign, style=style).append(f" {name} {count:,}  ", style=DIM)
    if not view.examples:
        return [*lines, Text("no listed finding of this code", style=DIM)]
    chosen = [one for one in view.examples if one.date == view.day] or list(view.examples)
    for example in chosen[:_LISTED]:
        sign, style = _sign(example)
        head = (f"{sign} {fmt.clean(example.date)} {fmt.clean(example.rule)}  ", style)
        lines.append(line(head, (fmt.clean(example.text), style)))
    told = min(len(chosen), _LISTED)
    if len(view.examples) > told:
        lines.append(Text(f"{told} of {len(view.examples)} listed findings", style=DIM))
    return lines


class GraphPanel(PlacePanel[tuple[GraphManifest, bool]]):
    """The graphs over time, and whether they are of the current data."""

    title: ClassVar[str] = "graph"
    empty: ClassVar[str] = (
        "No graph built yet.\n\nn in Train builds it, and so does a run of the demo (ctrl+p demo);\n"
        "with graph.kind = none there is never one."
    )

    def picture(self, value: tuple[GraphManifest, bool], width: int, height: int) -> Text:
        """Kind, span and rules, then a line for each statistic."""
        manifest, fits = value
        rules, found = manifest.graph, manifest.statistics
        dates = [fmt.clean(str(day)) for day in found.get("date", ())]
        span = f"  {dates[0]} to {dates[-1]}" if dates else ""
        kind = fmt.clean(str(rules.get("kind", "not recorded")))
        told = "  ".join(f"{name} {rules[name]}" for name in _RULES if name in rules)
        lines = [
            line((f"{kind}  {len(dates):,} rebuilds", STRONG), (span, DIM + STRONG),
                 ("" if fits else "  of older data", WARN + STRONG)),
            line((fmt.clean(told), DIM)),
        ]  # fmt: skip
        lines += [
            _statistic(label, form, found[name], width)
            for name, (label, form) in _STATISTICS.items()
            if name in found
        ]
        if not set(found) - {"date"}:
            lines.append(Text("statistics were not recorded: built by an older version", WARN))
        return cut(lines, width, height)


def _statistic(label: str, form: str, told: Sequence[str | float | None], width: int) -> Text:
    """The newest value beside its whole course."""
    values = [math.nan if value is None else float(value) for value in told]
    last = values[-1] if values else math.nan
    if not math.isfinite(last):
        written = fmt.DASH
    elif form == "count":
        written = fmt.count(int(last))
    else:
        written = fmt.percent(last) if form == "share" else f"{last:.2f}"
    text = line(f"{label:<{_LABEL_WIDTH}}", (f"{written:>{_VALUE_WIDTH}} ", STRONG))
    known = [value for value in values if math.isfinite(value)]
    room = width - _LABEL_WIDTH - _VALUE_WIDTH - 2
    if known and room >= 8:
        low, high = min(known), max(known)
        if low == high:
            text.append(" " + GLYPHS.empty * min(room, len(values)), style=DIM)
        else:
            text.append(" " + strip(values, room, low=low, high=high), style=BAR)
    return text
