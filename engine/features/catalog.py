"""Every feature by name: family, formula, unit, look-back, and the function that computes it.

A stock-scope feature is ``[N, S]`` and is ranked within the day afterwards, so only its order matters; a
market-scope feature is ``[S]``, the same for all stocks of a day, and is scaled by its own past.
Formulas write c, o, h, l, v, a for close, open, high, low, volume and turnover ("amount"), r for the
daily return, m for the market's, and name[-k] for k sessions earlier.
"""

from collections.abc import Callable, Iterable

import numpy as np

from engine.errors import ConfigError
from engine.features import rolling
from engine.features.context import Array, Context
from engine.features.feature import Feature

FAMILIES = ("price", "volatility", "volume", "technical", "cross_section", "sector", "market")


def select(families: Iterable[str]) -> tuple[Feature, ...]:
    """Features of the families, in catalog order. An unknown family is a ConfigError."""
    wanted = set(families)
    unknown = sorted(wanted - set(FAMILIES))
    if unknown:
        raise ConfigError(
            f"features.families: unknown {', '.join(unknown)}", hint=f"known: {', '.join(FAMILIES)}"
        )
    chosen = tuple(feature for feature in CATALOG if feature.family in wanted)
    if not chosen:
        raise ConfigError("features.families: at least one family is needed")
    return chosen


def _return(sessions: int) -> Feature:
    return Feature(
        name=f"return_{sessions}",
        family="price",
        formula=f"c / c[-{sessions}] - 1",
        unit="fraction",
        lookback=sessions,
        compute=lambda x: x.total_return(sessions),
    )


def _momentum(x: Context) -> Array:
    close_NS = x.dense.close_NS
    return rolling.shift(close_NS, 21) / rolling.shift(close_NS, 252) - 1.0


def _rsi(x: Context, window: int) -> Array:
    up_NS = rolling.mean(np.maximum(x.return_NS, 0.0), window)
    down_NS = rolling.mean(np.maximum(-x.return_NS, 0.0), window)
    return _ratio(up_NS, up_NS + down_NS)


def _macd(x: Context) -> Array:
    close_NS = x.dense.close_NS
    line_NS = (rolling.ewm(close_NS, 12) - rolling.ewm(close_NS, 26)) / close_NS
    return line_NS - rolling.ewm(line_NS, 9)


def _true_range(x: Context) -> Array:
    before_NS = rolling.shift(x.dense.close_NS, 1)
    high_NS = np.fmax(x.dense.high_NS, before_NS)
    return (high_NS - np.fmin(x.dense.low_NS, before_NS)) / x.dense.close_NS


def _close_position(x: Context, window: int) -> Array:
    low_NS = rolling.minimum(x.dense.low_NS, window)
    return _ratio(x.dense.close_NS - low_NS, rolling.maximum(x.dense.high_NS, window) - low_NS)


def _log(x: Array) -> Array:
    """Natural logarithm; NaN where not positive."""
    return np.log(np.where(x > 0, x, np.nan))


def _ratio(a: Array, b: Array) -> Array:
    """a / b; NaN where b is 0."""
    return a / np.where(b != 0, b, np.nan)


def _drawdown(x: Context) -> Array:
    level_S = x.market_level_S[None, :]
    return np.asarray((level_S / rolling.maximum(level_S, 252) - 1.0)[0])


def _market(name: str, formula: str, lookback: int, compute: Callable[[Context], Array]) -> Feature:
    return Feature(
        name=name,
        family="market",
        formula=formula,
        unit="z against its last 252 sessions",
        lookback=lookback + 252,
        compute=compute,
        scope="market",
    )


def _stock(
    family: str,
) -> Callable[[str, str, str, int, Callable[[Context], Array]], Feature]:
    def make(
        name: str, formula: str, unit: str, lookback: int, compute: Callable[[Context], Array]
    ) -> Feature:
        return Feature(
            name=name, family=family, formula=formula, unit=unit, lookback=lookback, compute=compute
        )

    return make


_price, _vol, _volume = _stock("price"), _stock("volatility"), _stock("volume")
_tech, _cross, _sector = _stock("technical"), _stock("cross_section"), _stock("sector")

CATALOG: tuple[Feature, ...] = (
    *(_return(sessions) for sessions in (1, 2, 5, 10, 20, 60, 120)),
    _price("momentum_12_1", "c[-21] / c[-252] - 1", "fraction", 252, _momentum),
    _price("high_52w", "c / max(h, 252)", "fraction", 252,
           lambda x: x.dense.close_NS / rolling.maximum(x.dense.high_NS, 252)),
    _price("overnight_gap", "o / c[-1] - 1", "fraction", 1,
           lambda x: x.dense.open_NS / rolling.shift(x.dense.close_NS, 1) - 1.0),
    _price("intraday_20", "mean(c / o - 1, 20)", "fraction", 20,
           lambda x: rolling.mean(x.dense.close_NS / x.dense.open_NS - 1.0, 20)),
    _vol("volatility_5", "sd(r, 5)", "fraction a day", 5, lambda x: rolling.std(x.return_NS, 5)),
    _vol("volatility_20", "sd(r, 20)", "fraction a day", 20, lambda x: rolling.std(x.return_NS, 20)),
    _vol("volatility_60", "sd(r, 60)", "fraction a day", 60, lambda x: rolling.std(x.return_NS, 60)),
    _vol("parkinson_20", "mean(ln(h / l)^2, 20)", "fraction^2 a day", 20,
         lambda x: rolling.mean(_log(x.dense.high_NS / x.dense.low_NS) ** 2, 20)),
    _vol("max_return_20", "max(r, 20)", "fraction", 20, lambda x: rolling.maximum(x.return_NS, 20)),
    _vol("skew_60", "skewness(r, 60)", "1", 60, lambda x: rolling.skewness(x.return_NS, 60)),
    _volume("log_turnover_20", "ln mean(a, 20)", "ln currency", 20,
            lambda x: _log(rolling.mean(x.dense.turnover_NS, 20))),
    _volume("volume_ratio_5_60", "mean(v, 5) / mean(v, 60)", "1", 60,
            lambda x: _ratio(rolling.mean(x.dense.volume_NS, 5), rolling.mean(x.dense.volume_NS, 60))),
    _volume("volume_shock", "ln v - mean(ln v, 20)", "ln", 20,
            lambda x: _log(x.dense.volume_NS) - rolling.mean(_log(x.dense.volume_NS), 20)),
    _volume("volume_level_10_120", "mean(ln v, 10) - mean(ln v, 120)", "ln", 120,
            lambda x: rolling.mean(_log(x.dense.volume_NS), 10)
            - rolling.mean(_log(x.dense.volume_NS), 120)),
    _volume("amihud_20", "mean(|r| / a, 20), Amihud 2002", "1 / currency", 20,
            lambda x: rolling.mean(_ratio(np.abs(x.return_NS), x.dense.turnover_NS), 20)),
    _volume("signed_volume_20", "mean(sign(r) v, 20) / mean(v, 20)", "1", 20,
            lambda x: _ratio(rolling.mean(np.sign(x.return_NS) * x.dense.volume_NS, 20),
                             rolling.mean(x.dense.volume_NS, 20))),
    _tech("rsi_14", "up / (up + down), mean moves of 14 sessions, Wilder 1978", "0..1", 14,
          lambda x: _rsi(x, 14)),
    _tech("rsi_2", "the same of 2 sessions", "0..1", 2, lambda x: _rsi(x, 2)),
    _tech("macd_histogram", "(ema12 - ema26) / c less its ema9, Appel", "fraction", 200, _macd),
    _tech("bollinger_20", "(c - mean(c, 20)) / sd(c, 20)", "sd", 20,
          lambda x: _ratio(x.dense.close_NS - rolling.mean(x.dense.close_NS, 20),
                           rolling.std(x.dense.close_NS, 20))),
    _tech("atr_14", "mean(true range / c, 14)", "fraction", 15,
          lambda x: rolling.mean(_true_range(x), 14)),
    _tech("stochastic_14", "(c - min l) / (max h - min l), 14 sessions", "0..1", 14,
          lambda x: _close_position(x, 14)),
    _tech("ma_gap_20_60", "mean(c, 20) / mean(c, 60) - 1", "fraction", 60,
          lambda x: rolling.mean(x.dense.close_NS, 20) / rolling.mean(x.dense.close_NS, 60) - 1.0),
    _cross("residual_1", "r - beta60[-1] m", "fraction", 61, lambda x: x.residual_NS),
    _cross("residual_5", "sum(residual, 5)", "fraction", 65, lambda x: x.sum_of(x.residual_NS, 5)),
    _cross("residual_20", "sum(residual, 20)", "fraction", 80,
           lambda x: x.sum_of(x.residual_NS, 20)),
    _cross("idio_volatility_60", "sd(residual, 60)", "fraction a day", 120,
           lambda x: rolling.std(x.residual_NS, 60)),
    _cross("beta_60", "slope of r on m, 60 sessions", "1", 60, lambda x: x.beta(60)),
    _cross("market_correlation_60", "correlation of r and m, 60 sessions", "-1..1", 60,
           lambda x: x.market_correlation(60)),
    _sector("sector_return_5", "sum over 5 sessions of the mean return of the sector's others",
            "fraction", 5, lambda x: x.sum_of(x.sector_return_NS, 5)),
    _sector("sector_return_20", "the same over 20 sessions", "fraction", 20,
            lambda x: x.sum_of(x.sector_return_NS, 20)),
    _sector("sector_relative_1", "r less the sector's others", "fraction", 1,
            lambda x: x.return_NS - x.sector_return_NS),
    _sector("sector_relative_5", "sum of that over 5 sessions", "fraction", 5,
            lambda x: x.sum_of(x.return_NS - x.sector_return_NS, 5)),
    _sector("sector_relative_20", "the same over 20 sessions", "fraction", 20,
            lambda x: x.sum_of(x.return_NS - x.sector_return_NS, 20)),
    _market("market_return_5", "sum(m, 5)", 5, lambda x: x.sum_of(x.market_S[None, :], 5)[0]),
    _market("market_return_20", "sum(m, 20)", 20, lambda x: x.sum_of(x.market_S[None, :], 20)[0]),
    _market("market_volatility_20", "sd(m, 20)", 20,
            lambda x: rolling.std(x.market_S[None, :], 20)[0]),
    _market("market_drawdown", "level / max(level, 252) - 1", 252, _drawdown),
)  # fmt: skip
