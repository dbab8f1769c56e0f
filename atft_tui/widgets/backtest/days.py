"""The book over time: net return by month, and what it leans on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import CURSOR, DIM, INK, PLAIN, STRONG, Ink
from atft_tui.widgets.backtest.equity import EquityValue
from atft_tui.widgets.backtest.words import OLDER, percent
from atft_tui.widgets.canvas import column_of, last_of_parts
from atft_tui.widgets.lines import cell, cut, line, painted
from atft_tui.widgets.strips import BlockScale

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEAR, _TOTAL = 5, 9
_NUMBERS = 4
"""Columns of a cell from which on it holds a number."""


@dataclass(frozen=True, slots=True)
class MonthsValue:
    """Returns by month, and the month of the cursor."""

    months: tuple[tuple[tuple[int, int], float], ...]
    """(year, month) -> net return, in order."""
    cursor: tuple[int, int]


def months_picture(value: MonthsValue, width: int, height: int, *, ink: Ink = INK) -> Text:
    """A row a year, the newest years that fit."""
    months = dict(value.months)
    years = sorted({year for year, _ in months})
    room = max(1, height - 2)
    cell = max(1, min(7, (width - _YEAR - _TOTAL) // 12))
    top = _strongest(months)
    names = "".join(f"{name[: max(1, cell - 1)]:>{cell}}" for name in _MONTHS)
    rows = [line((f"{'':{_YEAR}}{names}{'year':>{_TOTAL}}", ink.quiet))]
    for year in years[-room:]:
        cells = (
            month_cell(months.get(key), cell, top, ink, here=key == value.cursor)
            for key in ((year, month) for month in range(1, 13))
        )
        whole = math.prod(1.0 + change for (of, _), change in months.items() if of == year) - 1.0
        rows.append(line(f"{year:<{_YEAR}}", *cells, (f"{percent(whole):>{_TOTAL}}", STRONG)))
    hidden = len(years) - min(room, len(years))
    note = f"shade full at ±{top:.1%}"
    if cell < _NUMBERS:
        note = f"+ gain, - loss; {note}"
    if hidden:
        note = f"{hidden} earlier years: m makes room; {note}"
    rows.append(line((note, ink.quiet)))
    if height > len(rows) and months:
        rows.append(Text(_extremes(months), style=ink.quiet))
    return cut(rows, width, height)


def _extremes(months: Mapping[tuple[int, int], float]) -> str:
    """How many months gained, the best and the worst."""
    known = {key: value for key, value in months.items() if math.isfinite(value)}
    if not known:
        return ""
    best, worst = max(known, key=lambda key: known[key]), min(known, key=lambda key: known[key])
    gained = sum(value > 0 for value in known.values())
    return (
        f"{gained} of {len(known)} months up; best {best[0]}-{best[1]:02d} {percent(known[best])}, "
        f"worst {worst[0]}-{worst[1]:02d} {percent(known[worst])}"
    )


def month_cell(
    value: float | None, width: int, top: float, ink: Ink = INK, *, here: bool = False
) -> Text:
    """One month; always with its sign."""
    if value is None or not math.isfinite(value):
        return Text(f"{GLYPHS.waiting:>{width}}", style=ink.quiet)
    share = value / top if top > 0 else 0.0
    style = ink.shade(share) + (CURSOR if here else PLAIN)
    if width >= _NUMBERS:
        number = f"{value * 100:+.1f}"
        return Text(f"{number if len(number) <= width else f'{value * 100:+.0f}':>{width}}", style)
    sign = "+" if value > 0 else "-" if value < 0 else "0"
    level = math.ceil(min(1.0, abs(share)) * (len(GLYPHS.heat) - 1))
    return Text(f"{sign}{GLYPHS.heat[level] * (width - 1)}"[:width], style)


def _strongest(months: Mapping[tuple[int, int], float]) -> float:
    """Size of return at which the shade is full: the ninth decile, so that one month does not bleach all."""
    sizes = sorted(abs(v) for v in months.values() if math.isfinite(v))
    return sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))] if sizes else 0.0


_NAME, _LONG_NAME, _VALUE = 12, 22, 8
_ROOMY = 60
"""Columns from which on sectors have the long name."""


def exposures_picture(value: EquityValue, width: int, height: int, *, ink: Ink = INK) -> Text:
    """A strip each, scaled to itself, the cursor's column marked, its value at the right."""
    curves, at = value.curves, value.cursor
    if not curves.dates:
        return cut([Text("the backtest has no session", style=DIM)], width, height)
    label = _NAME if width < _ROOMY else _LONG_NAME
    columns = max(1, width - label - _VALUE)
    x = column_of(at, len(curves.dates), columns)

    def drawn(name: str, strip: Text, here: Style, now: float, form: str) -> Text:
        strip.stylize(here, x, x + 1)
        told = format(now, form) if math.isfinite(now) else fmt.DASH
        return line(cell(name, label - 1), " ", strip, f"{told:>{_VALUE}}")

    gross = tuple(a + b for a, b in zip(curves.long, curves.short, strict=True))
    net = tuple(a - b for a, b in zip(curves.long, curves.short, strict=True))
    rows = [
        drawn(name, _level_strip(series, columns, ink), ink.accent + STRONG, series[at], form)
        for name, series, form in (
            ("gross", gross, ".1%"), ("long-short", net, "+.1%"), ("long", curves.long, ".1%"),
            ("short", curves.short, ".1%"), ("names", curves.names, ",.0f"),
            ("turnover", curves.turnover, ".1%"),
        )
    ]  # fmt: skip
    if not curves.sectors:
        return cut([*rows, Text(OLDER, style=DIM)], width, height)
    words = f"by sector: {GLYPHS.heat[2]} long, = short"
    beta = f"beta {value.beta:+.2f}; " if math.isfinite(value.beta) else ""
    rows.append(line((beta + words, ink.quiet)))
    top = max((abs(v) for _, s in curves.sectors for v in s if math.isfinite(v)), default=0.0)
    for name, series in curves.sectors:
        rows.append(drawn(name, _net_strip(series, columns, top, ink), CURSOR, series[at], "+.1%"))
    return cut(rows, width, height)


def _level_strip(series: Sequence[float], columns: int, ink: Ink) -> Text:
    """Blocks between zero (or the lowest value, if negative) and the highest."""
    known = [0.0, *(v for v in series if math.isfinite(v))]
    block = BlockScale(min(known), max(known))
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
