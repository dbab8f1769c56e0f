"""The table: any rows, any width, any text; order, filter, cursor and CSV."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.text import Text
from textual.app import App, ComposeResult

from atft_tui.screens.base import export_focused, focused_text
from atft_tui.widgets.column import GAP, TableColumn, line_of
from atft_tui.widgets.table import BrowseTable, Grid
from tests.tui.steps import shown


@dataclass(frozen=True)
class Stock:
    code: str
    name: str
    weight: float | None


COLUMNS: tuple[TableColumn[Stock], ...] = (
    TableColumn(name="code", cell=lambda s: s.code, width=8),
    TableColumn(name="name", cell=lambda s: s.name),
    TableColumn(
        name="weight",
        cell=lambda s: "-" if s.weight is None else f"{s.weight:.2f}",
        value=lambda s: s.weight,
        width=8,
        right=True,
    ),
    TableColumn(name="more", cell=lambda s: Text("x", style="red"), width=30, wide_only=True),
)
STOCKS = (
    Stock("7203", "トヨタ自動車", 0.5),
    Stock("=cmd()", "plain", None),
    Stock("6758", "ソニー グループ", -0.25),
)


class Host(App[None]):
    place: ClassVar[str] = "host"

    def __init__(self, rows: tuple[Stock, ...] = STOCKS) -> None:
        super().__init__()
        self.rows, self.opened = rows, list[str]()

    def compose(self) -> ComposeResult:
        yield BrowseTable(COLUMNS, key=lambda s: s.code, id="stocks")

    def on_mount(self) -> None:
        table = self.query_one(BrowseTable)
        table.set_rows(self.rows)
        table.focus()

    def on_browse_table_selected(self, message: BrowseTable.Selected) -> None:
        self.opened.append(message.key)


async def test_keys_move_order_filter_open_and_export(tmp_path: Path) -> None:
    app = Host()
    async with app.run_test(size=(60, 10)) as pilot:
        table = app.query_one(BrowseTable)
        await pilot.press("end", "enter", "up", "enter", "home", "k")
        assert app.opened == ["6758", "=cmd()"]
        assert table.current_key == "7203"
        assert "more" not in shown(app.screen)
        await pilot.press("o", "o", "o")
        assert [s.code for s in table.rows] == ["6758", "7203", "=cmd()"], "None is last"
        await pilot.press("O")
        assert [s.code for s in table.rows] == ["7203", "6758", "=cmd()"], "None stays last"
        assert table.current_key == "7203", "the cursor stays on its row"
        text = focused_text(app.screen)
        assert text is not None
        read = list(csv.reader(io.StringIO(text)))
        assert read[0] == ["code", "name", "weight", "more"]
        assert read[1] == ["7203", "トヨタ自動車", "0.5", "x"]
        assert not read[3][0].startswith("="), "no formula for a spreadsheet"
        path = export_focused(app.screen, tmp_path / "new")
        assert path is not None
        assert path.read_text() == text
        await pilot.press("slash", *"plain")
        assert [s.code for s in table.rows] == ["=cmd()"]
        await pilot.press("enter", "enter")
        assert app.opened[-1] == "=cmd()"
        await pilot.press("slash", "escape")
        assert len(table.rows) == 3
        await pilot.press("slash", *"plain", "enter", "escape")
        assert len(table.rows) == 3, "also from the rows"
        await pilot.click(Grid, offset=(12, 0))
        assert table.order == 1
        await pilot.click(Grid, offset=(2, 2), times=2)
        assert app.opened[-1] == table.rows[1].code


async def test_thousands_of_rows_are_formatted_only_where_they_are_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    formatted = 0

    def counted(column: TableColumn[Stock], row: Stock) -> Text:
        nonlocal formatted
        formatted += 1
        return Text(str(column.cell(row)))

    monkeypatch.setattr(TableColumn, "text", counted)
    rows = tuple(Stock(f"{i:05d}", f"name {i}", i / 7) for i in range(8000))
    app = Host(rows)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("end", "pageup", "home", *["down"] * 10)
        await pilot.pause()
        assert app.query_one(BrowseTable).current_key == "00010"
    assert formatted < 24 * 4 * 20


HOSTILE = st.text(max_size=60) | st.sampled_from(
    [
        "\x1b[2J\x1b]0;t\x07",
        "[bold]x[/]",
        "\u202egnp",
        "\u200b\u200d",
        "x" * 300,
        "日本" * 90,
        "e\u0301",
        "a\tb\nc",
    ]
)


@settings(max_examples=60)
@given(st.lists(HOSTILE, max_size=4), st.integers(1, 200))
def test_a_line_fills_its_width_for_any_text(names: list[str], width: int) -> None:
    rows = [Stock(str(i), name, 0.0) for i, name in enumerate(names)]
    layout = [(COLUMNS[0], 8), (COLUMNS[1], width)]
    for row in rows:
        line = line_of([column.text(row) for column, _ in layout], layout)
        assert line.cell_len == 8 + width + 2 * GAP
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in line.plain)
