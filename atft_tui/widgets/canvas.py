"""Cells that curves, areas and marks are drawn into; two by four dots a cell where braille can be shown."""

import math
from collections.abc import Callable, Iterator, Sequence

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS, Glyphs
from atft_tui.styles import PLAIN
from atft_tui.widgets.lines import painted

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille cell, by row and column (Unicode 15, block 2800)."""


class Canvas:
    """``columns`` x ``rows`` cells; y runs from 0 (bottom) to 1 (top), x from 0 to 1."""

    def __init__(self, columns: int, rows: int, glyphs: Glyphs = GLYPHS) -> None:
        self.columns, self.rows, self.glyphs = max(1, columns), max(1, rows), glyphs
        self.fine_x, self.fine_y = (2, 4) if glyphs.braille else (1, 1)
        self._bits = [[0] * self.columns for _ in range(self.rows)]
        self._marks: list[list[str]] = [[""] * self.columns for _ in range(self.rows)]
        self._styles = [[PLAIN] * self.columns for _ in range(self.rows)]

    @property
    def width(self) -> int:
        """Dots in a row."""
        return self.columns * self.fine_x

    @property
    def height(self) -> int:
        return self.rows * self.fine_y

    def curve(
        self,
        values: Sequence[float],
        height: Callable[[float], float],
        style: Style,
        *,
        strong: bool = False,
        mark: str = "",
    ) -> None:
        """A line through values at their ``height`` (a share of the canvas'); NaN leaves a gap.

        Of the values that share a dot column the last one is drawn; a ``strong`` line is two dots thick.
        Without braille the line consists of its ``mark``.
        """
        thick = strong and bool(self.glyphs.braille)
        before: int | None = None
        for x, span in enumerate(spans(values, self.width)):
            if span is None:
                before = None
                continue
            here = self._dot_row(height(span[2]))
            # Close the step from the column before, without touching its dot.
            top = here if before is None else min(here, before + 1)
            bottom = here if before is None else max(here, before - 1)
            for y in range(top, bottom + 1 + thick):
                self._dot(x, y, style, mark)
            before = here

    def area(self, values: Sequence[float], height: Callable[[float], float], style: Style) -> None:
        """Filled from the top down to the lowest value of each dot column; nothing for a value on top."""
        for x, span in enumerate(spans(values, self.width)):
            if span is not None and height(span[0]) < 1.0:
                for y in range(self._dot_row(height(span[0])) + 1):
                    self._dot(x, y, style)

    def mark(self, column: int, row: int, character: str, style: Style) -> None:
        """A character in a cell that holds no dots; a cell with dots only takes the style."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            if self._bits[row][column]:
                self._styles[row][column] = style
            else:
                self._marks[row][column], self._styles[row][column] = character, style

    def row_of(self, share: float) -> int:
        """Cell row of a share of the height."""
        return self._dot_row(share) // self.fine_y

    def lines(self) -> Iterator[Text]:
        blank = self.glyphs.braille
        for bits, marks, styles in zip(self._bits, self._marks, self._styles, strict=True):
            characters = (
                chr(ord(blank) + bit) if bit and blank else mark or " "
                for bit, mark in zip(bits, marks, strict=True)
            )
            yield painted(zip(characters, styles, strict=True))

    def _dot_row(self, share: float) -> int:
        share = min(1.0, max(0.0, share)) if math.isfinite(share) else 0.0
        return round((1.0 - share) * (self.height - 1))

    def _dot(self, x: int, y: int, style: Style, mark: str = "") -> None:
        if 0 <= x < self.width and 0 <= y < self.height:
            row, column = y // self.fine_y, x // self.fine_x
            bit = _DOTS[y % 4][x % 2] if self.glyphs.braille else 1
            self._bits[row][column] |= bit
            self._styles[row][column] = style
            self._marks[row][column] = mark or self.glyphs.curve


def spans(values: Sequence[float], width: int) -> Iterator[tuple[float, float, float] | None]:
    """Lowest, highest and last finite value of each of ``width`` parts; between few values, a straight line.

    None where a part has no finite value.
    """
    n = len(values)
    if n == 0:
        yield from (None for _ in range(width))
        return
    for x in range(width):
        if n > width:
            part = [v for v in values[x * n // width : (x + 1) * n // width] if math.isfinite(v)]
            yield (min(part), max(part), part[-1]) if part else None
            continue
        place = x * (n - 1) / max(1, width - 1)
        first = min(int(place), n - 1)
        after = min(first + 1, n - 1)
        value = values[first]
        if place > first:
            value += (values[after] - value) * (place - first)
        yield (value, value, value) if math.isfinite(value) else None


def column_of(index: int, count: int, columns: int) -> int:
    """Cell column in which value ``index`` of ``count`` is drawn."""
    if count <= 1:
        return 0
    return min(columns - 1, max(0, round(index / (count - 1) * (columns - 1))))


def ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round values inside [low, high]; none if there is no span."""
    span = high - low
    if not (math.isfinite(span) and span > 0 and count > 0):
        return []
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0) if m * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]
