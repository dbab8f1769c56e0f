"""How much scores have been worth so far, and how long they last: what a decision knows of both."""

# Shape suffixes: D sessions, K decisions, N stocks.
import numpy as np
from numpy.typing import NDArray

from engine.evaluation.ranks import correlation_rows
from engine.features.normalise import normal_scores
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions

WINDOW = 120
"""Decisions that count: a sealed signal, which knows no older ones, then says the same."""
_USUAL_IC = 0.03
_IC_WEIGHT = 250.0
"""So many decisions the usual IC weighs: 120 overlapping ones have an error of some 0.02 themselves."""
_LIFE_WEIGHT = 5.0
_MIN_NAMES = 10
_LONGEST = 60.0


def expected_ic(decisions: Decisions, horizon: int) -> NDArray[np.float64]:
    """Correlation ``[K]`` of scores and the next ``horizon`` sessions' returns that each decision expects.

    The mean over the last 120 decisions whose return was known by then, entered one close after the score
    and left ``horizon`` sessions later, drawn to 0.03 as if that had been seen 250 times; at least 0. Both
    sides are normal scores within the day.
    """
    market, row_K = decisions.market, decisions.row_K
    start = market.index_LD.size - market.dates_D.size
    log_LN = np.log1p(np.maximum(market.returns_LDN[start:], -0.999))
    total_DN = np.vstack([np.zeros((1, log_LN.shape[1])), np.cumsum(log_LN, axis=0)])
    exit_K = row_K + 1 + horizon
    known = np.flatnonzero(exit_K < market.dates_D.size)
    moved_KN = total_DN[exit_K[known] + 1] - total_DN[row_K[known] + 2]
    scored_KN = np.isfinite(decisions.score_KN[known])
    moved_KN = normal_scores(np.where(scored_KN & market.traded_DN[row_K[known]], moved_KN, np.nan))
    ic_K = correlation_rows(decisions.normal_KN[known], moved_KN, _MIN_NAMES)
    return np.maximum(_mean_so_far(ic_K, exit_K[known], row_K, _USUAL_IC, _IC_WEIGHT), 0.0)


def expected_life(decisions: Decisions, horizon: int) -> NDArray[np.float64]:
    """Sessions ``[K]`` that a score is expected to last: 1 / (1 - correlation of one session), 1 to 60.

    The correlation is that of a decision's normal scores with those of the decision before, brought to one
    session, mean over the last 120 decisions; before there are any, that which gives ``horizon``.
    """
    normal_KN, row_K = decisions.normal_KN, decisions.row_K
    kept_K = correlation_rows(normal_KN[1:], normal_KN[:-1], _MIN_NAMES)
    kept_K = np.clip(kept_K, 0.0, 1.0) ** (1.0 / np.diff(row_K))
    mean_K = _mean_so_far(kept_K, row_K[1:], row_K, 1.0 - 1.0 / horizon, _LIFE_WEIGHT)
    return np.clip(1.0 / np.maximum(1.0 - mean_K, 1e-9), 1.0, _LONGEST)


def _mean_so_far(
    value_J: Matrix, known_at_J: NDArray[np.int64], row_K: NDArray[np.int64], usual: float, n: float
) -> NDArray[np.float64]:
    """Mean ``[K]`` of the newest values known at each row, with ``usual`` as ``n`` more; NaN = no value."""
    found_J = np.flatnonzero(np.isfinite(value_J))
    total_J = np.concatenate([[0.0], np.cumsum(value_J[found_J])])
    stop_K = np.searchsorted(known_at_J[found_J], row_K, side="right")
    start_K = np.maximum(stop_K - WINDOW, 0)
    return np.asarray((total_J[stop_K] - total_J[start_K] + n * usual) / (stop_K - start_K + n))
