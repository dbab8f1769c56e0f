"""Columns of a table: what they show, which rows are shown in which order, and the rows as CSV."""

import csv
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
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


@dataclass(frozen=True, slots=True)
class TableColumn(Generic[_R]):
    """One column of a `BrowseTable`: how a row's cell is shown, ordered and exported."""

    name: str
    cell: Callable[[_R], str | Text]
    """What is shown. Plain strings are cleaned; a `Text` must hold clean text."""
    width: int | None = None
    """Width in terminal columns; None takes what is left, `NARROWEST` at least."""
    _: KW_ONLY
    value: Callable[[_R], Any] | None = None
    """What is sorted by and exported; the shown text if left out. None and NaN sort last."""
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


def numbers(
    name: str,
    value: Callable[[_R], float | None],
    width: int,
    written: Callable[[Any], str] = "{:,}".format,
    *,
    unknown: str = fmt.DASH,
    wide_only: bool = False,
    leaves: int = 0,
) -> TableColumn[_R]:
    """A column of numbers on the right: ordered and exported as they are, shown as they are ``written``.

    What is None or not finite is ``unknown``, and comes last.
    """

    def known(row: _R) -> float | None:
        found = value(row)
        return found if found is not None and math.isfinite(found) else None

    def shown(row: _R) -> str:
        found = known(row)
        return unknown if found is None else written(found)

    return TableColumn(
        name, shown, width, value=known, right=True, wide_only=wide_only, leaves=leaves
    )


def line_of(texts: Sequence[Text], layout: Sequence[tuple[TableColumn[Any], int]]) -> Text:
    """The cells of one row, each cut or padded to its column."""
    line = Text(no_wrap=True, end="")
    for text, (column, width) in zip(texts, layout, strict=True):
        line.append_text(cell(text, width, right=column.right))
        line.append(" " * GAP)
    return line


def arranged(
    rows: Sequence[_R],
    columns: Sequence[TableColumn[_R]],
    words: str,
    by: TableColumn[_R] | None,
    *,
    reverse: bool,
) -> list[_R]:
    """Rows that hold all ``words`` in any column, ordered ``by`` one; what is unknown comes last."""
    kept = list(rows)
    wanted = words.casefold().split()
    if wanted:
        kept = [row for row in kept if _holds(row, columns, wanted)]
    if by is not None:
        known = [row for row in kept if by.raw(row) is not None]
        unknown = [row for row in kept if by.raw(row) is None]
        known.sort(key=by.raw, reverse=reverse)
        return known + unknown
    return kept[::-1] if reverse else kept


def as_csv(columns: Sequence[TableColumn[_R]], rows: Sequence[_R]) -> str:
    """Raw values; a text that a spreadsheet would take for a formula is made harmless."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    found = ([column.raw(row) for column in columns] for row in rows)
    writer.writerows([inert(v) if isinstance(v, str) else v for v in values] for values in found)
    return out.getvalue()


def _holds(row: _R, columns: Sequence[TableColumn[Any]], words: Sequence[str]) -> bool:
    text = " ".join(column.text(row).plain for column in columns).casefold()
    return all(word in text for word in words)
