"""The shadow ledger: is what the signals earn at real prices what the backtest says they earn?"""

import math
from collections.abc import Mapping

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.desk import Shadow
from atft_tui.styles import BAD, BETTER, DIM, PLAIN, STRONG, noted
from atft_tui.widgets.lines import beside, line, page, row
from atft_tui.widgets.panel import PartPanel
from atft_tui.widgets.point_chart import gap_chart
from engine.records.figure import Figure
from engine.records.judgement import SURE
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
        lines.append(Text())
        split, room = _split(totals), height - len(lines)
        chart = _chart(told, width - _SPLIT - 2, room) if room >= _LEAST_CHART else []
        return page(lines + (beside(split, chart, _SPLIT) if chart else split), width, height)


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
    gap = Figure(_BPS * total.gap, _BPS * total.gap_se).text(1)
    mark, style = "~" * noise, DIM if noise else BAD if total.gap < 0 else BETTER
    sample, unfilled = f" (n={total.sessions:,})", f"  unfilled {total.unfilled:,}/{total.orders:,}"
    told = (f"gap {mark}{gap}", style)
    return line((f"{entry:<6}", STRONG), told, (sample, DIM), (unfilled, DIM))


def _live(live: LiveRecord) -> Text:
    if not math.isfinite(live.rank_ic):
        return line((f"live RankIC none yet (h={live.horizon})", DIM))
    noise, error = live.is_noise, f" ± {live.se:.4f}" if math.isfinite(live.se) else ""
    figure = noted(f"{live.rank_ic:+.4f}", noise=noise)
    sample, test = (f" (n={live.sessions})", DIM), (f", test {fmt.number(live.expected)}", DIM)
    return line(("live RankIC ", DIM), figure, (error, DIM if noise else PLAIN), sample, test)


def _split(totals: Mapping[Entry, ShadowTotal]) -> list[Text]:
    """Mean of each part a session; backtest and the parts add up to realised."""
    if not totals:
        return []
    lines = [row(("a session", 10, DIM), *((entry, -6, DIM) for entry in totals))]
    for name in ("backtest", *PARTS, "realised"):
        style = PLAIN if name in PARTS else STRONG
        means = (_BPS * getattr(total.mean, name) for total in totals.values())
        lines.append(row((name, 10, style), *((fmt.number(x, 1), -6, style) for x in means)))
    return lines
