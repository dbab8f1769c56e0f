"""A view that scrolls sideways by whole columns, the first of which stay in sight."""

from typing import Any, Protocol

from rich.text import Text
from textual.actions import SkipAction
from textual.scroll_view import ScrollView

from atft_tui.glyphs import GLYPHS
from atft_tui.widgets.column import GAP, TableColumn
from atft_tui.widgets.layout import Layout, Sized, layout_of


class Tabular(Protocol):
    """What a `ColumnView` shows."""

    columns: tuple[TableColumn[Any], ...]
    rows: list[Any]
    fixed: int
    """Number of first columns that stay in sight while the others scroll: they say what a row is."""


class ColumnView(ScrollView):
    """Textual scrolls it by cells, by the wheel too; what is painted begins with a whole column.

    Arrows in the line of names say where there are more; a scrollbar would take a row from every
    table with a column out of sight.
    """

    DEFAULT_CSS = "ColumnView { scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; }"

    def __init__(self, shown: Tabular) -> None:
        super().__init__()
        self._shown = shown
        self._laid: Layout | None = None

    @property
    def arrangement(self) -> Layout:
        """Places of the columns beside the vertical scrollbar; made anew when room or columns change."""
        scrolls = len(self._shown.rows) + 1 > self.size.height
        room = max(1, self.size.width - scrolls * self.styles.scrollbar_size_vertical)
        known, columns = self._laid, self._shown.columns
        if known is None or known.columns is not columns or known.room != room:
            known = self._laid = layout_of(columns, room, self._shown.fixed)
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
