"""Index options: what the market expects of volatility, how it is skewed, and who trades.

All of market scope. Statistics run over the table's own days, as they were known; sd is a standard
deviation, IV an implied volatility (fraction a year) of the index.

A chain whose rows became available on different days has one version per such day, made of the newest row
of each contract known by then. Options whose implied volatility is missing or not positive are left out
of the volatilities, and options that expire within a week of them altogether.
"""

# Shape suffixes: R rows of the chain, D versions of days, M figures.

from collections.abc import Callable

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, arrange, table
from engine.features.feature import Family, Feature, log, ratio

_options = Family(
    name="options",
    prefix="option_",
    source="options",
    published="the day the source delivers the chain; J-Quants: after midnight, so the session after",
    scope="market",
)
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
_YEAR = np.sqrt(252.0)
_Figure = Callable[[Rows], Array]
"""Rows of daily figures (`FIGURES`) -> one value per row."""


def _summarise(options: pl.DataFrame) -> pl.DataFrame:
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


def chain(x: Context) -> Rows:
    """`FIGURES` of each day as it was known, one version a day on which rows came."""

    def make() -> Rows:
        return arrange(_summarise(table(x, "options")), None, (), x.dense.dates_S)

    return x.once("option chain", make)


def _feature(name: str, formula: str, unit: str, figure: _Figure) -> Feature:
    def compute(x: Context) -> Array:
        rows = chain(x)
        return np.asarray(rows.at_close(figure(rows))[0])

    return _options(name, formula, unit, 0, compute)


def _column(name: str) -> _Figure:
    return lambda r: r.column(name)


def _change(sessions: int) -> _Figure:
    return lambda r: r.change(log(r.column("iv_30")), sessions)


def _less_mean(figure: _Figure) -> _Figure:
    return lambda r: figure(r) - r.mean(figure(r), 20)


def _skew(r: Rows) -> Array:
    return r.column("put_95") - r.column("call_105")


def _put_call(what: str) -> _Figure:
    return lambda r: log(ratio(r.column(f"put_{what}"), r.column(f"call_{what}")))


def _log_total(what: str) -> _Figure:
    return lambda r: log(r.column(f"put_{what}") + r.column(f"call_{what}"))


def _realised(r: Rows, days: int) -> Array:
    """sd of the underlying's daily log returns, a year."""
    return np.asarray(_YEAR * r.std(r.change(log(r.column("underlying")), 1), days))


_IV = "fraction a year"

FEATURES: tuple[Feature, ...] = (
    _feature("iv_near", "at-the-money IV of the near expiry (7 days away or more)", _IV,
             _column("near")),
    _feature("iv_next", "at-the-money IV of the expiry after", _IV, _column("next")),
    _feature("iv_30", "at-the-money IV at 30 days, variance linear in time", _IV, _column("iv_30")),
    _feature("iv_wings", "root mean square IV of out-of-the-money strikes within 10 %, 30 days", _IV,
             _column("smile_30")),
    _feature("wing_premium", "iv_wings / IV30 - 1", "1",
             lambda r: ratio(r.column("smile_30"), r.column("iv_30")) - 1.0),
    _feature("term_slope", "IV next / IV near - 1", "1",
             lambda r: ratio(r.column("next"), r.column("near")) - 1.0),
    _feature("skew", "IV of 95 % puts less IV of 105 % calls, near expiry", _IV, _skew),
    _feature("skew_put", "IV of 95 % puts less at the money, near expiry", _IV,
             lambda r: r.column("put_95") - r.column("near")),
    _feature("smile", "mean IV of 95 % puts and 105 % calls less at the money", _IV,
             lambda r: 0.5 * (r.column("put_95") + r.column("call_105")) - r.column("near")),
    _feature("skew_term", "skew of the next expiry less that of the near one", _IV,
             lambda r: r.column("next_put_95") - r.column("next_call_105") - _skew(r)),
    _feature("skew_change_5", "skew less that of 5 sessions before", _IV,
             lambda r: r.change(_skew(r), 5)),
    *(_feature(f"iv_change_{n}", f"ln IV30 less that of {n} sessions before", "ln", _change(n))
      for n in (1, 5, 20)),
    _feature("iv_percentile_252", "share of the last 252 sessions with IV30 not above", "0..1",
             lambda r: r.percentile(r.column("iv_30"), 252)),
    _feature("iv_less_realised", "IV30 less sd of the underlying's 20 log returns a year", _IV,
             lambda r: r.column("iv_30") - _realised(r, 20)),
    _feature("iv_volatility_20", "sd of daily changes of ln IV30, 20 sessions", "ln",
             lambda r: r.std(r.change(log(r.column("iv_30")), 1), 20)),
    _feature("put_call_volume", "ln(put volume / call volume)", "ln", _put_call("volume")),
    _feature("put_call_volume_20", "put_call_volume less its mean of 20 sessions", "ln",
             _less_mean(_put_call("volume"))),
    _feature("put_call_interest", "ln(put open interest / call open interest)", "ln",
             _put_call("interest")),
    _feature("volume_shock", "ln volume less its mean of 20 sessions", "ln",
             _less_mean(_log_total("volume"))),
    _feature("interest_change_5", "ln open interest less that of 5 sessions before", "ln",
             lambda r: r.change(_log_total("interest")(r), 5)),
    _feature("interest_level", "open-interest mean of strike / underlying, less 1", "fraction",
             lambda r: r.column("interest_level") - 1.0),
)  # fmt: skip
