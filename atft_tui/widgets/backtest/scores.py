"""What the scores are worth before any book: returns by quantile, and how their RankIC fades."""

import math
from collections.abc import Iterable

from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.styles import DIM
from atft_tui.widgets.backtest.names import OLDER
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.ink import INK, Ink
from atft_tui.widgets.intervals import Estimate, estimate_row
from atft_tui.widgets.lines import cut
from engine.records.backtest import BacktestSummary
from engine.records.figure import DASH, SURE, Figure, is_noise
from engine.records.rank_ic import DecayRow, LagRow

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
        estimate = Estimate(
            value=point.value, low=point.value - point.error, high=point.value + point.error,
            bar=True, style=colour,
        )  # fmt: skip
        row = Text(f"{at:>2} ", no_wrap=True)
        row.append_text(estimate_row(scale, estimate, lines=zero, quiet=ink.quiet))
        row.append(_basis_points(point, noise), style=colour)
        rows.append(row)
    spread = points[-1][1].value - points[0][1].value if len(points) > 1 else math.nan
    rows.append(Text(f"bp ± SE over h {found.horizon}", style=ink.quiet))
    rows.append(Text(f"10-1: {spread * 1e4:+.0f} bp gross", style=ink.quiet)
                if math.isfinite(spread) else Text())  # fmt: skip
    return cut(rows, width, height)


def decay_picture(found: BacktestSummary, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Points with two errors over the shaded null band; a value inside it is dim and marked ``~``."""
    if found.factor is None or not found.factor.decay:
        return Text(OLDER, style=DIM)
    decay, lags = _rows(found.factor.decay), _rows(found.factor.lags)
    lag_rows = lags if height >= len(decay) + 4 else []
    ends = [
        edge
        for _, p in (*decay, *lag_rows)
        for edge in (p.value - _two(p), p.value + _two(p), p.band, -p.band)
        if math.isfinite(edge)
    ]
    low, high = min([*ends, 0.0]), max([*ends, 0.005])
    scale = CellScale(low=low, high=high, columns=max(3, width - 4 - _NUMBERS))
    rows = [Text("held for h sessions", style=ink.quiet)]
    rows += [_decay_row(at, point, scale, ink) for at, point in decay]
    if lag_rows:
        rows.append(Text("the one session h after entry", style=ink.quiet))
        rows += [_decay_row(at, point, scale, ink) for at, point in lag_rows]
    elif not lags:
        rows.append(Text(OLDER, style=DIM))
    if height > len(rows):
        rows.append(Text(f"{GLYPHS.band} null band  {GLYPHS.cap_left}{GLYPHS.cap_right} 2 SE",
                         style=ink.quiet))  # fmt: skip
    return cut(rows, width, height)


def _decay_row(at: int, point: Figure, scale: CellScale, ink: Ink) -> Text:
    noise = is_noise(point.value, point.band) if math.isfinite(point.band) else False
    colour = ink.quiet if noise or not math.isfinite(point.value) else ink.main
    estimate = Estimate(
        value=point.value, low=point.value - _two(point), high=point.value + _two(point),
        band=point.band, mark="~" if noise else GLYPHS.point, style=colour,
    )  # fmt: skip
    row = Text(f"{at:>3} ", no_wrap=True)
    row.append_text(
        estimate_row(scale, estimate, lines={0.0: (GLYPHS.bar, ink.quiet)}, quiet=ink.quiet)
    )
    value = f"{point.value:+.3f}" if math.isfinite(point.value) else DASH
    error = f"±{point.error:.3f}" if math.isfinite(point.error) else ""
    return row.append(f" {'~' if noise else ' '}{value}{error}", style=colour)


def _basis_points(point: Figure, noise: bool) -> str:
    if not math.isfinite(point.value):
        return f" {DASH}"
    error = f"±{point.error * 1e4:.0f}" if math.isfinite(point.error) else ""
    return f" {'~' if noise else ' '}{point.value * 1e4:+.0f}{error}"


def _quantiles(found: BacktestSummary) -> list[_Row]:
    """Worst first."""
    if found.factor is None:
        return []
    errors = found.factor.quantile_errors
    return sorted(
        (
            (int(q), Figure(v, errors.get(q, math.nan)))
            for q, v in found.factor.quantile_returns.items()
        ),
        key=lambda row: row[0],
    )


def _rows(found: Iterable[DecayRow | LagRow]) -> list[_Row]:
    return [
        (
            row.horizon if isinstance(row, DecayRow) else row.lag,
            Figure(row.rank_ic, row.rank_ic_se, row.null_band, row.n_dates),
        )
        for row in found
    ]


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0


def _two(point: Figure) -> float:
    return 2.0 * _or_zero(point.error)
