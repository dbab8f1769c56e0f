"""Columns of the signals screen's tables, and which lines of a session are listed."""

from collections.abc import Callable
from dataclasses import replace

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.readings.seals import ShownCard
from atft_tui.readings.signal import StockLine
from atft_tui.styles import BAD, DIM, DOWN, GOOD, STRONG, UP, WARN, status_text
from atft_tui.widgets.column import TableColumn, numbers
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


def _number(
    name: str, written: Callable[[float], str], width: int, *, wide_only: bool = False
) -> TableColumn[StockLine]:
    """A number of the order; empty without one, and where it is not known."""

    def value(line: StockLine) -> float | None:
        return getattr(line.order, name) if line.order else None

    return numbers(name, value, width, written, unknown="", wide_only=wide_only)


def _signed(line: StockLine) -> int:
    if line.order is None:
        return 0
    return line.order.shares if line.order.side == "buy" else -line.order.shares


_FIRST: tuple[TableColumn[StockLine], ...] = (
    numbers("rank", lambda line: line.rank, 4, str),
    TableColumn("move", lambda line: move_text(line.move), 5, value=lambda line: line.move),
    TableColumn("code", lambda line: Text(fmt.clean(line.code), style=STRONG), 6),
    TableColumn("name", lambda line: line.name),
    TableColumn("book", lambda line: line.book, 5),
    numbers(
        "weight", lambda line: line.weight, 9, lambda w: fmt.percent(w, 3, sign=True) if w else ""
    ),
    TableColumn("order", _order, 13, value=_signed),
)
_LIMIT = _number("limit", "{:,.6g}".format, 8)
_NOTIONAL = _number("notional", "{:,.0f}".format, 10)
_LOTS = _number("lots", "{:,}".format, 6, wide_only=True)
_REASON: TableColumn[StockLine] = TableColumn("reason", _reason)


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


def _part(name: str, title: str = "", width: int = 8) -> TableColumn[ShadowRow]:
    wide_only = name in ("revision", "sizing", "rounding")
    return numbers(title or name, lambda row: getattr(row, name), width, _bp, wide_only=wide_only)


def _unfilled(row: ShadowRow) -> str:
    return f"{row.unfilled}/{row.orders}"


FILLS: tuple[TableColumn[ShadowRow], ...] = (
    TableColumn("session", lambda row: row.session, 10),
    TableColumn("entry", lambda row: row.entry, 5),
    TableColumn("card", lambda row: row.verdict, 5, wide_only=True),
    TableColumn("filled", lambda row: row.filled, 10, wide_only=True),
    _part("backtest", "backtest bp", 11),
    *map(_part, PARTS),
    _part("realised", "realised bp", 11),
    TableColumn("gap bp", _gap, 7, value=lambda row: row.gap, right=True),
    TableColumn("unfilled", _unfilled, 9, value=lambda row: row.unfilled, right=True),
    TableColumn("names", lambda row: row.unfilled_names, wide_only=True),
)
"""Each sealed signal at the next real open and close; the parts add up to the gap."""


def _standing(card: ShownCard) -> Text:
    if card.standing == "sealed":
        return Text(f"{GLYPHS.done} sealed", style=GOOD)
    return Text(f"{GLYPHS.failed} {card.standing}", style=BAD)


def _why(shown: ShownCard) -> str:
    bad = shown.card.troubles if shown.card else ()
    return shown.trouble or shown.reason or "; ".join(light.reason for light in bad)


SESSIONS: tuple[TableColumn[ShownCard], ...] = (
    TableColumn("signal", lambda card: card.name, 14),
    TableColumn("card", lambda card: status_text(card.word), 11, value=lambda card: card.word),
    TableColumn("seal", _standing, 9, value=lambda card: card.standing),
    TableColumn("digest", lambda card: card.digest[:12], 12, value=lambda card: card.digest),
    TableColumn("why", _why),
)
