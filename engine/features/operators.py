"""The operators of a feature's own expression, each with its formula, unit and what a missing value does.

A series is an array ``[N, S]`` (or ``[1, S]``, the same for all stocks); NaN = unknown. A truth is 1, 0 or
NaN. What is not finite becomes NaN when a feature is read. Windows follow `engine.features.rolling`:
missing entries are left out, below 60 % valid ones and before the first full window the result is NaN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.data.tables import SECTORS
from engine.evaluation.ranks import average_rank_rows
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.aligned import per_investor, per_sector, per_stock, to_stocks
from engine.features.feature import log
from engine.features.kernels import lines, moments, order
from engine.features.kernels.direct import direct_rows

Windows = Sequence[int]


class Unit(NamedTuple):
    """Exponents of what a value is made of."""

    currency: float = 0.0
    shares: float = 0.0
    sessions: float = 0.0

    def times(self, other: "Unit", power: float = 1.0) -> "Unit":
        """The unit of a product with the other one, raised to ``power``."""
        return Unit(*(a + power * b for a, b in zip(self, other, strict=True)))

    def text(self) -> str:
        """In words, such as ``price``, ``shares`` or ``price^2``; ``1`` for a ratio."""
        if self.currency and self.shares == -self.currency and not self.sessions:
            return "price" if self.currency == 1.0 else f"price^{self.currency:g}"
        named = zip(self._fields, self, strict=True)
        parts = [f"{n}^{p:g}" if p != 1.0 else n for n, p in named if p]
        return " ".join(parts) or "1"


ONE, CURRENCY, SHARES, SESSIONS = Unit(), Unit(currency=1.0), Unit(shares=1.0), Unit(sessions=1.0)
PRICE = Unit(currency=1.0, shares=-1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredColumn:
    """A series that is stored."""

    unit: Unit
    read: Callable[[Context], Array]
    source: str = "bars"
    market: bool = False
    """The same for all stocks: ``[1, S]``."""


def _vwap(x: Context) -> Array:
    """Turnover over volume, on the scale of the close; NaN without volume."""
    paid_NS = x.turnover / np.where(x.volume > 0, x.volume, np.nan)
    return paid_NS if x.dense.reinvested_NS is None else paid_NS * x.dense.reinvested_NS


def _of_stocks(table: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_stock(x, table)
        return rows.at_close(rows.column(column))

    return read


def _of_sectors(table: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_sector(x, table)
        return to_stocks(x, rows.at_close(rows.column(column)), rows.keys)

    return read


def _of_investor(investor: str, column: str) -> Callable[[Context], Array]:
    def read(x: Context) -> Array:
        rows = per_investor(x, "flow")
        if investor not in rows.keys:
            return np.full((1, x.dense.dates_S.size), np.nan)
        value_KS = rows.at_close(rows.column(column))
        return np.asarray(value_KS[rows.keys.index(investor)][None, :])

    return read


def _market(name: str) -> Callable[[Context], Array]:
    return lambda x: x.market(name)[None, :]


_STATEMENT = (
    "sales", "operating_profit", "net_profit", "assets", "equity", "forecast_sales",
    "forecast_operating_profit", "forecast_net_profit",
)  # fmt: skip
COLUMNS: dict[str, StoredColumn] = {
    "open": StoredColumn(unit=PRICE, read=lambda x: x.open),
    "high": StoredColumn(unit=PRICE, read=lambda x: x.high),
    "low": StoredColumn(unit=PRICE, read=lambda x: x.low),
    "close": StoredColumn(unit=PRICE, read=lambda x: x.close),
    "close_raw": StoredColumn(unit=PRICE, read=lambda x: x.dense.close_raw_NS),
    "vwap": StoredColumn(unit=PRICE, read=_vwap),
    "volume": StoredColumn(unit=SHARES, read=lambda x: x.volume),
    "turnover": StoredColumn(unit=CURRENCY, read=lambda x: x.turnover),
    **{
        f"market_{name}": StoredColumn(unit=unit, read=_market(name), market=True)
        for name, unit in (
            ("return", ONE), ("breadth", ONE), ("dispersion", ONE), ("turnover", CURRENCY),
            ("above_average", ONE),
        )
    },
    **{
        f"margin.{side}": StoredColumn(unit=SHARES, read=_of_stocks("margin", side), source="margin")
        for side in ("long", "short")
    },
    **{
        f"statements.{name}": StoredColumn(
            unit=CURRENCY, read=_of_stocks("statements", name), source="statements"
        )
        for name in _STATEMENT
    },
    **{
        f"short.{name}": StoredColumn(unit=CURRENCY, read=_of_sectors("short", name), source="short")
        for name in ("turnover", "short_turnover")
    },
    **{
        f"flow.{investor}_{side}": StoredColumn(
            unit=CURRENCY, read=_of_investor(investor, side), source="flow", market=True
        )
        for investor in ("foreign", "individual", "trust", "proprietary")
        for side in ("buy", "sell")
    },
}  # fmt: skip
"""Name in an expression -> what is read: bars as the built-in features see them (adjusted; `close_raw` as
quoted), series of the market, and the newest row of an optional table that was published at the close."""


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


def _kernel(
    kernel: Callable[..., None], fewest: int, *what: float, results: int = 1
) -> Callable[..., Sequence[Sequence[Array]]]:
    def rolled(*arguments: Array | Windows) -> Sequence[Sequence[Array]]:
        *inputs, windows = arguments
        found = rolling.over(kernel, inputs, windows, fewest, *what, results=results)  # type: ignore[arg-type]
        return [[out_NWS[:, w] for w in range(out_NWS.shape[1])] for out_NWS in found]

    return rolled


def _each(statistic: Callable[..., Array]) -> Callable[..., Sequence[Sequence[Array]]]:
    """Window by window, where no kernel shares its work."""

    def rolled(x_NS: Array, windows: Windows, *more: float) -> Sequence[Sequence[Array]]:
        return [[statistic(x_NS, window, *more) for window in windows]]

    return rolled


def _covariance(y_NS: Array, x_NS: Array, windows: Windows) -> Sequence[Sequence[Array]]:
    """Slope of y on x times the variance of x, both over the pairs."""
    slopes = _kernel(lines.pair_rows, 3, results=2)(y_NS, x_NS, windows)[0]
    paired_NS = np.where(np.isfinite(y_NS), x_NS, np.nan)
    spreads = _kernel(moments.deviation_rows, 3)(paired_NS, windows)[0]
    return [[a * b**2 for a, b in zip(slopes, spreads, strict=True)]]


def _place(sign: float) -> Callable[..., Sequence[Sequence[Array]]]:
    since = _kernel(order.since_rows, 1, sign)

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


_trend = _kernel(lines.trend_rows, 3, results=3)
_pair = _kernel(lines.pair_rows, 3, results=2)
_deviation = _kernel(moments.deviation_rows, 2)
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


def _of(takes: str, unit: str, about: str, run: Callable[..., Array]) -> Operator:
    return Operator(takes=takes, unit=unit, about=about, run=run)


OPERATORS: dict[str, Operator] = {
    "Ref": _of("xn", "x", "x of n sessions earlier; NaN for the first ones", rolling.shift),
    "Delta": _of("xn", "x", "x - Ref(x, n)", lambda x, n: x - rolling.shift(x, n)),
    "Mean": _window("x", "arithmetic mean", "mean", _kernel(moments.mean_rows, 1, True)),
    "Sum": _window("x", "sum of the valid entries", "sum", _kernel(moments.mean_rows, 1, False)),
    "Std": _window("x", "standard deviation, divisor n - 1 (ddof 1); 0 if constant", "deviation",
                   _deviation),
    "Var": _window("xx", "variance, divisor n - 1 (ddof 1); 0 if constant", "deviation", _deviation,
                   power=2.0),
    "Skew": _window("1", "third standardised moment, divisor n (ddof 0); NaN if constant or below 3",
                    "skew", _kernel(moments.shape_rows, 3, False)),
    "Kurt": _window("1", "fourth standardised moment less 3, divisor n (ddof 0); NaN if constant or "
                    "below 4", "kurt", _kernel(moments.shape_rows, 4, True)),
    "Slope": _window("x/session", f"{_LINE} slope; 0 if constant", "trend", _trend),
    "Rsquare": _window("1", f"{_LINE} R^2; NaN if constant", "trend", _trend, pick=1),
    "Resi": _window("x", f"{_LINE} what it leaves of the newest; NaN where that is missing", "trend",
                    _trend, pick=2),
    "Corr": _window("1", "Pearson correlation of the pairs both valid, from 3 on; NaN if either is "
                    "constant", "pair", _pair, takes="xxw", pick=1),
    "Cov": _window("xy", "covariance of the pairs both valid, divisor n - 1 (ddof 1), from 3 on; NaN if "
                   "the second is constant", "cov", _covariance, takes="xxw"),
    "Rank": _window("1", "rank of the newest among the valid entries / their number, ties averaged; NaN "
                    "where it is missing", "rank", _kernel(order.rank_rows, 1)),
    "Quantile": _window("x", "quantile q of the valid entries, linear between the nearest", "quantile",
                        _each(rolling.quantile), takes="xwq"),
    "Med": _window("x", "median", "median", _each(lambda x, w: rolling.quantile(x, w, 0.5))),
    "Mad": _window("x", "mean distance from the mean", "mad", _kernel(direct_rows, 1, False)),
    "Max": _window("x", "largest entry", "max", _kernel(order.extreme_rows, 1, 1.0)),
    "Min": _window("x", "smallest entry", "min", _kernel(order.extreme_rows, 1, -1.0)),
    "IdxMax": _window("sessions", "place of the largest, 1 = oldest; the latest of equal ones", "idxmax",
                      _place(1.0)),
    "IdxMin": _window("sessions", "place of the smallest, 1 = oldest; the latest of equal ones",
                      "idxmin", _place(-1.0)),
    "Count": _window("sessions", "number of valid entries; NaN before the first full window only",
                     "count", _each(_count)),
    "EMA": _window("x", "exponential mean, alpha = 2 / (w + 1), memory of 6 w sessions; NaN where the "
                   "newest is missing", "ema", _each(rolling.ewm)),
    "WMA": _window("x", "mean with weights 1 (oldest) to w", "wma", _kernel(direct_rows, 1, True)),
    "Abs": _of("x", "x", "absolute value", np.abs),
    "Sign": _of("x", "1", "-1, 0 or 1", np.sign),
    "Log": _of("x", "1", "natural logarithm; NaN where x is not positive", log),
    "Power": _of("xy", "x^y", "x to the power y; NaN where that is no number", lambda x, y: x**y),
    "Greater": _of("xx", "=", "the larger of both; NaN if either is", np.maximum),
    "Less": _of("xx", "=", "the smaller of both; NaN if either is", np.minimum),
    "If": _of("cxx", "=", "the second where the first is true, else the third; NaN where that is unknown",
              _if),
    "CSRank": Operator(takes="x", unit="1", across="bars", run=_rank_of_day, about="rank within the day "
                       "among its members / their number, ties averaged; NaN for others"),
    "Neutral": Operator(takes="x", unit="x", across=SECTORS, about="x less the mean of the other members "
                        "of its sector; NaN where the sector is unknown or has no other",
                        run=lambda x, x_NS: x_NS - x.sector_mean(x_NS)),
    "+": _of("xx", "=", "sum", np.add), "-": _of("xx", "=", "difference", np.subtract),
    "*": _of("xx", "xy", "product", np.multiply),
    "/": _of("xx", "x/y", "quotient; NaN where the second is 0", _divide),
    **{sign: _of("xx", "truth", "1 or 0; NaN if either is", _truth(of)) for sign, of in (
        (">", np.greater), (">=", np.greater_equal), ("<", np.less), ("<=", np.less_equal),
        ("==", np.equal), ("!=", np.not_equal))},
    "and": _of("cc", "truth", "both; NaN if either is", _truth(np.logical_and)),
    "or": _of("cc", "truth", "one or both; NaN if either is", _truth(np.logical_or)),
    "not": _of("c", "truth", "the opposite; NaN stays", _truth(np.logical_not)),
}  # fmt: skip
