"""The cells that every picture is put together from: a grid, a scale that values lie on, round ticks."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui.styles import DIM, PLAIN
from atft_tui.widgets.lines import painted

_BLANK = (" ", PLAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellScale:
    """The values from ``low`` to ``high``, spread over so many cells."""

    low: float
    high: float
    columns: int
    """Cells of the scale: columns of a horizontal one, rows of a vertical one."""

    def share(self, value: float) -> float:
        """Where a value lies, 0 (low) to 1 (high); beyond them the nearer end, 0.5 on a scale of one value.

        The scale is halved first, so the difference of two huge numbers stays finite.
        """
        span = self.high / 2 - self.low / 2
        return min(1.0, max(0.0, (value / 2 - self.low / 2) / span)) if span > 0 else 0.5

    def column(self, value: float) -> int:
        """The cell of a value, 0 at the left; one beyond the ends has the cell at the end."""
        return round(self.share(value) * (self.columns - 1))

    def row(self, value: float) -> int:
        """The cell of a value on a vertical scale, 0 at the top."""
        return round((1.0 - self.share(value)) * (self.columns - 1))

    def beyond(self, value: float) -> int:
        """-1 for a value left of the scale, 1 for one right of it, 0 for one on it."""
        return -1 if value < self.low else 1 if value > self.high else 0


class Canvas:
    """A grid of ``columns`` x ``rows`` cells, each a character with its style; row 0 is the top."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = max(1, columns), max(1, rows)
        self._cells = [[_BLANK] * self.columns for _ in range(self.rows)]

    def put(self, column: int, row: int, character: str, style: Style) -> None:
        """Write one cell; a place outside of the grid is left out."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            self._cells[row][column] = (character, style)

    def put_behind(self, column: int, row: int, character: str, style: Style) -> None:
        """Write a cell that is empty; in one that is not, the character stays and takes the style."""
        if 0 <= column < self.columns and 0 <= row < self.rows:
            kept = self._cells[row][column][0]
            self._cells[row][column] = (character if kept == " " else kept, style)

    def rule(self, row: int, character: str, style: Style, *, every: int = 1) -> None:
        """Write a horizontal line through the empty cells of a row."""
        for column in range(0, self.columns, every):
            if self._cells[row][column][0] == " ":
                self._cells[row][column] = (character, style)

    def lines(self) -> Iterator[Text]:
        """The rows from top to bottom, each exactly as wide as the canvas."""
        return map(painted, self._cells)

    def framed(
        self, labels: Mapping[int, str], left: int, *, below: str | None = None, style: Style = DIM
    ) -> Text:
        """The rows behind ``left`` columns of labels (row -> words), and a line ``below`` the cells."""
        text = Text(no_wrap=True, end="")
        for y, line in enumerate(self.lines()):
            words = labels.get(y, "")[: max(0, left - 1)]
            text.append(f"{'' if y == 0 else chr(10)}{words:>{max(0, left - 1)}} ", style)
            text.append_text(line)
        if below is not None:
            text.append(f"\n{' ' * left}{below}", style)
        return text


def placed(words: Iterable[tuple[int, str]], columns: int) -> str:
    """Words at their cells in one line; one that would touch the one before it, or the end, is left out."""
    cells, free = [" "] * columns, 0
    for at, word in words:
        if at >= free and at + len(word) <= columns:
            cells[at : at + len(word)] = word
            free = at + len(word) + 1
    return "".join(cells)


def spread(words: Sequence[str], columns: int) -> str:
    """Words in one line, the first at its left end, the last at its right end, the others between."""
    if len(words) == 1:
        return words[0][:columns]
    gaps = len(words) - 1
    return placed(((n * (columns - len(w)) // gaps, w) for n, w in enumerate(words)), columns)


def last_of_parts(values: Sequence[float], width: int) -> list[float]:
    """The last finite value of each of ``width`` parts, NaN where a part has none.

    Fewer values than parts are drawn out, each over several parts.
    """
    found = []
    for x in range(width):
        first = x * len(values) // width
        part = values[first : max(first + 1, (x + 1) * len(values) // width)]
        found.append(next((v for v in reversed(part) if math.isfinite(v)), math.nan))
    return found


def column_of(index: int, count: int, columns: int) -> int:
    """The cell column in which value ``index`` of ``count`` is drawn."""
    scale = CellScale(low=0.0, high=float(count - 1), columns=columns)
    return scale.column(index) if count > 1 else 0


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
