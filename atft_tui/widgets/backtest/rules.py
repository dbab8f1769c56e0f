"""From the wish to the orders: what each constraint left of the book and of its expected IC."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.styles import DIM, PLAIN
from atft_tui.widgets.backtest.names import OLDER
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import cut
from engine.records.backtest import BacktestSummary
from engine.records.book import BookStep

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
    if roomy:
        heading += f"{'took':>8}{'exp. IC':>9}"
    rows = [Text(heading, style=ink.quiet, no_wrap=True)]
    before: BookStep | None = None
    for step in steps:
        rows.append(_step_row(step, before, room, roomy, ink))
        before = step
    rows += _order_rows(found, ink)
    rows.append(Text("transf: correlation of weights and scores", style=ink.quiet))
    return cut(rows, width, height)


def _step_row(step: BookStep, before: BookStep | None, room: int, roomy: bool, ink: Ink) -> Text:
    took = before is None or _written(step) != _written(before)
    name = Text(fmt.clean(step.name), no_wrap=True)
    name.truncate(room - 1, overflow="ellipsis")
    name.pad_right(room - name.cell_len)
    gross, names, transfer = _written(step)
    row = name.append(f"{gross:>7}{names:>7}{transfer:>7}")
    if roomy:
        lost = step.gross - before.gross if before is not None else math.nan
        row.append(f"{fmt.number(lost, 2):>8}{fmt.number(step.expected_ic):>9}")
    row.stylize(PLAIN if took else ink.quiet)
    return row


def _written(step: BookStep) -> tuple[str, str, str]:
    def word(value: float, form: str) -> str:
        return format(value, form) if math.isfinite(value) else fmt.DASH

    return word(step.gross, ".2f"), word(step.names, ",.0f"), word(step.transfer, ".3f")


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
