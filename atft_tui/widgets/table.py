"""A table of any length: only the rows on the screen are formatted.

Textual's DataTable formats and measures every cell when it is filled (8,000 rows of 8 columns block
the screen for 1.2 s); here filling costs nothing and a page is formatted when it is painted.
"""

import csv
import io
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
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Input

from atft_tui.keys import TABLE, bindings
from atft_tui.styles import CURSOR, PLAIN, REVERSE, STRONG
from atft_tui.widgets.column import GAP, Column, exported, layout_of, line_of
from atft_tui.widgets.field import Field

R = TypeVar("R")


class Table(Vertical, Generic[R]):
    """Rows of any kind with cursor, order, filter and CSV; rows keep their key when they change.

    Keys: `atft_tui.keys.TABLE`. Clicking a column's name orders by it, clicking a row twice opens it.
    """

    DEFAULT_CSS = """
    Table { height: 1fr; }
    Table > Input { display: none; height: 1; border: none; padding: 0 1; background: $panel; }
    Table.filtering > Input { display: block; }
    """

    @dataclass
    class Selected(Message):
        """A row was opened with enter or a second click."""

        table: "Table[Any]"
        key: str
        row: Any

        @property
        def control(self) -> "Table[Any]":
            return self.table

    @dataclass
    class Highlighted(Message):
        """The cursor came to another row."""

        table: "Table[Any]"
        key: str
        row: Any

        @property
        def control(self) -> "Table[Any]":
            return self.table

    def __init__(
        self,
        columns: Sequence[Column[R]],
        *,
        key: Callable[[R], str],
        id: str,  # noqa: A002
    ) -> None:
        super().__init__(id=id)
        self.columns = tuple(columns)
        self.key = key
        self.all_rows: Sequence[R] = ()
        self.rows: list[R] = []
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

    def set_columns(self, columns: Sequence[Column[R]]) -> None:
        self.columns, self.order = tuple(columns), None
        self.set_rows(self.all_rows)

    def set_rows(self, rows: Sequence[R]) -> None:
        """Show these rows; the cursor stays on the row it is on, by key."""
        current = self.current_key
        self.all_rows = rows
        self._arrange(current)

    @property
    def current(self) -> R | None:
        return self.rows[self.grid.cursor] if self.rows else None

    @property
    def current_key(self) -> str | None:
        row = self.current
        return None if row is None else self.key(row)

    def move_to(self, key: str) -> None:
        """Put the cursor on the row with this key, if it is shown."""
        found = next((i for i, row in enumerate(self.rows) if self.key(row) == key), None)
        if found is not None:
            self.grid.move(found)

    def csv(self) -> str:
        """All shown rows, all columns, raw values."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows(
            [exported(column.raw(row)) for column in self.columns] for row in self.rows
        )
        return out.getvalue()

    def focus(self, scroll_visible: bool = True) -> "Table[R]":
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
        event.stop()
        self.filter_text = event.value
        self._arrange(self.current_key)

    @on(Input.Submitted)
    def leave_filter(self, event: Input.Submitted) -> None:
        event.stop()
        self.grid.focus()

    def leave(self) -> None:
        """Take the filter away; where there is none the key means what it means on the screen."""
        if not self.has_class("filtering"):
            raise SkipAction
        self.clear_filter()
        self.grid.focus()

    def order_by(self, column: int | None, *, reverse: bool = False) -> None:
        self.order, self.reversed = column, reverse
        self._arrange(self.current_key)

    def _arrange(self, keep: str | None) -> None:
        words = self.filter_text.casefold().split()
        rows = list(self.all_rows)
        if words:
            rows = [row for row in rows if self._holds(row, words)]
        if self.order is not None:
            column = self.columns[self.order]
            known = [row for row in rows if column.raw(row) is not None]
            unknown = [row for row in rows if column.raw(row) is None]
            known.sort(key=column.raw, reverse=self.reversed)
            rows = known + unknown
        elif self.reversed:
            rows.reverse()
        self.rows = rows
        cursor = self.grid.cursor
        if keep is not None:
            at = (i for i, row in enumerate(rows) if self.key(row) == keep)
            cursor = next(at, cursor)
        self.grid.rows_changed(cursor)

    def _holds(self, row: R, words: Sequence[str]) -> bool:
        text = " ".join(column.text(row).plain for column in self.columns).casefold()
        return all(word in text for word in words)


class Filter(Field):
    """Where a `Table` is told what its rows must hold."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "no filter", show=False)]

    def __init__(self, table: Table[Any], **more: Any) -> None:
        super().__init__(**more)
        self.table = table

    def action_leave(self) -> None:
        self.table.leave()


class Grid(ScrollView, can_focus=True):
    """The painted part of a `Table`: one line of names, then the rows."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(TABLE),
        Binding("escape", "leave", "no filter", show=False),
    ]
    DEFAULT_CSS = "Grid { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }"

    def __init__(self, table: Table[Any]) -> None:
        super().__init__()
        self.table = table
        self.cursor = 0

    def rows_changed(self, cursor: int) -> None:
        rows = self.table.rows
        before = self.cursor
        self.cursor = max(0, min(cursor, len(rows) - 1))
        self._measure()
        self._keep_in_sight()
        self.refresh()
        if rows and (self.cursor != before or len(rows) == 1):
            self._tell(Table.Highlighted)

    def on_resize(self) -> None:
        """Also when it is shown for the first time: the cursor may be on a row far below."""
        self._measure()
        self._keep_in_sight()

    def _measure(self) -> None:
        total = sum(width + GAP for _, width in self._layout())
        self.virtual_size = Size(total, len(self.table.rows) + 1)

    def _layout(self) -> list[tuple[Column[Any], int]]:
        """Columns to show with their widths in the room there is beside the vertical scrollbar."""
        scrolls = len(self.table.rows) + 1 > self.size.height
        bar = self.styles.scrollbar_size_vertical if scrolls else 0
        return layout_of(self.table.columns, self.size.width - bar)

    def render_line(self, y: int) -> Strip:
        left, top = self.scroll_offset
        layout = self._layout()
        width = max(self.size.width, self.virtual_size.width)
        if y == 0:
            line, base = self._names(layout), self.rich_style + STRONG
        else:
            number = top + y - 1
            if number >= len(self.table.rows):
                return Strip.blank(self.size.width, self.rich_style)
            row = self.table.rows[number]
            line = line_of([column.text(row) for column, _ in layout], layout)
            base = self.rich_style
            if number == self.cursor:
                base += REVERSE if self.has_focus else CURSOR
        line.pad_right(max(0, width - line.cell_len))
        segments = [
            Segment(text, base + (style or PLAIN))
            for text, style, _ in line.render(self.app.console, end="")
        ]
        return Strip(segments).crop_extend(left, left + self.size.width, base)

    def _names(self, layout: Sequence[tuple[Column[Any], int]]) -> Text:
        ordered = self.table.columns[self.table.order] if self.table.order is not None else None
        mark = "v" if self.table.reversed else "^"
        names = [
            Text(f"{column.name} {mark}" if column is ordered else column.name)
            for column, _ in layout
        ]
        return line_of(names, layout)

    # ---- cursor --------------------------------------------------------------------------------

    def move(self, row: int) -> None:
        row = max(0, min(row, len(self.table.rows) - 1))
        if row != self.cursor:
            self.cursor = row
            self._tell(Table.Highlighted)
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
        self._tell(Table.Selected)

    def action_filter(self) -> None:
        self.table.action_filter()

    def action_leave(self) -> None:
        self.table.leave()

    def action_order(self, step: int) -> None:
        count = len(self.table.columns)
        after = -1 if self.table.order is None else self.table.order
        self.table.order_by((after + step) % count)

    def action_reverse(self) -> None:
        self.table.order_by(self.table.order, reverse=not self.table.reversed)

    def on_click(self, event: events.Click) -> None:
        y = int(event.y)
        if y == 0:
            self._order_at(int(event.x) + int(self.scroll_offset.x))
            return
        row = int(self.scroll_offset.y) + y - 1
        if row < len(self.table.rows):
            self.move(row)
            if event.chain == 2:
                self.action_select()

    def _order_at(self, x: int) -> None:
        start = 0
        for column, width in self._layout():
            if start <= x < start + width + GAP:
                number = self.table.columns.index(column)
                again = number == self.table.order
                self.table.order_by(number, reverse=again and not self.table.reversed)
                return
            start += width + GAP
