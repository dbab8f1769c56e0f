"""What quoted prices, adjusted ones and dividends say about each other, and which rows may be compared.

A vendor's daily file has a few sessions, each adjusted as of that evening, and the next file repeats some
of them on its own basis. A ratio of an adjusted to a quoted price says something only against another
row of the same evening, the same *vintage*.

The vendor's ratio r = adjusted / quoted stays as it is but for actions: on the day of one, everything before
is multiplied by F = r of the day before / r of the day. Both prices are rounded, so that r trembles; what
may be rounding is no action.

Whether prices hold the dividends beside them already is told by the cents in which they are quoted: a vendor
that adjusts for dividends multiplies all prices before an ex-date, and they fall off the grid of cents.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RowOrder:
    """Rows by stock, vintage and date. Arrays are ``[rows]``: one element a row, in this order."""

    rows: NDArray[np.int64]
    """Position in the file."""
    start: NDArray[np.int64]
    """Position, in this order, of the first row of the same stock and vintage."""

    @property
    def first(self) -> NDArray[np.bool_]:
        """``[rows]``: whether nothing is before a row in its vintage."""
        first: NDArray[np.bool_] = self.start == np.arange(self.start.size)
        return first

    def before(self, there: NDArray[np.bool_]) -> NDArray[np.int64]:
        """``[rows]``: the nearest earlier row of the vintage for which ``there`` holds, or -1."""
        at = np.arange(there.size)
        newest = np.maximum.accumulate(np.where(there, at, -1))
        earlier = np.concatenate(([-1], newest[:-1]))[: there.size]
        return np.where(earlier >= self.start, earlier, -1)

    def in_file(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``[rows]``: values of this order in the order of the file, in their unit."""
        out = np.empty_like(values)
        out[self.rows] = values
        return out


def order_of(symbol: pl.Series, date: pl.Series, file: pl.Series | None) -> RowOrder:
    """The order of a table; ``file`` numbers the files that its rows came from.

    Without repeated (symbol, date) all rows of a stock are one vintage, whatever files they came from.
    With them each file is a vintage of its own, and inside a file a new one begins where the dates of a
    stock turn back or stand still.
    """
    keys = pl.DataFrame(
        {"code": symbol.cast(pl.Categorical).to_physical(), "date": date.to_physical()}
    )
    sorted_keys = keys.with_row_index("row").sort("code", "date", maintain_order=True)
    code, day = sorted_keys["code"].to_numpy(), sorted_keys["date"].to_numpy()
    if ((code[1:] == code[:-1]) & (day[1:] == day[:-1])).any():
        keys = keys.with_columns(_vintage(keys, file).alias("vintage")).with_row_index("row")
        sorted_keys = keys.sort("code", "vintage", "date", maintain_order=True)
        group = sorted_keys["vintage"].to_numpy()
    else:
        group = code
    new = np.concatenate(([True], group[1:] != group[:-1]))[: group.size]
    start = np.maximum.accumulate(np.where(new, np.arange(group.size), 0))
    return RowOrder(rows=sorted_keys["row"].to_numpy().astype(np.int64), start=start)


def _vintage(keys: pl.DataFrame, file: pl.Series | None) -> pl.Series:
    """Number of each row's stock and vintage, in the order of the file."""
    whole = pl.repeat(0, len(keys), eager=True) if file is None else file
    table = keys.with_columns(whole.alias("file")).with_row_index("row")
    table = table.sort("code", "file", maintain_order=True)
    code, part, day = (table[name].to_numpy() for name in ("code", "file", "date"))
    step = np.diff(day.astype(np.int64), prepend=0)
    new = np.concatenate(([True], (code[1:] != code[:-1]) | (part[1:] != part[:-1])))[: code.size]
    forward = int((step[~new] > 0).sum()) >= int((step[~new] < 0).sum())
    new |= (step <= 0) if forward else (step >= 0)
    vintage = np.empty(code.size, dtype=np.int64)
    vintage[table["row"].to_numpy()] = np.cumsum(new)
    return pl.Series("vintage", vintage)


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
_TERMS, _SMALL = 50, 4
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
class _Actions:
    """What happened, one element a row in the order of an `RowOrder`."""

    factor: _Floats
    """What earlier prices are multiplied by: splits and spin-offs; 1 otherwise."""
    dividend: _Floats
    """Cash a share on the scale of the day; 0 otherwise."""
    unexplained: int
    """Changes of the ratio that the quoted price contradicts; they are left out."""


def actions_of(
    adjusted: _Floats, close: _Floats, order: RowOrder, known: _Floats | None = None
) -> _Actions:
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
    return _Actions(
        factor=factor, dividend=dividend, unexplained=int((~is_factor & ~is_dividend).sum())
    )


def money_of(factor: _Floats, close: _Floats, order: RowOrder, paid: _Floats | None) -> _Actions:
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
    return _Actions(factor=shares, dividend=dividend, unexplained=0)


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
    terms = [(n, m) for n in range(1, _TERMS + 1) for m in range(1, _TERMS + 1)]
    exact = np.unique([n / m for n, m in terms if n != m and min(n, m) <= _SMALL])
    place = np.clip(np.searchsorted(exact, ratio), 1, exact.size - 1)
    lower, upper = exact[place - 1], exact[place]
    nearest = np.where(ratio - lower < upper - ratio, lower, upper)
    return nearest, np.abs(ratio / nearest - 1)


_QUARTER = 60
"""Rows before a stock's last dividend that are looked at: a quarter, to the dividend before it."""
_FEW_PAID = 3
_ON, _OFF = 0.9, 0.3
"""Shares of rows on the grid that tell quoted from adjusted prices; by chance 2 to 6 % are on it."""
_NEAR, _NOISE = 0.01, 1e-5
"""Distance from a cent, in cents, that is none; the second a unit of price, for 32-bit floats."""


def hold_dividends(close: _Floats, dividend: _Floats, order: RowOrder) -> bool:
    """Whether closes ``[rows]``, as quoted but for dividends, hold the cash ``[rows]`` of the ex-dates.

    Both are in quote currency a share; NaN counts as no close and no dividend.
    """
    at = np.arange(close.size)
    last = np.full(close.size, -1)
    paid = np.flatnonzero(dividend > 0)
    last[order.start[paid]] = paid  # The latest of a stock comes last and stays.
    event = last[order.start]
    there = (event >= 0) & (close > 0)
    after, before = there & (at >= event), there & (at < event) & (at >= event - _QUARTER)
    cents = 100 * close
    grid = np.abs(cents - np.round(cents)) < _NEAR + _NOISE * close
    if before.sum() < _FEW_PAID or not after.any():
        return False
    return bool(grid[after].mean() >= _ON and grid[before].mean() <= _OFF)
