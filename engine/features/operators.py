"""The operators of a feature's own expression, each with its formula, unit and what a missing value does.

A series is an array ``[N, S]`` (or ``[1, S]``, the same for all stocks); NaN = unknown. A truth is 1, 0 or
NaN. What is not finite becomes NaN when a feature is read. Windows follow `engine.features.rolling`:
missing entries are left out, below 60 % valid ones and before the first full window the result is NaN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.data.tables import SECTORS
from engine.evaluation.ranks import average_rank_rows
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import log
from engine.features.kernels import lines, moments, order, steps
from engine.features.kernels.direct import direct_rows

Windows = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One operator, or one kind of sign, of the language."""

    takes: str
    """A letter an argument: x series, c truth, y exponent, w window, n sessions back, q share 0..1."""
    unit: str
    """``1``, ``x`` (as the first argument), ``=`` (as all arguments, which must agree), ``xx``, ``xy``,
    ``x/y``, ``x/session``, ``sessions``, ``x^y`` or ``truth``."""
    about: str
    """Formula and NaN rule where it is not that of all windows."""
    run: Callable[..., Array] | None = None
    """Of an elementwise operator: of its arguments. Of a cross-sectional one: of context and argument."""
    rolled: Callable[..., Sequence[Sequence[Array]]] | None = None
    """Of a window: of its arguments, the windows and the share, for each result one array a window."""
    base: str = ""
    """Operators with the same base share one computation."""
    pick: int = 0
    """Which of its results it is."""
    power: float = 1.0
    """The result is raised to it."""
    across: str = ""
    """The table that a cross-sectional operator needs; empty for others."""
    step: int = steps.NONE
    """What an elementwise operator is among the steps of a pass."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A row kernel over several windows at once, as `Operator.rolled`."""

    rows: Callable[..., None]
    fewest: int
    """Valid entries that a window needs at least."""
    what: tuple[float, ...] = ()
    """The kernel's own arguments."""
    results: int = 1
    step: int = steps.NONE
    """What it is among the steps of a pass."""

    def __call__(self, *arguments: Any) -> Sequence[Sequence[Array]]:
        """Of its arrays and the windows, for each result one array a window."""
        *inputs, windows = arguments
        what, results = self.what, self.results
        found = rolling.over(self.rows, inputs, windows, self.fewest, *what, results=results)
        return [[out_NWS[:, w] for w in range(out_NWS.shape[1])] for out_NWS in found]


def _each(statistic: Callable[..., Array]) -> Callable[..., Sequence[Sequence[Array]]]:
    """Window by window, where no kernel shares its work."""

    def rolled(x_NS: Array, windows: Windows, *more: float) -> Sequence[Sequence[Array]]:
        return [[statistic(x_NS, window, *more) for window in windows]]

    return rolled


def _covariance(y_NS: Array, x_NS: Array, windows: Windows) -> Sequence[Sequence[Array]]:
    """Slope of y on x times the variance of x, both over the pairs."""
    slopes = _pair(y_NS, x_NS, windows)[0]
    paired_NS = np.where(np.isfinite(y_NS), x_NS, np.nan)
    spreads = Kernel(moments.deviation_rows, 3)(paired_NS, windows)[0]
    return [[a * b**2 for a, b in zip(slopes, spreads, strict=True)]]


def _place(sign: float) -> Callable[..., Sequence[Sequence[Array]]]:
    since = Kernel(order.since_rows, 1, (sign, False))

    def rolled(x_NS: Array, windows: Windows) -> Sequence[Sequence[Array]]:
        found = since(x_NS, windows)[0]
        return [[w - since_NS for w, since_NS in zip(windows, found, strict=True)]]

    return rolled


def _count(x_NS: Array, window: int) -> Array:
    return rolling.sum_(np.isfinite(x_NS).astype(np.float64), window)


def _truth(of: Callable[..., Array]) -> Callable[..., Array]:
    """1.0 or 0.0; NaN where an argument is NaN."""

    def run(*arguments: Array) -> Array:
        out = np.asarray(of(*arguments), dtype=np.float64)
        unknown = np.isnan(sum(arguments[1:], start=arguments[0]))
        return np.where(unknown, np.nan, out) if unknown.any() else out

    return run


def _divide(a: Array, b: Array) -> Array:
    out = np.asarray(np.divide(a, b))
    none = np.equal(b, 0.0)
    return np.where(none, np.nan, out) if np.any(none) else out


def _if(c: Array, a: Array, b: Array) -> Array:
    return np.where(np.isnan(c), np.nan, np.where(c != 0.0, a, b))


def _rank_of_day(x: Context, x_NS: Array) -> Array:
    known_SN = np.where(x.member_NS, x_NS, np.nan).T
    rank_SN = average_rank_rows(np.ascontiguousarray(known_SN))
    return np.asarray((rank_SN / np.isfinite(rank_SN).sum(axis=1, keepdims=True)).T)


_trend = Kernel(lines.trend_rows, 3, results=3, step=steps.TREND)
_pair = Kernel(lines.pair_rows, 3, results=2, step=steps.PAIR)
_deviation = Kernel(moments.deviation_rows, 2, step=steps.DEVIATION)
_LINE = "least squares of x on the session number, from 3 valid entries on:"


def _window(
    unit: str,
    about: str,
    base: str,
    rolled: Callable[..., Sequence[Sequence[Array]]],
    takes: str = "xw",
    pick: int = 0,
    power: float = 1.0,
) -> Operator:
    return Operator(
        takes=takes, unit=unit, about=about, rolled=rolled, base=base, pick=pick, power=power
    )


def _of(
    takes: str, unit: str, about: str, run: Callable[..., Array], step: int = steps.NONE
) -> Operator:
    return Operator(takes=takes, unit=unit, about=about, run=run, step=step)


OPERATORS: dict[str, Operator] = {
    "Ref": _of("xn", "x", "x of n sessions earlier; NaN for the first ones", rolling.shift, steps.REF),
    "Delta": _of("xn", "x", "x - Ref(x, n)", lambda x, n: x - rolling.shift(x, n), steps.DELTA),
    "Mean": _window("x", "arithmetic mean", "mean", Kernel(moments.mean_rows, 1, (True,), step=steps.MEAN)),
    "Sum": _window("x", "sum of the valid entries", "sum",
                   Kernel(moments.mean_rows, 1, (False,), step=steps.SUM)),
    "Std": _window("x", "standard deviation, divisor n - 1 (ddof 1); 0 if constant", "deviation",
                   _deviation),
    "Var": _window("xx", "variance, divisor n - 1 (ddof 1); 0 if constant", "deviation", _deviation,
                   power=2.0),
    "Skew": _window("1", "third standardised moment, divisor n (ddof 0); NaN if constant or below 3",
                    "skew", Kernel(moments.shape_rows, 3, (False,))),
    "Kurt": _window("1", "fourth standardised moment less 3, divisor n (ddof 0); NaN if constant or "
                    "below 4", "kurt", Kernel(moments.shape_rows, 4, (True,))),
    "Slope": _window("x/session", f"{_LINE} slope; 0 if constant", "trend", _trend),
    "Rsquare": _window("1", f"{_LINE} R^2; NaN if constant", "trend", _trend, pick=1),
    "Resi": _window("x", f"{_LINE} what it leaves of the newest; NaN where that is missing", "trend",
                    _trend, pick=2),
    "Corr": _window("1", "Pearson correlation of the pairs both valid, from 3 on; NaN if either is "
                    "constant", "pair", _pair, takes="xxw", pick=1),
    "Beta": _window("x/y", "slope of the first on the second, of the pairs both valid, from 3 on; NaN if the "
                    "second is constant", "pair", _pair, takes="xxw"),
    "Cov": _window("xy", "covariance of the pairs both valid, divisor n - 1 (ddof 1), from 3 on; NaN if "
                   "the second is constant", "cov", _covariance, takes="xxw"),
    "Rank": _window("1", "rank of the newest among the valid entries / their number, ties averaged; NaN "
                    "where it is missing", "rank", Kernel(order.rank_rows, 1)),
    "Quantile": _window("x", "quantile q of the valid entries, linear between the nearest", "quantile",
                        _each(rolling.quantile), takes="xwq"),
    "Med": _window("x", "median", "median", _each(lambda x, w: rolling.quantile(x, w, 0.5))),
    "Mad": _window("x", "mean distance from the mean", "mad", Kernel(direct_rows, 1, (False,))),
    "Max": _window("x", "largest entry", "max", Kernel(order.extreme_rows, 1, (1.0,), step=steps.MOST)),
    "Min": _window("x", "smallest entry", "min", Kernel(order.extreme_rows, 1, (-1.0,), step=steps.LEAST)),
    "IdxMax": _window("sessions", "place of the largest, 1 = oldest; the first of equal ones", "idxmax",
                      _place(1.0)),
    "IdxMin": _window("sessions", "place of the smallest, 1 = oldest; the first of equal ones",
                      "idxmin", _place(-1.0)),
    "SinceMax": _window("sessions", "sessions since the largest, 0 = newest; the latest of equal ones",
                        "sincemax", Kernel(order.since_rows, 1, (1.0, True))),
    "SinceMin": _window("sessions", "sessions since the smallest, 0 = newest; the latest of equal ones",
                        "sincemin", Kernel(order.since_rows, 1, (-1.0, True))),
    "Count": _window("sessions", "number of valid entries; NaN before the first full window only",
                     "count", _each(_count)),
    "EMA": _window("x", "exponential mean, alpha = 2 / (w + 1), memory of 6 w sessions; NaN where the "
                   "newest is missing", "ema", _each(rolling.ewm)),
    "WMA": _window("x", "mean with weights 1 (oldest) to w", "wma", Kernel(direct_rows, 1, (True,))),
    "Abs": _of("x", "x", "absolute value", np.abs, steps.ABS),
    "Sign": _of("x", "1", "-1, 0 or 1", np.sign),
    "Log": _of("x", "1", "natural logarithm; NaN where x is not positive", log),
    "Log1p": _of("x", "1", "natural logarithm of 1 + x, exact for small x", np.log1p),
    "Power": _of("xy", "x^y", "x to the power y; NaN where that is no number", lambda x, y: x**y),
    "Greater": _of("xx", "=", "the larger of both; NaN if either is", np.maximum, steps.GREATER),
    "Less": _of("xx", "=", "the smaller of both; NaN if either is", np.minimum, steps.LESS),
    "If": _of("cxx", "=", "the second where the first is true, else the third; NaN where that is unknown",
              _if),
    "When": _of("cx", "=", "the second where the first is true; NaN elsewhere",
                lambda c, x: np.asarray(np.where(c == 1.0, x, np.nan))),
    "Known": _of("x", "truth", "1 where x is a finite number, else 0; never NaN",
                 lambda x: np.isfinite(x).astype(np.float64)),
    "Fill": _of("xx", "=", "x, and the second where x is NaN or infinite",
                lambda x, y: np.asarray(np.where(np.isfinite(x), x, y))),
    "CSRank": Operator(takes="x", unit="1", across="bars", run=_rank_of_day, about="rank within the day "
                       "among its members / their number, ties averaged; NaN for others"),
    "SectorMean": Operator(takes="x", unit="x", across=SECTORS, about="mean of the other members of its "
                           "sector; NaN where the sector is unknown or has no other",
                           run=lambda x, x_NS: x.sector_mean(x_NS)),
    "Neutral": Operator(takes="x", unit="x", across=SECTORS, about="x - SectorMean(x)",
                        run=lambda x, x_NS: x_NS - x.sector_mean(x_NS)),
    "+": _of("xx", "=", "sum", np.add, steps.ADD),
    "-": _of("xx", "=", "difference", np.subtract, steps.SUBTRACT),
    "*": _of("xx", "xy", "product", np.multiply, steps.MULTIPLY),
    "/": _of("xx", "x/y", "quotient; NaN where the second is 0", _divide, steps.DIVIDE),
    **{sign: _of("xx", "truth", "1 or 0; NaN if either is", _truth(of), step) for sign, of, step in (
        (">", np.greater, steps.OVER), (">=", np.greater_equal, steps.OVER_OR),
        ("<", np.less, steps.UNDER), ("<=", np.less_equal, steps.UNDER_OR),
        ("==", np.equal, steps.EQUAL), ("!=", np.not_equal, steps.UNEQUAL))},
    "and": _of("cc", "truth", "both; NaN if either is", _truth(np.logical_and)),
    "or": _of("cc", "truth", "one or both; NaN if either is", _truth(np.logical_or)),
    "not": _of("c", "truth", "the opposite; NaN stays", _truth(np.logical_not)),
}  # fmt: skip
