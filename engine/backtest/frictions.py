"""What stands between a target and a fill: market rules, liquidity and the prices of trading."""

# Shape suffixes: D sessions of the simulation, N stocks, M commission tiers.
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.backtest.prices import PriceTable
from engine.config import ConstraintConfig, CostConfig
from engine.data.panel import Panel
from engine.errors import DataError
from engine.portfolio.market_data import MarketData, Matrix, lot_size, price_limits, tick

_BASIS = 1e-4

Series = NDArray[np.float64]


def _unlimited() -> Matrix:
    return np.full((1, 1), np.inf)


def _nothing() -> Matrix:
    return np.zeros((1, 1))


def _never() -> NDArray[np.bool_]:
    return np.zeros((1, 1), dtype=bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frictions:
    """Tables are ``[D, N]`` or ``[1, 1]`` where one value holds everywhere. Fractions, not basis points."""

    commission_limit_M: NDArray[np.float64]
    """Order value up to which a commission rate holds; the last is infinite."""
    commission_rate_M: NDArray[np.float64]
    half_spread: float
    impact: float
    """Slippage per unit of (order value / ADV)."""
    max_slippage: float
    borrow_N: NDArray[np.float64]
    """Fee on short value held overnight, a session. ``[N]`` or ``[1]``."""
    adv_DN: Matrix = field(default_factory=_unlimited)
    """Mean turnover known at the decision, quote currency a session."""
    max_share: float = np.inf
    """Largest order value as a share of the ADV."""
    lot_DN: Matrix = field(default_factory=_nothing)
    """Shares (on the scale of the price table) that trade together; 0 = any fraction."""
    half_tick_DN: Matrix = field(default_factory=_nothing)
    """Least half-spread."""
    no_buy_DN: NDArray[np.bool_] = field(default_factory=_never)
    no_sell_DN: NDArray[np.bool_] = field(default_factory=_never)
    drawdown_stop: float = 0.0
    """Fall from the high that closes everything; 0 = off."""
    drawdown_pause: int = 1
    """Sessions without positions after it."""

    @classmethod
    def from_costs(cls, costs: CostConfig, sessions_per_year: int) -> Self:
        """The price list alone: unlimited liquidity, no lots, no limits, one borrow fee."""
        tiers = costs.commission_tiers or ((np.inf, costs.commission_bps),)
        limit_M = np.array([limit for limit, _ in tiers])
        limit_M[-1] = np.inf
        return cls(
            commission_limit_M=limit_M,
            commission_rate_M=np.array([rate for _, rate in tiers]) * _BASIS,
            half_spread=costs.slippage_bps * _BASIS,
            impact=costs.impact_bps * _BASIS * 100.0,
            max_slippage=max(costs.max_slippage_bps, costs.slippage_bps) * _BASIS,
            borrow_N=np.array([costs.borrow_bps_per_year * _BASIS / sessions_per_year]),
        )

    @classmethod
    def of(
        cls,
        table: PriceTable,
        market: MarketData,
        panel: Panel,
        costs: CostConfig,
        limits: ConstraintConfig,
    ) -> Self:
        """All of them for one market. What depends on liquidity is known one session before the fill."""
        plain = cls.from_costs(costs, panel.sessions_per_year)
        plain = plain.with_costs(costs, panel, table.symbols)
        adv_DN = _shift(market.adv_DN, len(table.dates_D))
        changes: dict[str, Any] = {
            "adv_DN": adv_DN,
            "drawdown_stop": limits.drawdown_stop,
            "drawdown_pause": limits.drawdown_pause,
        }
        if limits.max_adv_share > 0:
            changes["max_share"] = limits.max_adv_share
        quoted_DN = table.quoted_DN if table.quoted_DN is not None else np.ones((1, 1))
        lot = lot_size(panel.market, limits.lot)
        if lot:
            changes["lot_DN"] = lot * np.broadcast_to(quoted_DN, table.mark_DN.shape)
        if panel.market == "jp":
            price_DN = table.mark_DN * quoted_DN
            changes["half_tick_DN"] = 0.5 * tick(price_DN, "jp") / price_DN
            if limits.daily_limits:
                base_DN = np.vstack([price_DN[:1], table.mark_DN[:-1] * quoted_DN[1:]])
                low_DN, high_DN = price_limits(base_DN, "jp")
                fill_DN = table.fill_DN * quoted_DN
                changes["no_buy_DN"] = fill_DN >= high_DN * (1.0 - 1e-9)
                changes["no_sell_DN"] = fill_DN <= low_DN * (1.0 + 1e-9)
        return replace(plain, **changes)

    def with_costs(self, costs: CostConfig, panel: Panel, symbols: tuple[str, ...]) -> Self:
        """The same market rules and liquidity under another price list."""
        listed = type(self).from_costs(costs, panel.sessions_per_year)
        prices = (
            "commission_limit_M",
            "commission_rate_M",
            "half_spread",
            "impact",
            "max_slippage",
        )
        return replace(
            self,
            **{name: getattr(listed, name) for name in prices},
            borrow_N=_borrow(panel, symbols, costs) / panel.sessions_per_year,
        )

    @property
    def has_lots(self) -> bool:
        """Whether any stock trades in lots only."""
        return bool(self.lot_DN.any())


def _shift(values_DN: Matrix, n_rows: int) -> Matrix:
    """Row d = the value known at session d - 1; the simulation may have one session more."""
    out_DN = np.empty((n_rows, values_DN.shape[1]))
    out_DN[0] = values_DN[0]
    out_DN[1:] = values_DN[: n_rows - 1]
    return out_DN


def _borrow(panel: Panel, symbols: tuple[str, ...], costs: CostConfig) -> NDArray[np.float64]:
    """Annual borrow fee of each stock, by its class."""
    classes: dict[str, str] = {}
    if "borrow_class" in panel.securities.columns:
        known = panel.securities.filter(pl.col("borrow_class").is_not_null())
        classes = dict(known.select("symbol", "borrow_class").iter_rows())
    usual = costs.borrow_bps_per_year
    rates = [costs.borrow_classes.get(classes.get(symbol, ""), usual) for symbol in symbols]
    return np.array(rates) * _BASIS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """One simulation in quote currency. Row 0 is the first decision: all cash.

    Borrow fees are known here but not paid from this cash: `engine.backtest.result` takes them from the
    daily returns.
    """

    dates_D: NDArray[np.datetime64]
    equity_D: Series
    """Cash and positions at the end of the session, after commission and slippage."""
    commission_D: Series
    slippage_D: Series
    traded_D: Series
    """Value bought plus value sold, at fill prices before slippage."""
    delisting_D: Series
    """Profit of forced exits: shares x (exit price - last close); also inside ``equity_D``."""
    long_D: Series
    """Value of long positions at the end of the session."""
    short_D: Series
    """Value of short positions, positive."""
    borrow_D: Series
    """Fee on the short positions of the night before."""
    dividend_D: Series
    """Cash that longs received less cash that shorts paid, at the open; also inside ``equity_D``."""
    names_D: NDArray[np.int64]
    """Stocks held at the end of the session."""

    def __post_init__(self) -> None:
        if not np.all(self.equity_D > 0):
            d = int(np.argmax(~(self.equity_D > 0)))
            raise DataError(
                f"the portfolio lost everything on {self.dates_D[d]} (equity {self.equity_D[d]:.4g})",
                hint="lower portfolio.gross, or look for an unadjusted price on that day",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What was ordered and at what price of trading, ``[D, N]``."""

    target_DN: Matrix
    """Targets after stops and price limits; NaN = no order."""
    change_DN: Matrix
    """Shares bought (+) or sold (-); 0 = none."""
    slippage_DN: Matrix
    """Slippage of the order as a share of its value."""
    commission_DN: Matrix
    """Commission as a share of the value after slippage."""
    shares_DN: Matrix
    """Held at the end of the session."""
    unpaid_D: Series
    """Value of buys for which the cash of the session did not suffice."""


def settle(
    table: PriceTable,
    frictions: Frictions,
    *,
    shares_DN: Matrix,
    cash_D: Series,
    commission_D: Series,
    slippage_D: Series,
    traded_D: Series,
    dividend_D: Series,
) -> Ledger:
    """The ledger of shares ``[D, N]`` and cash (dividends in it) at the end of each session."""
    position_DN = shares_DN * table.mark_DN
    short_DN = np.maximum(-position_DN, 0.0)
    borrow_D = np.zeros(len(cash_D))
    borrow_D[1:] = (short_DN[:-1] * frictions.borrow_N).sum(axis=1)
    exit_profit_DN = np.zeros_like(position_DN)
    exit_profit_DN[1:] = shares_DN[:-1] * np.diff(table.mark_DN, axis=0)
    return Ledger(
        dates_D=table.dates_D,
        equity_D=cash_D + position_DN.sum(axis=1),
        commission_D=commission_D,
        slippage_D=slippage_D,
        traded_D=traded_D,
        delisting_D=np.where(table.exit_DN, exit_profit_DN, 0.0).sum(axis=1),
        long_D=np.maximum(position_DN, 0.0).sum(axis=1),
        short_D=short_DN.sum(axis=1),
        borrow_D=borrow_D,
        dividend_D=dividend_D,
        names_D=(np.abs(position_DN) > DUST * table.mark_DN).sum(axis=1),
    )


DUST = 1e-9
"""Shares that rounding may leave of a closed position."""
