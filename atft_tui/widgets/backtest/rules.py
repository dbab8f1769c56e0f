"""From the wish to the orders: what each constraint left of the book and of its expected IC."""

import math
from typing import ClassVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.backtest_figures import Figures, Step
from atft_tui.styles import DIM, PLAIN
from atft_tui.widgets.backtest.scores import OLDER
from atft_tui.widgets.ink import INK, Ink, ink_of
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel

_ORDERS = (
    ("beyond_adv", "beyond the share of turnover"),
    ("in_lots", "rounded to lots"),
    ("at_limit", "at a daily price limit"),
    ("without_cash", "without cash"),
)
_TAIL = 21
"""Columns of gross, names and transfer."""
ROOMY, MORE = 60, 17
"""Columns from which on there is room for what a step took of the gross and for the expected IC."""


class RulesPanel(PlacePanel[Figures]):
    title: ClassVar[str] = "what each constraint left"
    empty: ClassVar[str] = "What limits take from the book, after a backtest (b)."

    def depends(self, value: Figures) -> tuple[object, ...]:
        return (value, self.app.theme)

    def picture(self, value: Figures, width: int, height: int) -> Text:
        return rules_picture(value, width, height, ink=ink_of(self.app.current_theme))


def rules_picture(found: Figures, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Gross, names and transfer coefficient after each step; a step that took nothing is quiet."""
    if not found.steps:
        return Text(OLDER, style=DIM)
    roomy = width >= ROOMY
    room = max(6, width - _TAIL - (MORE if roomy else 0))
    heading = f"{'step':<{room}}{'gross':>7}{'names':>7}{'transf':>7}"
    if roomy:
        heading += f"{'took':>8}{'exp. IC':>9}"
    rows = [Text(heading, style=ink.quiet, no_wrap=True)]
    before: Step | None = None
    for step in found.steps:
        rows.append(_step_row(step, before, room, roomy, ink))
        before = step
    rows += _order_rows(found, ink)
    rows.append(Text("transf: correlation of weights and scores", style=ink.quiet))
    return cut(rows, width, height)


def _step_row(step: Step, before: Step | None, room: int, roomy: bool, ink: Ink) -> Text:
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


def _written(step: Step) -> tuple[str, str, str]:
    def word(value: float, form: str) -> str:
        return format(value, form) if math.isfinite(value) else fmt.DASH

    return word(step.gross, ".2f"), word(step.names, ",.0f"), word(step.transfer, ".3f")


def _order_rows(found: Figures, ink: Ink) -> list[Text]:
    """Shares of the wanted trading that were not done."""
    wanted = found.orders.get("wanted", math.nan)
    rows = [Text("orders not done, share of wanted", style=ink.quiet)]
    for key, name in _ORDERS:
        lost = found.orders.get(key, math.nan)
        share = lost / wanted if wanted > 0 else math.nan
        shown = f"{share:.2%}" if math.isfinite(share) else fmt.DASH
        rows.append(Text(f"  {shown:>8}  {name}", style=PLAIN if share > 0 else ink.quiet))
    stopped = found.orders.get("stopped_sessions", 0.0)
    if stopped > 0:
        rows.append(Text(f"  {stopped:.0f} sessions rested after a drawdown stop", style=ink.bad))
    return rows
