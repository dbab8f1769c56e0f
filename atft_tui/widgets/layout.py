"""Where the columns of a table stand, and a view that scrolls sideways by whole columns."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rich.text import Text
from textual.actions import SkipAction
from textual.scroll_view import ScrollView

from atft_tui.glyphs import GLYPHS
from atft_tui.widgets.column import GAP, NARROWEST, TableColumn

if TYPE_CHECKING:
    from atft_tui.widgets.table import BrowseTable

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
