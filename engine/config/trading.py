"""From scores to money: portfolio, constraints, costs, backtest."""

from typing import Literal

from pydantic import Field, model_validator

from engine.config.base import Table

Style = Literal["beta", "volatility", "size", "momentum", "sector"]


class PortfolioConfig(Table):
    strategy: str = "long_short_quantile"
    """A module of `strategies/`; `atft-tui strategies` lists them."""
    horizon: int = Field(5, ge=1, le=60)
    """Score that is traded, and how long a tranche is held. Sessions."""
    rebalance_sessions: int = Field(1, ge=1, le=60)
    """A decision every so many scored days; between two the book is left alone."""
    tranches: int = Field(0, ge=0, le=60)
    """Overlapping sub-books, one renewed per decision; 0 = as many as fill the horizon."""
    neutral_to: tuple[Style, ...] = ()
    """Styles whose linear part is taken out of the day's scores before the book is chosen: beta,
    volatility, size, momentum, sector. [] = none
    """
    fraction: float = Field(0.1, gt=0, le=0.5)
    """Share of the universe in each leg."""
    gross: float = Field(2.0, gt=0, le=10)
    """Sum of absolute weights at full investment, as a fraction of equity (2 = 100 % each side)."""
    max_weight: float = Field(0.1, gt=0, le=1)
    """Cap of one name's absolute weight. Fraction of equity."""
    long_only: bool = False
    """Only the long leg, with at most 1 - cash_buffer of the equity."""
    cash_buffer: float = Field(0.01, ge=0, lt=1)
    """Kept in cash by a long-only book to pay its costs. Fraction of equity."""
    band: float = Field(0.5, ge=0, le=10)
    """hysteresis_band: a held name leaves a leg when it ranks beyond fraction x (1 + band)."""
    min_exposure: float = Field(0.9, gt=0, le=1)
    """minimum_turnover: share of the best book's score that the traded book must reach."""

    @property
    def n_tranches(self) -> int:
        """Sub-books that overlap."""
        return self.tranches or -(-self.horizon // self.rebalance_sessions)

    @property
    def max_net(self) -> float:
        """Limit of a day's absolute net weight: dollar neutral unless long only."""
        return self.investable if self.long_only else 0.0

    @property
    def investable(self) -> float:
        """Most that the absolute weights of a day may add up to."""
        return min(self.gross, 1.0 - self.cash_buffer) if self.long_only else self.gross


class ConstraintConfig(Table):
    min_price: float = Field(0.0, ge=0)
    """Quoted close below which nothing is held. Quote currency; 0 = off."""
    min_turnover: float = Field(0.0, ge=0)
    """Mean 20-session turnover below which nothing is held. Quote currency a session; 0 = off."""
    not_shortable: tuple[str, ...] = ()
    """Codes that are never sold short, besides those marked so in the securities table."""
    max_sector: float = Field(0.0, ge=0, le=10)
    """Cap of one sector's weight on each side. Fraction of equity; 0 = off."""
    neutral_beta: bool = False
    """Make the book's beta to the market index (252 sessions) zero."""
    volatility_target: float = Field(0.0, ge=0, le=2)
    """Annual volatility of the book, from its weights and past returns; only lowers it. 0 = off."""
    volatility_sessions: int = Field(60, ge=20, le=504)
    """Past sessions behind that volatility."""
    max_adv_share: float = Field(0.05, ge=0, le=1)
    """Largest order as a share of the mean 20-session turnover; the rest is not filled. 0 = off."""
    drawdown_stop: float = Field(0.0, ge=0, lt=1)
    """Fall of the equity from its high after which everything is closed. Fraction; 0 = off."""
    drawdown_pause: int = Field(21, ge=1)
    """Sessions without positions after such a stop; then the high counts anew."""
    lot: int = Field(0, ge=0)
    """Shares per lot; 0 = the market's own (100 in Japan, none elsewhere), 1 = whole shares."""
    daily_limits: bool = True
    """Japan: no buy is filled at the daily upper price limit, no sale at the lower one."""


class CostConfig(Table):
    commission_bps: float = Field(5.0, ge=0)
    """One way, of traded value. Basis points."""
    commission_tiers: tuple[tuple[float, float], ...] = ()
    """Instead, by order value: [[up to this value, basis points], ...]; above the last, the last."""
    slippage_bps: float = Field(5.0, ge=0)
    """Half-spread, one way, of traded value; at least half a tick in Japan. Basis points."""
    impact_bps: float = Field(1.0, ge=0)
    """Added to the half-spread per 1 % of the mean 20-session turnover that an order takes."""
    max_slippage_bps: float = Field(20.0, ge=0)
    """Impact stops where it and the half-spread reach this. Basis points."""
    borrow_bps_per_year: float = Field(50.0, ge=0)
    """On short value held overnight. Basis points a year."""
    borrow_classes: dict[str, float] = Field(default_factory=lambda: {"hard": 500.0})
    """The same for names of a `borrow_class` in the securities table. Basis points a year."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """Taken off the last price of a held stock that stops trading. Fraction."""

    @model_validator(mode="after")
    def _check(self) -> "CostConfig":
        limits = [limit for limit, _ in self.commission_tiers]
        if limits != sorted(set(limits)) or any(
            value < 0 for t in self.commission_tiers for value in t
        ):
            raise ValueError("commission_tiers must increase and hold no negative number")
        if any(rate < 0 for rate in self.borrow_classes.values()):
            raise ValueError("borrow_classes must not be negative")
        return self


class BacktestConfig(Table):
    initial_cash: float = Field(1e7, gt=0)
    """Quote currency."""
    sharpe_target: float = Field(0.849, gt=-10, lt=10)
    """Annualised net Sharpe ratio the verdict is given against."""
    bootstrap_draws: int = Field(2000, ge=200)
    """Resamples of the stationary block bootstrap."""
    confidence: float = Field(0.90, gt=0.5, lt=1)
    """Of every interval printed."""
    random_draws: int = Field(20, ge=2, le=1000)
    """Sets of random scores behind the null band of the Sharpe ratio."""
