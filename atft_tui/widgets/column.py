"""Columns of a table: what they show, and how they share its width."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from rich.text import Text

from atft_tui import format as fmt
from engine.files import inert

R = TypeVar("R")
GAP = 2
"""Columns between two columns."""
NARROWEST = 8
"""Of a column that takes what is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column(Generic[R]):
    name: str
    cell: Callable[[R], str | Text]
    """What is shown. Plain strings are cleaned; a `Text` must hold clean text."""
    value: Callable[[R], Any] | None = None
    """What is sorted by and exported; the shown text if left out. None sorts last."""
    width: int | None = None
    """In terminal columns; without it the column takes what is left, `NARROWEST` at least."""
    right: bool = False
    wide_only: bool = False
    """Left out where the columns without it already fill the width."""
    leaves: int = 0
    """Above 0: left out while there is no room, the column with the highest number first."""

    def text(self, row: R) -> Text:
        shown = self.cell(row)
        return Text(fmt.clean(shown)) if isinstance(shown, str) else shown

    def raw(self, row: R) -> Any:
        return self.value(row) if self.value is not None else self.text(row).plain


def layout_of(columns: Sequence[Column[Any]], room: int) -> list[tuple[Column[Any], int]]:
    """Columns to show with their widths; what has no room is left out, see `Column`."""
    room, shown = max(1, room), list(columns)
    if _needed(shown) > room:
        shown = [column for column in shown if not column.wide_only]
    while _needed(shown) > room and any(column.leaves for column in shown):
        shown.remove(max(shown, key=lambda column: column.leaves))
    flexible = sum(column.width is None for column in shown)
    left = room - sum((column.width or 0) + GAP for column in shown)
    share = max(NARROWEST, left // flexible) if flexible else 0
    return [(column, column.width or share) for column in shown]


def _needed(columns: Sequence[Column[Any]]) -> int:
    return sum((column.width or NARROWEST) + GAP for column in columns)


def line_of(texts: Sequence[Text], layout: Sequence[tuple[Column[Any], int]]) -> Text:
    """The cells of one row, each cut or padded to its column."""
    line = Text(no_wrap=True, end="")
    for text, (column, width) in zip(texts, layout, strict=True):
        cell = text.copy()
        cell.truncate(width, overflow="ellipsis")
        if column.right:
            cell.pad_left(width - cell.cell_len)
        else:
            cell.pad_right(width - cell.cell_len)
        line.append_text(cell)
        line.append(" " * GAP)
    return line


def exported(value: Any) -> Any:
    """Texts so that a spreadsheet takes none of them for a formula."""
    return inert(value) if isinstance(value, str) else value
