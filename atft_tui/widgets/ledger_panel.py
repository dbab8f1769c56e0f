"""The shadow ledger: is what the signals earn at real prices what the backtest says they earn?"""

import math
from collections.abc import Mapping

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.desk import Shadow
from atft_tui.styles import BAD, BETTER, DIM, PLAIN, STRONG
from atft_tui.widgets.lines import beside, page, row, start
from atft_tui.widgets.part_panel import PartPanel
from atft_tui.widgets.point_chart import gap_chart
from engine.records.figure import SURE, Figure
from engine.records.shadow import ENTRIES, PARTS, Entry, LiveRecord, ShadowLedger, ShadowTotal

_BPS = 1e4
_LEAST_CHART, _HIGHEST_CHART, _NARROWEST_CHART = 5, 16, 20
"""Lines and columns that a chart needs, and lines that are enough."""
_SPLIT = 24
"""Columns of the table of parts."""


class LedgerPanel(PartPanel[Shadow]):
    title = "shadow ledger: fills against backtest, bp"
    empty = "L fills every sealed signal at the next real open and close (atft-tui ledger)."

    def picture(self, value: Shadow, width: int, height: int) -> Text:
        told = value.told
        found = {entry: told.all.get(entry) for entry in ENTRIES}
        totals = {entry: total for entry, total in found.items() if total and total.sessions}
        lines = [_gap(entry, total) for entry, total in totals.items()]
        if not lines:
            lines = [Text(f"{told.signals} sealed signals, none with two later sessions yet")]
        lines += [_live(live) for live in told.live.values()]
        lines += [Text()]
        split, room = _split(totals), height - len(lines)
        chart: list[Text] = []
        if room >= _LEAST_CHART:
            chart = _chart(told, width - _SPLIT - 2, room)
        if not chart:
            lines += split
        else:
            lines += beside(split, chart, _SPLIT)
        return page(lines, width, height)


def _chart(told: ShadowLedger, width: int, height: int) -> list[Text]:
    """Empty where there are no two points, or it would be too narrow to see anything."""
    points = told.running.get("open", ())
    if len(points) < 2 or width < _NARROWEST_CHART:
        return []
    chart = gap_chart(
        [_BPS * point.gap for point in points],
        [_BPS * point.se for point in points],
        width=width,
        height=min(height, _HIGHEST_CHART) - 1,
    )
    return [Text("mean gap at the open", style=DIM), *chart.split("\n")]


def _gap(entry: Entry, total: ShadowTotal) -> Text:
    """``open   gap -7.1 ± 1.0 (n=18)``: dim and marked while it is within its error of nothing."""
    noise = not abs(total.gap) > SURE * total.gap_se
    text = start(f"{entry:<6}", STRONG)
    gap = Figure(_BPS * total.gap, _BPS * total.gap_se).text(1)
    style = DIM if noise else BAD if total.gap < 0 else BETTER
    text.append(f"gap {'~' if noise else ''}{gap}", style=style)
    text.append(f" (n={total.sessions:,})", style=DIM)
    text.append(f"  unfilled {total.unfilled:,}/{total.orders:,}", style=DIM)
    return text


def _live(live: LiveRecord) -> Text:
    text = start("live RankIC ", DIM)
    if not math.isfinite(live.rank_ic):
        text.append(f"none yet (h={live.horizon})", style=DIM)
        return text
    noise = live.is_noise
    text.append(f"{'~' if noise else ''}{live.rank_ic:+.4f}", style=DIM if noise else STRONG)
    if math.isfinite(live.se):
        text.append(f" ± {live.se:.4f}", style=DIM if noise else PLAIN)
    text.append(f" (n={live.sessions})", style=DIM)
    text.append(f", test {fmt.number(live.expected)}", style=DIM)
    return text


def _split(totals: Mapping[Entry, ShadowTotal]) -> list[Text]:
    """Mean of each part a session; backtest and the parts add up to realised."""
    if not totals:
        return []
    lines = [row(("a session", 10, DIM), *((entry, -6, DIM) for entry in totals))]
    for name in ("backtest", *PARTS, "realised"):
        style = PLAIN if name in PARTS else STRONG
        figures = [getattr(total.mean, name) for total in totals.values()]
        lines.append(
            row((name, 10, style), *((fmt.number(_BPS * x, 1), -6, style) for x in figures))
        )
    return lines
