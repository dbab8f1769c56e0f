"""What a strategy is, what it may see, and how one is found by name."""

# Shape suffixes: K decisions, N stocks that are scored on any of them.
import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Protocol, Self, runtime_checkable

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.commands.strategies import built_in_strategies, strategy_summaries
from engine.config import ConstraintConfig, CostConfig, PortfolioConfig
from engine.errors import DataError, GateError, UsageError
from engine.evaluation.ranks import centred_rank_rows, counts_from_ends
from engine.features.normalise import normal_scores
from engine.portfolio.market_data import MarketData, Matrix, positions
from engine.portfolio.prediction import score_column
from engine.workspace_code import UserModule, refuse_shadow, unknown

_PAGE = "docs/strategies.md shows a whole one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What trading costs and what is forbidden, for a strategy that weighs them against its scores."""

    costs: CostConfig = field(default_factory=CostConfig)
    limits: ConstraintConfig = field(default_factory=ConstraintConfig)
    capital: float = 1e7
    """Equity that impact is reckoned on, quote currency."""


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """Scores of the days on which the book is decided, and the market as it was known then."""

    market: MarketData
    row_K: NDArray[np.int64]
    """Session of each decision, a row of the market's tables."""
    score_KN: Matrix
    """Higher = expected to return more; NaN = not scored on the day."""
    terms: Terms = field(default_factory=Terms)

    @classmethod
    def of(
        cls,
        score_DN: Matrix,
        market: MarketData,
        config: PortfolioConfig,
        terms: Terms | None = None,
    ) -> Self:
        """Every ``rebalance_sessions``-th day that has scores; a day without any decides nothing."""
        row_K = np.flatnonzero(np.isfinite(score_DN).any(axis=1))[:: config.rebalance_sessions]
        score_KN = score_DN if row_K.size == len(score_DN) else score_DN[row_K]
        return cls(market=market, row_K=row_K, score_KN=score_KN, terms=terms or Terms())

    def with_scores(self, score_KN: Matrix) -> Self:
        """The same decisions by other scores ``[K, N]``, NaN = not scored."""
        return replace(self, score_KN=score_KN)

    @property
    def from_top_KN(self) -> NDArray[np.int32]:
        """``[K, N]`` names that score at least as high, itself included (1 = best alone); 0 = not scored."""
        return self._counts[0]

    @property
    def from_bottom_KN(self) -> NDArray[np.int32]:
        """``[K, N]`` names that score at least as low, itself included (1 = worst alone); 0 = not scored."""
        return self._counts[1]

    @cached_property
    def _counts(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        return counts_from_ends(self.score_KN)

    @cached_property
    def n_scored_K1(self) -> NDArray[np.int64]:
        """``[K, 1]`` scored names of each decision."""
        return np.asarray(np.isfinite(self.score_KN).sum(axis=1, keepdims=True))

    @cached_property
    def normal_KN(self) -> Matrix:
        """Normal scores of the day's ranks, mean 0 and deviation near 1; NaN = not scored."""
        return normal_scores(self.score_KN)

    @cached_property
    def neutral(self) -> dict[tuple[str | float, ...], Self]:
        """What `_neutralised` has made of these decisions, by styles and share: cells of a sweep share it."""
        return {}

    def top(self, fraction: float) -> NDArray[np.bool_]:
        """``[K, N]``: among the best ``fraction`` of the day's names. Ties are never split: equal
        scores are in together or not at all.
        """
        leg_K1 = np.floor(self.n_scored_K1 * fraction)
        return np.asarray((self.from_top_KN > 0) & (self.from_top_KN <= leg_K1))

    def bottom(self, fraction: float) -> NDArray[np.bool_]:
        """``[K, N]``: among the worst ``fraction`` of the day's names, ties as in `top`."""
        leg_K1 = np.floor(self.n_scored_K1 * fraction)
        return np.asarray((self.from_bottom_KN > 0) & (self.from_bottom_KN <= leg_K1))


@runtime_checkable
class Strategy(Protocol):
    """From scores to the book of a day, before tranches, constraints and costs.

    ``weights`` returns ``[K, N]`` fractions of equity, finite, 0 for names without a score; row k may
    depend on rows up to k only. The engine lays ``n_tranches`` of them over each other, applies the
    constraints and makes the book dollar neutral; a strategy only says what it would like to hold.
    """

    @property
    def name(self) -> str:
        """The name as it is written in the configuration."""
        ...

    def weights(self, decisions: Decisions, config: PortfolioConfig) -> Matrix:
        """``[K, N]`` fractions of equity."""
        ...


def memory_of(strategy: Strategy, config: PortfolioConfig) -> int:
    """Renewals of a tranche before the newest that its weights depend on (``memory(config)`` of a strategy
    that trades from the book it holds); 0 for one that does not say.
    """
    memory = getattr(strategy, "memory", None)
    return int(memory(config)) if memory else 0


def minds_terms(strategy: Strategy) -> bool:
    """Whether costs and constraints change what it wishes (``minds_terms`` of a strategy)."""
    return bool(getattr(strategy, "minds_terms", False))


def load_strategy(name: str, workspace: Path | None = None) -> Strategy:
    """``STRATEGY`` of the built-in module ``strategies.<name>``, else of ``strategies/<name>.py`` of the
    workspace (None: built-in ones alone); nothing else is ever loaded.

    UsageError where there is none, where it does not keep the interface, and where one of the workspace has
    the name of a built-in one.
    """
    if not name.isidentifier():
        raise UsageError(f"{name!r} is no strategy name", hint="name a module of strategies/")
    built_in = built_in_strategies()
    if name in built_in:
        if workspace:
            refuse_shadow(workspace, "strategies", name, built_in)
        return _taken(importlib.import_module(f"strategies.{name}"), name, f"strategies/{name}.py")
    own = UserModule.load(workspace, "strategies", name) if workspace else None
    if own is None:
        known = strategy_summaries(workspace) if workspace else built_in
        raise unknown("strategies", name, known)
    return _taken(own.module, name, str(own.path))


def _taken(module: ModuleType, name: str, place: str) -> Strategy:
    strategy = getattr(module, "STRATEGY", None)
    if not isinstance(strategy, Strategy):
        raise UsageError(
            f"{place} defines no STRATEGY with a name and a weights method", hint=_PAGE
        )
    if strategy.name != name:
        raise UsageError(f"{place}: its STRATEGY has the name {strategy.name!r}", hint=_PAGE)
    return strategy


def choose(strategy: Strategy, decisions: Decisions, config: PortfolioConfig) -> Matrix:
    """The strategy's weights; refused unless they have the right shape, are finite and were scored."""
    weight_KN = np.asarray(strategy.weights(decisions, config), dtype=np.float64)
    if weight_KN.shape != decisions.score_KN.shape:
        raise GateError(
            f"strategy {strategy.name}: weights have shape {weight_KN.shape}, "
            f"not {decisions.score_KN.shape} (decisions, stocks)"
        )
    k, n = _first_stray(weight_KN, decisions.score_KN)
    if k >= 0:
        date = decisions.market.dates_D[decisions.row_K[k]]
        raise GateError(
            f"strategy {strategy.name}: weight {weight_KN[k, n]} of {decisions.market.symbols[n]} on "
            f"{date} is not finite, or the stock has no score that day",
            hint="a strategy may only hold what was scored",
        )
    return weight_KN


@njit(cache=True)
def _first_stray(weight_KN: Matrix, score_KN: Matrix) -> tuple[int, int]:
    """Place in ``[K, N]`` of the first weight that is not finite or has no score; (-1, -1) = none."""
    K, N = weight_KN.shape
    for k in range(K):
        for n in range(N):
            weight = weight_KN[k, n]
            if not np.isfinite(weight) or (weight != 0.0 and np.isnan(score_KN[k, n])):
                return k, n
    return -1, -1


def dense_scores(frame: pl.DataFrame, market: MarketData, horizons: Sequence[int]) -> Matrix:
    """The traded score ``[D, N]`` of rows ``date, symbol, score_<h>`` on the market's axes; NaN = not scored.

    DataError where a horizon has no column. Rows of other days and stocks are left out.
    """
    missing = [score_column(h) for h in horizons if score_column(h) not in frame.columns]
    if missing:
        raise DataError(
            f"the scores have no column {', '.join(missing)}",
            hint="trade the horizon that they know: portfolio.score = horizon, portfolio.horizon",
        )
    dates = pl.Series("date", market.dates_D).cast(pl.Date)
    place = positions(frame, dates, pl.Series("symbol", market.symbols))
    inside = place["row"].is_not_null() & place["column"].is_not_null()
    frame, place = frame.filter(inside), place.filter(inside)
    row, column = place["row"].to_numpy(), place["column"].to_numpy()
    score_HDN = np.full((len(horizons), len(dates), len(market.symbols)), np.nan)
    for score_DN, horizon in zip(score_HDN, horizons, strict=True):
        score_DN[row, column] = frame[score_column(horizon)].to_numpy()
    return traded_scores(score_HDN)


def traded_scores(score_HDN: NDArray[np.floating]) -> Matrix:
    """One score ``[D, N]`` of those of several horizons ``[H, D, N]``: of one itself, else the mean of the
    centred ranks within the day; NaN where one of them is not known.
    """
    if len(score_HDN) == 1:
        return np.asarray(score_HDN[0], dtype=np.float64)
    known_DN = np.isfinite(score_HDN).all(axis=0)
    n_D1 = np.maximum(known_DN.sum(axis=1, keepdims=True), 1)
    total_DN = np.zeros(known_DN.shape)
    for score_DN in score_HDN:
        total_DN += centred_rank_rows(np.where(known_DN, score_DN, np.nan).astype(float)) / n_D1
    mean_DN = (total_DN / len(score_HDN)).astype(np.float32).astype(np.float64)
    return np.where(known_DN, mean_DN, np.nan)
