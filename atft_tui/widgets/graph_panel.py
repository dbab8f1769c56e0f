"""The graph over time: one line a statistic, newest value beside its whole course."""

import math
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.data import GraphSeriesRow
from atft_tui.styles import BAR, DIM, STRONG, WARN
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.strips import strip

_LABELS = {
    "nodes": ("nodes", "count"),
    "edges": ("edges", "count"),
    "mean_degree": ("edges a node", "number"),
    "max_in_degree": ("most heard by one", "count"),
    "max_out_degree": ("largest hub", "count"),
    "mean_abs_rho": ("mean |rho|", "number"),
    "same_sector_share": ("same sector", "share"),
    "turnover": ("new edges", "share"),
    "isolated_share": ("hear nobody", "share"),
    "unheard_share": ("heard by nobody", "share"),
}
"""Words for a statistic and how it is written; one that is not here is left out."""
_LABEL_WIDTH, _VALUE_WIDTH = 18, 8


class GraphPanel(PlacePanel[GraphSeriesRow]):
    title: ClassVar[str] = "graph"
    empty: ClassVar[str] = (
        "No graph built yet.\n\nn in Train builds it, and so does a run of the demo (ctrl+p demo);\n"
        "with graph.kind = none there is never one."
    )

    def picture(self, value: GraphSeriesRow, width: int, height: int) -> Text:
        return graph_picture(value, width, height)


def graph_picture(graph: GraphSeriesRow, width: int, height: int) -> Text:
    kind = Text(fmt.clean(graph.kind), style=STRONG, no_wrap=True)
    kind.append(f"  {len(graph.dates):,} rebuilds")
    if graph.dates:
        kind.append(f"  {fmt.clean(graph.dates[0])} to {fmt.clean(graph.dates[-1])}", style=DIM)
    if not graph.fits:
        kind.append("  of older data", style=WARN)
    rules = Text(fmt.clean(graph.rules), style=DIM, no_wrap=True)
    lines = [kind, rules]
    found = dict(graph.series)
    for name, (label, form) in _LABELS.items():
        if name in found:
            lines.append(_line(label, form, found[name], width))
    if not graph.series:
        lines.append(Text("statistics were not recorded: built by an older version", WARN))
    return cut(lines, width, height)


def _line(label: str, form: str, values: Sequence[float], width: int) -> Text:
    line = Text(no_wrap=True)
    line.append(f"{label:<{_LABEL_WIDTH}}")
    last = values[-1] if values else math.nan
    line.append(f"{_written(last, form):>{_VALUE_WIDTH}} ", style=STRONG)
    known = [value for value in values if math.isfinite(value)]
    room = width - _LABEL_WIDTH - _VALUE_WIDTH - 2
    if known and room >= 8:
        low, high = min(known), max(known)
        if low == high:
            line.append(" " + GLYPHS.empty * min(room, len(values)), style=DIM)
        else:
            line.append(" " + strip(values, room, low=low, high=high), style=BAR)
    return line


def _written(value: float, form: str) -> str:
    if not math.isfinite(value):
        return fmt.DASH
    if form == "count":
        return fmt.count(int(value))
    return fmt.percent(value) if form == "share" else f"{value:.2f}"
