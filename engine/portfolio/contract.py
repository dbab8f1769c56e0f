"""What every strategy must keep: `atft-tui strategies NAME` and the test suite run these checks.

The market is random and small, with holes, ties and days that have one name or none.
"""

# Shape suffixes: D sessions, K decisions, N stocks.
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.config import ConstraintConfig, CostConfig, PortfolioConfig
from engine.portfolio.book import build_book, exposures
from engine.portfolio.market_data import MarketData, Matrix
from engine.portfolio.strategy import Decisions, Strategy, Terms, choose
from engine.workspace_code import BrokenPromiseError, PromiseCheck, tried

_D, _N, _LOOK_BACK = 60, 45, 30
_CUT = 30
_FREE = CostConfig(commission_bps=0.0, slippage_bps=0.0, impact_bps=0.0)
"""The kit's scores of chance would rightly not be traded at a cost by a strategy that minds it."""
_SETTINGS = (
    PortfolioConfig(horizon=5, fraction=0.2),
    PortfolioConfig(horizon=1, fraction=0.1, gross=1.0, max_weight=0.08),
    PortfolioConfig(horizon=10, rebalance_sessions=2, fraction=0.15),
    PortfolioConfig(horizon=5, fraction=0.2, long_only=True),
)


def check_strategy(strategy: Strategy) -> list[PromiseCheck]:
    """All promises, each tried under several settings; never raises for a broken one."""

    def under_all(promise: Callable[[Strategy, PortfolioConfig], object]) -> None:
        for config in _SETTINGS:
            promise(strategy, config)

    return tried((name, partial(under_all, promise)) for name, promise in _promises())


def _example(config: PortfolioConfig, seed: int = 0) -> Decisions:
    """A random market with scores: a third of the names unscored on a day, one day empty, one nearly."""
    rng = np.random.default_rng(seed)
    score_DN = rng.normal(size=(_D, _N)).astype(np.float32).astype(np.float64)
    score_DN[rng.random((_D, _N)) < 0.3] = np.nan
    score_DN[7] = np.nan
    score_DN[11, 1:] = np.nan
    traded_DN = rng.random((_D, _N)) > 0.05
    market = MarketData(
        dates_D=np.datetime64("2020-01-01") + np.arange(_D),
        symbols=tuple(f"S{n:03d}" for n in range(_N)),
        market="us",
        traded_DN=traded_DN,
        close_raw_DN=np.exp(rng.normal(3.0, 1.0, (_D, _N))),
        adv_DN=np.exp(rng.normal(14.0, 1.0, (_D, _N))),
        returns_LDN=rng.normal(0.0, 0.02, (_LOOK_BACK + _D, _N)),
        index_LD=rng.normal(0.0, 0.01, _LOOK_BACK + _D),
        sector_N=rng.integers(0, 4, _N),
        sectors=("A", "B", "C", "D"),
        shortable_N=np.ones(_N, dtype=bool),
    )
    return Decisions.of(score_DN, market, config, Terms(costs=_FREE))


def _promises() -> Iterator[tuple[str, Callable[[Strategy, PortfolioConfig], object]]]:
    yield "finite weights of scored names only", lambda s, c: _chosen(s, _example(c), c)
    yield "inside gross, net and name limits", _limits
    yield "the same twice", _deterministic
    yield "its inputs stay as they were", _pure
    yield "no look-ahead", _causal
    yield "the order of the stocks does not matter", _equivariant
    yield "equal scores decide nothing", _ties
    yield "higher scores get more", _sign
    yield "holds something", _invests


def _chosen(strategy: Strategy, decisions: Decisions, config: PortfolioConfig) -> Matrix:
    return choose(strategy, decisions, config)


def _limits(strategy: Strategy, config: PortfolioConfig) -> None:
    build_book(strategy, _example(config), config, ConstraintConfig())
    gross_K, _, largest_K = exposures(_chosen(strategy, _example(config), config))
    if gross_K.max() > config.investable + 1e-9 or largest_K.max() > config.max_weight + 1e-9:
        raise BrokenPromiseError(
            f"gross {gross_K.max():.4g} or name {largest_K.max():.4g} too large"
        )


def _deterministic(strategy: Strategy, config: PortfolioConfig) -> None:
    first, second = (_chosen(strategy, _example(config), config) for _ in range(2))
    if not np.array_equal(first, second):
        raise BrokenPromiseError("two calls with the same input differ")


def _pure(strategy: Strategy, config: PortfolioConfig) -> None:
    decisions = _example(config)
    before = decisions.score_KN.copy()
    _chosen(strategy, decisions, config)
    if not np.array_equal(before, decisions.score_KN, equal_nan=True):
        raise BrokenPromiseError("the scores were changed in place")


def _causal(strategy: Strategy, config: PortfolioConfig) -> None:
    decisions = _example(config)
    noise, market = _example(config, seed=1), decisions.market
    cut = int(np.searchsorted(decisions.row_K, _CUT))
    later = noise.market
    changed = replace(
        decisions,
        score_KN=np.where(
            np.arange(len(decisions.row_K))[:, None] < cut, decisions.score_KN, -decisions.score_KN
        ),
        market=replace(
            market,
            traded_DN=_spliced(market.traded_DN, later.traded_DN, _CUT),
            close_raw_DN=_spliced(market.close_raw_DN, later.close_raw_DN, _CUT),
            adv_DN=_spliced(market.adv_DN, later.adv_DN, _CUT),
            returns_LDN=_spliced(market.returns_LDN, later.returns_LDN, _CUT + _LOOK_BACK),
            index_LD=_spliced(market.index_LD, later.index_LD, _CUT + _LOOK_BACK),
        ),
    )
    ours, theirs = (_chosen(strategy, one, config)[:cut] for one in (decisions, changed))
    if not np.array_equal(ours, theirs):
        k = int(np.argmax((ours != theirs).any(axis=1)))
        raise BrokenPromiseError(
            f"weights of decision {k} change with what comes after decision {cut - 1}"
        )


_Kind = TypeVar("_Kind", bound=np.generic)


def _spliced(before: NDArray[_Kind], after: NDArray[_Kind], row: int) -> NDArray[_Kind]:
    return np.concatenate([before[:row], after[row:]])


def _equivariant(strategy: Strategy, config: PortfolioConfig) -> None:
    decisions = _example(config)
    order = np.random.default_rng(2).permutation(_N)
    market = decisions.market
    moved = replace(
        decisions,
        score_KN=np.ascontiguousarray(decisions.score_KN[:, order]),
        market=replace(
            market,
            traded_DN=np.ascontiguousarray(market.traded_DN[:, order]),
            close_raw_DN=np.ascontiguousarray(market.close_raw_DN[:, order]),
            adv_DN=np.ascontiguousarray(market.adv_DN[:, order]),
            returns_LDN=np.ascontiguousarray(market.returns_LDN[:, order]),
            sector_N=market.sector_N[order],
            shortable_N=market.shortable_N[order],
        ),
    )
    ours = _chosen(strategy, decisions, config)[:, order]
    if not np.allclose(ours, _chosen(strategy, moved, config), atol=1e-12):
        raise BrokenPromiseError("another order of the stocks gives another book")


def _ties(strategy: Strategy, config: PortfolioConfig) -> None:
    decisions = _example(config)
    flat = decisions.with_scores(np.where(np.isfinite(decisions.score_KN), 1.0, np.nan))
    if _chosen(strategy, flat, config).any():
        raise BrokenPromiseError("a day on which all scores are equal is traded")


def _sign(strategy: Strategy, config: PortfolioConfig) -> None:
    decisions = _example(config)
    weight_KN = _chosen(strategy, decisions, config)
    lean = float((weight_KN * np.nan_to_num(decisions.normal_KN)).sum())
    if lean <= 0:
        raise BrokenPromiseError(f"weights lean against the scores (sum of products {lean:.3g})")


def _invests(strategy: Strategy, config: PortfolioConfig) -> None:
    gross_K, _, _ = exposures(_chosen(strategy, _example(config), config))
    if np.median(gross_K) <= 0.0:
        raise BrokenPromiseError("more than half of the decisions hold nothing")
