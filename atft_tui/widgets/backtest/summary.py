"""Every single figure of the backtest, its notes, and where its report lies."""

import math
from dataclasses import dataclass

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.widgets.backtest.headline import changes
from atft_tui.widgets.backtest.names import percent, ratio
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import broken, cut
from engine.records.backtest import BacktestSummary

_NAME = 17


@dataclass(frozen=True, slots=True)
class SummaryValue:
    """The figures, and where they are told at length."""

    figures: BacktestSummary
    report: str
    report_is_older: bool
    earlier: BacktestSummary | None = None
    """The backtest that this one replaced."""


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
        words = "; ".join([*settings, *shown_figures]) or "the same figures"
        rows.append(Text(f"against the one before: {words}"))
    lines = [line for row in rows for line in _wrapped(row, width)]
    for name, shown in _rows(found):
        lines.append(Text(no_wrap=True).append(f"{name:<{_NAME}}", ink.quiet).append(shown))
    return cut(lines, width, height)


def _rows(found: BacktestSummary) -> list[tuple[str, str]]:
    capacity, gap = found.capacity, found.simulations_gap
    money = f"{capacity:,.0f} {fmt.clean(found.currency)}".strip()
    return [
        ("return a year", percent(found.annual_return)),
        ("volatility", f"{percent(found.annual_volatility, sign=False)} a year"),
        ("drawdown", f"{percent(found.max_drawdown)}, low {fmt.clean(found.max_drawdown_trough)}"),
        ("regained", fmt.clean(found.max_drawdown_recovery or "not yet")),
        ("Sortino, Calmar", f"{ratio(found.sortino)}, {ratio(found.calmar)}"),
        ("days up", percent(found.hit_rate, sign=False)),
        ("worst, best day", f"{percent(found.worst, 2)}, {percent(found.best, 2)}"),
        ("VaR, ES 5 %", f"{percent(found.value_at_risk, 2)}, "
                        f"{percent(found.expected_shortfall, 2)} a day"),
        ("skew, kurtosis", f"{ratio(found.skewness)}, {ratio(found.excess_kurtosis)} excess"),
        ("beta", ratio(found.exposures.beta)),
        ("capacity", money if math.isfinite(capacity) else fmt.DASH),
        ("two simulations", f"agree to {gap:.0e}" if math.isfinite(gap) else fmt.DASH),
    ]  # fmt: skip


def _wrapped(text: Text, width: int) -> list[Text]:
    """Lines of whole words; a word longer than the line is cut into lines."""
    lines = broken(text.plain, width)
    pieces = (line[at : at + width] for line in lines for at in range(0, len(line), width))
    return [Text(piece, style=text.style, no_wrap=True) for piece in pieces]
