"""A forest plot: one line for each difference, its interval drawn on a common scale with 0 marked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.glyphs import GLYPHS
from atft_tui.widgets.canvas import CellScale
from atft_tui.widgets.intervals import Estimate, estimate_row

_HUGE = 1e100
_MIN_PLOT = 12
_FIGURE_WIDTH = 18
"""``-0.0123 ± 0.0045``."""
_MAX_NAME = 26
_MAX_WORDS = 30


@dataclass(frozen=True, slots=True)
class ForestRow:
    """One difference with its interval."""

    name: str
    value: float
    se: float
    low: float
    high: float
    words: str = ""
    """The verdict, or why there is no interval."""

    @property
    def known(self) -> bool:
        """Whether value and interval are finite and in order."""
        return all(
            math.isfinite(v) and abs(v) < _HUGE for v in (self.value, self.low, self.high)
        ) and (self.low <= self.high)

    @property
    def undecided(self) -> bool:
        """0 lies in the interval."""
        return not self.known or self.low <= 0.0 <= self.high


def forest(rows: Sequence[ForestRow], *, width: int, height: int) -> Text:
    """Name, difference with its error, interval and verdict of each row, then the scale.

    A difference whose interval holds 0 is marked ``~`` and dim; what does not fit is counted below.
    """
    if width < 20 or height < 3 or not rows:
        return Text()
    shown = list(rows)
    if len(rows) > height - 1:
        shown = shown[: height - 2]
    names = min(_MAX_NAME, max(cell_len(fmt.clean(row.name)) for row in shown), width // 3)
    words = min(_MAX_WORDS, max(cell_len(fmt.clean(row.words)) for row in shown))
    rest = width - names - 2
    figures = _FIGURE_WIDTH if rest >= _FIGURE_WIDTH + _MIN_PLOT else 0
    rest -= figures
    words = words if rest - words - 2 >= _MIN_PLOT else 0
    plot = rest - (words + 2 if words else 0)
    low, high = _span(shown)
    scale = CellScale(low=low, high=high, columns=plot)
    text = Text(no_wrap=True)
    for row in shown:
        style = styles.DIM if row.undecided else styles.STRONG
        text.append(set_cell_size(fmt.clean(row.name), names), style=style)
        text.append("  ")
        if figures:
            text.append(f"{_figure(row):<{figures}}"[:figures], style=style)
        text.append_text(_interval(row, scale))
        if words:
            text.append("  ")
            text.append(set_cell_size(fmt.clean(row.words), words), style=style)
        text.append("\n")
    if len(shown) < len(rows):
        text.append(f"and {len(rows) - len(shown)} more\n", style=styles.DIM)
    text.append(" " * (names + 2 + figures))
    text.append(_axis(plot, low, high), style=styles.DIM)
    return text


def _span(rows: Sequence[ForestRow]) -> tuple[float, float]:
    """From the lowest to the highest end with 0 among them, and a little room."""
    known = [row for row in rows if row.known]
    low = min([0.0, *(row.low for row in known)])
    high = max([0.0, *(row.high for row in known)])
    room = 0.04 * (high - low) or 0.001
    return low - room, high + room


def _figure(row: ForestRow) -> str:
    if not math.isfinite(row.value) or abs(row.value) >= _HUGE:
        return fmt.DASH
    se = f" ± {row.se:.4f}" if math.isfinite(row.se) else ""
    return f"{'~' if row.undecided else ' '}{row.value:+.4f}{se}"


def _interval(row: ForestRow, scale: CellScale) -> Text:
    """Zero lies on top of an interval that holds it."""
    zero = {0.0: (GLYPHS.bar, styles.DIM)}
    if not row.known:
        return estimate_row(scale, Estimate(value=math.nan), lines=zero)
    estimate = Estimate(
        value=row.value,
        low=row.low,
        high=row.high,
        mark="~" if row.undecided else GLYPHS.point,
        style=styles.DIM if row.undecided else styles.BETTER if row.value > 0 else styles.BAD,
    )
    inside = row.low < 0.0 < row.high
    over = {0.0: (GLYPHS.bar, styles.PLAIN)} if inside else {}
    return estimate_row(scale, estimate, lines=zero, over=over)


def _axis(width: int, low: float, high: float) -> str:
    """Both ends and 0 where they fall, if there is room."""
    line = [" "] * width
    zero = round((0.0 - low) / (high - low) * (width - 1))
    for word, at in ((f"{low:+.3g}", 0), (f"{high:+.3g}", width), ("0", zero)):
        start = min(max(0, at if at < width else width - len(word)), max(0, width - len(word)))
        stop = start + len(word)
        if stop <= width and all(c == " " for c in line[max(0, start - 1) : stop + 1]):
            line[start:stop] = word
    return "".join(line)
