"""A second simulator, written from the rules alone: plain Python, one order at a time, no arrays.

It shares no code with `engine.backtest`; the tests hold both engines against it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

Rows = Sequence[Sequence[float]]


@dataclass(kw_only=True)
class Rules:
    commission: Sequence[tuple[float, float]] = ((math.inf, 0.0),)
    """(order value up to which, share of the value)."""
    half_spread: float = 0.0
    impact: float = 0.0
    max_slippage: float = 1.0
    lot: float = 0.0
    max_share: float = math.inf
    stop: float = 0.0
    pause: int = 0
    borrow: float = 0.0
    """Share of the short value a night."""


@dataclass
class Book:
    cash: float
    shares: dict[int, float] = field(default_factory=dict)

    def worth(self, prices: Sequence[float]) -> float:
        return self.cash + sum(held * prices[n] for n, held in self.shares.items())


@dataclass
class Day:
    equity: float
    cash: float
    commission: float = 0.0
    slippage: float = 0.0
    traded: float = 0.0
    borrow: float = 0.0
    dividends: float = 0.0
    shares: dict[int, float] = field(default_factory=dict)


def trade_all(
    closes: Rows,
    wanted: Rows,
    turnover: Rows,
    rules: Rules,
    cash: float,
    limits: tuple[Rows, Rows] | None = None,
    haircut: float = 0.0,
    terms: Rows | None = None,
    dividends: Rows | None = None,
    paid_out: frozenset[tuple[int, int]] = frozenset(),
) -> list[Day]:
    """Decide at a close (``wanted``, None = nothing decided), fill at the next; ``closes`` with None holes.

    ``turnover`` is the average known at the decision. ``limits``: lowest and highest price of each day.
    Shares are real ones: ``terms`` says how many a held share becomes before the day, ``dividends`` what
    each of those then gets, ``paid_out`` on which (day, stock) the close is what its holders get.
    """
    book, high, resting = Book(cash), cash, 0
    last = {n: price for n, price in enumerate(closes[0]) if price is not None}
    history = [Day(cash, cash)]
    for d in range(1, len(closes)):
        overnight = sum(-held * last[n] for n, held in book.shares.items() if held < 0)
        day = Day(0.0, 0.0, borrow=rules.borrow * overnight)
        for n in last:
            more = terms[d][n] if terms else 1.0
            last[n] /= more
            if n in book.shares:
                book.shares[n] *= more
        if dividends:
            day.dividends = sum(held * dividends[d][n] for n, held in book.shares.items())
            book.cash += day.dividends
        left = {
            n
            for n in range(len(closes[d]))
            if (d, n) in paid_out or all(row[n] is None for row in closes[d:])
        }
        gone = left & book.shares.keys()
        known = dict(last)
        for n, price in enumerate(closes[d]):
            if price is not None:
                known[n] = price
            elif n in left and closes[d - 1][n] is not None and (d - 1, n) not in paid_out:
                known[n] = last[n] * (1 - haircut)
        worth = book.worth([known.get(n, 0.0) for n in range(len(closes[d]))])
        orders = []
        for n in range(len(closes[d])):
            held = book.shares.get(n, 0.0)
            if n in gone:
                change, price = -held, known[n]
            else:
                if closes[d][n] is None or n in left:
                    continue
                price = closes[d][n]
                target = 0.0 if resting else wanted[d - 1][n]
                if target is None or (target == 0 and held == 0):
                    continue
                change = target * worth / price - held
                if limits is not None:
                    low, top = limits[0][d][n], limits[1][d][n]
                    if (change > 0 and price >= top) or (change < 0 and price <= low):
                        continue
                largest = rules.max_share * turnover[d - 1][n] / price
                cut = abs(change) > largest
                if cut:
                    change = math.copysign(largest, change)
                if rules.lot and (cut or target != 0):
                    change = math.copysign(
                        math.floor(abs(change) / rules.lot + 1e-9) * rules.lot, change
                    )
            if change == 0:
                continue
            value = abs(change) * price
            slip = rules.half_spread
            if rules.impact and turnover[d - 1][n] > 0:
                slip = min(rules.max_slippage, slip + rules.impact * value / turnover[d - 1][n])
            rate = next(share for limit, share in rules.commission if value <= limit)
            orders.append((change > 0, n, change, price, slip, rate))
        for buys, n, wished, price, slip, rate in sorted(orders):  # sales first
            change, fill = wished, price * (1 + slip) if buys else price * (1 - slip)
            if buys and change * fill * (1 + rate) > book.cash * (1 + 1e-9):
                change = max(book.cash, 0.0) / (fill * (1 + rate))
                if rules.lot:
                    change = math.floor(change / rules.lot) * rules.lot
                if change <= 0:
                    continue
            held = book.shares.get(n, 0.0)
            value = abs(change) * price
            fee = abs(change) * fill * rate
            book.cash -= change * fill + fee
            book.shares[n] = held + change
            if change == -held:
                del book.shares[n]
            day.commission += fee
            day.slippage += abs(fill - price) * abs(change)
            day.traded += value
        last = known
        day.cash = book.cash
        day.equity = book.worth([known.get(n, 0.0) for n in range(len(closes[d]))])
        day.shares = dict(book.shares)
        if resting:
            resting -= 1
            high = day.equity
        high = max(high, day.equity)
        if rules.stop and not resting and day.equity < high * (1 - rules.stop):
            resting = rules.pause
        history.append(day)
    return history
