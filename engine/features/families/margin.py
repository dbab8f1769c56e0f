"""Margin positions of a stock. Ranked within the day, like all of stock scope.

ADV20 = mean daily volume of 20 sessions, in shares as the stock counts them on the day. Positions are in
the shares of their own date; a split since then is made up for, from the bars of the last 60 sessions, and
a position older than that is unknown where it is set against ADV20. "Weeks before" = the newest date at
least so many weeks before, as known; weekly and daily tables both work.
"""

from collections.abc import Callable

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from engine.data.panel import DensePanel
from engine.data.publication import days
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, per_stock
from engine.features.feature import Family, Feature, log, ratio

_margin = Family(
    name="margin",
    prefix="margin_",
    source="margin",
    published="J-Quants: Tuesday 16:30 after the week, so Wednesday's close; else a week after the date",
)
_REACH = 60
"""Sessions back in which a position's date must lie to be set against today's volume."""
_GAP = 20
"""Sessions without a bar over which the share count of the last bar is kept."""
_WEEK, _MONTH, _YEAR = 1, 4, 52
"""Weeks."""


def _rows(x: Context) -> Rows:
    return per_stock(x, "margin", depth=5 * _YEAR)


def _credit(r: Rows) -> Array:
    return log(ratio(r.column("long"), r.column("short")))


def _imbalance(r: Rows) -> Array:
    long_R, short_R = r.column("long"), r.column("short")
    return ratio(long_R - short_R, long_R + short_R)


def _bars(x: Context) -> tuple[Array, Array]:
    """``[N, S]`` each: ADV20 in shares of the first bar, and today's shares per share of the first bar."""
    return x.once(
        "margin bars",
        lambda: (
            rolling.mean(x.volume, 20),
            _carried(_alone(x.dense) / x.dense.close_raw_NS, _GAP),
        ),
    )


def _alone(dense: DensePanel) -> Array:
    """Closes without the dividends put back in."""
    return dense.close_NS if dense.reinvested_NS is None else dense.close_NS / dense.reinvested_NS


def _over_volume(x: Context, position_R: Array, date_R: Array) -> Array:
    """``[N, S]``: the newest row's position over ADV20, in the shares of its date (days since 1970)."""
    dates_S = days(x.dense.dates_S)
    session_R = np.searchsorted(dates_S, np.nan_to_num(date_R, nan=-np.inf), side="right") - 1
    return _divided(_rows(x).alignment().row_KS, position_R, session_R, *_bars(x))


@njit(parallel=True, cache=True)
def _divided(
    row_NS: NDArray[np.int32],
    position_R: Array,
    session_R: NDArray[np.int64],
    volume_NS: Array,
    shares_NS: Array,
) -> Array:
    N, S = row_NS.shape
    out_NS = np.full((N, S), np.nan)
    for i in prange(N):
        for t in range(S):
            row = row_NS[i, t]
            if row < 0:
                continue
            then = session_R[row]
            if then < 0 or t - then > _REACH:
                continue
            volume = volume_NS[i, t] * shares_NS[i, then]
            if volume > 0.0:
                out_NS[i, t] = position_R[row] / volume
    return out_NS


@njit(parallel=True, cache=True)
def _carried(x_NS: Array, gap: int) -> Array:
    """The newest valid entry of the session and the ``gap`` before it."""
    out_NS = x_NS.copy()
    for i in prange(len(x_NS)):
        last = -gap - 1
        for t in range(x_NS.shape[1]):
            if np.isfinite(x_NS[i, t]):
                last = t
            elif t - last <= gap:
                out_NS[i, t] = x_NS[i, last]
    return out_NS


def _per_volume(position: Callable[[Rows], Array]) -> Callable[[Context], Array]:
    """Positions over ADV20."""

    def compute(x: Context) -> Array:
        r = _rows(x)
        return _over_volume(x, position(r), r.date_R.astype(np.float64))

    return compute


def _change_per_volume(column: str, weeks: int) -> Callable[[Context], Array]:
    """Position / ADV20 less the position ``weeks`` weeks before / the same ADV20, each in its shares."""

    def compute(x: Context) -> Array:
        r = _rows(x)
        date_R = r.date_R.astype(np.float64)
        before_R = r.weeks_before(r.column(column), weeks)
        now_NS = _over_volume(x, r.column(column), date_R)
        return now_NS - _over_volume(x, before_R, r.weeks_before(date_R, weeks))

    return compute


def _own(figure: Callable[[Rows], Array]) -> Callable[[Context], Array]:
    """A figure of the table alone."""

    def compute(x: Context) -> Array:
        r = _rows(x)
        return r.at_close(figure(r))

    return compute


def _since(figure: Callable[[Rows], Array], weeks: int) -> Callable[[Context], Array]:
    def change(r: Rows) -> Array:
        value_R = figure(r)
        return value_R - r.weeks_before(value_R, weeks)

    return _own(change)


_BACK = _REACH + _GAP
FEATURES: tuple[Feature, ...] = (
    _margin("long", "long / ADV20", "days of volume", _BACK, _per_volume(lambda r: r.column("long"))),
    _margin("short", "short / ADV20", "days of volume", _BACK, _per_volume(lambda r: r.column("short"))),
    _margin("net", "(long - short) / ADV20", "days of volume", _BACK,
            _per_volume(lambda r: r.column("long") - r.column("short"))),
    *(_margin(f"{side}_change_{weeks}w", f"({side} - {side} {text} before) / ADV20", "days of volume",
              _BACK, _change_per_volume(side, weeks))
      for weeks, text in ((_WEEK, "a week"), (_MONTH, "4 weeks")) for side in ("long", "short")),
    _margin("credit_ratio", "ln(long / short)", "ln", 0, _own(_credit)),
    _margin("credit_change_1w", "credit_ratio less that of a week before", "ln", 0,
            _since(_credit, _WEEK)),
    _margin("credit_change_4w", "credit_ratio less that of 4 weeks before", "ln", 0,
            _since(_credit, _MONTH)),
    _margin("credit_z_52w", "z of credit_ratio against its last 52 weeks", "sd", 0,
            _own(lambda r: r.z_weeks(_credit(r), _YEAR))),
    _margin("imbalance", "(long - short) / (long + short)", "-1..1", 0, _own(_imbalance)),
    _margin("imbalance_z_52w", "z of imbalance against its last 52 weeks", "sd", 0,
            _own(lambda r: r.z_weeks(_imbalance(r), _YEAR))),
    _margin("age", "weekdays since the newest figures became available", "weekdays", 0,
            lambda x: _rows(x).age()),
)  # fmt: skip
