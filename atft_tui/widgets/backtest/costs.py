"""From gross to net: what each kind of cost takes, a year and a session."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import PLAIN, STRONG
from atft_tui.widgets.backtest.names import percent
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import cut, painted
from engine.records.backtest import BacktestSummary

_NAME, _YEAR, _SESSION = 11, 10, 11


def costs_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """One floating bar a step, from what was left before it to what is left after."""
    ends: list[tuple[float, float]] = []
    left = 0.0
    bars = found.waterfall.bars()
    for name, value in bars:
        size = value if math.isfinite(value) else 0.0
        start = 0.0 if name in ("gross", "net") else left
        left = start + size
        ends.append((start, left))
    points = [0.0, *(point for pair in ends for point in pair)]
    scale = CellScale(
        low=min(points), high=max(points), columns=max(1, width - _NAME - _YEAR - _SESSION)
    )
    rows = [
        _row(name, value, pair, scale, found.sessions_per_year, ink)
        for (name, value), pair in zip(bars, ends, strict=True)
    ]
    rows += [Text(), *_cost_words(found, ink)] if height > len(rows) + 1 else []
    return cut(rows, width, height)


def _row(
    name: str, value: float, ends: tuple[float, float], scale: CellScale, spy: float, ink: Ink
) -> Text:
    total = name in ("gross", "net")
    colour = ink.main if total else ink.bad if value < 0 else ink.good
    cells = [" "] * scale.columns
    zero = scale.column(0.0)
    cells[zero] = GLYPHS.bar
    first, last = sorted((scale.column(ends[0]), scale.column(ends[1])))
    full = GLYPHS.heat[-1] if total else GLYPHS.heat[-2]
    if ends[0] != ends[1]:
        cells[first : last + 1] = full * (last - first + 1)
    row = Text(f"{name:<{_NAME}}", style=STRONG if total else PLAIN, no_wrap=True)
    row.append_text(painted((cell, colour if cell == full else ink.quiet) for cell in cells))
    row.append(f"{percent(value):>{_YEAR}}", style=colour + STRONG if total else colour)
    daily = value / spy * 1e4 if spy > 0 else math.nan
    shown = f"{daily:+.1f} bp" if math.isfinite(daily) else "—"
    row.append(f"{shown:>{_SESSION}}", style=ink.quiet)
    return row


def _cost_words(found: BacktestSummary, ink: Ink) -> list[Text]:
    """The price list behind the bars."""
    paid = found.settings

    def rate(key: str) -> str:
        value = paid.get(f"costs.{key}")
        return f"{value:g}" if isinstance(value, int | float) else "?"

    commission = "commission by order size"
    if not paid.get("costs.commission_tiers"):
        commission = f"commission {rate('commission_bps')} bp"
    words = (
        f"{commission}, half-spread {rate('slippage_bps')} bp one way",
        f"impact {rate('impact_bps')} bp per 1 % of a day's turnover taken",
        f"borrow {rate('borrow_bps_per_year')} bp a year on shorts",
        f"turnover {percent(found.turnover, sign=False)} of equity a day "
        f"(bought + sold), entry {fmt.clean(found.entry)}",
    )
    return [Text(line, style=ink.quiet, no_wrap=True) for line in words]
