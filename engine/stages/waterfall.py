"""From the score to the orders: what each step left of the book."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from msgspec import structs

from engine.backtest.fast import run_orders
from engine.backtest.frictions import Frictions
from engine.backtest.simulate import Simulation
from engine.backtest.simulator import Simulator
from engine.portfolio.book import Book, measure
from engine.records.book import AlphaToOrders, BookStep
from engine.records.rank_ic import FactorFigures


def alpha_to_orders(
    simulator: Simulator, book: Book, simulation: Simulation, factor: FactorFigures
) -> AlphaToOrders:
    """From the score to the orders: what each step left of the book and of its expected IC.

    Expected IC = RankIC of the scores x transfer coefficient of the step. Steps that depend on the path of
    the equity (fills, liquidity, lots, price limits, stop) are simulated one after the other.
    """
    rank_ic = factor.traded.rank_ic
    steps = (*book.steps, *_order_steps(simulator, book))
    return AlphaToOrders(
        rank_ic=rank_ic,
        steps=tuple(structs.replace(step, expected_ic=rank_ic * step.transfer) for step in steps),
        orders=simulation.shortfall,
    )


def _order_steps(simulator: Simulator, book: Book) -> Iterator[BookStep]:
    """The book as held at the evening of the fill, with one rule of trading more each time."""
    limits, all_of_them = simulator.config.constraints, simulator.frictions
    rules = {
        f"at most {limits.max_adv_share:.0%} of turnover": ("max_share",),
        "whole lots": ("lot_DN",),
        "daily price limits": ("no_buy_DN", "no_sell_DN"),
        f"drawdown stop {limits.drawdown_stop:.0%}": ("drawdown_stop",),
    }
    plain = Frictions.from_costs(simulator.config.costs, simulator.panel.sessions_per_year)
    names = {name for fields in rules.values() for name in fields}
    frictions = replace(all_of_them, **{name: getattr(plain, name) for name in names})
    yield _held("filled one session later", simulator, book, frictions)
    for name, fields in rules.items():
        added = {field: getattr(all_of_them, field) for field in fields}
        if all(np.array_equal(added[field], getattr(frictions, field)) for field in fields):
            continue  # this rule is off
        frictions = replace(frictions, **added)
        yield _held(name, simulator, book, frictions)


def _held(name: str, simulator: Simulator, book: Book, frictions: Frictions) -> BookStep:
    table, decisions = simulator.table, book.decisions
    ledger, orders, _ = run_orders(
        table,
        table.orders(book.targets()),
        frictions=frictions,
        initial_cash=simulator.config.backtest.initial_cash,
    )
    rows = decisions.row_K + 1
    inside = rows < len(ledger.equity_D)
    rows = rows[inside]
    held_KN = np.zeros_like(book.weight_KN)
    held_KN[inside] = orders.shares_DN[rows] * table.mark_DN[rows] / ledger.equity_D[rows, None]
    return measure(name, held_KN, decisions)
