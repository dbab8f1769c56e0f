"""From a wanted book and what is held to orders an exchange takes; what cannot be, line by line.

Orders bring each position toward its target and never past it. A line is cut or refused where a rule
stands against it; the others go on.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from engine.config import ConstraintConfig, CostConfig, Market
from engine.errors import UsageError
from engine.portfolio.market_data import limit_price, lot_size, tick
from engine.records.card import TradeFigures
from engine.records.orders import Order, Positions, Refused, Side
from engine.signals.seal import TradingRules

_SLACK = 1e-9
_Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """What is known of each stock at the close of the session."""

    symbols: tuple[str, ...]
    """Sorted; every name that is wanted or held."""
    close_N: _Vector
    """As quoted; NaN = never seen."""
    traded_N: NDArray[np.bool_]
    """Has a bar of the session."""
    adv_N: _Vector
    """Mean turnover of 20 sessions, quote currency."""
    shortable_N: NDArray[np.bool_]
    sector_N: NDArray[np.int64]
    market: Market


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderList:
    """What is sent to the exchange, what is not, and what it comes to."""

    orders: tuple[Order, ...]
    """In the order in which they were admitted: what closes first."""
    refused: tuple[Refused, ...]
    """By code, then rule."""
    figures: TradeFigures


def plan_orders(
    target_N: _Vector,
    quotes: Quotes,
    positions: Positions,
    rules: TradingRules,
    notes: Mapping[str, str],
) -> OrderList:
    """Orders that move ``positions`` toward ``target_N`` (``[N]``, fractions of equity, never NaN).

    ``notes``: what the score says of a stock, for the order's reason. UsageError without any equity.
    """
    desk = _Desk.open(quotes, positions, rules)
    if not desk.equity > 0:
        raise UsageError(f"the positions are worth {desk.equity:,.0f}: nothing can be traded")
    wanted = sorted(desk.wanted(target_N), key=lambda p: (p.turn, -p.size, p.symbol))
    for part in wanted:
        desk.admit(part)
    return desk.plan(notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """One direction of one stock: closing what is held, or opening the other side."""

    n: int
    symbol: str
    turn: int
    """0 sells that close, 1 buys that close, 2 sells that open, 3 buys that open: in this order."""
    shares: int
    size: float

    @property
    def sign(self) -> int:
        return 1 if self.turn % 2 else -1

    @property
    def opens(self) -> bool:
        return self.turn >= 2


@dataclass(slots=True, kw_only=True)
class _Desk:
    quotes: Quotes
    rules: TradingRules
    lot: int
    equity: float
    cash: float
    held_N: _Vector
    start_N: _Vector
    taken_N: _Vector
    """Value ordered so far against the turnover cap."""
    admitted: dict[int, int]
    refused: list[Refused]

    @classmethod
    def open(cls, quotes: Quotes, positions: Positions, rules: TradingRules) -> Self:
        held_N = np.array([positions.shares.get(s, 0.0) for s in quotes.symbols])
        return cls(
            quotes=quotes,
            rules=rules,
            lot=lot_size(quotes.market, rules.limits.lot) or 1,
            equity=positions.cash + float((held_N * np.nan_to_num(quotes.close_N)).sum()),
            cash=positions.cash,
            held_N=held_N.copy(),
            start_N=held_N,
            taken_N=np.zeros(held_N.size),
            admitted={},
            refused=[],
        )

    def wanted(self, target_N: _Vector) -> Iterator[_Part]:
        """The parts of every order before any rule but lots; odd lots and dead names are told."""
        for n in np.flatnonzero((target_N != 0) | (self.held_N != 0)).tolist():
            held, price = float(self.held_N[n]), float(self.quotes.close_N[n])
            odd = math.fmod(held, self.lot)
            if odd:
                side: Side = "sell" if odd > 0 else "buy"
                text = f"{held:g} held is no multiple of a lot of {self.lot}"
                self._refuse(n, side, abs(odd), "odd_lot", text)
            if not price > 0:
                if held:
                    text = "no price of it is known"
                    self._refuse(n, "sell" if held > 0 else "buy", abs(held), "unknown", text)
                continue
            aim = float(target_N[n]) * self.equity / price
            change = _whole(aim - held, self.lot)
            if change == 0:
                continue
            sign = 1 if change > 0 else -1
            if not self.quotes.traded_N[n]:
                text = "no bar on the session"
                self._refuse(n, "buy" if sign > 0 else "sell", abs(change), "no_bar", text)
                continue
            closing = min(abs(change), abs(_whole(held, self.lot))) if held * sign < 0 else 0
            size = abs(float(target_N[n]))
            for shares, opens in ((closing, 0), (abs(change) - closing, 2)):
                if shares:
                    turn = opens + (1 if sign > 0 else 0)
                    symbol = self.quotes.symbols[n]
                    yield _Part(n=n, symbol=symbol, turn=turn, shares=shares, size=size)

    def admit(self, part: _Part) -> None:
        """As many lots of it as every rule allows; the first rule that cuts is named."""
        shares = part.shares
        for rule, room, text in self._rooms(part):
            allowed = max(0, _whole(min(room, shares), self.lot))
            if allowed < shares:
                side: Side = "buy" if part.sign > 0 else "sell"
                self._refuse(part.n, side, shares - allowed, rule, text)
                shares = allowed
        if not shares:
            return
        limit = self._limit(part)
        self.held_N[part.n] += part.sign * shares
        self.taken_N[part.n] += shares * self._worst(part, limit)
        self.cash -= part.sign * shares * limit * (1.0 + part.sign * self._rate())
        self.admitted[part.n] = self.admitted.get(part.n, 0) + part.sign * shares

    def _rooms(self, part: _Part) -> Iterator[tuple[str, float, str]]:
        """Rule, shares that it leaves room for, and what to say."""
        n, limits, portfolio = part.n, self.rules.limits, self.rules.portfolio
        price, limit = float(self.quotes.close_N[n]), self._limit(part)
        if part.turn == 2 and not self.quotes.shortable_N[n]:
            yield "not_shortable", 0.0, "cannot be sold short"
        if part.turn == 2 and portfolio.long_only:
            yield "not_shortable", 0.0, "the book is long only"
        if limits.max_adv_share > 0:
            room = limits.max_adv_share * float(np.nan_to_num(self.quotes.adv_N[n]))
            text = f"above {limits.max_adv_share:.0%} of the mean turnover"
            yield "adv", (room - self.taken_N[n]) / self._worst(part, limit), text
        if part.opens:
            value_N = self.held_N * np.nan_to_num(self.quotes.close_N)
            room = portfolio.max_weight * self.equity - abs(float(value_N[n]))
            yield "name_cap", room / price, f"above the name cap {portfolio.max_weight:g}"
            room = portfolio.investable * self.equity - float(np.abs(value_N).sum())
            yield "gross", room / price, f"above the gross limit {portfolio.investable:g}"
            if limits.max_sector > 0:
                same_N = self.quotes.sector_N == self.quotes.sector_N[n]
                side_value = np.maximum(part.sign * value_N[same_N], 0.0).sum()
                room = limits.max_sector * self.equity - float(side_value)
                yield "sector_cap", room / price, f"above the sector cap {limits.max_sector:g}"
        if part.sign > 0:
            each = limit * (1.0 + self._rate())
            yield "cash", self.cash / each, "above the cash"

    def _limit(self, part: _Part) -> float:
        close_1 = self.quotes.close_N[part.n : part.n + 1]
        bps = part.sign * self.rules.signals.limit_bps
        return float(limit_price(close_1, self.quotes.market, bps)[0])

    def _worst(self, part: _Part, limit: float) -> float:
        return max(limit, float(self.quotes.close_N[part.n]))

    def _rate(self) -> float:
        """The highest commission an order can meet."""
        costs = self.rules.costs
        return max([rate for _, rate in costs.commission_tiers] or [costs.commission_bps]) * 1e-4

    def _refuse(self, n: int, side: Side, shares: float, rule: str, text: str) -> None:
        self.refused.append(
            Refused(
                symbol=self.quotes.symbols[n],
                side=side,
                shares=shares,
                notional=shares * float(self.quotes.close_N[n]),
                rule=rule,
                reason=text,
            )
        )

    def plan(self, notes: Mapping[str, str]) -> OrderList:
        close_N = np.nan_to_num(self.quotes.close_N)
        orders = tuple(self._order(n, change, notes) for n, change in self.admitted.items())
        traded = sum(order.notional for order in orders)
        asked = traded + float(np.nansum([line.notional for line in self.refused]))
        value_N = self.held_N * close_N
        cost = float(_estimated_costs(orders, self.quotes, self.rules.costs).sum())
        refused = tuple(sorted(self.refused, key=lambda line: (line.symbol, line.rule)))
        figures = TradeFigures(
            lines=len(orders),
            refused=len(refused),
            equity=self.equity,
            turnover=traded / self.equity,
            cost=cost / self.equity,
            refused_share=1.0 - traded / asked if asked > 0 else 0.0,
            gross=float(np.abs(value_N).sum()) / self.equity,
            net=float(value_N.sum()) / self.equity,
            cash=self.cash,
        )
        return OrderList(orders=orders, refused=refused, figures=figures)

    def _order(self, n: int, change: int, notes: Mapping[str, str]) -> Order:
        symbol, held = self.quotes.symbols[n], float(self.start_N[n])
        after = held + change
        if held == 0:
            action = "open"
        elif held * after < 0:
            action = "turn"
        elif abs(after) < self.lot:
            action = "close"
        else:
            action = "add" if abs(after) > abs(held) else "reduce"
        note = notes.get(symbol, "no longer scored")
        close = float(self.quotes.close_N[n])
        part = _Part(n=n, symbol=symbol, turn=3 if change > 0 else 2, shares=abs(change), size=0.0)
        return Order(
            symbol=symbol,
            side="buy" if change > 0 else "sell",
            shares=abs(change),
            lots=abs(change) // self.lot,
            limit=self._limit(part),
            close=close,
            notional=abs(change) * close,
            held=held,
            reason=f"{action}: {note}",
        )


def _estimated_costs(orders: tuple[Order, ...], quotes: Quotes, costs: CostConfig) -> _Vector:
    """Commission and slippage of each order, quote currency; the price list of the backtest."""
    place = {symbol: n for n, symbol in enumerate(quotes.symbols)}
    at = np.array([place[order.symbol] for order in orders], dtype=np.int64)
    value = np.array([order.notional for order in orders])
    return trading_cost(value, quotes.close_N[at], quotes.adv_N[at], quotes.market, costs)


def trading_cost(
    value_N: _Vector, price_N: _Vector, adv_N: _Vector, market: Market, costs: CostConfig
) -> _Vector:
    """Commission and slippage ``[N]`` of trading ``value_N`` at ``price_N``, all in quote currency.

    Half-spread plus impact per share of the mean turnover, capped, at least half a tick; the commission of
    the order's size, as in `engine.backtest.frictions`.
    """
    share_N = np.divide(value_N, adv_N, out=np.zeros_like(value_N), where=adv_N > 0)
    slip_N = costs.slippage_bps * 1e-4 + costs.impact_bps * 1e-2 * share_N
    slip_N = np.minimum(slip_N, max(costs.max_slippage_bps, costs.slippage_bps) * 1e-4)
    with np.errstate(invalid="ignore", divide="ignore"):
        half_N = np.nan_to_num(tick(price_N, market) / 2.0 / price_N)
    slip_N = np.maximum(slip_N, half_N)
    rate_N = np.full(value_N.size, costs.commission_bps)
    if costs.commission_tiers:
        tops = np.array([top for top, _ in costs.commission_tiers])
        rates = np.array([rate for _, rate in costs.commission_tiers])
        rate_N = rates[np.minimum(np.searchsorted(tops, value_N), tops.size - 1)]
    return np.asarray(value_N * (slip_N + rate_N * 1e-4))


def whole_lots(
    value_N: _Vector, close_N: _Vector, market: Market, limits: ConstraintConfig
) -> NDArray[np.int64]:
    """Shares ``[N]`` worth ``value_N`` (quote currency), in whole lots toward zero; 0 without a price."""
    lot = lot_size(market, limits.lot) or 1
    share_N = np.divide(value_N, close_N, out=np.zeros(value_N.size), where=close_N > 0)
    lots_N = np.floor(np.abs(share_N) / lot + _SLACK).astype(np.int64)
    return np.where(share_N > 0, lots_N, -lots_N) * lot


def _whole(shares: float, lot: int) -> int:
    """Whole lots toward zero."""
    sign = 1 if shares > 0 else -1
    return sign * math.floor(abs(shares) / lot + _SLACK) * lot
