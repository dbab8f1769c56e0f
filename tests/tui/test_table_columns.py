"""A table wider than its place: every column is reached, the first stay, nothing is cut in a cell."""

from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.pilot import Pilot

from atft_tui.app import CockpitApp
from atft_tui.glyphs import GLYPHS
from atft_tui.screens.signals import SignalsScreen
from atft_tui.widgets.column import (
    GAP,
    MOVING,
    NARROWEST,
    WAITING,
    Layout,
    TableColumn,
    layout_of,
    line_of,
)
from atft_tui.widgets.table import BrowseTable, Grid
from tests.tui import signal_desk
from tests.tui.steps import wait_until

LEFT, RIGHT = GLYPHS.beyond_left, GLYPHS.beyond_right
Row = tuple[str, ...]


def column(
    number: int, width: int | None = 10, *, leaves: int = 0, right: bool = False
) -> TableColumn[Row]:
    return TableColumn(
        name=f"c{number}",
        cell=lambda row: row[number],
        width=width,
        leaves=leaves,
        right=right,
    )


def names(layout: Layout, first: int) -> list[tuple[str, int]]:
    return [(one.name, width) for one, width in layout.in_sight(first)]


# ---- by hand ---------------------------------------------------------------------------------------


def test_what_fits_does_not_scroll() -> None:
    layout = layout_of([column(0), column(1, None), column(2)], 40, fixed=1)
    assert names(layout, 0) == [("c0", 10), ("c1", 14), ("c2", 10)]
    assert (layout.furthest, layout.width) == (0, 40)
    layout = layout_of([column(0), column(1)], 22, fixed=1)
    assert names(layout, 0) == [("c0", 10), ("c1", 10)], "nothing comes after the last: no gap"
    assert (layout.furthest, layout.width) == (0, 22)


def test_columns_beyond_the_edge_by_hand() -> None:
    """40 cells: 12 stay, 28 hold two columns of 12; the third and fourth come one by one."""
    layout = layout_of([column(n) for n in range(5)], 40, fixed=1)
    assert layout.starts == (0, 12, 24, 36)
    assert names(layout, 0) == [("c0", 10), ("c1", 10), ("c2", 10)]
    assert names(layout, 2) == [("c0", 10), ("c3", 10), ("c4", 10)]
    assert (layout.furthest, layout.width) == (2, 40 + 24)
    assert [layout.first_at(x) for x in (0, 1, 12, 13, 24, 99)] == [0, 1, 1, 2, 2, 2]


def test_what_gives_way_waits_to_the_right() -> None:
    columns = [column(0), column(1, 14, leaves=1), column(2, None), column(3, None, leaves=2)]
    layout = layout_of(columns, 37, fixed=1)
    assert names(layout, 0) == [("c0", 10), ("c2", 23)]
    assert [(one.name, width) for one, width in layout.moving] == [
        ("c2", 23), ("c1", 14), ("c3", WAITING),
    ]  # fmt: skip
    assert names(layout, 1) == [("c0", 10), ("c1", 14)]
    assert names(layout, 2) == [("c0", 10), ("c3", 23)], "wider than the room there is: cut to it"


def test_a_column_that_takes_what_is_left_fills_it() -> None:
    columns = [column(0), column(1), column(2, 30, leaves=1), column(3, None, leaves=2)]
    layout = layout_of(columns, 62, fixed=1)
    assert names(layout, 0) == [("c0", 10), ("c1", 10), ("c2", 30)]
    layout = layout_of([columns[0], columns[1], columns[3]], 34, fixed=1)
    assert names(layout, 0) == [("c0", 10), ("c1", 10), ("c3", NARROWEST)]


def test_fixed_columns_leave_room_for_the_others() -> None:
    columns = [column(0, 20), column(1, 20), column(2), column(3)]
    for room, staying in ((22 + MOVING, 1), (22 + MOVING - 1, 0), (200, 2)):
        assert len(layout_of(columns, room, fixed=2).staying) == staying


def test_the_nearest_place_where_a_column_is_in_sight() -> None:
    columns = [column(n) for n in range(6)]
    layout = layout_of(columns, 40, fixed=1)
    assert [layout.first_with(columns[5], first) for first in (0, 3)] == [3, 3]
    assert [layout.first_with(columns[2], first) for first in (0, 1, 3)] == [0, 1, 1]
    assert layout.first_with(columns[0], 3) == 3, "it stays in sight"


# ---- any columns -----------------------------------------------------------------------------------

COLUMN = st.builds(
    lambda width, leaves, wide: (width, leaves, wide),
    st.none() | st.integers(1, 60),
    st.integers(0, 3),
    st.booleans(),
)


@given(
    st.lists(COLUMN, min_size=1, max_size=9),
    st.integers(1, 200),
    st.integers(0, 4),
    st.sampled_from(["日本" * 40, "x" * 90, "", "か\u3099" * 9, "1,234.5"]),
)
def test_every_column_is_reached_and_no_line_is_wider_than_the_room(
    kinds: list[tuple[int | None, int, bool]], room: int, fixed: int, text: str
) -> None:
    columns: list[TableColumn[Row]] = [
        TableColumn(name=str(n), cell=lambda row: row[0], width=w, leaves=leaves, wide_only=wide)
        for n, (w, leaves, wide) in enumerate(kinds)
    ]
    layout = layout_of(columns, room, fixed)
    reached: set[str] = set()
    for first in range(layout.furthest + 1):
        seen = layout.in_sight(first)
        assert seen[: len(layout.staying)] == layout.staying
        line = line_of([one.text((text,)) for one, _ in seen], seen)
        assert line.cell_len == sum(width + GAP for _, width in seen)
        assert line.cell_len <= max(room, 1 + GAP) + (0 if layout.furthest else GAP)
        assert layout.first_at(layout.starts[first] if layout.starts else 0) == first
        reached |= {one.name for one, _ in seen}
    assert reached == {one.name for one in columns}
    naive = next(
        first
        for first in range(len(layout.moving) or 1)
        if not layout.moving or layout.in_sight(first)[-1][0] is layout.moving[-1][0]
    )
    assert naive <= layout.furthest, "the last one may be cut before it is whole"
    total = sum(width + GAP for _, width in (*layout.staying, *layout.moving)) - GAP
    assert (layout.furthest == 0) == (total <= room or len(layout.moving) == 1)


# ---- painted ---------------------------------------------------------------------------------------


class Host(App[None]):
    place: ClassVar[str] = "host"
    ROWS: ClassVar[tuple[Row, ...]] = tuple(
        (f"{1000 + n}", "トヨタ自動車株式会社", *(f"{n}.{m}" for m in range(2, 8)))
        for n in range(3)
    )

    def compose(self) -> ComposeResult:
        columns = [column(0, 6), column(1, 9), *(column(n, 12, right=True) for n in range(2, 8))]
        yield BrowseTable(columns, key=lambda row: row[0], id="wide")

    def on_mount(self) -> None:
        table: BrowseTable[Row] = self.query_one(BrowseTable)
        table.set_rows(self.ROWS)
        table.focus()


def painted(grid: Grid) -> list[str]:
    return [grid.render_line(y).text.rstrip() for y in range(3)]


async def test_what_is_painted_by_hand() -> None:
    app = Host()
    async with app.run_test(size=(50, 8)) as pilot:
        grid = app.query_one(Grid)
        assert painted(grid) == [
            f"c0      c1                   c2            c3    {RIGHT}",
            "1000    トヨタ自…           0.2           0.3",
            "1001    トヨタ自…           1.2           1.3",
        ]
        await pilot.press("right_parenthesis")
        assert painted(grid)[:2] == [
            f"c0                c2            c3            c4{LEFT}{RIGHT}",
            "1000             0.2           0.3           0.4",
        ]
        await pilot.press("right", "shift+right", "right_parenthesis", "right", "right")
        assert painted(grid)[:2] == [
            f"c0                c5            c6            c7{LEFT}",
            "1000             0.5           0.6           0.7",
        ]
        await pilot.press("left", "shift+left")
        assert painted(grid)[0] == f"c0                c3            c4            c5{LEFT}{RIGHT}"
        await pilot.press("left_parenthesis", "left", "left", "left")
        assert grid.first == 0
        await pilot.click(Grid, offset=(40, 0))
        assert app.query_one(BrowseTable).order == 3
        await pilot.press("right_parenthesis", "right_parenthesis")
        await pilot.click(Grid, offset=(40, 0))
        assert app.query_one(BrowseTable).order == 5, "the column that is seen there now"
        await pilot.press("o", "o")
        assert painted(grid)[0] == f"c0                c5            c6          c7 ^{LEFT}"
        await pilot.press("o")
        assert painted(grid)[0].startswith("c0 ^"), "it stays in sight"


async def test_every_size_and_place_fills_its_lines() -> None:
    app = Host()
    async with app.run_test(size=(120, 8)) as pilot:
        grid = app.query_one(Grid)
        assert grid.arrangement.furthest == 0
        assert not set("".join(painted(grid))) & {LEFT, RIGHT}
        for width in (90, 61, 33, 20, 9, 3, 1):
            await pilot.resize_terminal(width, 3)
            await pilot.pause()
            assert grid.arrangement.room == max(1, width - 1), (
                "rows are beyond the end: a scrollbar"
            )
            for x in range(grid.arrangement.width):
                grid.scroll_to(x=x, animate=False)
                for y in range(3):
                    assert grid.render_line(y).cell_length == width
        await pilot.resize_terminal(120, 8)
        await pilot.pause()
        assert (grid.first, grid.scroll_offset.x) == (0, 0)


class Below(Host):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("left,right", "took", "below the table")]
    took = 0

    def action_took(self) -> None:
        self.took += 1


@pytest.mark.parametrize(("width", "took"), [(120, 3), (50, 0)])
async def test_keys_of_the_screen_are_left_to_it_where_all_columns_are_in_sight(
    width: int, took: int
) -> None:
    app = Below()
    async with app.run_test(size=(width, 8)) as pilot:
        await pilot.press("right", "right", "left")
        assert (app.took, app.query_one(Grid).first) == (took, 0 if took else 1)


async def wheel(
    pilot: Pilot[None], grid: Grid, kind: type[events.MouseEvent], *, shift: bool
) -> None:
    grid.post_message(kind(grid, 5, 1, 0, 0, 0, shift, False, False, 5, 1))
    await pilot.pause(0.4)


async def test_the_wheel_scrolls_by_whole_columns() -> None:
    async with Host().run_test(size=(50, 8)) as pilot:
        grid = pilot.app.query_one(Grid)
        await wheel(pilot, grid, events.MouseScrollRight, shift=False)
        assert grid.first == 1
        await wheel(pilot, grid, events.MouseScrollDown, shift=True)
        assert (grid.first, grid.cursor) == (1, 0), "8 cells: still within the first column, of 11"
        await wheel(pilot, grid, events.MouseScrollDown, shift=True)
        assert grid.first == 2
        for _ in range(4):
            await wheel(pilot, grid, events.MouseScrollUp, shift=True)
        assert grid.first == 0


async def test_every_order_of_a_signal_is_read_at_the_smallest_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """80x24: the reason of an order is five columns beyond the edge."""
    monkeypatch.chdir(tmp_path)
    signal_desk.whole(Path("ws"))
    async with CockpitApp(Path("ws")).run_test(size=(80, 24)) as pilot:
        await pilot.press("7")
        screen = pilot.app.screen
        assert isinstance(screen, SignalsScreen)
        await wait_until(pilot, lambda: bool(screen.table.rows))
        await pilot.press("down", "down")
        code, grid = screen.table.current_key, screen.table.grid
        assert "reason" not in grid.render_line(0).text
        presses = 0
        while grid.first < grid.arrangement.furthest:
            await pilot.press("right_parenthesis")
            presses += 1
            assert presses < 10
        assert "reason" in grid.render_line(0).text
        assert "20-day turnover is 0 shares" in grid.render_line(3).text
        assert code is not None
        assert code in grid.render_line(3).text
        assert screen.table.current_key == code
        await pilot.press("down", "up")
        assert (screen.table.current_key, grid.first) == (code, grid.arrangement.furthest)
        await pilot.press(*["left_parenthesis"] * presses)
        assert "name" in grid.render_line(0).text
