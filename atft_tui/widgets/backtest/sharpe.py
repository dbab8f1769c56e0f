"""The Sharpe meter: interval, point, target and baselines on one scale, and the verdict in words."""

import math

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import STRONG
from atft_tui.widgets.backtest.names import kept, ratio, shown
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.intervals import (
    Estimate,
    axis_row,
    estimate_row,
)
from atft_tui.widgets.lines import cut
from engine.records.backtest import BacktestSummary, RivalFigures

_LOW, _HIGH = -1.0, 3.0
_NAME, _VALUE = 15, 7


def sharpe_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Verdict, the scores' interval, baselines as marks with theirs, scale, what else is known."""
    scale = CellScale(low=_LOW, high=_HIGH, columns=max(4, width - _NAME - _VALUE - 1))
    target = found.target
    zero, over = {0.0: (GLYPHS.bar, ink.quiet)}, {target: (GLYPHS.rule, ink.accent)}
    rows = [verdict_words(found, ink)]
    own = Estimate(value=found.sharpe, low=found.sharpe_low, high=found.sharpe_high, style=ink.main)
    bar = estimate_row(scale, own, lines=zero, over=over, quiet=ink.quiet)
    rows.append(_row("these scores", bar, found.sharpe, ink.main + STRONG))
    room = max(0, height - 5)
    names = kept([name for name, _ in found.rivals], room)
    shown_here = (item for item in found.rivals if item[0] in names)
    rows += [_rival_row(name, rival, scale, over, ink) for name, rival in shown_here]
    labels = {float(v): f"{v}" for v in range(int(_LOW), int(_HIGH) + 1)}
    axis = Text(" " * _NAME).append_text(axis_row(scale, labels, ink.quiet))
    axis.append(" Sharpe", style=ink.quiet)
    rows.append(axis)
    rows += _evidence_words(found, ink)
    return cut(rows, width, height)


def verdict_words(found: BacktestSummary, ink: Ink = INK) -> Text:
    """``undecided: 0.849 lies inside 90 % [-0.12, +1.49]``."""
    low, high, target = found.sharpe_low, found.sharpe_high, found.target
    span = f"{interval_name(found)} [{ratio(low)}, {ratio(high)}]"
    words, style = {
        "above": (f"above: all of {span} is over {target:.3f}", ink.good),
        "below": (f"below: all of {span} is under {target:.3f}", ink.bad),
        "undecided": (f"undecided: {target:.3f} lies inside {span}", ink.accent),
    }[found.verdict]
    if not (math.isfinite(low) and math.isfinite(high)):
        words = "undecided: no interval (too few sessions, or nothing was traded)"
    return Text(words, style=style + STRONG, no_wrap=True)


def interval_name(found: BacktestSummary) -> str:
    """``90 %``."""
    share = found.confidence
    return f"{share:.0%}".replace("%", " %") if math.isfinite(share) else "interval"


def _evidence_words(found: BacktestSummary, ink: Ink) -> list[Text]:
    deflated, luck = found.sharpe_deflated, found.sharpe_expected_best
    trials = "1 trial" if found.trials == 1 else f"{found.trials} trials"
    first = Text(no_wrap=True)
    first.append(f"deflated {fmt.share(deflated)}", style=STRONG)
    first.append(f" after {trials}; luck alone {ratio(luck)}", style=ink.quiet)
    second = Text(no_wrap=True, style=ink.quiet)
    second.append(f"SE {fmt.share(found.sharpe_se)} (Lo)  gross {ratio(found.sharpe_gross)}  ")
    second.append(f"{GLYPHS.rule} target {found.target:.3f}", style=ink.accent)
    return [first, second]


def _rival_row(
    name: str, rival: RivalFigures, scale: CellScale, over: dict[float, tuple[str, Style]], ink: Ink
) -> Text:
    style = ink.quiet if name == "random" else ink.others[0]
    estimate = Estimate(
        value=rival.sharpe, low=rival.sharpe_low, high=rival.sharpe_high, mark=GLYPHS.rival,
        style=style,
    )  # fmt: skip
    zero = {0.0: (GLYPHS.bar, ink.quiet)}
    bar = estimate_row(scale, estimate, lines=zero, over=over, quiet=ink.quiet)
    return _row(shown(name), bar, rival.sharpe, style)


def _row(name: str, bar: Text, value: float, style: Style) -> Text:
    label = Text(name, style=style, no_wrap=True)
    label.truncate(_NAME - 1)
    label.pad_right(_NAME - label.cell_len)
    return label.append_text(bar).append(f" {ratio(value):>{_VALUE - 1}}", style=style)
