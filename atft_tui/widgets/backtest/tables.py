"""Columns of the tables: holdings of a day, years, cells of a sweep."""

import math

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.backtest_figures import SweepCell, Year
from atft_tui.readings.holdings import DayBook, Holding
from atft_tui.styles import DIM, PLAIN
from atft_tui.widgets.backtest.names import percent, ratio
from atft_tui.widgets.column import TableColumn


def _number(value: float) -> float | None:
    """For sorting and export: None where unknown."""
    return value if math.isfinite(value) else None


HOLDINGS: tuple[TableColumn[Holding], ...] = (
    TableColumn(name="code", cell=lambda row: row.symbol, width=6),
    TableColumn(name="name", cell=lambda row: row.name),
    TableColumn(name="side", cell=lambda row: row.side, width=5),
    TableColumn(
        name="weight %",
        cell=lambda row: fmt.number(row.weight * 100.0, 2),
        value=lambda row: _number(row.weight),
        width=8,
        right=True,
    ),
    TableColumn(
        name="rank",
        cell=lambda row: fmt.DASH if row.rank is None else f"{row.rank:,}",
        value=lambda row: row.rank,
        width=5,
        right=True,
    ),
    TableColumn(
        name="bp",
        cell=lambda row: fmt.number(row.contribution * 1e4, 1),
        value=lambda row: _number(row.contribution),
        width=6,
        right=True,
    ),
    TableColumn(
        name="dividend",
        cell=lambda row: _dividend(row),
        value=lambda row: _number(row.dividend),
        width=15,
        right=True,
        wide_only=True,
    ),
    TableColumn(name="sector", cell=lambda row: row.sector, width=18, wide_only=True),
)
"""``bp``: contribution to the session's gross return, basis points of equity. ``dividend``: cash a share on
an ex-date, and what it brought or took, basis points of equity."""

YEARS: tuple[TableColumn[Year], ...] = (
    TableColumn(name="year", cell=lambda row: str(row.year), value=lambda row: row.year, width=4),
    TableColumn(
        name="Sharpe",
        cell=lambda row: ratio(row.sharpe),
        value=lambda row: _number(row.sharpe),
        width=6,
        right=True,
    ),
    TableColumn(
        name="return",
        cell=lambda row: percent(row.net_return),
        value=lambda row: _number(row.net_return),
        width=8,
        right=True,
    ),
    TableColumn(
        name="fall",
        cell=lambda row: percent(row.max_drawdown),
        value=lambda row: _number(row.max_drawdown),
        width=8,
        right=True,
    ),
    TableColumn(
        name="RankIC",
        cell=lambda row: _rank_ic(row),
        value=lambda row: _number(row.rank_ic),
        width=17,
        wide_only=True,
    ),
    TableColumn(
        name="turnover",
        cell=lambda row: percent(row.turnover, sign=False),
        value=lambda row: _number(row.turnover),
        width=8,
        right=True,
        wide_only=True,
    ),
    TableColumn(
        name="costs",
        cell=lambda row: percent(row.cost, sign=False),
        value=lambda row: _number(row.cost),
        width=7,
        right=True,
        wide_only=True,
    ),
    TableColumn(
        name="days",
        cell=lambda row: str(row.sessions),
        value=lambda row: row.sessions,
        width=4,
        right=True,
        wide_only=True,
    ),
)

CELLS: tuple[TableColumn[SweepCell], ...] = (
    TableColumn(
        name="Sharpe",
        cell=lambda row: ratio(row.sharpe),
        value=lambda row: _number(row.sharpe),
        width=6,
        right=True,
    ),
    TableColumn(name="settings", cell=lambda row: row.error or row.words),
    TableColumn(
        name="return",
        cell=lambda row: percent(row.annual_return),
        value=lambda row: _number(row.annual_return),
        width=8,
        right=True,
        wide_only=True,
    ),
    TableColumn(
        name="turnover",
        cell=lambda row: percent(row.turnover, sign=False),
        value=lambda row: _number(row.turnover),
        width=8,
        right=True,
        wide_only=True,
    ),
    TableColumn(
        name="costs",
        cell=lambda row: percent(row.cost_drag, sign=False),
        value=lambda row: _number(row.cost_drag),
        width=7,
        right=True,
        wide_only=True,
    ),
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


def _rank_ic(row: Year) -> Text:
    """Dim and marked where the year's error does not leave it above zero."""
    if not (math.isfinite(row.rank_ic) and math.isfinite(row.rank_ic_se)):
        return Text(fmt.DASH)
    weak = not abs(row.rank_ic) > 1.96 * row.rank_ic_se
    words = f"{'~' if weak else ''}{fmt.rank_ic(row.rank_ic, row.rank_ic_se)}"
    return Text(words, style=DIM if weak else PLAIN)
