"""Rolling statistics on dense ``[N, S]`` float64 arrays, one stock a row.

Column t of a result uses columns t - window + 1 .. t only, to the last bit. Missing entries (NaN or
infinite) are left out; a window with fewer than 60 % valid entries gives NaN, and so does every column
before the first full window. Results do not depend on the number of threads, nor on how much history
comes before: with c a multiple of ``BLOCK``, ``kernel(x[:, c:])`` equals ``kernel(x)[:, c:]`` bit for bit
from column c + look-back + BLOCK on, the look-back being the window rounded up to a multiple of
``BLOCK`` (`engine.features.kernels.anchor` says why). A table can so be extended by a day without
recomputing it.
"""

from collections.abc import Callable, Sequence

import numpy as np

from engine.features.kernels import lines, moments, order
from engine.features.kernels.anchor import BLOCK as BLOCK
from engine.features.kernels.anchor import MIN_VALID as MIN_VALID
from engine.features.kernels.anchor import Array, Windows
from engine.features.kernels.anchor import needed as needed


def mean(x_NS: Array, window: int) -> Array:
    """``[N, S]``: arithmetic mean of the window."""
    return _one(moments.mean_rows, x_NS, window, 1, True)


def sum_(x_NS: Array, window: int) -> Array:
    """``[N, S]``: sum of the valid entries of the window; a missing entry counts 0."""
    return _one(moments.mean_rows, x_NS, window, 1, False)


def std(x_NS: Array, window: int) -> Array:
    """``[N, S]``: standard deviation, divisor n - 1; NaN below two valid entries, 0 if constant."""
    return _one(moments.deviation_rows, x_NS, window, 2)


def skewness(x_NS: Array, window: int) -> Array:
    """``[N, S]``: third standardised moment (divisor n); NaN if constant or below three valid entries."""
    return _one(moments.shape_rows, x_NS, window, 3, False)


def kurtosis(x_NS: Array, window: int) -> Array:
    """``[N, S]``: fourth standardised moment (divisor n) less 3; NaN if constant or below four entries."""
    return _one(moments.shape_rows, x_NS, window, 4, True)


def maximum(x_NS: Array, window: int) -> Array:
    """``[N, S]``: largest valid entry of the window."""
    return _one(order.extreme_rows, x_NS, window, 1, 1.0)


def minimum(x_NS: Array, window: int) -> Array:
    """``[N, S]``: smallest valid entry of the window."""
    return _one(order.extreme_rows, x_NS, window, 1, -1.0)


def since_maximum(x_NS: Array, window: int) -> Array:
    """``[N, S]``: sessions since the largest valid entry, 0 = today; the latest of equal ones."""
    return _one(order.since_rows, x_NS, window, 1, 1.0, True)


def since_minimum(x_NS: Array, window: int) -> Array:
    """``[N, S]``: sessions since the smallest valid entry, 0 = today; the latest of equal ones."""
    return _one(order.since_rows, x_NS, window, 1, -1.0, True)


def rank(x_NS: Array, window: int) -> Array:
    """``[N, S]``: rank of the last entry among the window's valid ones / their number, in (0, 1].

    Ties share their mean rank. NaN where the last entry is missing. Qlib's RANK.
    """
    return _one(order.rank_rows, x_NS, window)


def quantile(x_NS: Array, window: int, q: float) -> Array:
    """``[N, S]``: quantile 0 <= q <= 1 of the valid entries, linear between the two nearest.

    Qlib's QTLU, QTLD.
    """
    if not 0.0 <= q <= 1.0:
        raise ValueError(f"quantile {q} is not between 0 and 1")
    _windows(window)
    out_NS = np.empty(x_NS.shape)
    order.quantile_rows(_rows(x_NS), window, needed(window), q, out_NS)
    return out_NS


def regression(y_NS: Array, x_S: Array, window: int) -> tuple[Array, Array]:
    """Slope and correlation ``[N, S]`` of each row on one common series (pairs both valid).

    A constant series gives NaN for both; a constant row gives slope 0 and correlation NaN.
    """
    return _pairs(y_NS, x_S[None, :], window)


def correlation(x_NS: Array, y_NS: Array, window: int) -> Array:
    """``[N, S]``: Pearson correlation of two arrays, row by row (pairs both valid); NaN if either is
    constant.
    """
    if x_NS.shape != y_NS.shape:
        raise ValueError(f"correlation of shapes {x_NS.shape} and {y_NS.shape}")
    return _pairs(x_NS, y_NS, window)[1]


def trend(x_NS: Array, window: int) -> tuple[Array, Array, Array]:
    """Least squares on the session number, ``[N, S]`` each: slope a session, R^2, residual of the last.

    Qlib's BETA, RSQR and RESI. A constant window gives slope 0, R^2 NaN, residual 0; the residual is NaN
    where the last entry is missing.
    """
    slope_NWS, r2_NWS, residual_NWS = over(lines.trend_rows, [x_NS], [window], 3, results=3)
    return slope_NWS[:, 0], r2_NWS[:, 0], residual_NWS[:, 0]


def ewm(x_NS: Array, span: float) -> Array:
    """``[N, S]``: exponential mean with alpha = 2 / (span + 1), started at the first valid entry.

    A NaN leaves the mean where it was and gives NaN for that column. The memory is finite: at every
    column that is a multiple of ``BLOCK`` the mean starts again ceil(6 * span) columns back, so what is
    forgotten weighs less than e^-12.
    """
    out_NS = np.empty(x_NS.shape)
    moments.ewm_rows(_rows(x_NS), float(span), out_NS)
    return out_NS


def lookback_ewm(span: float) -> int:
    """Sessions before t that `ewm` can depend on."""
    return int(np.ceil(moments.MEMORY_SPANS * span)) + BLOCK


def shift(x_NS: Array, sessions: int) -> Array:
    """``[N, S]``: the value ``sessions`` columns earlier; NaN for the first ones. Never looks ahead."""
    if sessions < 0:
        raise ValueError("a feature may not look ahead")
    out_NS = np.full_like(x_NS, np.nan)
    out_NS[:, sessions:] = x_NS[:, : max(0, x_NS.shape[1] - sessions)]
    return out_NS


def over(
    kernel: Callable[..., None],
    inputs: Sequence[Array],
    windows: Sequence[int],
    fewest: int,
    *what: float,
    results: int = 1,
) -> tuple[Array, ...]:
    """Results ``[N, W, S]`` of a kernel for several windows, which share its running sums.

    ``fewest``: valid entries that a window needs at least. ``what``: the kernel's own arguments.
    """
    found = tuple(_empty(inputs[0], len(windows)) for _ in range(results))
    kernel(*map(_rows, inputs), *_windows(*windows, fewest=fewest), *what, *found)
    return found


def _one(
    kernel: Callable[..., None], x_NS: Array, window: int, fewest: int = 1, *what: float
) -> Array:
    """A kernel's result for one window."""
    return over(kernel, [x_NS], [window], fewest, *what)[0][:, 0]


def _pairs(y_NS: Array, x_MS: Array, window: int) -> tuple[Array, Array]:
    slope_NWS, rho_NWS = over(lines.pair_rows, [y_NS, x_MS], [window], 3, results=2)
    return slope_NWS[:, 0], rho_NWS[:, 0]


def _windows(*windows: int, fewest: int = 1) -> tuple[Windows, Windows]:
    """The windows, and the fewest valid entries that each must have."""
    if min(windows) < 1:
        raise ValueError(f"window of {min(windows)} sessions")
    return np.array(windows), np.array([max(fewest, needed(window)) for window in windows])


def _rows(x_NS: Array) -> Array:
    return np.ascontiguousarray(x_NS, dtype=np.float64)


def _empty(x_NS: Array, windows: int) -> Array:
    """Room ``[N, W, S]`` for the results of the windows."""
    return np.empty((len(x_NS), windows, x_NS.shape[1]))
