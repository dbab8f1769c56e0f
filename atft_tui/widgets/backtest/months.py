"""Net return by month: numbers where there is room, sign and shade where there is not."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import CURSOR, PLAIN, STRONG
from atft_tui.widgets.backtest.names import percent
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import cut

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
    header = Text(" " * _YEAR, style=ink.quiet, no_wrap=True)
    for name in _MONTHS:
        header.append(f"{name[: max(1, cell - 1)]:>{cell}}")
    header.append(f"{'year':>{_TOTAL}}")
    rows = [header]
    for year in years[-room:]:
        row = Text(f"{year:<{_YEAR}}", no_wrap=True)
        for month in range(1, 13):
            here = (year, month) == value.cursor
            row.append_text(month_cell(months.get((year, month)), cell, top, ink, here=here))
        row.append(f"{percent(_year_return(months, year)):>{_TOTAL}}", style=STRONG)
        rows.append(row)
    hidden = len(years) - min(room, len(years))
    note = f"shade full at ±{top:.1%}".replace("%", " %")
    if cell < _NUMBERS:
        note = f"+ gain, - loss; {note}"
    if hidden:
        note = f"{hidden} earlier years: m makes room; {note}"
    rows.append(Text(note, style=ink.quiet, no_wrap=True))
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


def _year_return(months: Mapping[tuple[int, int], float], year: int) -> float:
    """Compound return of the months of a year; NaN if one is not known."""
    growth = 1.0
    for (other, _), value in months.items():
        growth *= 1.0 + value if other == year else 1.0
    return growth - 1.0
