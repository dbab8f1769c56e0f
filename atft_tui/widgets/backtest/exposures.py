"""What the book leans on, over time: gross, net, names, turnover and sectors, with the cursor's day."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest import Curves
from atft_tui.styles import CURSOR, DIM, PLAIN, STRONG
from atft_tui.widgets.backtest.names import OLDER
from atft_tui.widgets.canvas import column_of, last_of_parts
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import cut, painted
from atft_tui.widgets.strips import BlockScale

_NAME, _LONG_NAME, _VALUE = 12, 22, 8
_ROOMY = 60
"""Columns from which on sectors have the long name."""


@dataclass(frozen=True, slots=True)
class ExposuresValue:
    """The daily figures, the session under the cursor, and the beta of the whole."""

    curves: Curves
    cursor: int
    beta: float


def exposures_picture(value: ExposuresValue, width: int, height: int, *, ink: Ink = INK) -> Text:
    """A strip each, scaled to itself, the cursor's column marked, its value at the right."""
    curves, at = value.curves, value.cursor
    if not curves.dates:
        return cut([Text("the backtest has no session", style=DIM)], width, height)
    label = _NAME if width < _ROOMY else _LONG_NAME
    columns = max(1, width - label - _VALUE)
    x = column_of(at, len(curves.dates), columns)

    def row(name: str, series: Sequence[float], form: Callable[[float], str]) -> Text:
        strip = _level_strip(series, columns, ink)
        strip.stylize(ink.accent + STRONG, x, x + 1)
        return _row(name, label, strip, form(series[at]))

    gross = tuple(a + b for a, b in zip(curves.long, curves.short, strict=True))
    net = tuple(a - b for a, b in zip(curves.long, curves.short, strict=True))
    rows = [
        row("gross", gross, _share),
        row("net", net, _signed),
        row("long", curves.long, _share),
        row("short", curves.short, _share),
        row("names", curves.names, lambda v: f"{v:,.0f}" if math.isfinite(v) else fmt.DASH),
        row("turnover", curves.turnover, _share),
    ]
    if curves.sectors:
        rows.append(_sector_heading(value, ink))
        top = max((abs(v) for _, s in curves.sectors for v in s if math.isfinite(v)), default=0.0)
        for name, series in curves.sectors:
            strip = _net_strip(series, columns, top, ink)
            strip.stylize(CURSOR, x, x + 1)
            rows.append(_row(name, label, strip, _signed(series[at])))
    else:
        rows.append(Text(OLDER, style=DIM))
    return cut(rows, width, height)


def _level_strip(series: Sequence[float], columns: int, ink: Ink) -> Text:
    """Blocks between zero (or the lowest value, if negative) and the highest."""
    known = [v for v in series if math.isfinite(v)]
    block = BlockScale(min([*known, 0.0]), max([*known, 0.0]))
    return painted((block(value), ink.quiet) for value in last_of_parts(series, columns))


def _net_strip(series: Sequence[float], columns: int, top: float, ink: Ink) -> Text:
    """Long and short by sign and shade: darker is more."""
    levels = len(GLYPHS.heat) - 1

    def cell(value: float) -> tuple[str, Style]:
        if math.isnan(value):
            return " ", PLAIN
        share = value / top if top > 0 else 0.0
        level = math.ceil(min(1.0, abs(share)) * levels - 0.25)
        if share >= 0 or level == 0:
            return GLYPHS.heat[level], ink.good
        return GLYPHS.less[min(2, level - 1)], ink.bad

    return painted(map(cell, last_of_parts(series, columns)))


def _sector_heading(value: ExposuresValue, ink: Ink) -> Text:
    words = f"net by sector: {GLYPHS.heat[2]} long = short"
    if math.isfinite(value.beta):
        words = f"beta {value.beta:+.2f}; {words}"
    return Text(words, style=ink.quiet, no_wrap=True)


def _row(name: str, columns: int, strip: Text, value: str) -> Text:
    label = Text(fmt.clean(name), no_wrap=True)
    label.truncate(columns - 1, overflow="ellipsis")
    label.pad_right(columns - label.cell_len)
    return label.append_text(strip).append(f"{value:>{_VALUE}}")


def _share(value: float) -> str:
    return f"{value:.1%}" if math.isfinite(value) else fmt.DASH


def _signed(value: float) -> str:
    return f"{value:+.1%}" if math.isfinite(value) else fmt.DASH
