"""A table of any length: only the rows on the screen are formatted.

Textual's DataTable formats and measures every cell when it is filled (8,000 rows of 8 columns block
the screen for 1.2 s); here filling costs nothing and a page is formatted when it is painted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.text import Text
from textual import events, on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widgets import Input

from atft_tui.keys import TABLE, bindings
from atft_tui.styles import CURSOR, PLAIN, REVERSE, STRONG
from atft_tui.widgets.column import TableColumn, line_of
from atft_tui.widgets.column_view import ColumnView
from atft_tui.widgets.field import Field
from atft_tui.widgets.layout import Sized
from atft_tui.widgets.table_rows import arranged, as_csv

_R = TypeVar("_R")


class BrowseTable(Vertical, Generic[_R]):
    """Rows of any kind with cursor, order, filter and CSV; rows keep their key when they change.

    Keys: `atft_tui.keys.TABLE`. Clicking a column's name orders by it, clicking a row twice opens it.
    """

    DEFAULT_CSS = """
    BrowseTable { height: 1fr; }
    BrowseTable > Input { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    BrowseTable.filtering > Input { display: block; }
    """

    @dataclass
    class Selected(Message):
        """A row was opened with enter or a second click."""

        table: "BrowseTable[Any]"
        key: str
        row: Any

        @property
        def control(self) -> "BrowseTable[Any]":
            return self.table

    @dataclass
    class Highlighted(Message):
        """The cursor came to another row."""

        table: "BrowseTable[Any]"
        key: str
        row: Any

        @property
        def control(self) -> "BrowseTable[Any]":
            return self.table

    def __init__(
        self,
        columns: Sequence[TableColumn[_R]],
        *,
        key: Callable[[_R], str],
        id: str,  # noqa: A002
        fixed: int = 1,
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.fixed = fixed
        self.key = key
        self.all_rows: Sequence[_R] = ()
        self.rows: list[_R] = []
        """Those that pass the filter, in order."""
        self.filter_text = ""
        self.order: int | None = None
        """Number of the column ordered by; None keeps the order given."""
        self.reversed = False
        self.grid = Grid(self)

    def compose(self) -> ComposeResult:
        yield self.grid
        yield Filter(
            self, placeholder="filter: words that a row must hold; esc clears", compact=True
        )

    def set_columns(self, columns: Sequence[TableColumn[_R]]) -> None:
        """Show other columns; the order goes back to that of the rows."""
        self.columns, self.order = tuple(columns), None
        self.set_rows(self.all_rows)

    def set_rows(self, rows: Sequence[_R]) -> None:
        """Show these rows; the cursor stays on the row it is on, by key."""
        current = self.current_key
        self.all_rows = rows
        self._arrange(current)

    @property
    def current(self) -> _R | None:
        """The row under the cursor; None in an empty table."""
        return self.rows[self.grid.cursor] if self.rows else None

    @property
    def current_key(self) -> str | None:
        """The key of the row under the cursor; None in an empty table."""
        row = self.current
        return None if row is None else self.key(row)

    def move_to(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is shown."""
        found = next((i for i, row in enumerate(self.rows) if self.key(row) == key), None)
        if found is not None:
            self.grid.move(found)

    def csv(self) -> str:
        """All shown rows, all columns, raw values."""
        return as_csv(self.columns, self.rows)

    def focus(self, scroll_visible: bool = True) -> "BrowseTable[_R]":
        """Give the keyboard to the rows."""
        self.grid.focus(scroll_visible)
        return self

    # ---- filter and order ----------------------------------------------------------------------

    def action_filter(self) -> None:
        self.add_class("filtering")
        self.query_one(Input).focus()

    def clear_filter(self) -> None:
        """Show all rows again."""
        self.remove_class("filtering")
        self.query_one(Input).value = ""
        self.filter_text = ""
        self._arrange(self.current_key)

    @on(Input.Changed)
    def take_filter(self, event: Input.Changed) -> None:
        """Show the rows that hold the typed words."""
        event.stop()
        self.filter_text = event.value
        self._arrange(self.current_key)

    @on(Input.Submitted)
    def leave_filter(self, event: Input.Submitted) -> None:
        """Go back to the rows; the filter stays."""
        event.stop()
        self.grid.focus()

    def leave(self) -> None:
        """Take the filter away; where there is none the key means what it means on the screen."""
        if not self.has_class("filtering"):
            raise SkipAction
        self.clear_filter()
        self.grid.focus()

    def order_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Order by a column's number; None keeps the order given."""
        self.order, self.reversed = column, reverse
        self._arrange(self.current_key)

    def _arrange(self, keep: str | None) -> None:
        column = None if self.order is None else self.columns[self.order]
        rows = arranged(
            self.all_rows, self.columns, self.filter_text, column, reverse=self.reversed
        )
        self.rows = rows
        cursor = self.grid.cursor
        if keep is not None:
            at = (i for i, row in enumerate(rows) if self.key(row) == keep)
            cursor = next(at, cursor)
        self.grid.rows_changed(cursor)


class Filter(Field):
    """Where a `BrowseTable` is told what its rows must hold."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "no filter", show=False)]

    def __init__(self, table: BrowseTable[Any], **more: Any) -> None:
        super().__init__(**more)
        self.table = table

    def action_leave(self) -> None:
        self.table.leave()


class Grid(ColumnView, can_focus=True):
    """The painted part of a `BrowseTable`: one line of names, then the rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(TABLE),
        Binding("escape", "leave", "no filter", show=False),
    ]
    DEFAULT_CSS = "Grid { height: 1fr; }"

    def __init__(self, table: BrowseTable[Any]) -> None:
        super().__init__(table)
        self.table = table
        self.cursor = 0

    def rows_changed(self, cursor: int) -> None:
        """Measure and paint anew after the rows have changed."""
        rows = self.table.rows
        before = self.cursor
        self.cursor = max(0, min(cursor, len(rows) - 1))
        self._measure()
        self._keep_in_sight()
        self.refresh()
        if rows and (self.cursor != before or len(rows) == 1):
            self._tell(BrowseTable.Highlighted)

    def on_resize(self) -> None:
        """Also when it is shown for the first time: the cursor may be on a row far below."""
        self._measure()
        self._keep_in_sight()

    def _measure(self) -> None:
        self.virtual_size = Size(self.arrangement.width, len(self.table.rows) + 1)

    def render_line(self, y: int) -> Strip:
        layout = self.in_sight()
        if y == 0:
            line, base = self._names(layout), self.rich_style + STRONG
        else:
            number = self.scroll_offset.y + y - 1
            if number >= len(self.table.rows):
                return Strip.blank(self.size.width, self.rich_style)
            row = self.table.rows[number]
            line = line_of([column.text(row) for column, _ in layout], layout)
            base = self.rich_style
            if number == self.cursor:
                base += REVERSE if self.has_focus else CURSOR
        line.pad_right(max(0, self.size.width - line.cell_len))
        segments = [
            Segment(text, base + (style or PLAIN))
            for text, style, _ in line.render(self.app.console, end="")
        ]
        return Strip(segments).crop_extend(0, self.size.width, base)

    def _names(self, layout: Sequence[Sized]) -> Text:
        ordered = self.table.columns[self.table.order] if self.table.order is not None else None
        mark = "v" if self.table.reversed else "^"
        names = [
            Text(f"{column.name} {mark}" if column is ordered else column.name)
            for column, _ in layout
        ]
        return self.with_arrows(line_of(names, layout))

    # ---- cursor --------------------------------------------------------------------------------

    def move(self, row: int) -> None:
        """Put the cursor on a row; one beyond the ends comes to the end."""
        row = max(0, min(row, len(self.table.rows) - 1))
        if row != self.cursor:
            self.cursor = row
            self._tell(BrowseTable.Highlighted)
        self._keep_in_sight()
        self.refresh()

    def _keep_in_sight(self) -> None:
        visible = max(1, self.size.height - 1)
        top = int(self.scroll_offset.y)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + visible:
            self.scroll_to(y=self.cursor - visible + 1, animate=False)

    def _tell(self, kind: type[Message]) -> None:
        row = self.table.current
        if row is not None:
            self.table.post_message(kind(self.table, self.table.key(row), row))  # type: ignore[call-arg]

    def action_cursor(self, step: int) -> None:
        self.move(self.cursor + step)

    def action_page(self, step: int) -> None:
        self.move(self.cursor + step * max(1, self.size.height - 2))

    def action_first(self) -> None:
        self.move(0)

    def action_last(self) -> None:
        self.move(len(self.table.rows) - 1)

    def action_select(self) -> None:
        self._tell(BrowseTable.Selected)

    def action_filter(self) -> None:
        self.table.action_filter()

    def action_leave(self) -> None:
        self.table.leave()

    def action_order(self, step: int) -> None:
        count = len(self.table.columns)
        after = -1 if self.table.order is None else self.table.order
        after = (after + step) % count
        self.table.order_by(after)
        self.bring_in_sight(self.table.columns[after])

    def action_reverse(self) -> None:
        self.table.order_by(self.table.order, reverse=not self.table.reversed)

    def on_click(self, event: events.Click) -> None:
        y = int(event.y)
        if y == 0:
            self._order_at(int(event.x))
            return
        row = int(self.scroll_offset.y) + y - 1
        if row < len(self.table.rows):
            self.move(row)
            if event.chain == 2:
                self.action_select()

    def _order_at(self, x: int) -> None:
        column = self.column_at(x)
        if column is not None:
            number = self.table.columns.index(column)
            again = number == self.table.order
            self.table.order_by(number, reverse=again and not self.table.reversed)
