"""What a new backtest of the same run changed: settings first, then figures."""

from dataclasses import dataclass
from typing import Any

from atft_tui import format as fmt
from atft_tui.readings.backtest_figures import Figures

_COMPARED = (
    ("sharpe", "Sharpe", "{:+.2f}"),
    ("annual_return", "return", "{:+.1%}"),
    ("annual_volatility", "volatility", "{:.1%}"),
    ("max_drawdown", "drawdown", "{:.1%}"),
    ("turnover", "turnover a day", "{:.1%}"),
    ("cost_drag", "costs a year", "{:.1%}"),
    ("sharpe_deflated", "deflated", "{:.2f}"),
    ("trials", "trials", "{:.0f}"),
)


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    before: str
    after: str


def changes(before: Figures, after: Figures) -> tuple[list[Change], list[Change]]:
    """Settings and figures that differ as they are written here; a figure that reads the same is left out."""
    keys = sorted({*before.settings, *after.settings}, key=lambda key: (key != "strategy", key))
    settings = [
        Change(key, _word(before.settings.get(key)), _word(after.settings.get(key)))
        for key in keys
        if before.settings.get(key) != after.settings.get(key)
    ]
    figures = []
    for name, label, form in _COMPARED:
        old, new = _shown(before[name], form), _shown(after[name], form)
        if old != new:
            figures.append(Change(label, old, new))
    if before.text("verdict") != after.text("verdict"):
        figures.append(Change("verdict", before.text("verdict"), after.text("verdict")))
    return settings, figures


def _word(value: Any) -> str:
    if value is None:
        return fmt.DASH
    return f"{value:g}" if isinstance(value, float) else fmt.clean(str(value))


def _shown(value: float, form: str) -> str:
    return fmt.DASH if value != value else form.format(value)
