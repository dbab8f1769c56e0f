"""Every single figure of the backtest, its notes, and where its report lies."""

import math
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.backtest_changes import changes
from atft_tui.readings.backtest_figures import Figures
from atft_tui.widgets.backtest.headline import change_words
from atft_tui.widgets.backtest.names import percent, ratio
from atft_tui.widgets.ink import INK, Ink, ink_of
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel

NAME = 17


@dataclass(frozen=True, slots=True)
class SummaryValue:
    figures: Figures
    report: str
    report_is_older: bool
    earlier: Figures | None = None
    """Of the backtest that this one replaced."""


class SummaryPanel(PlacePanel[SummaryValue]):
    title: ClassVar[str] = "all figures"
    empty: ClassVar[str] = "Return, risk and tails, after a backtest (b)."

    def depends(self, value: SummaryValue) -> tuple[object, ...]:
        return (value, self.app.theme)

    def picture(self, value: SummaryValue, width: int, height: int) -> Text:
        return summary_picture(value, width, height, ink=ink_of(self.app.current_theme))


def summary_picture(value: SummaryValue, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Notes and report first: they change what the figures mean."""
    found = value.figures
    rows = [Text(f"note: {fmt.clean(note)}", style=ink.accent) for note in found.notes]
    if value.report:
        old = "older than this backtest, r makes it again: " if value.report_is_older else ""
        rows.append(Text(f"report {old}{fmt.clean(value.report)}"))
    else:
        rows.append(Text("no report yet: r writes one", style=ink.quiet))
    if value.earlier is not None:
        settings, shown_figures = changes(value.earlier, found)
        words = "; ".join(map(change_words, [*settings, *shown_figures])) or "the same figures"
        rows.append(Text(f"against the one before: {words}"))
    lines = [line for row in rows for line in _wrapped(row, width)]
    for name, shown in _rows(found):
        lines.append(Text(no_wrap=True).append(f"{name:<{NAME}}", ink.quiet).append(shown))
    return cut(lines, width, height)


def _rows(found: Figures) -> list[tuple[str, str]]:
    recovery = found.values.get("max_drawdown_recovery") or "not yet"
    money = f"{found['capacity']:,.0f} {found.text('currency')}".strip()
    return [
        ("return a year", percent(found["annual_return"])),
        ("volatility", f"{percent(found['annual_volatility'], sign=False)} a year"),
        ("drawdown", f"{percent(found['max_drawdown'])}, low {found.text('max_drawdown_trough')}"),
        ("regained", fmt.clean(str(recovery))),
        ("Sortino, Calmar", f"{ratio(found['sortino'])}, {ratio(found['calmar'])}"),
        ("days up", percent(found["hit_rate"], sign=False)),
        ("worst, best day", f"{percent(found['worst'], 2)}, {percent(found['best'], 2)}"),
        ("VaR, ES 5 %", f"{percent(found['value_at_risk'], 2)}, "
                        f"{percent(found['expected_shortfall'], 2)} a day"),
        ("skew, kurtosis", f"{ratio(found['skewness'])}, {ratio(found['excess_kurtosis'])} excess"),
        ("beta", ratio(found["beta"])),
        ("capacity", money if math.isfinite(found["capacity"]) else fmt.DASH),
        ("two simulations", f"agree to {found['simulations_gap']:.0e}"
                            if math.isfinite(found["simulations_gap"]) else fmt.DASH),
    ]  # fmt: skip


def _wrapped(text: Text, width: int) -> list[Text]:
    """Lines of whole words; a word longer than the line is cut into lines."""
    lines, current = [], ""
    for word in text.plain.split(" "):
        while len(word) > width:
            if current:
                lines.append(current)
                current = ""
            lines.append(word[:width])
            word = word[width:]
        joined = f"{current} {word}".strip()
        if len(joined) > width:
            lines.append(current)
            joined = word
        current = joined
    return [Text(line, style=text.style, no_wrap=True) for line in (*lines, current) if line]
