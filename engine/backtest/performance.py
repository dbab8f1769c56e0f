"""Figures of a series of daily returns: one function each, with its formula and unit.

Returns are simple, net unless a name says otherwise, as fractions of the equity of the session before.
An undefined figure is NaN, never 0.
"""

# Shape suffixes: D sessions.
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawdown:
    """The deepest fall from a high of the equity."""

    depth: float
    """Fraction, <= 0."""
    peak: int
    """Sessions before the first return of the fall; 0 = the start."""
    trough: int
    """Number of returns up to and including the lowest point."""
    recovery: int | None
    """Number of returns up to the first session at or above the old high; None = not yet."""


def sharpe(returns_D: Series, sessions_per_year: int) -> float:
    """Mean / standard deviation (ddof 1) x sqrt(sessions per year); zero risk-free rate.

    NaN below two returns or when they do not vary.
    """
    if returns_D.size < 2:
        return NAN
    deviation = float(returns_D.std(ddof=1))
    if not deviation > 1e-15:
        return NAN
    return float(returns_D.mean()) / deviation * math.sqrt(sessions_per_year)


def sharpe_rows(returns_KD: Series, sessions_per_year: int) -> Series:
    """`sharpe` of each row."""
    deviation_K = returns_KD.std(axis=1, ddof=1)
    mean_K = returns_KD.mean(axis=1)
    ratio_K = np.divide(
        mean_K, deviation_K, out=np.full_like(mean_K, NAN), where=deviation_K > 1e-15
    )
    return np.asarray(ratio_K * math.sqrt(sessions_per_year), dtype=np.float64)


def equity(returns_D: Series) -> Series:
    """Growth of 1: ``D + 1`` values, the first is 1."""
    return np.concatenate([[1.0], np.cumprod(1.0 + returns_D)])


def annual_return(returns_D: Series, sessions_per_year: int) -> float:
    """Compound growth a year: (product of 1 + r) ^ (sessions per year / D) - 1. Fraction."""
    if returns_D.size == 0:
        return NAN
    growth = float(np.prod(1.0 + returns_D))
    return growth ** (sessions_per_year / returns_D.size) - 1.0 if growth > 0 else -1.0


def annual_volatility(returns_D: Series, sessions_per_year: int) -> float:
    """Standard deviation (ddof 1) x sqrt(sessions per year). Fraction."""
    if returns_D.size < 2:
        return NAN
    return float(returns_D.std(ddof=1)) * math.sqrt(sessions_per_year)


def drawdowns(returns_D: Series) -> Series:
    """Equity / highest equity so far - 1, ``D + 1`` values <= 0."""
    curve = equity(returns_D)
    return np.asarray(curve / np.maximum.accumulate(curve) - 1.0)


def max_drawdown(returns_D: Series) -> _Drawdown:
    """The deepest fall of the equity over these ``[D]`` returns."""
    curve, fall = equity(returns_D), drawdowns(returns_D)
    trough = int(np.argmin(fall))
    peak = int(np.argmax(curve[: trough + 1]))
    back = np.flatnonzero(curve[trough:] >= curve[peak])
    return _Drawdown(
        depth=float(fall[trough]),
        peak=peak,
        trough=trough,
        recovery=trough + int(back[0]) if back.size else None,
    )


def worst_drawdowns(returns_D: Series, count: int) -> list[_Drawdown]:
    """The deepest falls that do not overlap, deepest first; each ends when the old high is regained."""
    curve = equity(returns_D)
    at_high = np.flatnonzero(curve >= np.maximum.accumulate(curve))
    falls = []
    for peak, after in zip(at_high, [*at_high[1:], None], strict=True):
        stop = curve.size if after is None else int(after)
        inside = curve[peak:stop]
        if inside.size < 2:
            continue
        trough = int(peak) + int(np.argmin(inside))
        depth = float(curve[trough] / curve[peak] - 1.0)
        falls.append(
            _Drawdown(
                depth=depth,
                peak=int(peak),
                trough=trough,
                recovery=None if after is None else stop,
            )
        )
    return sorted(falls, key=lambda fall: fall.depth)[:count]


def sortino(returns_D: Series, sessions_per_year: int) -> float:
    """Mean / downside deviation x sqrt(sessions per year); target return 0.

    Downside deviation: sqrt(mean of min(r, 0)^2 over all sessions) (Sortino & Price, Journal of
    Investing 3, 1994). NaN without a negative return.
    """
    if returns_D.size < 2:
        return NAN
    downside = math.sqrt(float((np.minimum(returns_D, 0.0) ** 2).mean()))
    return float(returns_D.mean()) / downside * math.sqrt(sessions_per_year) if downside else NAN


def calmar(returns_D: Series, sessions_per_year: int) -> float:
    """Compound annual return / |largest drawdown| (Young, Futures 20, 1991). NaN without a fall."""
    if returns_D.size == 0:
        return NAN
    depth = max_drawdown(returns_D).depth
    return annual_return(returns_D, sessions_per_year) / -depth if depth < 0 else NAN


def tails(returns_D: Series) -> dict[str, float]:
    """Shape and tails of the daily returns; NaN where they do not vary.

    ``value_at_risk``: 5 % quantile of the returns (linear interpolation); ``expected_shortfall``: mean
    of the returns at or below it; ``skewness`` and ``excess_kurtosis`` by moments with divisor D (0 for
    a normal distribution); ``tail_ratio``: |95 % quantile| / |5 % quantile|; ``worst``, ``best``.
    """
    names = ("value_at_risk", "expected_shortfall", "skewness", "excess_kurtosis", "tail_ratio",
             "worst", "best")  # fmt: skip
    if returns_D.size < 2 or not float(returns_D.std()) > 1e-15:
        return dict.fromkeys(names, NAN)
    low, high = (float(v) for v in np.quantile(returns_D, [0.05, 0.95]))
    z_D = (returns_D - returns_D.mean()) / returns_D.std()
    return {
        "value_at_risk": low,
        "expected_shortfall": float(returns_D[returns_D <= low].mean()),
        "skewness": float((z_D**3).mean()),
        "excess_kurtosis": float((z_D**4).mean()) - 3.0,
        "tail_ratio": abs(high) / abs(low) if low else NAN,
        "worst": float(returns_D.min()),
        "best": float(returns_D.max()),
    }


def beta(returns_D: Series, market_D: Series) -> float:
    """Slope of the returns on the market's: covariance / variance. NaN for a market that stands still."""
    if returns_D.size < 2 or not float(market_D.std()) > 1e-15:
        return NAN
    centred_D = market_D - market_D.mean()
    return float(centred_D @ returns_D) / float(centred_D @ centred_D)


def hit_rate(returns_D: Series) -> float:
    """Share of sessions with a positive return."""
    return float((returns_D > 0).mean()) if returns_D.size else NAN


def monthly_returns(dates_D: NDArray[np.datetime64], returns_D: Series) -> dict[str, float]:
    """Compound return of each calendar month, ``"2016-03" -> fraction``; only months with sessions."""
    months = dates_D.astype("datetime64[M]").astype(str)
    names, first = np.unique(months, return_index=True)
    growth = np.multiply.reduceat(1.0 + returns_D, first) if returns_D.size else np.empty(0)
    return {str(name): float(value) - 1.0 for name, value in zip(names, growth, strict=True)}
