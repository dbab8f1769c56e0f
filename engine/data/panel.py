"""The panel: clean daily bars, the first joint of the pipeline."""

import datetime as dt
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Market
from engine.errors import DataError

PRICES = ("high", "low", "close", "close_raw")


@dataclass(frozen=True, slots=True, kw_only=True)
class DensePanel:
    """The panel as calendar-aligned arrays ``[N, S]`` (C order, one stock a row); NaN = no bar."""

    dates_S: NDArray[np.datetime64]
    """Every session on which any stock traded, as datetime64[D]."""
    symbols: tuple[str, ...]
    """Sorted."""
    open_NS: NDArray[np.float64]
    high_NS: NDArray[np.float64]
    low_NS: NDArray[np.float64]
    close_NS: NDArray[np.float64]
    close_raw_NS: NDArray[np.float64]
    """As quoted on the day: what price floors look at."""
    volume_NS: NDArray[np.float64]
    turnover_NS: NDArray[np.float64]
    sector_N: NDArray[np.int16]
    """Position in ``sectors``; -1 = unknown."""
    sectors: tuple[str, ...]
    index_close_S: NDArray[np.float64] | None
    """Market index; NaN on sessions without a value; None when the source has no index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Daily bars, long form, sorted by (date, symbol), one row per pair.

    Columns: ``date: Date, symbol: String``; ``open, high, low, close`` on the scale of the stock's first
    bar (a split multiplies what comes after it, so the past never changes), ``open`` null where the
    source had none; ``close_raw`` as quoted; ``volume`` in shares on the same scale; ``turnover`` in
    quote currency.
    """

    frame: pl.DataFrame
    securities: pl.DataFrame
    """``symbol, name, sector, industry``; null = unknown."""
    index: pl.DataFrame | None
    """``date, close`` of the market index."""
    market: Market
    source: str
    as_of: dt.date
    """Last session that the panel may hold."""
    fingerprint: str
    """Digest of snapshot and quality settings: the key of everything built from the panel."""

    def __post_init__(self) -> None:
        if self.frame.is_empty():
            raise DataError(f"{self.source}: no bar is left after the quality gates")
        self._refuse(pl.struct("date", "symbol").is_duplicated(), "(date, symbol) given twice")
        self._refuse(pl.col("date") > self.as_of, f"bar after {self.as_of}")
        self._refuse(
            ~pl.all_horizontal(pl.col(name).is_finite() & (pl.col(name) > 0) for name in PRICES),
            "price not positive and finite",
        )
        body = ("open", "close")
        self._refuse(
            (pl.max_horizontal(body) > pl.col("high")) | (pl.min_horizontal(body) < pl.col("low")),
            "open or close outside low..high",
        )
        keys = self.frame.select("date", "symbol")
        if not keys.equals(keys.sort("date", "symbol")):
            raise DataError(f"{self.source}: bars are not sorted by (date, symbol)")

    def _refuse(self, condition: pl.Expr, what: str) -> None:
        bad = self.frame.filter(condition)
        if not bad.is_empty():
            first = bad.row(0, named=True)
            raise DataError(
                f"{self.source}: {len(bad)} bars with {what} (first: {first['symbol']} on {first['date']})",
                hint="run `atft-tui check` to list what is wrong with the data",
            )

    def dense(self) -> DensePanel:
        """Scatter the rows into ``[N, S]`` arrays."""
        dates_S = self.frame["date"].unique().sort().to_numpy().astype("datetime64[D]")
        symbols = self.frame["symbol"].unique().sort()
        order = {symbol: i for i, symbol in enumerate(symbols)}
        stock = self.frame["symbol"].replace_strict(order, return_dtype=pl.Int64).to_numpy()
        session = np.searchsorted(dates_S, self.frame["date"].to_numpy().astype("datetime64[D]"))

        def scatter(column: str) -> NDArray[np.float64]:
            out_NS = np.full((len(symbols), dates_S.size), np.nan)
            values = self.frame[column].fill_null(float("nan")).to_numpy()
            out_NS[stock, session] = values
            return out_NS

        sector = dict(self.securities.select("symbol", "sector").iter_rows())
        sectors = tuple(sorted({name for name in sector.values() if name}))
        code = {name: i for i, name in enumerate(sectors)}
        return DensePanel(
            dates_S=dates_S,
            symbols=tuple(symbols),
            open_NS=scatter("open"),
            high_NS=scatter("high"),
            low_NS=scatter("low"),
            close_NS=scatter("close"),
            close_raw_NS=scatter("close_raw"),
            volume_NS=scatter("volume"),
            turnover_NS=scatter("turnover"),
            sector_N=np.array([code.get(sector.get(s) or "", -1) for s in symbols], dtype=np.int16),
            sectors=sectors,
            index_close_S=self._index(dates_S),
        )

    def _index(self, dates_S: NDArray[np.datetime64]) -> NDArray[np.float64] | None:
        if self.index is None:
            return None
        out_S = np.full(dates_S.size, np.nan)
        rows = self.index.filter(pl.col("date").is_in(pl.Series(dates_S).cast(pl.Date).implode()))
        position = np.searchsorted(dates_S, rows["date"].to_numpy().astype("datetime64[D]"))
        out_S[position] = rows["close"].to_numpy()
        return out_S
