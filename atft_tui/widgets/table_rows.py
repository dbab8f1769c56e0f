"""Rows of a table: which of them, in which order, and as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import Any, TypeVar

from atft_tui.widgets.column import TableColumn, exported

_R = TypeVar("_R")


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
    writer.writerows([exported(column.raw(row)) for column in columns] for row in rows)
    return out.getvalue()


def _holds(row: _R, columns: Sequence[TableColumn[Any]], words: Sequence[str]) -> bool:
    text = " ".join(column.text(row).plain for column in columns).casefold()
    return all(word in text for word in words)
