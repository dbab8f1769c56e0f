"""What a simulated book held and what became of its orders: tables of ``backtest.json``."""

import math

from msgspec import Struct


class BookStep(Struct, frozen=True, kw_only=True):
    """The book after one step on the way from scores to orders; means over the decisions."""

    name: str
    gross: float = math.nan
    """Sum of absolute weights, fraction of equity."""
    names: float = math.nan
    """Stocks held."""
    transfer: float = math.nan
    """Transfer coefficient: correlation of weights and normal scores over the day's scored names.

    Clarke, de Silva & Thorley (Financial Analysts Journal 58, 2002): expected IC after constraints =
    IC of the scores x transfer coefficient.
    """
    expected_ic: float = math.nan


class OrderShortfall(Struct, frozen=True, kw_only=True):
    """Where wanted trading went, in quote currency over the whole simulation."""

    wanted: float = math.nan
    """Value of all orders before any rule."""
    at_limit: float = math.nan
    """Not filled at a daily price limit."""
    beyond_adv: float = math.nan
    """Not filled beyond the share of the turnover."""
    in_lots: float = math.nan
    """Rounded away."""
    without_cash: float = math.nan
    """Buys for which the cash of the day did not suffice."""
    stopped_sessions: int = 0
    """Sessions without positions after a drawdown stop."""

    def share(self, name: str) -> float:
        """A part as a fraction of the wanted trading; NaN where nothing was wanted."""
        return getattr(self, name) / self.wanted if self.wanted > 0 else math.nan


class AlphaToOrders(Struct, frozen=True, kw_only=True):
    """From the score to the orders: what each step left of the book and of its expected IC."""

    rank_ic: float = math.nan
    """Mean RankIC of the scores, at the traded horizon."""
    steps: tuple[BookStep, ...] = ()
    orders: OrderShortfall = OrderShortfall()


class HeldBreak(Struct, frozen=True, kw_only=True):
    """A jump that nothing explains, on a night on which the book held the stock."""

    date: str
    symbol: str
    weight: float
    """Weight held the night before, fraction of equity; negative is short."""
    quoted_move: float
    effect: float
    """Weight x quoted move, had it been real."""


class HeldBreaks(Struct, frozen=True, kw_only=True):
    """How often a held price broke; none of it is earned in the simulation."""

    held: int = 0
    stocks: int = 0
    in_universe: int = 0
    as_quoted: float = 0.0
    """Sum of the effects."""
    worst_case: float = 0.0
    """Every one against the book: minus the sum of their sizes."""
    largest: tuple[HeldBreak, ...] = ()


class BookExposures(Struct, frozen=True, kw_only=True):
    """What the book leans on besides its scores."""

    beta: float = math.nan
    """Slope of its net returns on the market index."""
    sectors: dict[str, float] = {}
    """Mean net weight of each sector."""
    sector_largest: float = math.nan
    """Mean over days of the largest absolute one."""
    styles: dict[str, float] = {}
    """Mean lean of the decided book on each style: weights times the day's normal scores; ``index``: its beta
    by those of its names. Each day is in ``backtest_styles.parquet``.
    """
    styles_size: dict[str, float] = {}
    """Mean over days of its absolute value."""


class ExtremeDay(Struct, frozen=True, kw_only=True):
    """The worst or the best day, and what one stock did to it."""

    date: str
    net_return: float = math.nan
    symbol: str = ""
    price_ratio: float = math.nan
    """Its close over the one before."""
    contribution: float = math.nan
    """Shares held overnight x (price change + dividend) / equity of the night before."""
    sharpe_without: float = math.nan
    """The Sharpe ratio without that day."""
