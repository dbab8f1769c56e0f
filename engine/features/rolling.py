"""Rolling statistics on dense ``[N, S]`` float64 arrays, one stock a row.

Column t of a result uses columns t - window + 1 .. t only, to the last bit. Missing entries (NaN or
infinite) are left out; a window with fewer than 60 % valid entries gives NaN, and so does every column
before the first full window. Results do not depend on the number of threads, nor on how much history
comes before: with c a multiple of ``BLOCK``, ``kernel(x[:, c:])`` equals ``kernel(x)[:, c:]`` bit for bit
from column c + look-back + BLOCK on, the look-back being the window rounded up to a multiple of
``BLOCK`` (`engine.features.kernels.anchor` says why). A table can so be extended by a day without
recomputing it.
"""

import numpy as np

from engine.features.kernels import lines, moments, order, recursive, shape
from engine.features.kernels.anchor import BLOCK, MIN_VALID, Array, Windows, needed

__all__ = [
    "BLOCK",
    "MIN_VALID",
    "correlation",
    "ewm",
    "kurtosis",
    "lookback_ewm",
    "maximum",
    "mean",
    "minimum",
    "needed",
    "quantile",
    "rank",
    "regression",
    "shift",
    "since_maximum",
    "since_minimum",
    "skewness",
    "std",
    "sum_",
    "trend",
]


def mean(x_NS: Array, window: int) -> Array:
    """Arithmetic mean of the window."""
    out_NWS = _empty(x_NS)
    moments.mean_rows(_rows(x_NS), *_windows(window), True, out_NWS)
    return out_NWS[:, 0]


def sum_(x_NS: Array, window: int) -> Array:
    """Sum of the valid entries of the window; a missing entry counts 0."""
    out_NWS = _empty(x_NS)
    moments.mean_rows(_rows(x_NS), *_windows(window), False, out_NWS)
    return out_NWS[:, 0]


def std(x_NS: Array, window: int) -> Array:
    """Standard deviation of the window, divisor n - 1; NaN below two valid entries, 0 if constant."""
    out_NWS = _empty(x_NS)
    moments.deviation_rows(_rows(x_NS), *_windows(window, 2), out_NWS)
    return out_NWS[:, 0]


def skewness(x_NS: Array, window: int) -> Array:
    """Third standardised moment (divisor n); NaN for a constant window or below three valid entries."""
    out_NWS = _empty(x_NS)
    shape.shape_rows(_rows(x_NS), *_windows(window, 3), False, out_NWS)
    return out_NWS[:, 0]


def kurtosis(x_NS: Array, window: int) -> Array:
    """Fourth standardised moment (divisor n) less 3; NaN for a constant window or below four entries."""
    out_NWS = _empty(x_NS)
    shape.shape_rows(_rows(x_NS), *_windows(window, 4), True, out_NWS)
    return out_NWS[:, 0]


def maximum(x_NS: Array, window: int) -> Array:
    """Largest valid entry of the window."""
    out_NWS = _empty(x_NS)
    order.extreme_rows(_rows(x_NS), *_windows(window), 1.0, out_NWS)
    return out_NWS[:, 0]


def minimum(x_NS: Array, window: int) -> Array:
    """Smallest valid entry of the window."""
    out_NWS = _empty(x_NS)
    order.extreme_rows(_rows(x_NS), *_windows(window), -1.0, out_NWS)
    return out_NWS[:, 0]


def since_maximum(x_NS: Array, window: int) -> Array:
    """Sessions since the largest valid entry, 0 = today; the latest of equal ones."""
    out_NWS = _empty(x_NS)
    order.since_rows(_rows(x_NS), *_windows(window), 1.0, out_NWS)
    return out_NWS[:, 0]


def since_minimum(x_NS: Array, window: int) -> Array:
    """Sessions since the smallest valid entry, 0 = today; the latest of equal ones."""
    out_NWS = _empty(x_NS)
    order.since_rows(_rows(x_NS), *_windows(window), -1.0, out_NWS)
    return out_NWS[:, 0]


def rank(x_NS: Array, window: int) -> Array:
    """Rank of the last entry among the window's valid ones / their number, in (0, 1].

    Ties share their mean rank. NaN where the last entry is missing. Qlib's RANK.
    """
    out_NWS = _empty(x_NS)
    order.rank_rows(_rows(x_NS), *_windows(window), out_NWS)
    return out_NWS[:, 0]


def quantile(x_NS: Array, window: int, q: float) -> Array:
    """Quantile 0 <= q <= 1 of the valid entries, linear between the two nearest. Qlib's QTLU, QTLD."""
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"quantile {q} is not between 0 and 1")
    _windows(window)
    out_NS = np.empty(x_NS.shape)
    order.quantile_rows(_rows(x_NS), window, needed(window), q, out_NS)
    return out_NS


def regression(y_NS: Array, x_S: Array, window: int) -> tuple[Array, Array]:
    """Slope and correlation of each row on one common series over the window (pairs both valid).

    A constant series gives NaN for both; a constant row gives slope 0 and correlation NaN.
    """
    slope_NWS, rho_NWS = _empty(y_NS), _empty(y_NS)
    lines.pair_rows(_rows(y_NS), _rows(x_S[None, :]), *_windows(window, 3), slope_NWS, rho_NWS)
    return slope_NWS[:, 0], rho_NWS[:, 0]


def correlation(x_NS: Array, y_NS: Array, window: int) -> Array:
    """Pearson correlation of two arrays, row by row (pairs both valid); NaN if either is constant."""
    if x_NS.shape != y_NS.shape:
        raise ValueError(f"correlation of shapes {x_NS.shape} and {y_NS.shape}")
    slope_NWS, rho_NWS = _empty(x_NS), _empty(x_NS)
    lines.pair_rows(_rows(x_NS), _rows(y_NS), *_windows(window, 3), slope_NWS, rho_NWS)
    return rho_NWS[:, 0]


def trend(x_NS: Array, window: int) -> tuple[Array, Array, Array]:
    """Least squares on the session number: slope a session, R^2, residual of the last entry.

    Qlib's BETA, RSQR and RESI. A constant window gives slope 0, R^2 NaN, residual 0; the residual is NaN
    where the last entry is missing.
    """
    slope_NWS, r2_NWS, residual_NWS = _empty(x_NS), _empty(x_NS), _empty(x_NS)
    lines.trend_rows(_rows(x_NS), *_windows(window, 3), slope_NWS, r2_NWS, residual_NWS)
    return slope_NWS[:, 0], r2_NWS[:, 0], residual_NWS[:, 0]


def ewm(x_NS: Array, span: float) -> Array:
    """Exponential mean with alpha = 2 / (span + 1), started at the first valid entry.

    A NaN leaves the mean where it was and gives NaN for that column. The memory is finite: at every
    column that is a multiple of ``BLOCK`` the mean starts again ceil(6 * span) columns back, so what is
    forgotten weighs less than e^-12.
    """
    out_NS = np.empty(x_NS.shape)
    recursive.ewm_rows(_rows(x_NS), float(span), out_NS)
    return out_NS


def lookback_ewm(span: float) -> int:
    """Sessions before t that `ewm` can depend on."""
    return int(np.ceil(recursive.MEMORY_SPANS * span)) + BLOCK


def shift(x_NS: Array, sessions: int) -> Array:
    """The value ``sessions`` columns earlier; NaN for the first ones. Never looks ahead."""
    if sessions < 0:
        raise ValueError("a feature may not look ahead")
    out_NS = np.full_like(x_NS, np.nan)
    out_NS[:, sessions:] = x_NS[:, : max(0, x_NS.shape[1] - sessions)]
    return out_NS


def _windows(window: int, fewest: int = 1) -> tuple[Windows, Windows]:
    """One window, and the fewest valid entries that it must have."""
    if window < 1:
        raise ValueError(f"window of {window} sessions")
    return np.array([window]), np.array([max(fewest, needed(window))])


def _rows(x_NS: Array) -> Array:
    return np.ascontiguousarray(x_NS, dtype=np.float64)


def _empty(x_NS: Array) -> Array:
    """Room ``[N, 1, S]`` for the result of one window."""
    return np.empty((len(x_NS), 1, x_NS.shape[1]))
