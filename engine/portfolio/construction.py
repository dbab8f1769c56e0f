"""Tools that strategies and constraints share: legs of equal money, overlapping tranches, neutrality."""

# Shape suffixes: K decisions, N stocks.
import numpy as np
from numba import njit, prange

from engine.config import PortfolioConfig
from engine.portfolio.market_data import Matrix

_FILL_ROUNDS = 20
_SLACK = 1e-12
_TINY = 1e-15


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
