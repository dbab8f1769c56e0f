"""Columns of the signals screen's tables, and which lines of a session are listed."""

import math
from collections.abc import Callable
from dataclasses import replace

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.seals import ShownCard
from atft_tui.readings.signal import StockLine
from atft_tui.styles import BAD, DIM, DOWN, GOOD, STRONG, UP, WARN
from atft_tui.widgets.card_line import verdict_text
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.why_panel import move_text
from engine.records.shadow import PARTS, ShadowRow

VIEWS: dict[str, Callable[[StockLine], bool]] = {
    "book and orders": lambda line: line.is_in_book,
    "orders": lambda line: line.order is not None,
    "refused": lambda line: bool(line.refused),
    "long": lambda line: line.weight > 0,
    "short": lambda line: line.weight < 0,
    "all ranked": lambda line: line.rank is not None,
}
"""What the list can be narrowed to, in the order in which the key goes through it."""


def _rank(line: StockLine) -> str:
    return fmt.DASH if line.rank is None else str(line.rank)


def _order(line: StockLine) -> Text:
    """``buy 398``; a line that a rule stands against says so."""
    if order := line.order:
        style = UP if order.side == "buy" else DOWN
        text = Text(f"{order.side:<4} {order.shares:,}", style=style)
        return text.append(" cut", style=WARN) if line.refused else text
    return Text("refused", style=WARN) if line.refused else Text("hold", style=DIM)


def _reason(line: StockLine) -> Text:
    if line.refused:
        told = "; ".join(f"{one.rule}: {one.reason}" for one in line.refused)
        return Text(fmt.clean(told), style=WARN)
    return Text(fmt.clean(line.order.reason) if line.order else "", style=DIM)


def _number(name: str, form: str, width: int, wide_only: bool = False) -> TableColumn[StockLine]:
    """A number of the order; empty without one, and where it is not known."""

    def value(line: StockLine) -> float:
        return getattr(line.order, name) if line.order else math.nan

    def cell(line: StockLine) -> str:
        return "" if math.isnan(value(line)) else format(value(line), form)

    return TableColumn(
        name=name, cell=cell, value=value, width=width, right=True, wide_only=wide_only
    )  # fmt: skip


def _signed(line: StockLine) -> int:
    if line.order is None:
        return 0
    return line.order.shares if line.order.side == "buy" else -line.order.shares


_NAME: TableColumn[StockLine] = TableColumn(name="name", cell=lambda line: line.name)
_FIRST: tuple[TableColumn[StockLine], ...] = (
    TableColumn(name="rank", cell=_rank, value=lambda line: line.rank, width=4, right=True),
    TableColumn(name="move", cell=lambda line: move_text(line.move), value=lambda line: line.move,
           width=5),
    TableColumn(name="code", cell=lambda line: Text(fmt.clean(line.code), style=STRONG), width=6),
    _NAME,
    TableColumn(name="book", cell=lambda line: line.book, width=5),
    TableColumn(name="weight", cell=lambda line: f"{100 * line.weight:+.3f} %" if line.weight else "",
           value=lambda line: line.weight, width=9, right=True),
    TableColumn(name="order", cell=_order, value=_signed, width=13),
)  # fmt: skip
_LIMIT, _NOTIONAL = _number("limit", ",.6g", 8), _number("notional", ",.0f", 10)
_LOTS = _number("lots", ",", 6, wide_only=True)
_REASON: TableColumn[StockLine] = TableColumn(name="reason", cell=_reason)


def line_columns(view: str, *, wide: bool) -> tuple[TableColumn[StockLine], ...]:
    """All columns in every view, so that each exports all; which ones give way to others differs."""
    if view == "refused":
        return (*_FIRST, _REASON, *(replace(c, wide_only=True) for c in (_LIMIT, _NOTIONAL, _LOTS)))
    notional = _NOTIONAL if wide else replace(_NOTIONAL, wide_only=True)
    return (*_FIRST, _LIMIT, notional, _LOTS, replace(_REASON, wide_only=True))


def _bp(value: float) -> str:
    return fmt.number(1e4 * value, 1)


def _gap(row: ShadowRow) -> Text:
    return Text(_bp(row.gap), style=DOWN if row.gap < 0 else UP)


def _part(name: str) -> TableColumn[ShadowRow]:
    return TableColumn(
        name=name,
        cell=lambda row: _bp(getattr(row, name)),
        value=lambda row: getattr(row, name),
        width=8,
        right=True,
        wide_only=name in ("revision", "sizing", "rounding"),
    )


FILLS: tuple[TableColumn[ShadowRow], ...] = (
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


def _standing(card: ShownCard) -> Text:
    if card.standing == "sealed":
        return Text(f"{GLYPHS.done} sealed", style=GOOD)
    return Text(f"{GLYPHS.failed} {card.standing}", style=BAD)


def _why(shown: ShownCard) -> str:
    bad = shown.card.troubles if shown.card else ()
    return shown.trouble or shown.reason or "; ".join(light.reason for light in bad)


SESSIONS: tuple[TableColumn[ShownCard], ...] = (
    TableColumn(name="signal", cell=lambda card: card.name, width=14),
    TableColumn(name="card", cell=verdict_text, value=lambda card: card.word, width=11),
    TableColumn(name="seal", cell=_standing, value=lambda card: card.standing, width=9),
    TableColumn(
        name="digest", cell=lambda card: card.digest[:12], value=lambda card: card.digest, width=12
    ),
    TableColumn(name="why", cell=_why),
)
