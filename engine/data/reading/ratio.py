"""Corporate actions from an adjusted close beside the quoted one.

The vendor's ratio r = adjusted / quoted stays as it is but for actions: on the day of one, everything before
is multiplied by F = r of the day before / r of the day. Both prices are rounded, so that r trembles; what
may be rounding is no action.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.data.reading.vintages import Order

_Floats = NDArray[np.float64]
_LEAST = 1e-5
"""Relative change below which nothing was paid: a vendor's own arithmetic (32-bit floats) makes 2e-6."""
_OFTEN = 0.02
"""Share of rows whose F may be above 1. Dividends make it smaller (even for 70 % of a market on one day),
rounding moves it both ways: beyond this share the quoted close was rounded as well."""
_FEW = 50
"""Prices from which their decimals can be told; fewer are taken to have at least cents."""
_WHOLE = 0.0015
"""Relative distance within which a factor counts as a ratio of whole numbers."""
TERMS, SMALL = 50, 4
"""A split's n:m has no number above the first, and one of them at most the second (7:1, 3:2, 1:35)."""
_CHECKED = 0.8
"""A dividend below this factor must show in the quoted price; smaller ones drown in the day's move."""
_OWN_MOVE = 0.3
"""Log move of its own that a stock may make on the day of a large dividend."""
_LARGEST = 0.5
"""More than this share of the price is no dividend but a spin-off, which is a factor."""

_EXACT = 2e-4
"""A factor so near, and within rounding, to 1.05, 1.1 ... new shares an old one is no cash."""
_TWO_DECIMALS = 2e-3
"""Hundredths of a share by which the inverse of a factor with six digits may be off."""
_ALIKE = 0.1
"""Relative difference of a dividend as paid and as the factor has it (net of a tax, another close)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actions:
    """What happened, one element a row in the order of an `Order`."""

    factor: _Floats
    """What earlier prices are multiplied by: splits and spin-offs; 1 otherwise."""
    dividend: _Floats
    """Cash a share on the scale of the day; 0 otherwise."""
    unexplained: int
    """Changes of the ratio that the quoted price contradicts; they are left out."""


def actions_of(
    adjusted: _Floats, close: _Floats, order: Order, known: _Floats | None = None
) -> Actions:
    """Splits, spin-offs and dividends from the changes of ``adjusted / close`` (NaN or 0 = missing).

    ``known`` are split factors of another column that the ratio has as well; what is left of a change
    beside them is a dividend.
    """
    there = (adjusted > 0) & (close > 0) & np.isfinite(adjusted) & np.isfinite(close)
    before = order.before(there)
    at = np.flatnonzero(there & (before >= 0))
    before = before[at]
    split = np.ones(at.size) if known is None else known[at]
    change = np.log(adjusted[before] / close[before] * close[at] / adjusted[at]) - np.log(split)
    bound = _LEAST + _rounding(adjusted, at, before)
    if np.count_nonzero(change > bound) > _OFTEN * max(at.size, _FEW):
        bound = bound + _rounding(close, at, before)
    hit = np.abs(change) > bound
    at, before, change, split, bound = (x[hit] for x in (at, before, change, split, bound))
    jump = np.log(close[at] / close[before]) - np.log(split)
    left = np.abs(jump - change)
    agrees = left < np.abs(jump)
    whole, near = _whole(np.exp(change))
    ratio = np.where(near < bound, whole, np.exp(change))
    twentieths = 20 / ratio
    stock = np.abs(twentieths - np.round(twentieths)) < twentieths * np.minimum(bound, _EXACT)
    is_split = agrees & ((near < _WHOLE + bound) | (stock & (ratio < 1)))
    is_factor = is_split | (agrees & ((ratio < _LARGEST) | (ratio > 1 / _CHECKED)))
    is_dividend = ~is_factor & (ratio >= _LARGEST) & (ratio < 1)
    is_dividend &= agrees | (left < _OWN_MOVE) | (ratio >= _CHECKED)
    factor, dividend = np.ones(close.size), np.zeros(close.size)
    if known is not None:
        factor[:] = known
    factor[at[is_factor]] *= ratio[is_factor]
    cash = close[before] * split * (1 - ratio)
    dividend[at[is_dividend]] = cash[is_dividend]
    return Actions(
        factor=factor, dividend=dividend, unexplained=int((~is_factor & ~is_dividend).sum())
    )


def money_of(factor: _Floats, close: _Floats, order: Order, paid: _Floats | None) -> Actions:
    """Takes dividends out of factors that hold them as well, since they are cash and no change of shares.

    A small factor whose inverse has two decimals (1.05 new shares an old one) is a split. Any other is a
    dividend; where the file says what was ``paid``, only a factor that agrees with it is.
    """
    before = order.before(close > 0)
    per_share = 100 / factor
    split = np.abs(per_share - np.round(per_share)) < _TWO_DECIMALS
    at = np.flatnonzero((factor > _CHECKED) & (factor < 1) & (before >= 0) & ~split)
    dividend = np.zeros(close.size) if paid is None else paid.copy()
    cash = close[before[at]] * (1 - factor[at])
    if paid is None:
        dividend[at] = cash
    else:
        at = at[np.abs(cash - paid[at]) < _ALIKE * cash]
    shares = factor.copy()
    shares[at] = 1.0
    return Actions(factor=shares, dividend=dividend, unexplained=0)


def _rounding(prices: _Floats, at: NDArray[np.int64], before: NDArray[np.int64]) -> _Floats:
    """Log error of two prices together, from the decimals that nearly all prices of the column have."""
    sample = prices[at[:: max(1, at.size // 100_000)]]
    if not sample.size:
        return np.zeros(0)
    for places in range(0 if sample.size >= _FEW else 2, 9):
        scaled = sample * 10.0**places
        if np.mean(np.abs(scaled - np.round(scaled)) <= 1e-6 + 1e-12 * scaled) >= 0.99:
            half = 0.5 * 10.0**-places
            one, other = (np.minimum(half / prices[rows], 0.99) for rows in (at, before))
            error: _Floats = -np.log1p(-one) - np.log1p(-other)
            return error
    return np.zeros(at.size)


def _whole(ratio: _Floats) -> tuple[_Floats, _Floats]:
    """The nearest n:m with small whole numbers, and the relative distance from it."""
    terms = [(n, m) for n in range(1, TERMS + 1) for m in range(1, TERMS + 1)]
    exact = np.unique([n / m for n, m in terms if n != m and min(n, m) <= SMALL])
    place = np.clip(np.searchsorted(exact, ratio), 1, exact.size - 1)
    lower, upper = exact[place - 1], exact[place]
    nearest = np.where(ratio - lower < upper - ratio, lower, upper)
    return nearest, np.abs(ratio / nearest - 1)
