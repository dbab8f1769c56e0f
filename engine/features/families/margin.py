"""Margin positions of a stock. Ranked within the day, like all of stock scope.

ADV20 = mean daily volume of 20 sessions, in shares as the stock counts them on the day. Positions are in
the shares of their own date; a split since then is made up for, from the bars of the last 60 sessions, and
a position older than that is unknown where it is set against ADV20. "Weeks before" = the newest date at
least so many weeks before, as known; weekly and daily tables both work.
"""

from collections.abc import Callable

import numpy as np

from engine.data.publication import days
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.families.aligned import Rows, log, per_stock, ratio, shared
from engine.features.feature import Feature

PUBLISHED = (
    "J-Quants: Tuesday 16:30 after the week, so Wednesday's close; else a week after the date"
)
REACH = 60
"""Sessions back in which a position's date must lie to be set against today's volume."""
WEEK, MONTH, YEAR = 1, 4, 52
"""Weeks."""


def _rows(x: Context) -> Rows:
    return per_stock(x, "margin")


def _credit(r: Rows) -> Array:
    return log(ratio(r.column("long"), r.column("short")))


def _imbalance(r: Rows) -> Array:
    long_R, short_R = r.column("long"), r.column("short")
    return ratio(long_R - short_R, long_R + short_R)


def _volume_then(x: Context, date_R: Array) -> Array:
    """``[N, S]``: ADV20 of the session in the shares of the date (days since 1970) that a row gives.

    Share counts before and after a split differ by quoted / continuous price. NaN where the date is
    more than 60 sessions back.
    """
    store = shared(x)
    if "adv20" not in store:
        store["adv20"] = rolling.mean(x.dense.volume_NS, 20)
        store["shares"] = _carried(x.dense.close_NS / x.dense.close_raw_NS)
    volume_NS, shares_NS = store["adv20"], store["shares"]
    assert isinstance(volume_NS, np.ndarray)
    assert isinstance(shares_NS, np.ndarray)
    date_NS = _rows(x).at_close(date_R)
    session_NS = np.searchsorted(
        days(x.dense.dates_S), np.nan_to_num(date_NS, nan=-1e9), side="right"
    )
    session_NS = session_NS - 1
    near_NS = (session_NS >= 0) & (np.arange(x.dense.dates_S.size) - session_NS <= REACH)
    then_NS = np.take_along_axis(shares_NS, np.maximum(session_NS, 0), axis=1)
    return np.asarray(np.where(near_NS, volume_NS * then_NS, np.nan))


def _carried(x_NS: Array) -> Array:
    """The newest valid entry of the last 20 sessions, so that one session without a bar costs nothing."""
    out_NS = x_NS.copy()
    for back in range(1, 21):
        out_NS = np.where(np.isfinite(out_NS), out_NS, rolling.shift(x_NS, back))
    return out_NS


def _per_volume(columns: dict[str, float]) -> Callable[[Context], Array]:
    """A sum of positions over ADV20."""

    def compute(x: Context) -> Array:
        r = _rows(x)
        total_R = np.zeros(r.key_R.size)
        for name, sign in columns.items():
            total_R = total_R + sign * r.column(name)
        return ratio(r.at_close(total_R), _volume_then(x, r.date_R.astype(np.float64)))

    return compute


def _change_per_volume(column: str, weeks: int) -> Callable[[Context], Array]:
    """Position / ADV20 less the position ``weeks`` weeks before / the same ADV20, each in its shares."""

    def compute(x: Context) -> Array:
        r = _rows(x)
        date_R = r.date_R.astype(np.float64)
        now_NS = ratio(r.at_close(r.column(column)), _volume_then(x, date_R))
        before_NS = ratio(
            r.at_close(r.weeks_before(r.column(column), weeks)),
            _volume_then(x, r.weeks_before(date_R, weeks)),
        )
        return now_NS - before_NS

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


def _feature(
    name: str, formula: str, unit: str, lookback: int, compute: Callable[[Context], Array]
) -> Feature:
    return Feature(
        name=f"margin_{name}",
        family="margin",
        formula=formula,
        unit=unit,
        lookback=lookback,
        compute=compute,
        source="margin",
        published=PUBLISHED,
    )


BACK = REACH + 20
FEATURES: tuple[Feature, ...] = (
    _feature("long", "long / ADV20", "days of volume", BACK, _per_volume({"long": 1.0})),
    _feature("short", "short / ADV20", "days of volume", BACK, _per_volume({"short": 1.0})),
    _feature("net", "(long - short) / ADV20", "days of volume", BACK,
             _per_volume({"long": 1.0, "short": -1.0})),
    _feature("long_change_1w", "(long - long a week before) / ADV20", "days of volume", BACK,
             _change_per_volume("long", WEEK)),
    _feature("short_change_1w", "(short - short a week before) / ADV20", "days of volume", BACK,
             _change_per_volume("short", WEEK)),
    _feature("long_change_4w", "(long - long 4 weeks before) / ADV20", "days of volume", BACK,
             _change_per_volume("long", MONTH)),
    _feature("short_change_4w", "(short - short 4 weeks before) / ADV20", "days of volume", BACK,
             _change_per_volume("short", MONTH)),
    _feature("credit_ratio", "ln(long / short)", "ln", 0, _own(_credit)),
    _feature("credit_change_1w", "credit_ratio less that of a week before", "ln", 0,
             _since(_credit, WEEK)),
    _feature("credit_change_4w", "credit_ratio less that of 4 weeks before", "ln", 0,
             _since(_credit, MONTH)),
    _feature("credit_z_52w", "z of credit_ratio against its last 52 weeks", "sd", 0,
             _own(lambda r: r.z_weeks(_credit(r), YEAR))),
    _feature("imbalance", "(long - short) / (long + short)", "-1..1", 0, _own(_imbalance)),
    _feature("imbalance_z_52w", "z of imbalance against its last 52 weeks", "sd", 0,
             _own(lambda r: r.z_weeks(_imbalance(r), YEAR))),
    _feature("age", "weekdays since the newest figures became available", "weekdays", 0,
             lambda x: _rows(x).age()),
)  # fmt: skip
