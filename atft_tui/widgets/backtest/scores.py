"""What the scores are worth before any book: returns by quantile, and how their RankIC fades."""

import math
from collections.abc import Iterable

from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import DIM, INK, Ink
from atft_tui.widgets.backtest.words import OLDER
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.intervals import Estimate, estimate_row
from atft_tui.widgets.lines import cut, line
from engine.records.backtest import BacktestSummary
from engine.records.factor import DecayRow, LagRow
from engine.records.figure import DASH, Figure
from engine.records.judgement import SURE, is_noise

_NUMBERS, _SHORT = 15, 10
"""Columns of value and error: of a RankIC, and in basis points."""
_Row = tuple[int, Figure]
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


def _quantiles(found: BacktestSummary) -> list[_Row]:
    """Worst first."""
    if found.factor is None:
        return []
    errors, means = found.factor.quantile_errors, found.factor.quantile_returns
    rows = [(int(q), Figure(v, errors.get(q, math.nan))) for q, v in means.items()]
    return sorted(rows, key=lambda row: row[0])


def _rows(found: Iterable[DecayRow | LagRow]) -> list[_Row]:
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
