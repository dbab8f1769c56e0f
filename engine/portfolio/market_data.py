"""What a book may look at: the scored stocks' prices, liquidity, sector and risk, day by day."""

# Shape suffixes: D sessions from the first to the last scored one, L sessions before them, N stocks.
import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import ConstraintConfig, Market
from engine.data.panel import Panel
from engine.data.sectors import WAY_OUT, with_sector
from engine.errors import ConfigError, DataError
from engine.features import rolling
from engine.records.flags import PROCEEDS

Matrix = NDArray[np.float64]
_UNKNOWN = "unknown"
"""Sector of the stocks whose sector is not known."""
LOOK_BACK = 252
"""Sessions before the first decision that risk figures may use."""
ADV_SESSIONS, _VOLATILITY_SESSIONS, _SKIPPED = 20, 60, 21


@dataclass(frozen=True, kw_only=True)
class MarketData:
    """Row d of every table is known at the close of session d; nothing reaches beyond it."""

    dates_D: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    """Sorted."""
    market: Market
    traded_DN: NDArray[np.bool_]
    """The stock has a bar on the session, and traded."""
    close_raw_DN: Matrix
    """Last close so far, as quoted; NaN before the first."""
    adv_DN: Matrix
    """Mean turnover of the last 20 sessions (at the panel's start: of those there are), quote currency
    a session; a session without a bar counts 0.
    """
    returns_LDN: Matrix
    """One-session returns of L + D sessions, from close to close; 0 without a bar."""
    index_LD: NDArray[np.float64]
    """The same of the market index (without one: the mean stock)."""
    sector_N: NDArray[np.int64]
    """Position in ``sectors``; stocks of an unknown sector share the last one."""
    sectors: tuple[str, ...]
    shortable_N: NDArray[np.bool_]
    sessions_per_year: int = 252
    """Sessions a year of the exchange; annual limits of risk are counted in them."""

    @classmethod
    def from_panel(
        cls,
        panel: Panel,
        *,
        first: dt.date,
        last: dt.date,
        symbols: Sequence[str],
        constraints: ConstraintConfig,
    ) -> Self:
        """The market of these stocks on the sessions from ``first`` to ``last``.

        DataError where ``first`` is no session of the panel.
        """
        dates, skip = _dates(panel, first, last)
        names = pl.Series("symbol", symbols, dtype=pl.String).unique().sort()
        bars = panel.frame.filter(pl.col("date").is_between(dates[0], dates[-1]))
        place = positions(bars, dates, names)
        inside = place["row"].is_not_null() & place["column"].is_not_null()
        bars, place = bars.filter(inside), place.filter(inside)
        row, column = place["row"].to_numpy(), place["column"].to_numpy()

        def scatter(name: str) -> Matrix:
            out = np.full((len(dates), len(names)), np.nan)
            out[row, column] = bars[name].fill_null(float("nan")).to_numpy()
            return out

        paid = np.zeros((len(dates), len(names)), dtype=bool)
        paid[row, column] = (bars["flags"].to_numpy() & PROCEEDS) != 0
        close = scatter("close")
        returns = _returns(close)
        adv = _average_turnover(np.nan_to_num(scatter("turnover")))
        known = pl.DataFrame({"symbol": names}).join(
            panel.securities.unique("symbol", keep="first"), on="symbol", how="left"
        )
        known = known.sort("symbol")
        sector_N, sectors = _sectors(known)
        return cls(
            dates_D=dates[skip:].to_numpy().astype("datetime64[D]"),
            symbols=tuple(names),
            market=panel.market,
            traded_DN=np.isfinite(close[skip:]) & ~paid[skip:],
            close_raw_DN=forward_fill(scatter("close_raw"))[skip:],
            adv_DN=np.ascontiguousarray(adv[skip:]),
            returns_LDN=returns,
            index_LD=_index_returns(panel, dates, close, returns),
            sector_N=sector_N,
            sectors=sectors,
            shortable_N=_shortable(known, constraints),
            sessions_per_year=panel.sessions_per_year,
        )

    def require_sectors(self, what: str) -> None:
        """ConfigError where ``what`` was asked for and no stock has a sector: all would count as one."""
        if self.sectors == (_UNKNOWN,):
            raise ConfigError(
                f"{what} needs the stocks' sectors, and no scored stock has one",
                hint=f"{WAY_OUT}, or do without it",
            )

    @cached_property
    def beta_DN(self) -> Matrix:
        """Slope on the index over the last 252 sessions; 1 where the history is too short."""
        slope, _ = rolling.regression(
            np.ascontiguousarray(self.returns_LDN.T), self.index_LD, LOOK_BACK
        )
        beta = slope.T[-self.dates_D.size :]
        return np.where(np.isfinite(beta), beta, 1.0)

    @cached_property
    def volatility_DN(self) -> Matrix:
        """Deviation of the last 60 one-session returns (0 without a bar); NaN before there are 60."""
        moved = rolling.std(np.ascontiguousarray(self.returns_LDN.T), _VOLATILITY_SESSIONS)
        return np.ascontiguousarray(moved.T[-self.dates_D.size :])

    @cached_property
    def momentum_DN(self) -> Matrix:
        """Log return of the last 252 sessions but the last 21; NaN before there are 252."""
        log_NS = np.ascontiguousarray(np.log1p(np.maximum(self.returns_LDN, -0.999)).T)
        gained = rolling.shift(rolling.sum_(log_NS, LOOK_BACK - _SKIPPED), _SKIPPED)
        return np.ascontiguousarray(gained.T[-self.dates_D.size :])

    def book_volatility(self, weight_DN: Matrix, rows: NDArray[np.int64], window: int) -> Matrix:
        """Daily deviation that books ``[K, N]`` of sessions ``rows`` would have had over ``window``
        past sessions; NaN with fewer than half of them.
        """
        offset = self.index_LD.size - self.dates_D.size
        out_K = np.full(rows.size, np.nan)
        for k, row in enumerate(rows):
            held = np.flatnonzero(weight_DN[k])
            past = self.returns_LDN[max(0, offset + row + 1 - window) : offset + row + 1]
            if len(past) >= window // 2 and held.size:
                out_K[k] = (past[:, held] @ weight_DN[k, held]).std(ddof=1)
        return out_K


def positions(frame: pl.DataFrame, dates: pl.Series, names: pl.Series) -> pl.DataFrame:
    """``row, column`` of each (date, symbol) of the frame; null where it is on neither axis."""
    days = pl.DataFrame({"date": dates}).with_row_index("row")
    stocks = pl.DataFrame({"symbol": names}).with_row_index("column")
    return (
        frame.select("date", "symbol")
        .join(days, on="date", how="left", maintain_order="left")
        .join(stocks, on="symbol", how="left", maintain_order="left")
        .select(pl.col("row", "column").cast(pl.Int64))
    )


def forward_fill(values_DN: Matrix) -> Matrix:
    """Each NaN replaced by the last value above it, where there is one."""
    out_DN = np.array(values_DN, dtype=np.float64)
    for above_N, row_N in itertools.pairwise(out_DN):
        np.copyto(row_N, above_N, where=np.isnan(row_N))
    return out_DN


def _dates(panel: Panel, first: dt.date, last: dt.date) -> tuple[pl.Series, int]:
    """Sessions with the look-back before ``first``, and how many of them lie before it."""
    sessions = panel.frame["date"].unique().sort()
    start, stop = (int(sessions.search_sorted(first)), int(sessions.search_sorted(last)) + 1)
    if start >= len(sessions) or sessions[start] != first:
        raise DataError(
            f"{panel.source}: {first} has scores but no bars",
            hint="the scores belong to other data: train or predict again",
        )
    begin = max(0, start - LOOK_BACK)
    return sessions[begin:stop], start - begin


def _sectors(known: pl.DataFrame) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Place of each stock's sector among the names of all, the unknown one last."""
    sectors = (*with_sector(known)["sector"].unique().sort(), _UNKNOWN)
    place = {name: i for i, name in enumerate(sectors)}
    sector = known["sector"].replace("", None).fill_null(_UNKNOWN)
    return sector.replace_strict(place, return_dtype=pl.Int64).to_numpy(), tuple(sectors)


def _shortable(known: pl.DataFrame, constraints: ConstraintConfig) -> NDArray[np.bool_]:
    """``[N]``, by the master data (True where it does not say) and the configured list."""
    listed = known["symbol"].is_in(list(constraints.not_shortable)).to_numpy()
    if "shortable" not in known.columns:
        return ~listed
    return np.asarray(known["shortable"].fill_null(value=True).to_numpy() & ~listed)


def _returns(close: Matrix) -> Matrix:
    last = forward_fill(close)
    out = np.zeros_like(close)
    np.divide(last[1:], last[:-1], out=out[1:], where=np.isfinite(last[:-1]))
    out[1:] -= np.isfinite(last[:-1])
    return out


def _average_turnover(turnover: Matrix) -> Matrix:
    out = np.ascontiguousarray(rolling.mean(np.ascontiguousarray(turnover.T), ADV_SESSIONS).T)
    early = min(ADV_SESSIONS, len(turnover))
    out[:early] = np.cumsum(turnover[:early], axis=0) / np.arange(1, early + 1)[:, None]
    return out


def _index_returns(
    panel: Panel, dates: pl.Series, close: Matrix, returns: Matrix
) -> NDArray[np.float64]:
    if panel.index is not None:
        rows = pl.DataFrame({"date": dates}).join(panel.index, on="date", how="left")
        level = forward_fill(rows["close"].to_numpy().astype(np.float64)[:, None])
        return _returns(level)[:, 0]
    traded = np.isfinite(close)
    return np.asarray((returns * traded).sum(axis=1) / np.maximum(traded.sum(axis=1), 1))
