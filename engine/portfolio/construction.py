"""Tools that strategies share (legs of equal money, overlapping tranches, neutrality), and constraints."""

# Shape suffixes: K decisions, N stocks, G sectors.
from collections.abc import Callable, Iterator

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.config import ConstraintConfig, PortfolioConfig
from engine.portfolio.market_data import Matrix
from engine.portfolio.strategy import Decisions

_FILL_ROUNDS = 20
_SLACK = 1e-12
_TINY = 1e-15
_SIGN_ROUNDS = 20
_Rule = Callable[[Matrix], Matrix]
Vector = NDArray[np.float64]


def balanced(raw_KN: Matrix, config: PortfolioConfig) -> Matrix:
    """Preferences ``[K, N]`` of any scale (sign = side, size = how much) as a book inside its limits.

    Each side is spread in proportion to the preferences over half of the gross, no name above
    ``max_weight``: what a cap cuts off goes to the others of its side. Both sides get the money that the
    thinner one can hold. Long only: positive preferences share ``investable``, the others are dropped.
    """
    side = config.investable if config.long_only else config.gross / 2.0
    out_KN = np.array(raw_KN, dtype=np.float64)
    _balance(out_KN, side, config.max_weight, config.long_only)
    return out_KN


def fill(raw_KN: Matrix, total: float, cap: float) -> Matrix:
    """Rows scaled to sum to ``total`` with no entry above ``cap``: min(lambda x raw, cap).

    ``raw_KN`` >= 0. A row that cannot reach the total (too few names) holds ``cap`` in each; a row of
    zeros stays zero.
    """
    out_KN = np.array(raw_KN, dtype=np.float64)
    _balance(out_KN, total, cap, True)
    return out_KN


def neutral(book_KN: Matrix) -> Matrix:
    """A book ``[K, N]`` with the heavier side of each row scaled down to the lighter one."""
    out_KN = np.array(book_KN, dtype=np.float64)
    _neutralise(out_KN)
    return out_KN


def quantile_book(decisions: Decisions, config: PortfolioConfig) -> Matrix:
    """``[K, N]``: equal money in the best and the worst ``fraction`` of each decision's names."""
    long_KN = decisions.top(config.fraction).astype(float)
    return balanced(long_KN - decisions.bottom(config.fraction), config)


def part_of_the_way(
    aim_KN: Matrix,
    decisions: Decisions,
    config: PortfolioConfig,
    share: Callable[[int, Vector], float],
) -> Matrix:
    """The held book of each tranche, moved a share of the way to the aim ``[K, N]`` of each decision.

    ``share``: of the decision and the weights that are held at it. A name without a score is sold at once.
    """
    out_KN = aim_KN.copy()
    for k in range(config.n_tranches, len(aim_KN)):
        held_N = np.where(np.isfinite(decisions.score_KN[k]), out_KN[k - config.n_tranches], 0)
        if not config.long_only:
            held_N = neutral(held_N[None])[0]
        out_KN[k] = held_N + share(k, held_N) * (aim_KN[k] - held_N)
    return out_KN


def overlap(tranche_KN: Matrix, n: int) -> Matrix:
    """Mean of the last ``n`` rows of ``[K, N]``; rows before the first count as zero.

    Jegadeesh & Titman (Journal of Finance 48, 1993): each decision renews one n-th of the book, which
    grows from nothing over the first n.
    """
    return tranche_KN if n == 1 else _overlap(np.ascontiguousarray(tranche_KN), n)


@njit(cache=True)
def _fill_side(book_N: Matrix, sign: float, total: float, cap: float) -> float:
    """Scale the entries of one sign in place; returns the sum of their sizes."""
    size = 0.0
    for n in range(book_N.size):
        size += max(sign * book_N[n], 0.0)
    if size <= 0.0:
        return 0.0
    scale, free = total / size, size
    for _ in range(_FILL_ROUNDS):
        capped, held, free = False, 0.0, 0.0
        for n in range(book_N.size):
            weight = sign * book_N[n]
            if weight <= 0.0:
                continue
            if weight * scale > cap * (1.0 + _SLACK):
                capped = True
            if weight * scale >= cap:
                held += cap
            else:
                free += weight
        if not capped or free <= 0.0:
            break
        scale = (total - held) / free
    done = 0.0
    for n in range(book_N.size):
        if sign * book_N[n] > 0.0:
            book_N[n] = sign * min(sign * book_N[n] * scale, cap)
            done += sign * book_N[n]
    return done


@njit(cache=True)
def _scale_sides(book_N: Matrix, long: float, short: float) -> None:
    side = min(long, short)
    ratio_long = side / long if long > _TINY else 0.0
    ratio_short = side / short if short > _TINY else 0.0
    for n in range(book_N.size):
        book_N[n] *= ratio_long if book_N[n] > 0.0 else ratio_short


@njit(parallel=True, cache=True)
def _balance(book_KN: Matrix, side: float, cap: float, long_only: bool) -> None:
    for k in prange(len(book_KN)):
        if long_only:
            for n in range(book_KN.shape[1]):
                book_KN[k, n] = max(book_KN[k, n], 0.0)
            _fill_side(book_KN[k], 1.0, side, cap)
        else:
            long = _fill_side(book_KN[k], 1.0, side, cap)
            _scale_sides(book_KN[k], long, _fill_side(book_KN[k], -1.0, side, cap))


@njit(parallel=True, cache=True)
def _neutralise(book_KN: Matrix) -> None:
    for k in prange(len(book_KN)):
        long = short = 0.0
        for n in range(book_KN.shape[1]):
            long += max(book_KN[k, n], 0.0)
            short += max(-book_KN[k, n], 0.0)
        _scale_sides(book_KN[k], long, short)


@njit(parallel=True, cache=True)
def _overlap(tranche_KN: Matrix, n_tranches: int) -> Matrix:
    K, N = tranche_KN.shape
    book_KN = np.zeros((K, N))
    for k in prange(K):
        for age in range(min(n_tranches, k + 1)):
            for n in range(N):
                book_KN[k, n] += tranche_KN[k - age, n]
        for n in range(N):
            book_KN[k, n] /= n_tranches
    return book_KN


def rules(
    decisions: Decisions, portfolio: PortfolioConfig, limits: ConstraintConfig
) -> Iterator[tuple[str, _Rule]]:
    """The rules that are on, in the order in which they are applied: name, function."""
    market, rows = decisions.market, decisions.row_K
    yield "no bar today", lambda book_KN: np.where(market.traded_DN[rows], book_KN, 0.0)
    if limits.min_price > 0:
        priced_KN = np.nan_to_num(market.close_raw_DN[rows]) >= limits.min_price
        yield f"price below {limits.min_price:g}", lambda book_KN: np.where(priced_KN, book_KN, 0.0)
    if limits.min_turnover > 0:
        liquid_KN = market.adv_DN[rows] >= limits.min_turnover
        name = f"turnover below {limits.min_turnover:g}"
        yield name, lambda book_KN: np.where(liquid_KN, book_KN, 0.0)
    if not portfolio.long_only and not market.shortable_N.all():
        yield (
            "not shortable",
            lambda book_KN: np.where(market.shortable_N | (book_KN > 0), book_KN, 0.0),
        )
    if limits.max_sector > 0:
        market.require_sectors("constraints.max_sector")
        yield (
            f"sector cap {limits.max_sector:g}",
            lambda book_KN: _cap_sectors(book_KN, decisions, limits.max_sector),
        )
    if not portfolio.long_only:
        yield "dollar neutral", neutral
    if limits.neutral_beta:
        yield (
            "beta neutral",
            lambda book_KN: _beta_neutral(
                book_KN, market.beta_DN[rows], portfolio, decisions, limits
            ),
        )
    if limits.volatility_target > 0:
        yield (
            f"volatility {limits.volatility_target:.0%}",
            lambda book_KN: _target_volatility(book_KN, decisions, limits),
        )


def _cap_sectors(book_KN: Matrix, decisions: Decisions, cap: float) -> Matrix:
    """Scale a sector's longs (and its shorts) of a day down to ``cap`` where they are above it."""
    scale_KN = np.ones_like(book_KN)
    for sector in range(len(decisions.market.sectors)):
        member_N = decisions.market.sector_N == sector
        for sign in (1.0, -1.0):
            side_KN = np.maximum(sign * book_KN[:, member_N], 0.0)
            total_K1 = side_KN.sum(axis=1, keepdims=True)
            factor_K1 = np.minimum(1.0, cap / np.maximum(total_K1, 1e-300))
            scale_KN[:, member_N] = np.where(side_KN > 0, factor_K1, scale_KN[:, member_N])
    return np.asarray(book_KN * scale_KN)


def _beta_neutral(
    book_KN: Matrix,
    beta_KN: Matrix,
    portfolio: PortfolioConfig,
    decisions: Decisions,
    limits: ConstraintConfig,
) -> Matrix:
    """The nearest book without net weight and without beta, scaled down where it breaks a cap.

    Nearest in sum of (change^2 / |weight|), so that small positions move little: w - |w| (a + b beta)
    with a and b from the two conditions. A weight that would change sign becomes 0 and the rest is
    solved again. A day whose betas do not vary is only made dollar neutral.
    """
    for _ in range(_SIGN_ROUNDS):
        moved_KN = _project(book_KN, beta_KN)
        flipped_KN = moved_KN * book_KN < 0
        if not flipped_KN.any():
            break
        book_KN = np.where(flipped_KN, 0.0, book_KN)
    return _scale_into_caps(neutral(moved_KN), portfolio, decisions, limits)


def _project(book_KN: Matrix, beta_KN: Matrix) -> Matrix:
    size_KN = np.abs(book_KN)
    s0, s1, s2 = ((size_KN * beta_KN**power).sum(axis=1, keepdims=True) for power in (0, 1, 2))
    net, tilt = ((book_KN * beta_KN**power).sum(axis=1, keepdims=True) for power in (0, 1))
    det = s0 * s2 - s1 * s1
    solvable = det > 1e-9 * np.maximum(s0 * s2, 1e-300)
    safe = np.where(solvable, det, 1.0)
    a = np.where(solvable, (net * s2 - tilt * s1) / safe, 0.0)
    b = np.where(solvable, (tilt * s0 - net * s1) / safe, 0.0)
    return np.where(solvable, book_KN - size_KN * (a + b * beta_KN), neutral(book_KN))


def _scale_into_caps(
    book_KN: Matrix, portfolio: PortfolioConfig, decisions: Decisions, limits: ConstraintConfig
) -> Matrix:
    """Whole days scaled down until gross, largest name and largest sector are inside their caps."""
    gross_K = np.abs(book_KN).sum(axis=1)
    largest_K = np.abs(book_KN).max(axis=1, initial=0.0)
    factor_K = np.minimum(1.0, portfolio.gross / np.maximum(gross_K, 1e-300))
    factor_K = np.minimum(factor_K, portfolio.max_weight / np.maximum(largest_K, 1e-300))
    if limits.max_sector > 0:
        for sector in range(len(decisions.market.sectors)):
            held_KN = book_KN[:, decisions.market.sector_N == sector]
            for side_KN in (np.maximum(held_KN, 0.0), np.maximum(-held_KN, 0.0)):
                total_K = np.maximum(side_KN.sum(axis=1), 1e-300)
                factor_K = np.minimum(factor_K, limits.max_sector / total_K)
    return np.asarray(book_KN * factor_K[:, None])


def _target_volatility(book_KN: Matrix, decisions: Decisions, limits: ConstraintConfig) -> Matrix:
    """Days scaled down to the target where the book's own past returns swing more than it.

    Volatility of today's weights over the returns of the last ``volatility_sessions`` sessions, times the
    root of the exchange's sessions a year. A day whose past is too short keeps its book.
    """
    daily_K = decisions.market.book_volatility(book_KN, decisions.row_K, limits.volatility_sessions)
    annual_K = daily_K * np.sqrt(decisions.market.sessions_per_year)
    known_K = np.isfinite(annual_K) & (annual_K > limits.volatility_target)
    factor_K = np.where(known_K, limits.volatility_target / np.where(known_K, annual_K, 1.0), 1.0)
    return np.asarray(book_KN * factor_K[:, None])
