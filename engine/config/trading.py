"""From scores to money: portfolio, constraints, costs, backtest, the daily signal, schedule and alerts."""

import re
from collections.abc import Iterable
from string import Formatter
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from engine.config.base import ConfigTable
from engine.config.market import LOOPBACK, IsoDate

Style = Literal["beta", "volatility", "size", "momentum", "sector"]
AlertKind = Literal["signal", "failure", "late", "missed", "calendar", "challenger"]


class PortfolioConfig(ConfigTable):
    """How scores become weights."""

    strategy: str = "hysteresis_band"
    """A module of `strategies/`; `atft-tui strategies` lists them."""
    horizon: int = Field(5, ge=1, le=60)
    """Horizon that is judged and explained, and how long a tranche is held. Sessions."""
    score: Literal["mean", "horizon"] = "mean"
    """What is traded: horizon: the score of that horizon; mean: the mean of the day's ranks over it and
    those of training.baseline_horizons."""
    rebalance_sessions: int = Field(1, ge=1, le=60)
    """A decision every so many scored days; between two the book is left alone."""
    tranches: int = Field(0, ge=0, le=60)
    """Overlapping sub-books, one renewed per decision; 0 = as many as fill the horizon."""
    neutral_to: tuple[Style, ...] = ()
    """Styles whose linear part is taken out of the day's scores before the book is chosen: beta,
    volatility, size, momentum, sector. [] = none
    """
    neutral_share: float = Field(1.0, ge=0, le=1)
    """Share of that part which is taken out: 0 = none, 1 = all of it."""
    fraction: float = Field(0.1, gt=0, le=0.5)
    """Share of the universe that is bought, and share that is sold short. Fraction."""
    gross: float = Field(2.0, gt=0, le=10)
    """Sum of absolute weights at full investment, as a fraction of equity (2 = 100% each side)."""
    max_weight: float = Field(0.1, gt=0, le=1)
    """Most that one name may have of the equity, bought or sold short. Fraction of equity."""
    long_only: bool = False
    """Only the long leg, with at most 1 - cash_buffer of the equity."""
    cash_buffer: float = Field(0.01, ge=0, lt=1)
    """What a long-only book keeps in cash to pay its costs. Fraction of equity."""
    band: float = Field(3.0, ge=0, le=10)
    """hysteresis_band: a held name leaves a leg when it ranks beyond fraction x (1 + band)."""
    min_exposure: float = Field(0.9, gt=0, le=1)
    """minimum_turnover: share of the best book's score that the traded book must reach."""
    trade_share: float = Field(0.3, gt=0, le=1)
    """aim_portfolio: share of the way from the held book to the aim that a decision trades."""
    risk_aversion: float = Field(100.0, ge=0.1, le=100_000)
    """mean_variance: what half of the book's variance costs, in returns."""
    volatility_scaled: bool = False
    """mean_variance: a score is worth IC x the name's own specific volatility (Grinold); off: x the day's
    median, so that names of one score have one expected return."""
    cost_aversion: float = Field(2.0, ge=0.1, le=100)
    """mean_variance: how many times its costs a trade has to earn."""
    max_turnover: float = Field(0.0, ge=0, le=10)
    """mean_variance: most that a decision buys and sells together. Fraction of equity; 0 = off."""
    max_lean: float = Field(0.0, ge=0, le=10)
    """mean_variance: most that the weights times a style's normal scores, and a sector's net weight, may add
    up to. Fraction of equity; 0 = off."""

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
    """Added to the half-spread per 1% of the mean 20-session turnover that an order takes."""
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
    """Past decisions that today's book is built from; 0 = as many as overlap and the strategy remembers."""
    explain_names: int = Field(40, ge=0, le=1000)
    """Largest positions whose rank is explained variable by variable, neighbour by neighbour. Stocks."""
    max_missing_sessions: int = Field(0, ge=0, le=20)
    """How many of the 10 exchange sessions before the signal's may lack data. Sessions."""
    max_audit_age: int = Field(63, ge=0, le=2520)
    """How long ago the last session that `atft-tui audit` looked at may be. Sessions."""
    max_model_age: int = Field(674, ge=1, le=2520)
    """How long ago the last session that the champion has learned from may be: by the default split 548 when
    it is new, 275 after a refit. Sessions."""
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


def _time_of_day(text: str) -> str:
    if text and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f'{text!r} is not a time like "18:30"')
    return text


def _session_path(text: str) -> str:
    try:
        fields: Iterable[str | None] = [field for _, field, _, _ in Formatter().parse(text)]
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if text and {field for field in fields if field is not None} != {"session"}:
        raise ValueError('needs {session} where the date stands, e.g. "inbox/{session}.csv"')
    return text


def _report_formats(text: str) -> str:
    if not re.fullmatch(r"([a-z]+(,[a-z]+)*)?", text):
        raise ValueError(f"{text!r} is not a list like html,json,md")
    return text


class ScheduleConfig(ConfigTable):
    """When signals are made by themselves, and what is done around them."""

    calendar: str = Field("", pattern=r"^[A-Za-z0-9_/]*$", max_length=30)
    """Exchange calendar by its code (XTKS, XNYS, XLON ...); "" = that of the stored data."""
    run_at: Annotated[str, AfterValidator(_time_of_day)] = ""
    """When a session's signal is due, exchange time HH:MM; "" = 18:30 for XTKS, else close + delay."""
    delay_minutes: int = Field(120, ge=0, le=720)
    """Time between the close (of half days too) and the run where run_at is empty. Minutes."""
    retry_minutes: float = Field(10.0, ge=0.05, le=240)
    """Pause before the next attempt when the data are not there yet or a job failed. Minutes."""
    cutoff_hours: float = Field(12.0, gt=0, le=22)
    """So long after the run time attempts end, and the session is missed. Hours."""
    grace_minutes: float = Field(60.0, ge=0, le=720)
    """A start later than this after the run time is told as caught up, not on time. Minutes."""
    closed: tuple[IsoDate, ...] = ()
    """Days the exchange does not open although its calendar says so, ISO dates."""
    warn_days: int = Field(60, ge=1, le=300)
    """A calendar that ends sooner than this is warned of. Days."""
    heartbeat_seconds: float = Field(30.0, ge=0.2, le=600)
    """How often the process shows that it lives and looks what is due. Seconds."""
    update: Literal["none", "files", "jquants", "yahoo", "synthetic"] = "none"
    """Source that is read before each signal; none = the store is kept current by someone else."""
    update_prices: Annotated[str, AfterValidator(_session_path)] = ""
    """Source files: the price file of one session, e.g. "inbox/{session}.csv"; appended once it is there."""
    positions: str = ""
    """CSV of the positions held, given to each signal; "" = none are held."""
    position_columns: dict[str, str] = Field(default_factory=dict)
    """Our column of the positions -> the file's, e.g. {shares = "Qty"}. Names of brokers are guessed."""
    job_minutes: float = Field(60.0, gt=0, le=600)
    """A job of a session that takes longer is ended, with all its processes. Minutes."""
    report_formats: Annotated[str, AfterValidator(_report_formats)] = "html,json,md"
    """Reports of the champion, exported after each signal and each month; "" = none."""
    retrain: Literal["off", "weekly", "monthly"] = "off"
    """Train a challenger after the first signal of each week or month; the gate decides on it."""
    retrain_hours: float = Field(12.0, gt=0, le=72)
    """A retraining that takes longer is ended. Hours."""

    @model_validator(mode="after")
    def _check(self) -> "ScheduleConfig":
        if self.update == "files" and not self.update_prices:
            raise ValueError('update = "files" needs update_prices')
        return self


class AlertConfig(ConfigTable):
    """What is told, and by which ways."""

    kinds: tuple[AlertKind, ...] = (
        "signal",
        "failure",
        "late",
        "missed",
        "calendar",
        "challenger",
    )
    """What is told; missed = no signal by the cut-off."""
    webhook: bool = False
    """Post to the address in ATFT_WEBHOOK_URL (or the keyring), as Slack and its kin take it."""
    bell: bool = False
    """Ring the terminal that the scheduler runs in, and show a desktop notification where there is one."""
    smtp_host: str = ""
    """Mail server; "" = no mail. The password is taken from ATFT_SMTP_PASSWORD (or the keyring)."""
    smtp_port: int = Field(587, ge=1, le=65535)
    """587 for STARTTLS, 465 for TLS."""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    """How mail is protected on the way; none only to this machine, with insecure_loopback."""
    smtp_user: str = ""
    """Name to log in with; "" = without logging in."""
    mail_from: str = ""
    """Sender of the mails."""
    mail_to: tuple[str, ...] = ()
    """Receivers of the mails."""
    keyring: bool = False
    """Also look in the system's keyring (service atft-tui); needs the package keyring."""
    insecure_loopback: bool = False
    """Allow plain http and mail without TLS to this machine itself; to others they are never sent."""
    timeout_seconds: float = Field(5.0, ge=0.1, le=60)
    """A delivery that takes longer is broken off and tried again. Seconds."""
    attempts: int = Field(8, ge=1, le=50)
    """How often one delivery is tried before it is reported as failed."""
    backoff_seconds: float = Field(30.0, ge=0.01, le=3600)
    """Pause after the first failure, doubled with each one up to an hour. Seconds."""

    @model_validator(mode="after")
    def _check(self) -> "AlertConfig":
        if any(ord(c) < 32 for text in (self.smtp_host, self.smtp_user) for c in text):
            raise ValueError("smtp_host and smtp_user must not hold control characters")
        addresses = (self.mail_from, *self.mail_to)
        if self.smtp_host and not (self.mail_to and self.mail_from):
            raise ValueError("smtp_host needs mail_from and mail_to")
        if any(not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>]+", a) for a in addresses if a):
            raise ValueError("mail_from and mail_to must be bare addresses, name@host")
        if self.smtp_host and self.smtp_security == "none":
            if self.smtp_host not in LOOPBACK or not self.insecure_loopback:
                raise ValueError(
                    "smtp_security = none needs a server on this machine and insecure_loopback"
                )
            if self.smtp_user:
                raise ValueError("a password is not sent without TLS")
        return self
