"""Optional tables of the synthetic market: the shape and the delays of real ones, and no planted signal.

They are drawn from a random stream of their own, so bars, index and oracle are the same with and without
them. Publication: options and short selling the next session; flow on Friday of the week after; margin on
Wednesday of the week after; statements 25 to 44 weekdays after the period, every third after the close and
so usable a session later; announcement dates about 20 sessions ahead, one in ten moved later on.
"""

# Shape suffixes: S sessions, N stocks, W weeks, Q quarters.
from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.tables import OPTIONAL, RawTables

_Array = NDArray[np.float64]
_Dates = NDArray[np.datetime64]
_MONEYNESS = np.arange(0.85, 1.1501, 0.03)
_INVESTORS = {"foreign": 0.6, "individual": 0.2, "trust": 0.04, "proprietary": 0.12}
"""Share of the turnover."""
_FOLLOWS = {"foreign": 1.5, "individual": -1.2, "trust": -0.5, "proprietary": 0.2}
"""Balance per unit of the market's return of the week: foreigners follow, individuals fade."""
_SEASON = (0.23, 0.25, 0.24, 0.28)
"""Share of a quarter in the year's sales."""


def optional_tables(raw: RawTables, seed: int) -> dict[str, pl.DataFrame]:
    """All six tables of a synthetic market, each in its schema, sorted."""
    rng = np.random.default_rng([seed, 1])
    assert raw.index is not None
    dates_S = raw.index["date"].to_numpy().astype("datetime64[D]")
    level_S = raw.index["close"].to_numpy()
    statements, earnings = _statements(rng, raw, dates_S)
    return {
        "options": _options(rng, dates_S, level_S),
        "flow": _flow(rng, raw, dates_S, level_S),
        "margin": _margin(rng, raw, dates_S),
        "short": _short(rng, raw),
        "statements": statements,
        "earnings": earnings,
    }


def _shaped(table: str, columns: Mapping[str, object] | pl.DataFrame, *sort: str) -> pl.DataFrame:
    """The columns in the schema of a table, sorted."""
    kinds = (pl.col(name).cast(kind) for name, kind in OPTIONAL[table].items())
    return pl.DataFrame(columns).select(kinds).sort(*sort)


def _later(day: _Dates, weekdays: int | NDArray[np.int64]) -> _Dates:
    """Sessions of this market are all weekdays."""
    return np.asarray(np.busday_offset(day, weekdays, roll="forward"))


def _options(rng: np.random.Generator, dates_S: _Dates, level_S: _Array) -> pl.DataFrame:
    """11 strikes x 2 expiries (second Fridays) x put and call per session; volatility with a skew."""
    returns_S = np.diff(np.log(level_S), prepend=np.log(level_S[0]))
    variance, shock = 0.01**2, 0.0
    volatility_S = np.empty(level_S.size)
    for t, change in enumerate(returns_S):
        variance = 0.94 * variance + 0.06 * change**2
        shock = 0.9 * shock + 0.04 * rng.normal()
        volatility_S[t] = (0.02 + 1.05 * np.sqrt(252 * variance)) * np.exp(shock)
    months = np.arange(dates_S[0].astype("datetime64[M]"), dates_S[-1].astype("datetime64[M]") + 4)
    fridays = np.busday_offset(months.astype("datetime64[D]"), 1, roll="forward", weekmask="Fri")
    near_S = np.searchsorted(fridays, dates_S, side="right")
    parts = []
    for later in (0, 1):
        expiry_S = fridays[near_S + later]
        years_S = (expiry_S - dates_S).astype(np.int64) / 365
        grid_S = 10.0 ** np.floor(np.log10(level_S)) / 40
        strike_SM = np.round(level_S[:, None] * _MONEYNESS / grid_S[:, None]) * grid_S[:, None]
        away_SM = np.log(strike_SM / level_S[:, None]) / np.sqrt(years_S + 0.04)[:, None]
        # Far expiries lie nearer to the long-run level of 18 % a year.
        level_iv_S = volatility_S + (0.18 - volatility_S) * np.minimum(0.8, 2 * years_S)
        iv_SM = level_iv_S[:, None] * (1.0 - 0.25 * away_SM + 0.3 * away_SM**2)
        for kind, side in (("put", -1.0), ("call", 1.0)):
            weight_SM = np.exp(-2.0 * away_SM**2 + 0.8 * side * away_SM - 0.5 * later)
            noise_SM = np.exp(rng.normal(0, 0.3, (2, *weight_SM.shape)))
            parts.append(
                pl.DataFrame(
                    {
                        "date": np.repeat(dates_S, _MONEYNESS.size),
                        "expiry": np.repeat(expiry_S, _MONEYNESS.size),
                        "strike": strike_SM.ravel(),
                        "implied_volatility": np.maximum(iv_SM, 0.03).ravel(),
                        "open_interest": np.round(9000 * weight_SM * noise_SM[0]).ravel(),
                        "volume": np.round(1500 * weight_SM * noise_SM[1]).ravel(),
                        "underlying": np.repeat(level_S, _MONEYNESS.size),
                    }
                ).with_columns(pl.lit(kind).alias("kind"))
            )
    rows = pl.concat(parts)
    rows = rows.with_columns(available=_later(_days(rows["date"]), 1))
    return _shaped("options", rows, "date", "expiry", "strike", "kind")


def _days(column: pl.Series) -> _Dates:
    return column.to_numpy().astype("datetime64[D]")


def _fridays(dates_S: _Dates) -> _Dates:
    return dates_S[np.is_busday(dates_S, weekmask="Fri")]


def _flow(
    rng: np.random.Generator, raw: RawTables, dates_S: _Dates, level_S: _Array
) -> pl.DataFrame:
    """Weeks that end on a Friday; published on Thursday evening of the next one."""
    daily = raw.bars.group_by("date").agg(pl.col("turnover").sort().sum()).sort("date")["turnover"]
    friday_W = _fridays(dates_S)
    session_W = np.searchsorted(dates_S, friday_W)
    turnover_W = daily.to_numpy()[session_W] * 5.0
    return_W = level_S[session_W] / level_S[np.maximum(session_W - 5, 0)] - 1.0
    parts = []
    for investor, share in _INVESTORS.items():
        gross_W = 2 * share * turnover_W * np.exp(rng.normal(0, 0.1, friday_W.size))
        balance_W = _FOLLOWS[investor] * return_W + rng.normal(0, 0.02, friday_W.size)
        balance_W = np.clip(balance_W, -0.9, 0.9)
        parts.append(
            pl.DataFrame(
                {
                    "date": friday_W,
                    "available": _later(friday_W, 5),
                    "investor": [investor] * friday_W.size,
                    "buy": gross_W * (1 + balance_W) / 2,
                    "sell": gross_W * (1 - balance_W) / 2,
                }
            )
        )
    return _shaped("flow", pl.concat(parts), "date", "investor")


def _margin(rng: np.random.Generator, raw: RawTables, dates_S: _Dates) -> pl.DataFrame:
    """Positions of each Friday's stocks; longs build up in falling stocks, shorts in rising ones."""
    window = pl.col("volume").rolling_mean(20, min_samples=1).over("symbol")
    before = pl.col("close").shift(20).over("symbol")
    rows = (
        raw.bars.with_columns(window.alias("adv"), (pl.col("close") / before - 1).alias("gain"))
        .filter(pl.col("date").is_in(pl.Series(_fridays(dates_S)).cast(pl.Date).implode()))
        .sort("date", "symbol")
    )
    gain_R = rows["gain"].fill_null(0.0).to_numpy()
    noise_2R = rng.normal(0, 0.25, (2, len(rows)))
    return _shaped(
        "margin",
        {
            "date": rows["date"],
            "available": _later(_days(rows["date"]), 3),
            "symbol": rows["symbol"],
            "long": np.round(rows["adv"].to_numpy() * np.exp(0.7 - 1.5 * gain_R + noise_2R[0])),
            "short": np.round(rows["adv"].to_numpy() * np.exp(-0.6 + 1.5 * gain_R + noise_2R[1])),
        },
        "date", "symbol",
    )  # fmt: skip


def _short(rng: np.random.Generator, raw: RawTables) -> pl.DataFrame:
    rows = (
        raw.bars.join(raw.securities.select("symbol", "sector"), on="symbol")
        .group_by("date", "sector")
        .agg(pl.col("turnover").sort().sum())
        .sort("date", "sector")
    )
    share_R = 1 / (1 + np.exp(0.4 - rng.normal(0, 0.2, len(rows))))
    return _shaped(
        "short",
        {
            "date": rows["date"],
            "available": _later(_days(rows["date"]), 1),
            "sector": rows["sector"],
            "turnover": rows["turnover"],
            "short_turnover": rows["turnover"].to_numpy() * share_R,
        },
        "date", "sector",
    )  # fmt: skip


def _statements(
    rng: np.random.Generator, raw: RawTables, dates_S: _Dates
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Quarterly results with the year's forecast, and the dates on which they were due."""
    span = raw.bars.group_by("symbol").agg(
        pl.col("date").min().alias("first"), pl.col("date").max().alias("last")
    )
    spans = {symbol: (first, last) for symbol, first, last in span.iter_rows()}
    start = dates_S[0].astype("datetime64[Y]").astype("datetime64[M]")
    parts, schedules = [], []
    for symbol in sorted(spans):
        first, last = (np.datetime64(day, "D") for day in spans[symbol])
        rows = _company(rng, start - 12, int((last - dates_S[0]).astype(int) // 365 + 3))
        quarters = rows["sales"].size
        ended_Q = (rows.pop("month") + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
        told_Q = _later(ended_Q, rng.integers(25, 45, quarters))
        usable_Q = _later(told_Q, (rng.random(quarters) < 1 / 3).astype(np.int64))
        known_Q = _later(told_Q, -rng.integers(15, 26, quarters))
        planned_Q = _later(told_Q, np.where(rng.random(quarters) < 0.1, -5, 0))
        moved_Q = _later(told_Q, -8)
        live_Q = (usable_Q >= first) & (usable_Q <= last)
        parts.append(
            pl.DataFrame({"available": usable_Q, "period_end": ended_Q, **rows})
            .filter(live_Q)
            .with_columns(pl.lit(symbol).alias("symbol"))
        )
        due = pl.DataFrame({"available": known_Q, "date": planned_Q}).filter(known_Q <= last)
        moved = pl.DataFrame({"available": moved_Q, "date": told_Q}).filter(
            (planned_Q != told_Q) & (moved_Q <= last)
        )
        schedules.append(
            pl.concat([due, moved])
            .filter(pl.col("available") >= pl.lit(first))
            .with_columns(pl.lit(symbol).alias("symbol"))
        )
    statements = _shaped("statements", pl.concat(parts), "available", "symbol", "period_end")
    return statements, _shaped("earnings", pl.concat(schedules), "available", "symbol", "date")


def _company(
    rng: np.random.Generator, start: np.datetime64, years: int
) -> dict[str, NDArray[np.generic]]:
    """One company's quarters from ``start``: cumulative within its fiscal year, with forecasts."""
    quarters = 4 * years
    offset = int(rng.choice([2, 2, 2, 5, 8, 11]))  # months from January to the year's first
    growth_Y = rng.normal(0.05, 0.10, years + 1)
    yearly_Y = np.exp(rng.normal(24, 1.2) + np.cumsum(growth_Y))
    margin_Y = 0.08 + 0.04 * rng.normal() + 0.02 * rng.normal(size=years + 1)
    year_Q, quarter_Q = np.divmod(np.arange(quarters), 4)
    share_Q = np.array(_SEASON)[quarter_Q] * np.exp(rng.normal(0, 0.03, quarters))
    sales_Q = yearly_Y[year_Q] * share_Q
    profit_Q = sales_Q * (margin_Y[year_Q] + rng.normal(0, 0.01, quarters))
    so_far = {"sales": sales_Q, "operating_profit": profit_Q, "net_profit": 0.68 * profit_Q}
    for name, value_Q in so_far.items():
        so_far[name] = value_Q.reshape(years, 4).cumsum(axis=1).ravel()
    guided_Q = np.where(quarter_Q == 3, year_Q + 1, year_Q)
    doubt_Q = np.exp(rng.normal(0, 0.02, quarters) * (4 - (quarter_Q + 1) % 4))
    forecast_Q = yearly_Y[guided_Q] * doubt_Q
    forecast_profit_Q = forecast_Q * margin_Y[guided_Q] * doubt_Q
    assets_Q = 1.1 * yearly_Y[year_Q] * np.exp(rng.normal(0, 0.02, quarters))
    return {
        "month": start + offset + 3 * np.arange(1, quarters + 1) - 1,
        "period": np.array(["1Q", "2Q", "3Q", "FY"])[quarter_Q],
        **so_far,
        "assets": assets_Q,
        "equity": assets_Q * np.clip(0.45 + 0.1 * rng.normal(), 0.1, 0.9),
        "forecast_sales": forecast_Q,
        "forecast_operating_profit": forecast_profit_Q,
        "forecast_net_profit": 0.68 * forecast_profit_Q,
    }
