"""The answer in one line, the conditions in another, and what a new backtest changed in a third."""

from collections.abc import Iterable

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest import BacktestValue
from atft_tui.styles import STRONG
from atft_tui.widgets.backtest.names import OLDER, ratio
from atft_tui.widgets.backtest.sharpe import interval_name
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.lines import start
from engine.records.backtest import (
    BacktestSummary,
    ComparedValue,
    compare_figures,
    compare_settings,
)


def headline(value: BacktestValue, width: int, ink: Ink = INK) -> Text:
    """``net Sharpe +0.71  90 % [-0.12, +1.49]  target 0.849: undecided   deflated 0.38 (41 trials) ...``"""
    found = value.figures
    if found is None:
        if value.run_id:
            words = f" {value.run_id} has no backtest: b makes one"
        else:
            words = " Backtest: no run has one yet"
        return Text(words, style=STRONG)
    colour = {"above": ink.good, "below": ink.bad, "undecided": ink.accent}[found.verdict]
    text = Text(" net Sharpe ", no_wrap=True)
    text.append(ratio(found.sharpe), style=STRONG)
    span = f"[{ratio(found.sharpe_low)}, {ratio(found.sharpe_high)}]"
    text.append(f"  {interval_name(found)} {span}")
    text.append(f"  target {found.target:.3f}: ")
    text.append(found.verdict, style=colour + STRONG)
    if width >= 110:
        trials = "1 trial" if found.trials == 1 else f"{found.trials} trials"
        text.append(f"   deflated {fmt.share(found.sharpe_deflated)} ({trials})")
        for name, word in (("lightgbm", "LightGBM"), ("equal_weight", "equal weight")):
            if name in found.baselines:
                text.append(f"   {word} {ratio(found.baselines[name].sharpe)}")
    else:
        text.append(f"  deflated {fmt.share(found.sharpe_deflated)}")
    return text


def conditions(value: BacktestValue, ink: Ink = INK) -> Text:
    """Whose book, how traded, which days; a note that changes what the figures mean comes first."""
    found = value.figures
    text = Text(" ", no_wrap=True, overflow="ellipsis")
    if found is None:
        return text
    if found.older:
        text.append(f"{OLDER} ", style=ink.accent + STRONG)
    text.append(value.run_id, style=STRONG)
    styles = ", ".join(map(str, found.settings.get("portfolio.neutral_to") or ()))
    text.append(
        f"  {fmt.clean(found.strategy)}, {found.horizon} sessions, "
        f"{f'neutral to {fmt.clean(styles)}, ' * bool(styles)}"
        f"{fmt.clean(found.first_session)} to {fmt.clean(found.last_session)} "
        f"({found.sessions:,.0f} sessions)",
        style=ink.quiet,
    )
    if found.notes:
        more = f" (+{len(found.notes) - 1})" if len(found.notes) > 1 else ""
        text.append(f"  note: {fmt.clean(found.notes[0])}{more}", style=ink.accent)
    return text


def changed(before: BacktestSummary, after: BacktestSummary, ink: Ink = INK) -> Text:
    """``against the one before  Sharpe +0.71 > +0.80  strategy a > b  turnover a day 30.1% > 18.2%``"""
    settings, figures = changes(before, after)
    text = start(" against the one before  ", ink.accent + STRONG)
    text.overflow = "ellipsis"
    if not settings and not figures:
        return text.append("the same figures")
    # What was asked, then the answer: the rest of the figures may be cut off, and stand in "all figures".
    for words in figures[:1]:
        text.append(f"{words}  ", style=STRONG)
    for words in settings:
        text.append(f"{words}  ", style=ink.accent)
    for words in figures[1:]:
        text.append(f"{words}  ")
    return text


def changes(before: BacktestSummary, after: BacktestSummary) -> tuple[list[str], list[str]]:
    """Settings and figures that differ as they are written, ``slippage_bps 5 > 2`` each."""

    def words(rows: Iterable[ComparedValue]) -> list[str]:
        return [
            fmt.clean(f"{row.name.rpartition('.')[2]} {row.before} {GLYPHS.running} {row.after}")
            for row in rows
            if row.differs
        ]

    return (
        words(compare_settings(before.settings, after.settings)),
        words(compare_figures(before, after)),
    )
