"""Columns of the signals screen's tables, and which lines of a session are listed."""

import math
from collections.abc import Callable
from dataclasses import replace

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.card import Card
from atft_tui.readings.shadow import PARTS, Filled
from atft_tui.readings.signal import Line
from atft_tui.styles import BAD, DIM, DOWN, GOOD, STRONG, UP, WARN
from atft_tui.widgets.card_line import verdict_text
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.why_panel import move_text

VIEWS: dict[str, Callable[[Line], bool]] = {
    "book and orders": lambda line: line.is_in_book,
    "orders": lambda line: bool(line.side),
    "refused": lambda line: bool(line.refused),
    "long": lambda line: line.weight > 0,
    "short": lambda line: line.weight < 0,
    "all ranked": lambda line: line.rank is not None,
}
"""What the list can be narrowed to, in the order in which the key goes through it."""


def _rank(line: Line) -> str:
    return fmt.DASH if line.rank is None else str(line.rank)


def _order(line: Line) -> Text:
    """``buy 398``; a line that a rule stands against says so."""
    if line.side:
        text = Text(
            f"{fmt.clean(line.side):<4} {line.shares:,}",
            style=UP if line.side == "buy" else DOWN,
        )
        return text.append(" cut", style=WARN) if line.refused else text
    return Text("refused", style=WARN) if line.refused else Text("hold", style=DIM)


def _reason(line: Line) -> Text:
    if line.refused:
        told = "; ".join(f"{one.rule}: {one.reason}" for one in line.refused)
        return Text(fmt.clean(told), style=WARN)
    return Text(fmt.clean(line.reason), style=DIM)


def _price(value: float) -> str:
    return "" if math.isnan(value) else f"{value:,.6g}"


_RANK: TableColumn[Line] = TableColumn(
    name="rank", cell=_rank, value=lambda line: line.rank, width=4, right=True
)
_MOVE: TableColumn[Line] = TableColumn(
    name="move", cell=lambda line: move_text(line.move), value=lambda line: line.move, width=5
)
_CODE: TableColumn[Line] = TableColumn(
    name="code", cell=lambda line: Text(fmt.clean(line.code), style=STRONG), width=6
)
NAME: TableColumn[Line] = TableColumn(name="name", cell=lambda line: line.name)
_BOOK: TableColumn[Line] = TableColumn(name="book", cell=lambda line: line.book, width=5)
_WEIGHT: TableColumn[Line] = TableColumn(
    name="weight",
    cell=lambda line: f"{100 * line.weight:+.3f} %" if line.weight else "",
    value=lambda line: line.weight,
    width=9,
    right=True,
)
_ORDER: TableColumn[Line] = TableColumn(
    name="order",
    cell=_order,
    value=lambda line: line.shares if line.side == "buy" else -line.shares,
    width=13,
)
_LIMIT: TableColumn[Line] = TableColumn(
    name="limit",
    cell=lambda line: _price(line.limit),
    value=lambda line: None if math.isnan(line.limit) else line.limit,
    width=8,
    right=True,
)
_NOTIONAL: TableColumn[Line] = TableColumn(
    name="notional",
    cell=lambda line: f"{line.notional:,.0f}" if line.side else "",
    value=lambda line: line.notional,
    width=10,
    right=True,
)
_LOTS: TableColumn[Line] = TableColumn(
    name="lots",
    cell=lambda line: f"{line.lots:,}" if line.side else "",
    value=lambda line: line.lots,
    width=6,
    right=True,
    wide_only=True,
)
_REASON: TableColumn[Line] = TableColumn(name="reason", cell=_reason)


def line_columns(view: str, *, wide: bool) -> tuple[TableColumn[Line], ...]:
    """All columns in every view, so that each exports all; which ones give way to others differs."""
    first = (_RANK, _MOVE, _CODE, NAME, _BOOK, _WEIGHT, _ORDER)
    if view == "refused":
        return (*first, _REASON, *(replace(c, wide_only=True) for c in (_LIMIT, _NOTIONAL, _LOTS)))
    notional = _NOTIONAL if wide else replace(_NOTIONAL, wide_only=True)
    return (*first, _LIMIT, notional, _LOTS, replace(_REASON, wide_only=True))


def _bp(value: float) -> str:
    return fmt.number(1e4 * value, 1)


def _gap(row: Filled) -> Text:
    return Text(_bp(row.gap), style=DOWN if row.gap < 0 else UP)


def _part(name: str) -> TableColumn[Filled]:
    number = PARTS.index(name)
    return TableColumn(
        name=name,
        cell=lambda row: _bp(row.parts[number]),
        value=lambda row: row.parts[number],
        width=8,
        right=True,
        wide_only=name in ("revision", "sizing", "rounding"),
    )


FILLS: tuple[TableColumn[Filled], ...] = (
    TableColumn(name="session", cell=lambda row: row.session, width=10),
    TableColumn(name="entry", cell=lambda row: row.entry, width=5),
    TableColumn(name="card", cell=lambda row: row.verdict, width=5, wide_only=True),
    TableColumn(name="filled", cell=lambda row: row.filled, width=10, wide_only=True),
    TableColumn(name="backtest bp", cell=lambda row: _bp(row.backtest), value=lambda row: row.backtest,
           width=11, right=True),
    *map(_part, PARTS),
    TableColumn(name="realised bp", cell=lambda row: _bp(row.realised), value=lambda row: row.realised,
           width=11, right=True),
    TableColumn(name="gap bp", cell=_gap, value=lambda row: row.gap, width=7, right=True),
    TableColumn(name="unfilled", cell=lambda row: f"{row.unfilled}/{row.orders}",
           value=lambda row: row.unfilled, width=9, right=True),
    TableColumn(name="names", cell=lambda row: row.unfilled_names, wide_only=True),
)  # fmt: skip
"""Each sealed signal at the next real open and close; the parts add up to the gap."""


def _standing(card: Card) -> Text:
    if card.standing == "sealed":
        return Text(f"{GLYPHS.done} sealed", style=GOOD)
    return Text(f"{GLYPHS.failed} {card.standing}", style=BAD)


SESSIONS: tuple[TableColumn[Card], ...] = (
    TableColumn(name="signal", cell=lambda card: card.name, width=14),
    TableColumn(name="card", cell=verdict_text, value=lambda card: card.word, width=11),
    TableColumn(name="seal", cell=_standing, value=lambda card: card.standing, width=9),
    TableColumn(
        name="digest", cell=lambda card: card.digest[:12], value=lambda card: card.digest, width=12
    ),
    TableColumn(name="why", cell=lambda card: card.trouble or card.reason or _why(card)),
)


def _why(card: Card) -> str:
    return "; ".join(light.reason for light in card.troubles)
