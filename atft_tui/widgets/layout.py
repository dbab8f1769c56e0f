"""Where the columns of a table stand: those that stay, those that scroll, those out of sight."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from atft_tui.widgets.column import GAP, NARROWEST, TableColumn

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
