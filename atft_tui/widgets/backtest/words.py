"""A backtest in words: the answer in one line, its conditions, the verdict, what changed, every figure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest import BacktestValue
from atft_tui.styles import INK, PLAIN, STRONG, Ink
from atft_tui.widgets.canvas import CellScale, ticks
from atft_tui.widgets.intervals import Estimate, axis_row, estimate_row
from atft_tui.widgets.lines import broken, cell, cut, line
from engine.records.backtest import (
    BacktestSummary,
    ComparedValue,
    RivalFigures,
    compare_figures,
    compare_settings,
)

_NO_RUN = " Backtest: no run has one yet"
_WIDE = 110
"""Columns from which on the headline has room for rivals."""
_LOW, _HIGH = -1.0, 3.0
"""Ends of the scale of Sharpe ratios, where no value lies beyond."""
_NAME, _VALUE = 15, 7
"""Columns of names and values beside the scale."""
_LABEL = 17
"""Columns of the names of all figures."""
OLDER = "Made by an older version: run the backtest again (b)."
_FIRST = ("lightgbm", "equal_weight", "index")
"""Kept before any other."""
_LAST = ("oracle", "random")
"""Kept only where there is room: what nobody can have, and what knows nothing."""


def kept(names: Sequence[str], count: int) -> list[str]:
    """So many of the names: `_FIRST`, then the others in their order, then `_LAST`."""
    first = [name for name in _FIRST if name in names]
    last = [name for name in _LAST if name in names]
    rest = [name for name in names if name not in _FIRST + _LAST]
    return (first + rest + last)[: max(0, count)]


def percent(value: float, digits: int = 1, *, sign: bool = True) -> str:
    """``+12.3%``, as most figures of a book are told."""
    return fmt.percent(value, digits, sign=sign)


def ratio(value: float) -> str:
    """``+0.71``; a dash for what is not known."""
    return f"{value:+.2f}" if math.isfinite(value) else fmt.DASH


def sharpe_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Verdict, the scores' interval, baselines as marks with theirs, scale, what else is known."""
    names = kept([name for name, _ in found.rivals], max(0, height - 5))
    scale = _sharpe_scale(found, names, max(4, width - _NAME - _VALUE - 1))
    zero, over = {0.0: (GLYPHS.bar, ink.quiet)}, {found.target: (GLYPHS.rule, ink.accent)}

    def drawn(name: str, of: BacktestSummary | RivalFigures, mark: str, style: Style) -> Text:
        estimate = Estimate(
            value=of.sharpe, low=of.sharpe_low, high=of.sharpe_high, mark=mark, style=style
        )
        bold = STRONG if of is found else PLAIN
        label = cell(name, _NAME, style + bold)
        label.append_text(estimate_row(scale, estimate, lines=zero, over=over, quiet=ink.quiet))
        return label.append(f" {ratio(of.sharpe):>{_VALUE - 1}}", style=style + bold)

    rows = [verdict_words(found, ink), drawn("these scores", found, GLYPHS.point, ink.main)]
    for name, rival in found.rivals:
        if name in names:
            # The order of the curves: a rival has the colour of its own.
            colour = ink.others[names.index(name) % len(ink.others)]
            style = ink.quiet if name == "random" else colour
            rows.append(drawn(fmt.model_name(name), rival, GLYPHS.rival, style))
    labels = {v: f"{v:g}" for v in ticks(scale.low, scale.high, max(2, scale.columns // 7))}
    axis = axis_row(scale, labels, ink.quiet)
    rows.append(line(" " * _NAME, axis, (" Sharpe", ink.quiet)))
    known = f" after {_trials(found)}; luck alone {ratio(found.sharpe_expected_best)}"
    errors = f"SE {fmt.share(found.sharpe_se)} (Lo)  gross {ratio(found.sharpe_gross)}  "
    target = f"{GLYPHS.rule} target {found.target:.3f}"
    rows.append(line((f"deflated {fmt.share(found.sharpe_deflated)}", STRONG), (known, ink.quiet)))
    rows.append(line((errors, ink.quiet), (target, ink.accent)))
    return cut(rows, width, height)


def _sharpe_scale(found: BacktestSummary, names: Sequence[str], columns: int) -> CellScale:
    """From the lowest to the highest of what is shown, whole numbers; intervals of rivals may go on."""
    rivals = (rival.sharpe for name, rival in found.rivals if name in names)
    ends = (found.sharpe, found.sharpe_low, found.sharpe_high, found.target, *rivals)
    known = [_LOW, _HIGH, *(end for end in ends if math.isfinite(end) and abs(end) < _FARTHEST)]
    return CellScale(
        low=float(math.floor(min(known))), high=float(math.ceil(max(known))), columns=columns
    )


_FARTHEST = 100.0
"""A Sharpe ratio beyond it is no figure to draw: it is told as lying outside."""


def _trials(found: BacktestSummary) -> str:
    return fmt.counted(found.trials, "trial")


def verdict_words(found: BacktestSummary, ink: Ink = INK) -> Text:
    """``undecided: 0.849 lies inside 90 % [-0.12, +1.49]``."""
    low, high, target = found.sharpe_low, found.sharpe_high, found.target
    span = f"{_interval_name(found)} [{ratio(low)}, {ratio(high)}]"
    words, style = {
        "above": (f"above: all of {span} is over {target:.3f}", ink.good),
        "below": (f"below: all of {span} is under {target:.3f}", ink.bad),
        "undecided": (f"undecided: {target:.3f} lies inside {span}", ink.accent),
    }[found.verdict]
    if not (math.isfinite(low) and math.isfinite(high)):
        words = "undecided: no interval (too few sessions, or nothing was traded)"
    return Text(words, style=style + STRONG, no_wrap=True)


def _interval_name(found: BacktestSummary) -> str:
    """``90%``."""
    share = found.confidence
    return f"{share:.0%}" if math.isfinite(share) else "interval"


def headline(value: BacktestValue, width: int, ink: Ink = INK) -> Text:
    """``net Sharpe +0.71  90 % [-0.12, +1.49]  target 0.849: undecided   deflated 0.38 (41 trials) ...``"""
    found = value.figures
    if found is None:
        none = f" {value.run_id} has no backtest: b makes one" if value.run_id else _NO_RUN
        return Text(none, style=STRONG)
    colour = {"above": ink.good, "below": ink.bad, "undecided": ink.accent}[found.verdict]
    span = f"[{ratio(found.sharpe_low)}, {ratio(found.sharpe_high)}]"
    text = line(
        " net Sharpe ", (ratio(found.sharpe), STRONG), f"  {_interval_name(found)} {span}",
        f"  target {found.target:.3f}: ", (found.verdict, colour + STRONG),
    )  # fmt: skip
    deflated = f"  deflated {fmt.share(found.sharpe_deflated)}"
    if width < _WIDE:
        return text.append(deflated)
    text.append(f" {deflated} ({_trials(found)})")
    for name, word in (("lightgbm", "LightGBM"), ("equal_weight", "equal weight")):
        if name in found.baselines:
            text.append(f"   {word} {ratio(found.baselines[name].sharpe)}")
    return text


def conditions(value: BacktestValue, ink: Ink = INK) -> Text:
    """Whose book, how traded, which days; a note that changes what the figures mean comes first."""
    found = value.figures
    if found is None:
        return Text(" ")
    neutral = ", ".join(map(str, found.settings.get("portfolio.neutral_to") or ()))
    told = (
        f"  {fmt.clean(found.strategy)}, {fmt.counted(found.horizon, 'session')}, "
        f"{f'neutral to {fmt.clean(neutral)}, ' * bool(neutral)}"
        f"{fmt.clean(found.first_session)} to {fmt.clean(found.last_session)} "
        f"({fmt.counted(found.sessions, 'session')}{value.days and f', {value.days}'})"
    )
    older = (f"{OLDER} " * found.older, ink.accent + STRONG)
    text = line(" ", older, (value.run_id, STRONG), (told, ink.quiet))
    if found.notes:
        more = f" (+{len(found.notes) - 1})" if len(found.notes) > 1 else ""
        text.append(f"  note: {fmt.clean(found.notes[0])}{more}", style=ink.accent)
    return text


def changed(value: BacktestValue, ink: Ink = INK) -> Text:
    """``against the one before  Sharpe +0.71 > +0.80  strategy a > b  turnover a day 30.1% > 18.2%``"""
    if value.earlier is None or value.figures is None:
        return Text()
    settings, figures = changes(value.earlier.figures, value.figures)
    text = line((" against the one before  ", ink.accent + STRONG))
    if not settings and not figures:
        return text.append("the same figures")
    # What was asked, then the answer: the rest of the figures may be cut off, and stand in "all figures".
    parts = [(words, STRONG) for words in figures[:1]] + [(words, ink.accent) for words in settings]
    for words, style in [*parts, *((words, PLAIN) for words in figures[1:])]:
        text.append(f"{words}  ", style=style)
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
    said = [(f"note: {fmt.clean(note)}", ink.accent) for note in found.notes]
    if value.report:
        old = "older than this backtest, r makes it again: " if value.report_is_older else ""
        said.append((f"report {old}{fmt.clean(value.report)}", PLAIN))
    else:
        said.append(("no report yet: r writes one", ink.quiet))
    if value.earlier is not None:
        settings, figures = changes(value.earlier, found)
        words = "; ".join([*settings, *figures]) or "the same figures"
        said.append((f"against the one before: {words}", PLAIN))
    # Lines of whole words; a word longer than the line is cut into lines.
    rows = [
        line((words[at : at + width], style))
        for told, style in said
        for words in broken(told, width)
        for at in range(0, len(words), width)
    ]
    rows += [line((f"{name:<{_LABEL}}", ink.quiet), told) for name, told in _figures(found)]
    return cut(rows, width, height)


def _figures(found: BacktestSummary) -> list[tuple[str, str]]:
    capacity, gap = found.capacity, found.simulations_gap
    money = f"{capacity:,.0f} {fmt.clean(found.currency)}".strip()
    return [
        ("net CAGR", percent(found.annual_return)),
        ("volatility", f"{percent(found.annual_volatility, sign=False)} a year"),
        ("drawdown", f"{percent(found.max_drawdown)}, low {fmt.clean(found.max_drawdown_trough)}"),
        ("regained", fmt.clean(found.max_drawdown_recovery or "not yet")),
        ("Sortino, Calmar", f"{ratio(found.sortino)}, {ratio(found.calmar)}"),
        ("days up", percent(found.hit_rate, sign=False)),
        ("worst, best day", f"{percent(found.worst, 2)}, {percent(found.best, 2)}"),
        ("VaR, ES 5%", f"{percent(found.value_at_risk, 2)}, "
                        f"{percent(found.expected_shortfall, 2)} a day"),
        ("skew, kurtosis", f"{ratio(found.skewness)}, {ratio(found.excess_kurtosis)} excess"),
        ("beta", ratio(found.exposures.beta)),
        ("capacity", money if math.isfinite(capacity) else fmt.DASH),
        ("two simulations", f"agree to {gap:.0e}" if math.isfinite(gap) else fmt.DASH),
    ]  # fmt: skip
