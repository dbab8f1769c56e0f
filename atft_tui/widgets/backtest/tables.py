"""Columns of the tables: holdings of a day, years, cells of a sweep."""

import math
from collections.abc import Callable
from typing import Any

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.holdings import DayBook, Holding
from atft_tui.styles import DIM, PLAIN
from atft_tui.widgets.backtest.names import percent, ratio
from atft_tui.widgets.column import TableColumn
from engine.records.backtest import RankedYear
from engine.records.sweep import SweepCell


def _figure(
    name: str,
    width: int,
    value: Callable[[Any], float],
    text: Callable[[float], str],
    *,
    wide_only: bool = True,
) -> TableColumn[Any]:
    """A number: sorted and exported as it is, shown as it is written."""
    return TableColumn(
        name=name,
        cell=lambda row: text(value(row)),
        value=lambda row: number if math.isfinite(number := value(row)) else None,
        width=width,
        right=True,
        wide_only=wide_only,
    )  # fmt: skip


def _unsigned(value: float) -> str:
    return percent(value, sign=False)


HOLDINGS: tuple[TableColumn[Holding], ...] = (
    TableColumn(name="code", cell=lambda row: row.symbol, width=6),
    TableColumn(name="name", cell=lambda row: row.name),
    TableColumn(name="side", cell=lambda row: row.side, width=5),
    _figure(
        "weight %", 8, lambda row: row.weight, lambda v: fmt.number(v * 100, 2), wide_only=False
    ),
    TableColumn(
        name="rank",
        cell=lambda row: fmt.DASH if row.rank is None else f"{row.rank:,}",
        value=lambda row: row.rank,
        width=5,
        right=True,
    ),
    _figure(
        "bp", 6, lambda row: row.contribution, lambda v: fmt.number(v * 1e4, 1), wide_only=False
    ),
    TableColumn(
        name="dividend",
        cell=lambda row: _dividend(row),
        value=lambda row: row.dividend if math.isfinite(row.dividend) else None,
        width=15,
        right=True,
        wide_only=True,
    ),
    TableColumn(name="sector", cell=lambda row: row.sector, width=18, wide_only=True),
)
"""``bp``: contribution to the session's gross return, basis points of equity. ``dividend``: cash a share on
an ex-date, and what it brought or took, basis points of equity."""

YEARS: tuple[TableColumn[RankedYear], ...] = (
    TableColumn(name="year", cell=lambda row: str(row.year), value=lambda row: row.year, width=4),
    _figure("Sharpe", 6, lambda row: row.sharpe, ratio, wide_only=False),
    _figure("return", 8, lambda row: row.net_return, percent, wide_only=False),
    _figure("fall", 8, lambda row: row.max_drawdown, percent, wide_only=False),
    TableColumn(
        name="RankIC",
        cell=lambda row: _rank_ic(row),
        value=lambda row: row.rank_ic if math.isfinite(row.rank_ic) else None,
        width=17,
        wide_only=True,
    ),
    _figure("turnover", 8, lambda row: row.turnover, _unsigned),
    _figure("costs", 7, lambda row: row.cost, _unsigned),
    _figure("days", 4, lambda row: row.sessions, str),
)

CELLS: tuple[TableColumn[SweepCell], ...] = (
    _figure("Sharpe", 6, lambda row: row.sharpe, ratio, wide_only=False),
    TableColumn(name="settings", cell=lambda row: row.error or row.words),
    _figure("return", 8, lambda row: row.annual_return, percent),
    _figure("turnover", 8, lambda row: row.turnover, _unsigned),
    _figure("costs", 7, lambda row: row.cost_drag, _unsigned),
)


def _dividend(row: Holding) -> str:
    if not row.dividend:
        return ""
    return f"{row.dividend:.4g} {fmt.number(row.received * 1e4, 1)} bp"


def holdings_titles(book: DayBook) -> tuple[str, str]:
    """``2014-07-16: 290 long, 281 short, 12 closed`` and ``+4.1 bp gross, rank of 1,055``"""
    sides = [row.side for row in book.rows]
    closed = sides.count("closed")
    earned = sum(row.contribution for row in book.rows) * 1e4
    gone = f", {closed} closed" if closed else ""
    ranked = f", rank of {book.rows[0].scored:,}" if book.rows else ""
    return (
        f"{book.date}: {sides.count('long')} long, {sides.count('short')} short{gone}",
        f"{earned:+.1f} bp gross{ranked}",
    )


def _rank_ic(row: RankedYear) -> Text:
    """Dim and marked where the year's error does not leave it above zero."""
    if not (math.isfinite(row.rank_ic) and math.isfinite(row.rank_ic_se)):
        return Text(fmt.DASH)
    weak = not abs(row.rank_ic) > 1.96 * row.rank_ic_se
    words = f"{'~' if weak else ''}{fmt.rank_ic(row.rank_ic, row.rank_ic_se)}"
    return Text(words, style=DIM if weak else PLAIN)
