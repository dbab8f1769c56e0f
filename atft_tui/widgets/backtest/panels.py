"""The panels and tables of the backtest screen: what stands where, and what an empty one says."""

import math
from collections.abc import Callable
from typing import Any

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.backtest import DayBook, Holding
from atft_tui.styles import DIM, PLAIN, ink_of
from atft_tui.widgets.backtest.book import (
    costs_picture,
    decay_picture,
    quantiles_picture,
    rules_picture,
)
from atft_tui.widgets.backtest.days import exposures_picture, months_picture
from atft_tui.widgets.backtest.words import percent, ratio, sharpe_picture, summary_picture
from atft_tui.widgets.column import TableColumn, numbers
from atft_tui.widgets.panel import PlacePanel
from engine.records.backtest import RankedYear
from engine.records.sweep import SweepCell

TABS: dict[str, tuple[str, ...]] = {
    "equity": ("equity",),
    "sharpe": ("sharpe", "costs"),
    "months": ("months",),
    "scores": ("quantiles", "decay"),
    "holdings": ("equity", "holdings"),
    "exposures": ("exposures",),
    "rules": ("rules",),
    "years": ("years",),
    "sweep": ("sweep",),
    "all": ("summary",),
}
"""What a small screen shows together."""
SIDE = ("exposures", "rules", "years", "sweep", "summary")
"""Take turns in the same place where everything else has its own."""
ORDER = ("equity", "sharpe", "costs", "months", "quantiles", "decay", "holdings", *SIDE)
NOT_YET = """{run} has no backtest yet.

  b       make one: weights, simulation, costs, interval and verdict
  4       choose another run
"""
EMPTY = """No backtest in this workspace yet.

  b       backtest a run: weights, simulation, costs, interval and verdict
  4       the runs; enter opens one
  ctrl+p  every command

On a fresh workspace start with the demo (ctrl+p demo).
"""
_PICTURES: dict[str, tuple[str, str, Callable[..., Text]]] = {
    "sharpe": ("net Sharpe ratio", "The interval of the Sharpe ratio", sharpe_picture),
    "costs": ("from gross to net, mean a year", "What trading costs", costs_picture),
    "months": ("net return by month, compounded, %", "Returns by month", months_picture),
    "exposures": ("exposures", "Long, short, sectors over time", exposures_picture),
    "rules": ("what each constraint left", "What limits take from the book", rules_picture),
    "summary": ("all figures", "Return, risk and tails", summary_picture),
    "quantiles": ("score deciles", "Returns of the best and the worst scores", quantiles_picture),
    "decay": (
        "RankIC by days held, by days waited",
        "How long the scores stay right",
        decay_picture,
    ),
}
"""Name of a panel -> its title, what will stand there, and how it is drawn."""


class PicturePanel(PlacePanel[Any]):
    """A panel whose whole content is one picture of its value, in the colours of the theme."""

    def __init__(self, name: str) -> None:
        super().__init__(id=f"backtest-{name}")
        self.border_title, self._words, self._draw = _PICTURES[name]

    def depends(self, value: Any) -> tuple[object, ...]:
        """The value and the theme."""
        return (value, self.app.theme)

    def drawing(self, width: int, height: int) -> Text:
        """The picture, or what it will show."""
        if self.value is None:
            return Text(f"{self._words}, after a backtest (b).", style=DIM)
        return self._draw(self.value, width, height, ink=ink_of(self.app.current_theme))


def _unsigned(value: float) -> str:
    return percent(value, sign=False)


def _scaled(scale: float, digits: int) -> Callable[[float], str]:
    return lambda value: fmt.number(value * scale, digits)


HOLDINGS: tuple[TableColumn[Holding], ...] = (
    TableColumn("code", lambda row: row.symbol, 6),
    TableColumn("name", lambda row: row.name),
    TableColumn("side", lambda row: row.side, 5),
    numbers("weight %", lambda row: row.weight, 8, _scaled(100, 2)),
    numbers("rank", lambda row: row.rank, 5),
    numbers("bp", lambda row: row.contribution, 6, _scaled(1e4, 1)),
    TableColumn(
        "dividend",
        lambda row: _dividend(row),
        15,
        value=lambda row: row.dividend if math.isfinite(row.dividend) else None,
        right=True,
        wide_only=True,
    ),
    TableColumn("sector", lambda row: row.sector, 18, wide_only=True),
)
"""``bp``: contribution to the session's gross return, basis points of equity. ``dividend``: cash a share on
an ex-date, and what it brought or took, basis points of equity."""

YEARS: tuple[TableColumn[RankedYear], ...] = (
    TableColumn("year", lambda row: str(row.year), 4, value=lambda row: row.year),
    numbers("Sharpe", lambda row: row.sharpe, 6, ratio),
    numbers("return", lambda row: row.net_return, 8, percent),
    numbers("fall", lambda row: row.max_drawdown, 8, percent),
    TableColumn(
        "RankIC", lambda row: _rank_ic(row), 17, value=lambda row: row.rank_ic, wide_only=True
    ),
    numbers("turnover", lambda row: row.turnover, 8, _unsigned, wide_only=True),
    numbers("costs", lambda row: row.cost, 7, _unsigned, wide_only=True),
    numbers("days", lambda row: row.sessions, 4, str, wide_only=True),
)

CELLS: tuple[TableColumn[SweepCell], ...] = (
    numbers("Sharpe", lambda row: row.sharpe, 6, ratio),
    TableColumn("settings", lambda row: row.error or row.words),
    numbers("return", lambda row: row.annual_return, 8, percent, wide_only=True),
    numbers("turnover", lambda row: row.turnover, 8, _unsigned, wide_only=True),
    numbers("costs", lambda row: row.cost_drag, 7, _unsigned, wide_only=True),
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
