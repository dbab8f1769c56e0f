"""``backtest.json``: what the out-of-sample scores of a run would have earned after costs.

Fractions, not percent; annualised where a name or its comment says so. A file of an earlier version lacks
what that version did not know: those numbers are NaN, those tables empty or None.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import asdict

from engine.records.book import AlphaToOrders, BookExposures, ExtremeDay, HeldBreaks
from engine.records.figure import DASH
from engine.records.protocol import JudgedDays, SpanName
from engine.records.rank_ic import BeyondReference, FactorFigures, YearFigure

BACKTEST = "backtest.json"
SETTINGS = ("portfolio", "constraints", "costs")
"""Tables of the configuration that make a backtest another one."""
SettingsTable = dict[str, Any]
"""Keys of the configuration with their values."""
Verdict = Literal["above", "below", "undecided"]
"""Where the whole interval of the Sharpe ratio lies against the target."""


class ReturnFigures(Struct, frozen=True, kw_only=True):
    """Point estimates of a series of daily returns and of the book behind it."""

    sharpe: float
    """Sharpe ratio of net returns, annualised, zero risk-free rate."""
    sharpe_gross: float = math.nan
    sortino: float = math.nan
    calmar: float = math.nan
    annual_return: float = math.nan
    """Compound growth a year after costs."""
    annual_volatility: float = math.nan
    max_drawdown: float = math.nan
    """Deepest fall from a high, <= 0."""
    max_drawdown_peak: str = ""
    max_drawdown_trough: str = ""
    max_drawdown_recovery: str | None = None
    """ISO date of the first session at or above the old high; None = not yet."""
    turnover: float = math.nan
    """Mean of bought plus sold, fraction of equity a session."""
    cost_drag: float = math.nan
    """Costs a year."""
    hit_rate: float = math.nan
    """Share of sessions with a gain."""
    value_at_risk: float = math.nan
    """5 % quantile of the daily returns."""
    expected_shortfall: float = math.nan
    """Mean of the returns at or below it."""
    skewness: float = math.nan
    excess_kurtosis: float = math.nan
    tail_ratio: float = math.nan
    worst: float = math.nan
    best: float = math.nan
    sessions: int = 0
    first_session: str = ""
    last_session: str = ""
    mean_names: float = math.nan
    mean_long_exposure: float = math.nan
    mean_short_exposure: float = math.nan


class JudgedFigures(ReturnFigures, frozen=True, kw_only=True):
    """The same with what is known about the Sharpe ratio beside its value."""

    sharpe_low: float = math.nan
    sharpe_high: float = math.nan
    """Ends of the bootstrap interval."""
    confidence: float = math.nan
    """Share of that interval."""
    sharpe_se: float = math.nan
    """Standard error for independent days (Lo 2002)."""
    sharpe_probabilistic: float = math.nan
    """Probability of a positive true ratio."""
    sharpe_deflated: float = math.nan
    """Probability of a true ratio above what the best of ``trials`` shows by luck."""
    sharpe_expected_best: float = math.nan
    """That ratio."""
    trials: int = 0
    target: float = math.nan
    verdict: Verdict = "undecided"


class RivalFigures(BeyondReference, frozen=True, kw_only=True, omit_defaults=True):
    """Other scores, or the market, on the same days under the same strategy and costs.

    As a `BeyondReference`: what the run's scores add to these; NaN for the market and random scores.
    """

    sharpe: float
    sharpe_low: float = math.nan
    sharpe_high: float = math.nan
    """The bootstrap interval; of random scores the 5 % and 95 % quantiles over the draws."""
    sharpe_gross: float = math.nan
    sharpe_gross_se: float = math.nan
    """Standard error of the mean over the draws; for random scores only."""
    draws: int = 0
    """How many random books were drawn; for random scores only."""
    annual_return: float = math.nan
    annual_volatility: float = math.nan
    max_drawdown: float = math.nan
    turnover: float = math.nan
    cost_drag: float = math.nan
    excess_return: float = math.nan
    """Mean of the run's returns less these, a year."""
    excess_return_se: float = math.nan
    """Newey-West."""
    sharpe_difference: float = math.nan
    """Sharpe ratio of the run's scores less this one (Ledoit & Wolf 2008)."""
    sharpe_difference_se: float = math.nan
    sharpe_difference_p: float = math.nan


class GrossToNet(Struct, frozen=True, kw_only=True):
    """Arithmetic means a year from gross to net; sums, so that the parts add up exactly."""

    gross_return: float = math.nan
    dividend: float = 0.0
    """Received less paid; inside gross."""
    dividend_received: float = math.nan
    dividend_paid: float = math.nan
    """Dividends that longs received and that shorts paid to their lenders; both are positive."""
    delisting: float = math.nan
    """Profit of forced exits; inside gross."""
    commission: float = math.nan
    slippage: float = math.nan
    spread: float = math.nan
    impact: float = math.nan
    """The two parts of slippage; NaN in older files."""
    borrow: float = math.nan
    net_return: float = math.nan

    def bars(self) -> tuple[tuple[str, float], ...]:
        """What is earned, ``gross``, what is paid (negative), ``net``."""
        slippage: tuple[str, ...] = ("spread", "impact")
        if math.isnan(self.spread):
            slippage = ("slippage",)
        earned: tuple[tuple[str, float], ...] = ()
        if self.dividend:
            earned = ("prices", self.gross_return - self.dividend), ("dividends", self.dividend)
        paid = ((name, -getattr(self, name)) for name in ("commission", *slippage, "borrow"))
        return (*earned, ("gross", self.gross_return), *paid, ("net", self.net_return))


class DeepFall(Struct, frozen=True, kw_only=True):
    """A fall from a high of the equity, with ISO dates."""

    depth: float
    peak: str
    trough: str
    recovery: str | None = None
    sessions_down: int
    sessions_up: int | None = None
    """None: the high is not regained yet."""


class YearReturns(Struct, frozen=True, kw_only=True):
    """Figures of one calendar year; a year with few sessions is annualised all the same."""

    year: int
    sessions: int
    net_return: float = math.nan
    sharpe: float = math.nan
    max_drawdown: float = math.nan
    turnover: float = math.nan
    """A session."""
    cost: float = math.nan


class RankedYear(YearReturns, frozen=True, kw_only=True):
    """A year with the RankIC of its scores."""

    rank_ic: float = math.nan
    rank_ic_se: float = math.nan


class SpanFigures(JudgedFigures, frozen=True, kw_only=True):
    """Figures of the sessions of one span of the protocol."""

    span: SpanName


class BacktestSummary(JudgedFigures, frozen=True, kw_only=True):
    """The whole file."""

    run_id: str = ""
    judged_days: JudgedDays | None = None
    """The days of the scores by the spans of the protocol; None without one."""
    spans: tuple[SpanFigures, ...] = ()
    """Figures of each span alone, where the days are of more than one."""
    strategy: str = ""
    entry: str = ""
    """``close of the next session``"""
    horizon: int = 0
    """Traded horizon, sessions."""
    sessions_per_year: int = 252
    waterfall: GrossToNet = GrossToNet()
    breaks: HeldBreaks = HeldBreaks()
    drawdowns: tuple[DeepFall, ...] = ()
    """Deepest first."""
    years: tuple[YearReturns, ...] = ()
    exposures: BookExposures = BookExposures()
    capacity: float = math.nan
    """Capital at which 95 % of the orders stay below the allowed share of turnover, quote currency."""
    extremes: tuple[ExtremeDay, ...] = ()
    currency: str = ""
    simulations_gap: float = math.nan
    """Largest relative difference between the equities of the two simulations."""
    costs: SettingsTable = {}
    portfolio: SettingsTable = {}
    constraints: SettingsTable = {}
    initial_cash: float = math.nan
    notes: tuple[str, ...] = ()
    baselines: dict[str, RivalFigures] = {}
    factor: FactorFigures | None = None
    alpha_to_orders: AlphaToOrders = AlphaToOrders()

    @property
    def older(self) -> bool:
        """Made by a version that did not write everything."""
        return self.factor is None or not self.factor.lags or math.isnan(self.waterfall.spread)

    @property
    def rivals(self) -> tuple[tuple[str, RivalFigures], ...]:
        """Name and figures, best Sharpe ratio first; random scores last."""

        def place(item: tuple[str, RivalFigures]) -> tuple[bool, float]:
            name, rival = item
            return name == "random", math.inf if math.isnan(rival.sharpe) else -rival.sharpe

        return tuple(sorted(self.baselines.items(), key=place))

    @property
    def ranked_years(self) -> tuple[RankedYear, ...]:
        """The years with the RankIC of their scores, where it is known."""
        known = {row.year: row for row in self.factor.years} if self.factor else {}
        nothing = YearFigure(year=0, rank_ic=math.nan, rank_ic_se=math.nan, n_dates=0)
        ranked = ((row, known.get(row.year, nothing)) for row in self.years)
        return tuple(
            RankedYear(**asdict(row), rank_ic=ic.rank_ic, rank_ic_se=ic.rank_ic_se)
            for row, ic in ranked
        )

    @property
    def tables(self) -> dict[str, SettingsTable]:
        """The tables of settings that the file holds."""
        return {name: table for name in SETTINGS if (table := getattr(self, name))}

    @property
    def settings(self) -> SettingsTable:
        """``costs.commission_bps`` -> 5.0, with ``strategy`` and ``initial_cash``."""
        flat = {
            f"{name}.{key}": v for name, table in self.tables.items() for key, v in table.items()
        }
        flat.pop("portfolio.strategy", None)
        return {"strategy": self.strategy or None, "initial_cash": self.initial_cash} | flat


# ---- two backtests side by side --------------------------------------------------------------------

COMPARED = {
    "sharpe": ("net Sharpe", "+.2f"),
    "sharpe_low": ("Sharpe, low end", "+.2f"),
    "sharpe_high": ("Sharpe, high end", "+.2f"),
    "sharpe_deflated": ("deflated", ".2f"),
    "sortino": ("Sortino", "+.2f"),
    "annual_return": ("net CAGR", "+.1%"),
    "annual_volatility": ("volatility", ".1%"),
    "max_drawdown": ("drawdown", ".1%"),
    "turnover": ("turnover a day", ".1%"),
    "cost_drag": ("costs a year", ".1%"),
    "mean_names": ("names", ".0f"),
    "capacity": ("capacity", ",.0f"),
    "trials": ("trials", ".0f"),
    "verdict": ("verdict", ""),
}
"""Field -> what it is called and how it is written where two backtests stand side by side."""


class ComparedValue(Struct, frozen=True):
    """One figure or setting of two backtests, as it is written."""

    name: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        """Whether the two read differently."""
        return self.before != self.after


def compare_figures(before: BacktestSummary, after: BacktestSummary) -> Iterator[ComparedValue]:
    """Every figure of `COMPARED` of both."""
    for field, (name, form) in COMPARED.items():
        yield ComparedValue(name, *(_written(getattr(x, field), form) for x in (before, after)))


def compare_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[ComparedValue]:
    """The settings (dotted key -> value) that differ, the strategy first, then by name."""
    keys = sorted({*before, *after}, key=lambda key: (key != "strategy", key))
    return [
        ComparedValue(key, *(_written(side.get(key), "g") for side in (before, after)))
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _written(value: Any, form: str) -> str:
    if isinstance(value, float):
        return DASH if math.isnan(value) else format(value, form)
    if isinstance(value, int) and not isinstance(value, bool):
        return format(value, form) if form != "g" else str(value)
    return DASH if value is None else str(value)
