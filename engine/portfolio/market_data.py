"""What a book may look at: the scored stocks' prices, liquidity, sector and risk, day by day; and the lots,
ticks and price limits of their exchange.
"""

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
from engine.data.tables import WAY_OUT, with_sector
from engine.errors import ConfigError, DataError
from engine.features import rolling
from engine.records.quality import PROCEEDS

Matrix = NDArray[np.float64]
_UNKNOWN = "unknown"
"""Sector of the stocks whose sector is not known."""
LOOK_BACK = 252
"""Sessions before the first decision that risk figures may use."""
ADV_SESSIONS, _VOLATILITY_SESSIONS, _SKIPPED = 20, 60, 21
_Matrix = NDArray[np.float64]
_LOT = {"jp": 100}
"""Shares that trade together. Tokyo has had one trading unit for all stocks since October 2018."""

# Tokyo Stock Exchange, "other issues" (not TOPIX 500, whose ticks are finer): price up to -> tick, yen.
_TICK_LIMITS = np.array([3e3, 5e3, 3e4, 5e4, 3e5, 5e5, 3e6, 5e6, 3e7, 5e7, np.inf])
_TICKS = np.array([1.0, 5, 10, 50, 100, 500, 1e3, 5e3, 1e4, 5e4, 1e5])
# Tokyo Stock Exchange, daily price limits: base price below -> largest move, yen.
_BASE_LIMITS = np.array(
    [100, 200, 500, 700, 1e3, 1.5e3, 2e3, 3e3, 5e3, 7e3, 1e4, 1.5e4, 2e4, 3e4, 5e4, 7e4, 1e5, 1.5e5,
     2e5, 3e5, 5e5, 7e5, 1e6, 1.5e6, 2e6, 3e6, 5e6, 7e6, 1e7, 1.5e7, 2e7, 3e7, 5e7, np.inf]
)  # fmt: skip
_MOVES = np.array(
    [30, 50, 80, 100, 150, 300, 400, 500, 700, 1e3, 1.5e3, 3e3, 4e3, 5e3, 7e3, 1e4, 1.5e4, 3e4,
     4e4, 5e4, 7e4, 1e5, 1.5e5, 3e5, 4e5, 5e5, 7e5, 1e6, 1.5e6, 3e6, 4e6, 5e6, 7e6, 1e7]
)  # fmt: skip


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


def lot_size(market: Market, configured: int) -> int:
    """Shares per lot; 0 = fractions of a share are allowed. ``configured`` 0 = the market's own."""
    return configured or _LOT.get(market, 0)


def tick(price: _Matrix, market: Market) -> _Matrix:
    """Smallest step of each quoted price, in its currency; 0 where the market has none that matters."""
    if market != "jp":
        return np.where(np.isnan(price), np.nan, 0.0)
    steps = _TICKS[np.searchsorted(_TICK_LIMITS, np.nan_to_num(price))]
    return np.where(np.isnan(price), np.nan, steps)


def price_limits(base: _Matrix, market: Market) -> tuple[_Matrix, _Matrix]:
    """Lowest and highest price of a day, in quote currency; ``base`` is the close before, as quoted."""
    if market != "jp":
        return np.full(base.shape, -np.inf), np.full(base.shape, np.inf)
    move = _MOVES[np.searchsorted(_BASE_LIMITS, np.nan_to_num(base), side="right")]
    low = np.where(np.isnan(base), -np.inf, np.maximum(base - move, 1.0))
    return low, np.where(np.isnan(base), np.inf, base + move)


def limit_price(close: _Matrix, market: Market, bps: float) -> _Matrix:
    """Limit of an order ``bps`` basis points above (+, a buy) or below (-, a sale) the last close.

    On the tick grid (outside Japan: cents), never further away than asked for unless the grid has no such
    price, and inside the next session's price limits.
    """
    raw = close * (1.0 + bps * 1e-4)
    step = tick(close, market) if market == "jp" else np.where(close < 1.0, 1e-4, 1e-2)
    count = raw / step
    whole = np.floor(count + 1e-9) if bps >= 0 else np.ceil(count - 1e-9)
    low, high = price_limits(close, market)
    return np.clip(np.round(np.maximum(whole * step, step), 4), low, high)
