"""What trading costs and what each constraint left of the book."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import DIM, INK, PLAIN, STRONG, Ink
from atft_tui.widgets.backtest.words import OLDER, percent
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.lines import cell, cut, line, painted
from engine.records.backtest import BacktestSummary
from engine.records.book import BookStep

_NAME, _YEAR, _SESSION = 11, 10, 11
"""Columns of a cost: its name, what it takes a year and a session."""
_WHOLE = ("gross", "net")
"""Bars that begin at zero."""


def costs_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """One floating bar a step, from what was left before it to what is left after."""
    steps: list[tuple[str, float, float, float]] = []
    left = 0.0
    for name, value in found.waterfall.bars():
        start = 0.0 if name in _WHOLE else left
        left = start + (value if math.isfinite(value) else 0.0)
        steps.append((name, value, start, left))
    ends = [0.0, *(end for step in steps for end in step[2:])]
    columns = max(1, width - _NAME - _YEAR - _SESSION)
    scale = CellScale(low=min(ends), high=max(ends), columns=columns)
    rows = [_cost_row(*step, scale, found.sessions_per_year, ink) for step in steps]
    rows += [Text(), *_cost_words(found, ink)] if height > len(rows) + 1 else []
    return cut(rows, width, height)


def _cost_row(
    name: str, value: float, start: float, stop: float, scale: CellScale, sessions: float, ink: Ink
) -> Text:
    whole = name in _WHOLE
    colour = ink.main if whole else ink.bad if value < 0 else ink.good
    cells = [" "] * scale.columns
    cells[scale.column(0.0)] = GLYPHS.bar
    full = GLYPHS.heat[-1] if whole else GLYPHS.heat[-2]
    if start != stop:
        first, last = sorted((scale.column(start), scale.column(stop)))
        cells[first : last + 1] = full * (last - first + 1)
    bar = painted((cell, colour if cell == full else ink.quiet) for cell in cells)
    bold = STRONG if whole else PLAIN
    daily = value / sessions * 1e4 if sessions > 0 else math.nan
    told = f"{daily:+.1f} bp" if math.isfinite(daily) else fmt.DASH
    row = Text(f"{name:<{_NAME}}", style=bold, no_wrap=True).append_text(bar)
    row.append(f"{percent(value):>{_YEAR}}", style=colour)
    return row.append(f"{told:>{_SESSION}}", style=ink.quiet)


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


_ORDERS = (
    ("beyond_adv", "beyond the share of turnover"),
    ("in_lots", "rounded to lots"),
    ("at_limit", "at a daily price limit"),
    ("without_cash", "without cash"),
)
_TAIL = 21
"""Columns of gross, names and transfer."""
_ROOMY, _MORE = 60, 17
"""Columns from which on there is room for what a step took of the gross and for the expected IC."""


def rules_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Gross, names and transfer coefficient after each step; a step that took nothing is quiet."""
    steps = found.alpha_to_orders.steps
    if not steps:
        return Text(OLDER, style=DIM)
    roomy = width >= _ROOMY
    room = max(6, width - _TAIL - (_MORE if roomy else 0))
    heading = f"{'step':<{room}}{'gross':>7}{'names':>7}{'transf':>7}"
    heading += f"{'took':>8}{'exp. IC':>9}" if roomy else ""
    rows = [line((heading, ink.quiet))]
    for step, before in zip(steps, [None, *steps[:-1]], strict=True):
        written = _written(step)
        words = f"{cell(step.name, room - 1)} {written}"
        if roomy:
            lost = step.gross - before.gross if before is not None else math.nan
            words += f"{fmt.number(lost, 2):>8}{fmt.number(step.expected_ic):>9}"
        took = before is None or written != _written(before)
        rows.append(line((words, PLAIN if took else ink.quiet)))
    rows += _order_rows(found, ink)
    rows.append(Text("transf: correlation of weights and scores", style=ink.quiet))
    return cut(rows, width, height)


def _written(step: BookStep) -> str:
    """Gross, names and transfer coefficient in their columns."""
    figures = ((step.gross, ".2f"), (step.names, ",.0f"), (step.transfer, ".3f"))
    told = (format(value, form) if math.isfinite(value) else fmt.DASH for value, form in figures)
    return "".join(f"{word:>7}" for word in told)


def _order_rows(found: BacktestSummary, ink: Ink) -> list[Text]:
    """Shares of the wanted trading that were not done."""
    orders = found.alpha_to_orders.orders
    rows = [Text("orders not done, share of wanted", style=ink.quiet)]
    for key, name in _ORDERS:
        share = orders.share(key)
        shown = f"{share:.2%}" if math.isfinite(share) else fmt.DASH
        rows.append(Text(f"  {shown:>8}  {name}", style=PLAIN if share > 0 else ink.quiet))
    if orders.stopped_sessions > 0:
        words = f"  {orders.stopped_sessions} sessions rested after a drawdown stop"
        rows.append(Text(words, style=ink.bad))
    return rows
