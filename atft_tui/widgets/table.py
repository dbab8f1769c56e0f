"""A table of any length: only the rows on the screen are formatted.

Textual's DataTable formats and measures every cell when it is filled (8,000 rows of 8 columns block
the screen for 1.2 s); here filling costs nothing and a page is formatted when it is painted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import is_
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

from atft_tui import format as fmt
from atft_tui.keys import TABLE
from atft_tui.styles import CURSOR, PLAIN, REVERSE, STRONG
from atft_tui.widgets.column import ColumnView, Sized, TableColumn, arranged, as_csv, line_of

_R = TypeVar("_R")
_LONGEST = 4000
"""Characters a field keeps; a larger paste is cut."""


class Field(Input):
    """The input of every form: what is typed or pasted is cleaned and cut before it is kept or painted."""

    def validate_value(self, value: str) -> str:
        return fmt.clean(value[:_LONGEST])


@dataclass
class _OfRow(Message):
    """Something that happened to a row."""

    table: "BrowseTable[Any]"
    key: str
    row: Any

    @property
    def control(self) -> "BrowseTable[Any]":
        return self.table


class BrowseTable(Vertical, Generic[_R]):
    """Rows of any kind with cursor, order, filter and CSV; rows keep their key when they change.

    Keys: `atft_tui.keys.TABLE`. Clicking a column's name orders by it, clicking a row twice opens it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "no filter", show=False)]
    DEFAULT_CSS = """
    BrowseTable { height: 1fr; }
    BrowseTable > Input { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    BrowseTable.filtering > Input { display: block; }
    """

    class Selected(_OfRow):
        """A row was opened with enter or a second click."""

    class Highlighted(_OfRow):
        """The cursor came to another row."""

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
        hint = "filter: words that a row must hold; esc clears"
        yield Field(placeholder=hint, compact=True)

    def set_columns(self, columns: Sequence[TableColumn[_R]]) -> None:
        """Show other columns; the order goes back to that of the rows."""
        self.columns, self.order = tuple(columns), None
        self._arrange(self.current_key)

    def set_rows(self, rows: Sequence[_R]) -> None:
        """Show these rows, unless they are the very same; the cursor stays on the row it is on, by key."""
        if len(rows) == len(self.all_rows) and all(map(is_, rows, self.all_rows)):
            return
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
        found = self._place(key)
        if found is not None:
            self.grid.move(found)

    def _place(self, key: str) -> int | None:
        return next((i for i, row in enumerate(self.rows) if self.key(row) == key), None)

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

    def action_leave(self) -> None:
        """Take the filter away; where there is none the key means what it means on the screen."""
        if not self.has_class("filtering"):
            raise SkipAction
        self.clear_filter()
        self.grid.focus()

    @property
    def ordered(self) -> TableColumn[_R] | None:
        """The column that the rows are ordered by; None for the order given."""
        return None if self.order is None else self.columns[self.order]

    def order_by(self, column: int | None, *, reverse: bool = False) -> None:
        """Order by a column's number; None keeps the order given."""
        self.order, self.reversed = column, reverse
        self._arrange(self.current_key)

    def _arrange(self, keep: str | None) -> None:
        by, words = self.ordered, self.filter_text
        self.rows = arranged(self.all_rows, self.columns, words, by, reverse=self.reversed)
        at = None if keep is None else self._place(keep)
        self.grid.rows_changed(self.grid.cursor if at is None else at)


class Grid(ColumnView, can_focus=True):
    """The painted part of a `BrowseTable`: one line of names, then the rows."""

    BINDINGS: ClassVar[list[BindingType]] = [*TABLE]
    DEFAULT_CSS = "Grid { height: 1fr; }"

    def __init__(self, table: BrowseTable[Any]) -> None:
        super().__init__(table)
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
        parts = line.render(self.app.console, end="")
        segments = [Segment(text, base + (style or PLAIN)) for text, style, _ in parts]
        return Strip(segments).crop_extend(0, self.size.width, base)

    def _names(self, layout: Sequence[Sized]) -> Text:
        mark = {id(self.table.ordered): " v" if self.table.reversed else " ^"}
        names = [Text(column.name + mark.get(id(column), "")) for column, _ in layout]
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
        top, last = int(self.scroll_offset.y), self.cursor - max(1, self.size.height - 1) + 1
        if self.cursor < top or last > top:
            self.scroll_to(y=min(self.cursor, max(top, last)), animate=False)

    def _tell(self, kind: type[_OfRow]) -> None:
        row = self.table.current
        if row is not None:
            self.table.post_message(kind(self.table, self.table.key(row), row))

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

    def action_order(self, step: int) -> None:
        before = -1 if self.table.order is None else self.table.order
        after = (before + step) % len(self.table.columns)
        self.table.order_by(after)
        self.bring_in_sight(self.table.columns[after])

    def action_reverse(self) -> None:
        self.table.order_by(self.table.order, reverse=not self.table.reversed)

    def on_click(self, event: events.Click) -> None:
        y, column = int(event.y), self.column_at(int(event.x))
        row = int(self.scroll_offset.y) + y - 1
        if y == 0 and column is not None:
            number = self.table.columns.index(column)
            again = number == self.table.order
            self.table.order_by(number, reverse=again and not self.table.reversed)
        elif y and row < len(self.table.rows):
            self.move(row)
            if event.chain == 2:
                self.action_select()
