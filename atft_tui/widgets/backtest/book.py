"""What the scores are worth, what trading them costs, and what each constraint left of the book."""

import math
from collections.abc import Iterable

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.styles import DIM, INK, PLAIN, STRONG, Ink
from atft_tui.widgets.backtest.words import OLDER, percent
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.intervals import Estimate, estimate_row
from atft_tui.widgets.lines import cell, cut, line, painted
from engine.records.backtest import BacktestSummary
from engine.records.book import BookStep
from engine.records.figure import DASH, SURE, Figure, is_noise
from engine.records.rank_ic import DecayRow, LagRow

_NUMBERS, _SHORT = 15, 10
"""Columns of value and error: of a RankIC, and in basis points."""
_Point = tuple[int, Figure]
"""A quantile, a holding period or a lag, and the figure there."""


def quantiles_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Best on top: mean return less the day's mean over the traded holding, with its error in bp."""
    points = _quantiles(found)
    if not points:
        return Text(OLDER, style=DIM)
    reach = [abs(p.value) + _or_zero(p.error) for _, p in points if math.isfinite(p.value)]
    top = max(reach, default=0.0) or 1e-4
    scale = CellScale(low=-top, high=top, columns=max(3, width - 3 - _SHORT))
    zero = {0.0: (GLYPHS.bar, ink.quiet)}
    rows = []
    for at, point in reversed(points):
        noise = not abs(point.value) > SURE * point.error
        colour = ink.quiet if noise else ink.good if point.value > 0 else ink.bad
        low, high = point.value - point.error, point.value + point.error
        estimate = Estimate(value=point.value, low=low, high=high, bar=True, style=colour)
        bar = estimate_row(scale, estimate, lines=zero, quiet=ink.quiet)
        told = _told(point, noise, 1e4, 0) if math.isfinite(point.value) else f" {DASH}"
        rows.append(line(f"{at:>2} ", bar, (told, colour)))
    spread = points[-1][1].value - points[0][1].value if len(points) > 1 else math.nan
    last = f"10-1: {spread * 1e4:+.0f} bp gross" if math.isfinite(spread) else ""
    rows += [line((f"bp ± SE over h {found.horizon}", ink.quiet)), line((last, ink.quiet))]
    return cut(rows, width, height)


def decay_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Points with two errors over the shaded null band; a value inside it is dim and marked ``~``."""
    if found.factor is None or not found.factor.decay:
        return Text(OLDER, style=DIM)
    decay, lags = _rows(found.factor.decay), _rows(found.factor.lags)
    lag_rows = lags if height >= len(decay) + 4 else []
    edges = [
        edge
        for _, p in (*decay, *lag_rows)
        for edge in (p.value - _two(p), p.value + _two(p), p.band, -p.band)
        if math.isfinite(edge)
    ]
    low, high = min([*edges, 0.0]), max([*edges, 0.005])
    scale = CellScale(low=low, high=high, columns=max(3, width - 4 - _NUMBERS))
    rows = [Text("held for h sessions", style=ink.quiet)]
    rows += [_decay_row(at, point, scale, ink) for at, point in decay]
    if lag_rows:
        rows.append(Text("the one session h after entry", style=ink.quiet))
        rows += [_decay_row(at, point, scale, ink) for at, point in lag_rows]
    elif not lags:
        rows.append(Text(OLDER, style=DIM))
    if height > len(rows):
        ends = f"{GLYPHS.cap_left}{GLYPHS.cap_right} 2 SE"
        rows.append(Text(f"{GLYPHS.band} null band  {ends}", style=ink.quiet))
    return cut(rows, width, height)


def _decay_row(at: int, point: Figure, scale: CellScale, ink: Ink) -> Text:
    noise = is_noise(point.value, point.band) if math.isfinite(point.band) else False
    colour = ink.quiet if noise or not math.isfinite(point.value) else ink.main
    estimate = Estimate(
        value=point.value, low=point.value - _two(point), high=point.value + _two(point),
        band=point.band, mark="~" if noise else GLYPHS.point, style=colour,
    )  # fmt: skip
    zero = {0.0: (GLYPHS.bar, ink.quiet)}
    bar = estimate_row(scale, estimate, lines=zero, quiet=ink.quiet)
    return line(f"{at:>3} ", bar, (_told(point, noise, 1.0, 3), colour))


def _told(point: Figure, noise: bool, scale: float, digits: int) -> str:
    """Value and error so many times as large; a dash and nothing where they are not known."""
    value = f"{point.value * scale:+.{digits}f}" if math.isfinite(point.value) else DASH
    error = f"±{point.error * scale:.{digits}f}" if math.isfinite(point.error) else ""
    return f" {'~' if noise else ' '}{value}{error}"


def _quantiles(found: BacktestSummary) -> list[_Point]:
    """Worst first."""
    if found.factor is None:
        return []
    errors, means = found.factor.quantile_errors, found.factor.quantile_returns
    rows = [(int(q), Figure(v, errors.get(q, math.nan))) for q, v in means.items()]
    return sorted(rows, key=lambda row: row[0])


def _rows(found: Iterable[DecayRow | LagRow]) -> list[_Point]:
    """Each figure after the horizon that it was held for, or its lag."""
    return [
        (row.horizon if isinstance(row, DecayRow) else row.lag,
         Figure(row.rank_ic, row.rank_ic_se, row.null_band, row.n_dates))
        for row in found
    ]  # fmt: skip


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _two(point: Figure) -> float:
    return 2.0 * _or_zero(point.error)


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
        f"impact {rate('impact_bps')} bp per 1% of a day's turnover taken",
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
        shown = fmt.percent(share, 2)
        rows.append(Text(f"  {shown:>8}  {name}", style=PLAIN if share > 0 else ink.quiet))
    if orders.stopped_sessions > 0:
        words = f"  {fmt.counted(orders.stopped_sessions, 'session')} rested after a drawdown stop"
        rows.append(Text(words, style=ink.bad))
    return rows
