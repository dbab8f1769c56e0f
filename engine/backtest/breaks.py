"""Jumps that nothing explains, on the nights on which the book held the stock."""

# Shape suffixes: D sessions of the simulation, N stocks.
from typing import Any

import numpy as np

from engine.backtest.holdings import Trades
from engine.backtest.ledger import DUST

_LISTED = 10
"""Largest breaks that are told one by one."""


def breaks(trades: Trades) -> dict[str, Any]:
    """How often a held price broke, and what it would have meant had the quoted moves been real.

    A break earns nothing in the simulation: the scale goes on without the jump. ``effect`` of one: weight
    of the night before x quoted move, a fraction of equity. ``as_quoted``: their sum; ``worst_case``: every
    one against the book, minus the sum of their sizes; ``largest``: the first of them by size.
    """
    table = trades.table
    rows = []
    if table.break_DN.size > 1 and table.quoted_DN is not None:
        for before, n in np.argwhere(table.break_DN[1:]):
            d, shares = before + 1, trades.orders.shares_DN[before, n]
            if abs(shares) > DUST:
                weight = shares * table.mark_DN[before, n] / trades.equity_D[before]
                # The scale itself moves by nothing over a break.
                move = table.quoted_DN[d, n] / table.quoted_DN[before, n] - 1.0
                rows.append(
                    {
                        "date": str(table.dates_D[d]),
                        "symbol": table.symbols[n],
                        "weight": float(weight),
                        "quoted_move": float(move),
                        "effect": float(weight * move),
                    }
                )
    rows.sort(key=lambda row: -abs(row["effect"]))
    effects = [row["effect"] for row in rows]
    return {
        "held": len(rows),
        "stocks": len({row["symbol"] for row in rows}),
        "in_universe": int(np.count_nonzero(table.break_DN)),
        "as_quoted": float(sum(effects)),
        "worst_case": -float(sum(abs(effect) for effect in effects)),
        "largest": rows[:_LISTED],
    }
