"""Columns of a table: what they show, and the cells of a row as one line."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.widgets.lines import cell
from engine.files import inert

_R = TypeVar("_R")
GAP = 2
"""Columns between two columns."""
NARROWEST = 8
"""Least width of a column that takes what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableColumn(Generic[_R]):
    """One column of a `BrowseTable`: how a row's cell is shown, ordered and exported."""

    name: str
    cell: Callable[[_R], str | Text]
    """What is shown. Plain strings are cleaned; a `Text` must hold clean text."""
    value: Callable[[_R], Any] | None = None
    """What is sorted by and exported; the shown text if left out. None and NaN sort last."""
    width: int | None = None
    """Width in terminal columns; None takes what is left, `NARROWEST` at least."""
    right: bool = False
    wide_only: bool = False
    """Gives way, out of sight to the right, where not all columns have room."""
    leaves: int = 0
    """Above 0: gives way while there is no room, the column with the highest number first."""

    def text(self, row: _R) -> Text:
        """What is shown of a row, without control characters."""
        shown = self.cell(row)
        return Text(fmt.clean(shown)) if isinstance(shown, str) else shown

    def raw(self, row: _R) -> Any:
        """What a row is ordered by and exported with; None where unknown, also for a NaN."""
        found = self.value(row) if self.value is not None else self.text(row).plain
        return None if isinstance(found, float) and math.isnan(found) else found


def line_of(texts: Sequence[Text], layout: Sequence[tuple[TableColumn[Any], int]]) -> Text:
    """The cells of one row, each cut or padded to its column."""
    line = Text(no_wrap=True, end="")
    for text, (column, width) in zip(texts, layout, strict=True):
        line.append_text(cell(text, width, right=column.right))
        line.append(" " * GAP)
    return line


def exported(value: Any) -> Any:
    """Texts so that a spreadsheet takes none of them for a formula."""
    return inert(value) if isinstance(value, str) else value
