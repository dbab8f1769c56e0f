"""Columns of a table: what they show, where they stand beside each other, and rows in order or as CSV."""

import csv
import io
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from rich.text import Text
from textual.actions import SkipAction
from textual.scroll_view import ScrollView

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.widgets.lines import cell
from engine.files import inert

if TYPE_CHECKING:
    from atft_tui.widgets.table import BrowseTable


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


Sized = tuple[TableColumn[Any], int]
"""A column and its width."""
WAITING = 40
"""Width of a column that takes what is left, where nothing was left and it has given way."""
MOVING = 24
"""Cells that the fixed columns leave to the others at least; fewer columns are fixed where they do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Only whole columns are in sight, so that no number is cut; each with the gap behind it.

    Only where all are in sight the last one does without its gap. A column without a width of its own
    may be cut, to `NARROWEST` at least, to fill what is left.
    """

    columns: Sequence[TableColumn[Any]]
    """What it was made of, with `room`."""
    room: int
    staying: tuple[Sized, ...]
    moving: tuple[Sized, ...]
    """Those that have given way come last: there is no room for them before one scrolls."""
    starts: tuple[int, ...]
    """Cells of the moving columns before each of them."""
    furthest: int
    """Number of the moving column that is the first in sight when the last one is; 0 = all fit."""

    @property
    def width(self) -> int:
        """Cells of what can be scrolled over."""
        return self.room + (self.starts[self.furthest] if self.furthest else 0)

    def first_at(self, x: int) -> int:
        """Number of the first moving column in sight after scrolling over ``x`` cells."""
        return min(bisect_left(self.starts, x), self.furthest)

    def in_sight(self, first: int) -> tuple[Sized, ...]:
        """Columns from left to right. One that alone is wider than the room there is is cut to it."""
        left = self.room - _cells(self.staying) + (0 if self.furthest else GAP)
        seen: list[Sized] = []
        for column, width in self.moving[first:]:
            if width + GAP > left:
                if not seen or (column.width is None and left - GAP >= NARROWEST):
                    seen.append((column, max(1, left - GAP)))
                break
            seen.append((column, width))
            left -= width + GAP
        return (*self.staying, *seen)

    def first_with(self, column: TableColumn[Any], first: int) -> int:
        """The nearest place to ``first`` where a column is in sight."""
        number = next((n for n, (one, _) in enumerate(self.moving) if one is column), None)
        if number is None or number < first:
            return first if number is None else number
        while first < self.furthest and all(one is not column for one, _ in self.in_sight(first)):
            first += 1
        return first


def layout_of(columns: Sequence[TableColumn[Any]], room: int, fixed: int = 0) -> Layout:
    """Widths of the columns in ``room`` cells; the first ``fixed`` ones stay while the others scroll."""
    room, shown = max(1, room), list(columns)
    if _needed(shown) > room:
        shown = [column for column in shown if not column.wide_only]
    while _needed(shown) > room and any(column.leaves for column in shown):
        shown.remove(max(shown, key=lambda column: column.leaves))
    flexible = sum(column.width is None for column in shown)
    left = room - sum((column.width or 0) + GAP for column in shown)
    share = max(NARROWEST, left // flexible) if flexible else 0
    sized = [(column, column.width or share) for column in shown]
    kept = set(map(id, shown))
    sized += [(column, column.width or WAITING) for column in columns if id(column) not in kept]
    while fixed and _cells(sized[:fixed]) > room - MOVING:
        fixed -= 1
    staying, moving = tuple(sized[:fixed]), tuple(sized[fixed:])
    return Layout(
        columns=columns, room=room, staying=staying, moving=moving,
        starts=(0, *accumulate(width + GAP for _, width in moving))[: len(moving)],
        furthest=0 if _cells(sized) - GAP <= room else _furthest(moving, room - _cells(staying)),
    )  # fmt: skip


def _furthest(moving: Sequence[Sized], room: int) -> int:
    first = len(moving)
    while first and moving[first - 1][1] + GAP <= room:
        first -= 1
        room -= moving[first][1] + GAP
    return min(first, max(0, len(moving) - 1))


def _cells(sized: Sequence[Sized]) -> int:
    return sum(width + GAP for _, width in sized)


def _needed(columns: Sequence[TableColumn[Any]]) -> int:
    return sum((column.width or NARROWEST) + GAP for column in columns)


class ColumnView(ScrollView):
    """Textual scrolls it by cells, by the wheel too; what is painted begins with a whole column.

    Arrows in the line of names say where there are more; a scrollbar would take a row from every
    table with a column out of sight.
    """

    DEFAULT_CSS = "ColumnView { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }"

    def __init__(self, table: "BrowseTable[Any]") -> None:
        super().__init__()
        self.table = table
        self._laid: Layout | None = None

    @property
    def arrangement(self) -> Layout:
        """Places of the columns beside the vertical scrollbar; made anew when room or columns change."""
        scrolls = len(self.table.rows) + 1 > self.size.height
        room = max(1, self.size.width - scrolls * self.styles.scrollbar_size_vertical)
        known, columns = self._laid, self.table.columns
        if known is None or known.columns is not columns or known.room != room:
            known = self._laid = layout_of(columns, room, self.table.fixed)
        return known

    @property
    def first(self) -> int:
        """Number of the first of the scrolling columns in sight."""
        return self.arrangement.first_at(self.scroll_offset.x)

    def in_sight(self) -> tuple[Sized, ...]:
        """The columns that are painted now, with their widths."""
        return self.arrangement.in_sight(self.first)

    def with_arrows(self, names: Text) -> Text:
        """The line of names, with what says on which side there are more columns."""
        layout, first = self.arrangement, self.first
        if layout.furthest:
            names.truncate(max(0, layout.room - GAP), pad=True)
            names.append(GLYPHS.beyond_left if first else " ")
            names.append(GLYPHS.beyond_right if first < layout.furthest else " ")
        return names

    def column_at(self, x: int) -> TableColumn[Any] | None:
        """The column in sight, or the gap behind it, at a cell of the view."""
        end = 0
        for column, width in self.in_sight():
            end += width + GAP
            if x < end:
                return column
        return None

    def action_column(self, step: int) -> None:
        """Scroll by columns; where all are in sight the key means what it means on the screen."""
        layout = self.arrangement
        if not layout.furthest:
            raise SkipAction
        self._scroll_to_column(max(0, min(self.first + step, layout.furthest)))

    def bring_in_sight(self, column: TableColumn[Any]) -> None:
        """Scroll as far as it takes to see a column."""
        layout = self.arrangement
        if layout.furthest:
            self._scroll_to_column(layout.first_with(column, self.first))

    def _scroll_to_column(self, number: int) -> None:
        self.scroll_to(x=self.arrangement.starts[number], animate=False)
