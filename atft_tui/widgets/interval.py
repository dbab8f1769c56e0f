"""A figure on a line: point, error, the band of chance and zero, on one scale for several lines."""

import math
from collections.abc import Sequence

from rich.style import Style
from rich.text import Text

from atft_tui import styles
from atft_tui.glyphs import GLYPHS


def interval(
    value: float | None, error: float | None, band: float | None, *, span: float, width: int
) -> Text:
    """``░░░──●──░┊░``: the point with one standard error over the shaded band, from -span to +span.

    What lies beyond the span is drawn at its edge; a value that is not known leaves the line empty.
    """
    width = max(3, width)
    cells: list[tuple[str, Style]] = [(" ", styles.PLAIN)] * width

    def column(x: float) -> int:
        share = (x + span) / (2 * span)
        return round(min(1.0, max(0.0, share)) * (width - 1))

    if not (math.isfinite(span) and span > 0):
        return Text(" " * width)
    if _known(band):
        for x in range(column(-abs(band)), column(abs(band)) + 1):  # type: ignore[arg-type]
            cells[x] = (GLYPHS.band, styles.DIM)
    cells[column(0.0)] = (GLYPHS.bar, styles.DIM)
    if _known(value):
        assert value is not None
        noise = _known(band) and abs(value) <= abs(band)  # type: ignore[arg-type]
        style = styles.DIM if noise else styles.GOOD if value > 0 else styles.BAD
        if _known(error):
            for x in range(column(value - abs(error)), column(value + abs(error)) + 1):  # type: ignore[arg-type]
                cells[x] = (GLYPHS.empty, style)
        cells[column(value)] = ("~" if noise else GLYPHS.point, style)
    text = Text(no_wrap=True)
    for character, style in cells:
        text.append(character, style)
    return text


def span_of(lines: Sequence[tuple[float | None, float | None, float | None]]) -> float:
    """A span that holds value +- error and band of every line."""
    ends = [0.0]
    for value, error, band in lines:
        if _known(value):
            ends.append(abs(value) + (abs(error) if _known(error) else 0.0))  # type: ignore[arg-type]
        if _known(band):
            ends.append(abs(band))  # type: ignore[arg-type]
    return 1.1 * max(ends)


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
