"""From scores to money: portfolio, constraints, costs, backtest, and the daily signal."""

from typing import Literal

from pydantic import Field, model_validator

from engine.config.base import ConfigTable

Style = Literal["beta", "volatility", "size", "momentum", "sector"]


class PortfolioConfig(ConfigTable):
    """How scores become weights."""

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
    """Share of the universe that is bought, and share that is sold short. Fraction."""
    gross: float = Field(2.0, gt=0, le=10)
    """Sum of absolute weights at full investment, as a fraction of equity (2 = 100 % each side)."""
    max_weight: float = Field(0.1, gt=0, le=1)
    """Most that one name may have of the equity, bought or sold short. Fraction of equity."""
    long_only: bool = False
    """Only the long leg, with at most 1 - cash_buffer of the equity."""
    cash_buffer: float = Field(0.01, ge=0, lt=1)
    """What a long-only book keeps in cash to pay its costs. Fraction of equity."""
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


class ConstraintConfig(ConfigTable):
    """What the book must not do, whatever the strategy."""

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
    """How many past sessions that volatility is measured on. Sessions."""
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


class CostConfig(ConfigTable):
    """What trading and holding cost."""

    commission_bps: float = Field(5.0, ge=0)
    """Commission of each purchase and sale, of its value. Basis points."""
    commission_tiers: tuple[tuple[float, float], ...] = ()
    """Commission by the size of an order instead: [[up to this value, basis points], ...]."""
    slippage_bps: float = Field(5.0, ge=0)
    """Half-spread, one way, of traded value; at least half a tick in Japan. Basis points."""
    impact_bps: float = Field(1.0, ge=0)
    """Added to the half-spread per 1 % of the mean 20-session turnover that an order takes."""
    max_slippage_bps: float = Field(20.0, ge=0)
    """Impact stops where it and the half-spread reach this. Basis points."""
    borrow_bps_per_year: float = Field(50.0, ge=0)
    """Fee for borrowing, on the value sold short that is held overnight. Basis points a year."""
    borrow_classes: dict[str, float] = Field(default_factory=lambda: {"hard": 500.0})
    """The same fee for names of a `borrow_class` in the securities table. Basis points a year."""
    delisting_haircut: float = Field(0.0, ge=0, le=1)
    """What a holder loses of the last price of a stock that stops trading. Fraction."""

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


class BacktestConfig(ConfigTable):
    """How a backtest is judged."""

    initial_cash: float = Field(1e7, gt=0)
    """Money that the simulation starts with. Quote currency."""
    sharpe_target: float = Field(0.849, gt=-10, lt=10)
    """Yearly Sharpe ratio after costs that the verdict compares with."""
    bootstrap_draws: int = Field(2000, ge=200)
    """How often days are drawn anew for each interval (stationary block bootstrap)."""
    confidence: float = Field(0.90, gt=0.5, lt=1)
    """Confidence level of every interval that is printed. Fraction."""
    random_draws: int = Field(20, ge=2, le=1000)
    """How many sets of random scores show which Sharpe ratio chance alone gives."""


class SignalConfig(ConfigTable):
    """A figure beyond its limit makes its light HOLD, beyond twice the limit STOP."""

    limit_bps: float = Field(100.0, ge=0, le=5000)
    """Distance of an order's limit from the last close, rounded to the tick. Basis points."""
    decisions: int = Field(0, ge=0, le=250)
    """Past decisions that today's book is built from; 0 = as many as overlap, and yesterday's book."""
    explain_names: int = Field(40, ge=0, le=1000)
    """Largest positions whose rank is explained variable by variable, neighbour by neighbour. Stocks."""
    max_missing_sessions: int = Field(0, ge=0, le=20)
    """How many of the 10 exchange sessions before the signal's may lack data. Sessions."""
    max_audit_age: int = Field(63, ge=0, le=2520)
    """How long ago the last session that `atft-tui audit` looked at may be. Sessions."""
    max_model_age: int = Field(126, ge=1, le=2520)
    """How long ago the last session that the champion was trained on may be. Sessions."""
    psi_limit: float = Field(0.25, gt=0, le=10)
    """Population stability index above which a feature, or the scores, have drifted."""
    ks_limit: float = Field(0.2, gt=0, le=1)
    """Kolmogorov-Smirnov distance above which a feature, or the scores, have drifted."""
    max_drifted_share: float = Field(0.3, gt=0, le=1)
    """Share of the features that may have drifted. Fraction."""
    live_sessions: int = Field(60, ge=10, le=1000)
    """Newest sealed signals with a known outcome whose RankIC is watched. Sessions."""
    live_min_sessions: int = Field(20, ge=5, le=1000)
    """With fewer such signals nothing is said of the live RankIC. Sessions."""
    live_sigmas: float = Field(2.0, gt=0, le=6)
    """Standard errors below its out-of-sample RankIC at which the live one counts as broken."""
    min_alpha: float = Field(0.02, ge=0, lt=0.5)
    """Share that either side of the residual bypass must keep. Fraction."""
    min_dispersion: float = Field(0.3, gt=0, lt=1)
    """Spread of the scores as a multiple of the reference's; below this or above its inverse: HOLD."""
    max_turnover: float = Field(1.0, gt=0, le=10)
    """Most that one day's orders may buy and sell together. Fraction of equity."""
    max_cost_bps: float = Field(20.0, gt=0, le=1000)
    """Most that one day's orders may cost, commission and slippage, of the equity. Basis points."""
    max_refused_share: float = Field(0.25, gt=0, le=1)
    """Share of the value of a day's orders that may be refused. Fraction."""
    max_net: float = Field(0.1, gt=0, le=10)
    """How far the net exposure after the orders may be from what the book asks for. Fraction of equity."""
