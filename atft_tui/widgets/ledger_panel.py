"""The shadow ledger: is what the signals earn at real prices what the backtest says they earn?"""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.shadow import PARTS, Live, Shadow, Total
from atft_tui.styles import BAD, BETTER, DIM, PLAIN, STRONG
from atft_tui.widgets.lines import beside, page, row, start
from atft_tui.widgets.part_panel import PartPanel
from atft_tui.widgets.point_chart import gap_chart
from engine.records.judgement import SURE

_BPS = 1e4
LEAST_CHART, HIGHEST_CHART, NARROWEST_CHART = 5, 16, 20
"""Lines and columns that a chart needs, and lines that are enough."""
_SPLIT = 24
"""Columns of the table of parts."""


class LedgerPanel(PartPanel[Shadow]):
    title = "shadow ledger: fills against backtest, bp"
    empty = "L fills every sealed signal at the next real open and close (atft-tui ledger)."

    def picture(self, value: Shadow, width: int, height: int) -> Text:
        lines = [line for total in value.totals for line in _gap(total)]
        if not lines:
            lines = [Text(f"{value.signals} sealed signals, none with two later sessions yet")]
        lines += [_live(live) for live in value.live]
        lines += [Text()] if lines else []
        split, room = _split(value), height - len(lines)
        shown = value.total("open")
        chart: list[Text] = []
        if shown is not None and len(shown.running) > 1 and room >= LEAST_CHART:
            chart = _chart(shown, width - _SPLIT - 2, room)
        if not chart:
            lines += split
        else:
            lines += beside(split, chart, _SPLIT)
        return page(lines, width, height)


def _chart(total: Total, width: int, height: int) -> list[Text]:
    """Empty where it would be too narrow to see anything."""
    if width < NARROWEST_CHART:
        return []
    chart = gap_chart(
        [_BPS * point.gap for point in total.running],
        [_BPS * point.se for point in total.running],
        width=width,
        height=min(height, HIGHEST_CHART) - 1,
    )
    return [Text(f"mean gap at the {total.entry}", style=DIM), *chart.split("\n")]


def _gap(total: Total) -> list[Text]:
    """``open   gap -7.1 ± 1.0 (n=18)``: dim and marked while it is within its error of nothing."""
    if not total.sessions:
        return []
    noise = not abs(total.gap) > SURE * total.gap_se
    text = start(f"{total.entry:<6}", STRONG)
    error = f" ± {_BPS * total.gap_se:.1f}" if math.isfinite(total.gap_se) else ""
    style = DIM if noise else BAD if total.gap < 0 else BETTER
    text.append(f"gap {'~' if noise else ''}{_BPS * total.gap:+.1f}{error}", style=style)
    text.append(f" (n={total.sessions:,})", style=DIM)
    text.append(f"  unfilled {total.unfilled:,}/{total.orders:,}", style=DIM)
    return [text]


def _live(live: Live) -> Text:
    text = start("live RankIC ", DIM)
    if not math.isfinite(live.rank_ic):
        text.append(f"none yet (h={live.horizon})", style=DIM)
        return text
    noise = not abs(live.rank_ic) > SURE * live.se
    text.append(f"{'~' if noise else ''}{live.rank_ic:+.4f}", style=DIM if noise else STRONG)
    if math.isfinite(live.se):
        text.append(f" ± {live.se:.4f}", style=DIM if noise else PLAIN)
    text.append(f" (n={live.sessions})", style=DIM)
    text.append(f", test {fmt.number(live.expected)}", style=DIM)
    return text


def _split(value: Shadow) -> list[Text]:
    """Mean of each part a session; backtest and the parts add up to realised."""
    totals = [total for total in value.totals if total.sessions]
    if not totals:
        return []
    lines = [row(("a session", 10, DIM), *((total.entry, -6, DIM) for total in totals))]
    for number, name in enumerate(("backtest", *PARTS, "realised")):
        style = STRONG if name in ("backtest", "realised") else PLAIN
        figures = [(total.backtest, *total.parts, total.realised)[number] for total in totals]
        lines.append(
            row((name, 10, style), *((fmt.number(_BPS * x, 1), -6, style) for x in figures))
        )
    return lines
