"""Index options: what the market expects of volatility, how it is skewed, and who trades.

All of market scope. Statistics run over the table's own days, as they were known; sd is a standard
deviation, IV an implied volatility (fraction a year) of the index.
"""

from collections.abc import Callable

import numpy as np

from engine.features.context import Array, Context
from engine.features.families import chain
from engine.features.families.aligned import Rows, arrange, log, ratio, table
from engine.features.feature import Feature

_PUBLISHED = "the day the source delivers the chain; J-Quants: after midnight, so the session after"
_YEAR = np.sqrt(252.0)
_Figure = Callable[[Rows], Array]
"""Rows of daily figures (`chain.FIGURES`) -> one value per row."""


def _rows(x: Context) -> Rows:
    store = x.shared
    if "options" not in store:
        store["options"] = arrange(chain.summarise(table(x, "options")), None, (), x.dense.dates_S)
    rows = store["options"]
    assert isinstance(rows, Rows)
    return rows


def _feature(name: str, formula: str, unit: str, figure: _Figure) -> Feature:
    def compute(x: Context) -> Array:
        rows = _rows(x)
        return np.asarray(rows.at_close(figure(rows))[0])

    return Feature(
        name=f"option_{name}",
        family="options",
        formula=formula,
        unit=unit,
        lookback=0,
        compute=compute,
        scope="market",
        source="options",
        published=_PUBLISHED,
    )


def _skew(r: Rows) -> Array:
    return r.column("put_95") - r.column("call_105")


def _put_call(what: str) -> _Figure:
    return lambda r: log(ratio(r.column(f"put_{what}"), r.column(f"call_{what}")))


def _total(r: Rows, what: str) -> Array:
    return r.column(f"put_{what}") + r.column(f"call_{what}")


def _realised(r: Rows, days: int) -> Array:
    """sd of the underlying's daily log returns, a year."""
    return np.asarray(_YEAR * r.std(r.change(log(r.column("underlying")), 1), days))


def _change(steps: int) -> Feature:
    return _feature(
        f"iv_change_{steps}",
        f"ln IV30 less that of {steps} sessions before",
        "ln",
        lambda r: r.change(log(r.column("iv_30")), steps),
    )


_IV = "fraction a year"

FEATURES: tuple[Feature, ...] = (
    _feature("iv_near", "at-the-money IV of the near expiry (7 days away or more)", _IV,
             lambda r: r.column("near")),
    _feature("iv_next", "at-the-money IV of the expiry after", _IV, lambda r: r.column("next")),
    _feature("iv_30", "at-the-money IV at 30 days, variance linear in time", _IV,
             lambda r: r.column("iv_30")),
    _feature("iv_wings", "root mean square IV of out-of-the-money strikes within 10 %, 30 days", _IV,
             lambda r: r.column("smile_30")),
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
    _change(1), _change(5), _change(20),
    _feature("iv_percentile_252", "share of the last 252 sessions with IV30 not above", "0..1",
             lambda r: r.percentile(r.column("iv_30"), 252)),
    _feature("iv_less_realised", "IV30 less sd of the underlying's 20 log returns a year", _IV,
             lambda r: r.column("iv_30") - _realised(r, 20)),
    _feature("iv_volatility_20", "sd of daily changes of ln IV30, 20 sessions", "ln",
             lambda r: r.std(r.change(log(r.column("iv_30")), 1), 20)),
    _feature("put_call_volume", "ln(put volume / call volume)", "ln", _put_call("volume")),
    _feature("put_call_volume_20", "put_call_volume less its mean of 20 sessions", "ln",
             lambda r: _put_call("volume")(r) - r.mean(_put_call("volume")(r), 20)),
    _feature("put_call_interest", "ln(put open interest / call open interest)", "ln",
             _put_call("interest")),
    _feature("volume_shock", "ln volume less its mean of 20 sessions", "ln",
             lambda r: log(_total(r, "volume")) - r.mean(log(_total(r, "volume")), 20)),
    _feature("interest_change_5", "ln open interest less that of 5 sessions before", "ln",
             lambda r: r.change(log(_total(r, "interest")), 5)),
    _feature("interest_level", "open-interest mean of strike / underlying, less 1", "fraction",
             lambda r: r.column("interest_level") - 1.0),
)  # fmt: skip
