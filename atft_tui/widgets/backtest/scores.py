"""What the scores are worth before any book: returns by quantile, and how their RankIC fades."""

import math
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text

from atft_tui.glyphs import GLYPHS
from atft_tui.readings.backtest_figures import Figures, Point
from atft_tui.styles import DIM
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.ink import INK, Ink, ink_of
from atft_tui.widgets.intervals import Estimate, estimate_row
from atft_tui.widgets.lines import cut
from atft_tui.widgets.panel import PlacePanel
from engine.records.judgement import SURE, is_noise

OLDER = "Made by an older version: run the backtest again (b)."
NUMBERS, SHORT = 15, 10
"""Columns of value and error: of a RankIC, and in basis points."""


class QuantilesPanel(PlacePanel[Figures]):
    title: ClassVar[str] = "score deciles"
    empty: ClassVar[str] = "Returns of the best and the worst scores, after a backtest (b)."

    def depends(self, value: Figures) -> tuple[object, ...]:
        return (value.quantiles, self.app.theme)

    def picture(self, value: Figures, width: int, height: int) -> Text:
        return quantiles_picture(value, width, height, ink=ink_of(self.app.current_theme))


class DecayPanel(PlacePanel[Figures]):
    title: ClassVar[str] = "RankIC, held and later"
    empty: ClassVar[str] = "How long the scores stay right, after a backtest (b)."

    def depends(self, value: Figures) -> tuple[object, ...]:
        return (value.decay, value.lags, self.app.theme)

    def picture(self, value: Figures, width: int, height: int) -> Text:
        return decay_picture(value, width, height, ink=ink_of(self.app.current_theme))


def quantiles_picture(found: Figures, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Best on top: mean return less the day's mean over the traded holding, with its error in bp."""
    if not found.quantiles:
        return Text(OLDER, style=DIM)
    known = [p for p in found.quantiles if math.isfinite(p.value)]
    reach = [abs(p.value) + (p.se if math.isfinite(p.se) else 0.0) for p in known]
    top = max(reach, default=0.0) or 1e-4
    scale = CellScale(low=-top, high=top, columns=max(3, width - 3 - SHORT))
    zero = {0.0: (GLYPHS.bar, ink.quiet)}
    rows = []
    for point in sorted(found.quantiles, key=lambda p: -p.at):
        noise = not abs(point.value) > SURE * point.se
        colour = ink.quiet if noise else ink.good if point.value > 0 else ink.bad
        estimate = Estimate(
            value=point.value, low=point.value - point.se, high=point.value + point.se,
            bar=True, style=colour,
        )  # fmt: skip
        row = Text(f"{point.at:>2} ", no_wrap=True)
        row.append_text(estimate_row(scale, estimate, lines=zero, quiet=ink.quiet))
        row.append(_basis_points(point, noise), style=colour)
        rows.append(row)
    spread = _spread(found.quantiles)
    horizon = found.text("horizon")
    rows.append(Text(f"bp ± SE over h {horizon}", style=ink.quiet))
    rows.append(Text(f"10-1: {spread * 1e4:+.0f} bp gross", style=ink.quiet)
                if math.isfinite(spread) else Text())  # fmt: skip
    return cut(rows, width, height)


def decay_picture(found: Figures, width: int, height: int, *, ink: Ink = INK) -> Text:
    """Points with two errors over the shaded null band; a value inside it is dim and marked ``~``."""
    if not found.decay:
        return Text(OLDER, style=DIM)
    lag_rows = found.lags if height >= len(found.decay) + 4 else ()
    points = [*found.decay, *lag_rows]
    ends = [
        edge
        for point in points
        for edge in (point.value - _two(point), point.value + _two(point), point.band, -point.band)
        if math.isfinite(edge)
    ]
    low, high = min([*ends, 0.0]), max([*ends, 0.005])
    scale = CellScale(low=low, high=high, columns=max(3, width - 4 - NUMBERS))
    rows = [Text("held for h sessions", style=ink.quiet)]
    rows += [_decay_row(point, scale, ink) for point in found.decay]
    if lag_rows:
        rows.append(Text("the one session h after entry", style=ink.quiet))
        rows += [_decay_row(point, scale, ink) for point in lag_rows]
    elif not found.lags:
        rows.append(Text(OLDER, style=DIM))
    if height > len(rows):
        rows.append(Text(f"{GLYPHS.band} null band  {GLYPHS.cap_left}{GLYPHS.cap_right} 2 SE",
                         style=ink.quiet))  # fmt: skip
    return cut(rows, width, height)


def _decay_row(point: Point, scale: CellScale, ink: Ink) -> Text:
    noise = is_noise(point.value, point.band) if math.isfinite(point.band) else False
    colour = ink.quiet if noise or not math.isfinite(point.value) else ink.main
    estimate = Estimate(
        value=point.value, low=point.value - _two(point), high=point.value + _two(point),
        band=point.band, mark="~" if noise else GLYPHS.point, style=colour,
    )  # fmt: skip
    row = Text(f"{point.at:>3} ", no_wrap=True)
    row.append_text(
        estimate_row(scale, estimate, lines={0.0: (GLYPHS.bar, ink.quiet)}, quiet=ink.quiet)
    )
    value = f"{point.value:+.3f}" if math.isfinite(point.value) else "—"
    error = f"±{point.se:.3f}" if math.isfinite(point.se) else ""
    return row.append(f" {'~' if noise else ' '}{value}{error}", style=colour)


def _basis_points(point: Point, noise: bool) -> str:
    if not math.isfinite(point.value):
        return " —"
    error = f"±{point.se * 1e4:.0f}" if math.isfinite(point.se) else ""
    return f" {'~' if noise else ' '}{point.value * 1e4:+.0f}{error}"


def _spread(points: Sequence[Point]) -> float:
    return points[-1].value - points[0].value if len(points) > 1 else math.nan


def _two(point: Point) -> float:
    return 2.0 * point.se if math.isfinite(point.se) else 0.0
