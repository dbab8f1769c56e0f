"""One session's option chain in a few figures: levels of implied volatility, skew, volumes.

A chain whose rows became available on different days has one version per such day, made of the newest row
of each contract known by then. Options whose implied volatility is missing or not positive are left out
of the volatilities, and options that expire within a week of them altogether.
"""

# Shape suffixes: R rows of the chain, D versions of days, M figures.
import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.features.context import Array

FIGURES = (
    "near", "next", "put_95", "call_105", "next_put_95", "next_call_105", "iv_30", "smile_30",
    "put_volume", "call_volume", "put_interest", "call_interest", "underlying", "interest_level",
)  # fmt: skip
"""Implied volatility a year: at the money of the near and next expiry; of puts struck at 95 % and calls
at 105 % of the underlying (near, then next); at the money and averaged over strikes within 10 %, both at
30 days. Then contracts traded and open, the underlying, and the open-interest mean of strike / underlying.
"""
_MIN_DAYS = 7
"""Calendar days to expiry below which an expiry is passed over."""
_CONTRACT = ("expiry", "kind", "strike")


def summarise(options: pl.DataFrame) -> pl.DataFrame:
    """``date, available`` and one column per figure; NaN = the chain does not tell."""
    rows = options.drop_nulls(["date", "available", "expiry", "strike", "kind"])
    versions = rows.select("date", "available").unique().sort("date", "available")
    latest = (
        versions.rename({"available": "known"})
        .join(rows, on="date")
        .filter(pl.col("available") <= pl.col("known"))
        .sort("date", "known", *_CONTRACT, "available", maintain_order=True)
        .unique(["date", "known", *_CONTRACT], keep="last", maintain_order=True)
    )
    key = latest.select(pl.struct("date", "known").rle_id()).to_series().cast(pl.Int64).to_numpy()
    start_D = np.concatenate([np.flatnonzero(np.diff(key, prepend=-1)), [key.size]])

    def number(name: str) -> Array:
        return latest[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()

    figures_DM: Array = _summaries(
        start_D.astype(np.int64),
        (latest["expiry"] - latest["date"]).dt.total_days().to_numpy(),
        latest["strike"].to_numpy(),
        (latest["kind"] == "put").to_numpy(),
        number("implied_volatility"),
        number("open_interest"),
        number("volume"),
        number("underlying"),
        len(FIGURES),
    )
    return versions.with_columns(
        pl.Series(name, figures_DM[:, m], dtype=pl.Float64) for m, name in enumerate(FIGURES)
    )


@njit(cache=True)
def _summaries(
    start_D: NDArray[np.int64],
    days_R: NDArray[np.int64],
    strike_R: Array,
    put_R: NDArray[np.bool_],
    iv_R: Array,
    interest_R: Array,
    volume_R: Array,
    underlying_R: Array,
    n_figures: int,
) -> Array:
    D = start_D.size - 1
    out_DM = np.full((D, n_figures), np.nan)
    for d in range(D):
        a, b = start_D[d], start_D[d + 1]
        spot = np.nan
        for r in range(a, b):
            if underlying_R[r] > 0.0:
                spot = underlying_R[r]
        days = days_R[a:b]
        level = strike_R[a:b] / spot
        near = _smallest(days, _MIN_DAYS - 1)
        following = _smallest(days, near)
        iv, put = iv_R[a:b], put_R[a:b]
        one, two = days == near, days == following
        out = out_DM[d]
        out[0], out[1] = _at_money(level, iv, put, one), _at_money(level, iv, put, two)
        out[2], out[3] = _at(0.95, level, iv, one & put), _at(1.05, level, iv, one & ~put)
        out[4], out[5] = _at(0.95, level, iv, two & put), _at(1.05, level, iv, two & ~put)
        out[6] = _thirty(out[0], near, out[1], following)
        out[7] = _thirty(
            _wing_mean(level, iv, put, one), near, _wing_mean(level, iv, put, two), following
        )
        out[8], out[9] = _total(volume_R[a:b], put), _total(volume_R[a:b], ~put)
        out[10], out[11] = _total(interest_R[a:b], put), _total(interest_R[a:b], ~put)
        out[12] = spot
        every = np.ones(b - a, dtype=np.bool_)
        weight = np.where(np.isfinite(level), interest_R[a:b], np.nan)
        contracts = _total(weight, every)
        out[13] = _total(level * weight, every) / contracts if contracts > 0.0 else np.nan
    return out_DM


@njit(cache=True)
def _smallest(days_R: NDArray[np.int64], above: int) -> int:
    """The fewest days to expiry beyond ``above``; very many if there is none."""
    best = 10**9
    for day in days_R:
        if above < day < best:
            best = day
    return int(best)


@njit(cache=True)
def _at(target: float, level_R: Array, iv_R: Array, use_R: NDArray[np.bool_]) -> float:
    """Implied volatility at a moneyness, linear between the strikes on either side."""
    below, above, iv_below, iv_above = -np.inf, np.inf, np.nan, np.nan
    for r in range(level_R.size):
        if not (use_R[r] and iv_R[r] > 0.0 and np.isfinite(iv_R[r])):
            continue
        if below < level_R[r] <= target:
            below, iv_below = level_R[r], iv_R[r]
        if target <= level_R[r] < above:
            above, iv_above = level_R[r], iv_R[r]
    if not above > below:
        return float(iv_below)
    share = (target - below) / (above - below)
    return float(iv_below + share * (iv_above - iv_below))


@njit(cache=True)
def _at_money(
    level_R: Array, iv_R: Array, put_R: NDArray[np.bool_], use_R: NDArray[np.bool_]
) -> float:
    """Mean of put and call at the money, or the one there is."""
    put = _at(1.0, level_R, iv_R, use_R & put_R)
    call = _at(1.0, level_R, iv_R, use_R & ~put_R)
    if np.isnan(put):
        return call
    return put if np.isnan(call) else 0.5 * (put + call)


@njit(cache=True)
def _wing_mean(
    level_R: Array, iv_R: Array, put_R: NDArray[np.bool_], use_R: NDArray[np.bool_]
) -> float:
    """Root of the mean squared volatility of out-of-the-money options struck within 10 %, from three on."""
    count, total = 0, 0.0
    for r in range(level_R.size):
        out_of_money = level_R[r] <= 1.0 if put_R[r] else level_R[r] >= 1.0
        if use_R[r] and out_of_money and abs(level_R[r] - 1.0) <= 0.1 and iv_R[r] > 0.0:
            count += 1
            total += iv_R[r] ** 2
    return float(np.sqrt(total / count)) if count >= 3 else np.nan


@njit(cache=True)
def _thirty(near_iv: float, near: int, next_iv: float, following: int) -> float:
    """Volatility at 30 days, total variance linear in time; the near one where 30 is not between."""
    if np.isnan(next_iv) or not near <= 30 <= following:
        return near_iv if near <= 365 else np.nan
    share = (30 - near) / (following - near)
    total = (1.0 - share) * near_iv**2 * near + share * next_iv**2 * following
    return float(np.sqrt(total / 30))


@njit(cache=True)
def _total(value_R: Array, use_R: NDArray[np.bool_]) -> float:
    """Sum of the values there are; NaN if there are none."""
    count, total = 0, 0.0
    for r in range(value_R.size):
        if use_R[r] and np.isfinite(value_R[r]):
            count += 1
            total += value_R[r]
    return float(total) if count else np.nan
