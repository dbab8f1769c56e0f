"""The panel: clean daily bars, the first joint of the pipeline."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import Market
from engine.data.calendar import exchange_of, sessions_per_year
from engine.errors import DataError
from engine.records.quality import BREAK, PROCEEDS

_PRICES = ("high", "low", "close", "close_raw")
_COLUMNS = ("open", *_PRICES, "volume", "turnover")
MONEY = {"dividend": 0.0, "reinvested": 1.0, "flags": 0}
"""Columns of the frame that say what corporate actions did, and what they are where nothing is known."""


_GONE = np.empty((0, 0))


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
    """The close as quoted on the day: what price floors look at."""
    volume_NS: NDArray[np.float64]
    turnover_NS: NDArray[np.float64]
    sector_N: NDArray[np.int16]
    """Position in ``sectors``; -1 = unknown."""
    sectors: tuple[str, ...]
    index_close_S: NDArray[np.float64] | None
    """Market index; NaN on sessions without a value; None when the source has no index."""
    bars_before_N: NDArray[np.int64]
    """Bars of each stock before the first column."""
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Optional tables of the source, whole; see `engine.data.tables`."""
    first: int = 0
    """Position of the first column among all sessions of the panel."""
    reinvested_NS: NDArray[np.float64] | None = None
    """``close / reinvested`` is the price alone; None = no dividends are known."""
    proceeds_NS: NDArray[np.bool_] | None = None
    """Bars that are no trading but what a share was paid in the end; None = there are none."""

    def take(self, rows_N: NDArray[np.int64]) -> "DensePanel":
        """The arrays ``[N, S]`` of these N stocks, in this order; only one table is held twice at a time.

        This object has no prices after it: all of them twice would be most of the memory of a build.
        """
        arrays = {name: getattr(self, name)[rows_N] for name in ("sector_N", "bars_before_N")}
        for name in self._tables():
            arrays[name] = getattr(self, name)[rows_N]
            object.__setattr__(self, name, _GONE)
        return replace(self, symbols=tuple(self.symbols[n] for n in rows_N), **arrays)

    def window(self, start: int, stop: int, rows: slice = slice(None)) -> "DensePanel":
        """Sessions ``start`` to ``stop`` (of the panel, not of this object) of these rows, as views."""
        a, b = start - self.first, stop - self.first
        arrays: dict[str, Any] = {name: getattr(self, name)[rows, a:b] for name in self._tables()}
        return replace(
            self,
            dates_S=self.dates_S[a:b],
            index_close_S=None if self.index_close_S is None else self.index_close_S[a:b],
            first=start,
            symbols=self.symbols[rows],
            sector_N=self.sector_N[rows],
            bars_before_N=self.bars_before_N[rows]
            + np.isfinite(self.close_NS[rows, :a]).sum(axis=1),
            **arrays,
        )

    def _tables(self) -> list[str]:
        names = (*(f"{name}_NS" for name in _COLUMNS), "reinvested_NS", "proceeds_NS")
        return [name for name in names if getattr(self, name) is not None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Daily bars, long form, sorted by (date, symbol), one row per pair.

    Columns: ``date: Date, symbol: String``; ``open, high, low, close`` on the scale of the stock's first
    bar (a split multiplies what comes after it, a dividend is put back in, so the past never changes and
    returns are total returns), ``open`` null where the source had none; ``close_raw`` as quoted; ``volume``
    in shares on the scale of splits alone; ``turnover`` in quote currency; ``dividend`` in quote currency a
    share of the ex-date; ``reinvested``: how much of the scale is dividends (close / reinvested is the price
    alone); ``flags``: bits of `engine.records.quality`.
    """

    frame: pl.DataFrame
    securities: pl.DataFrame
    """``symbol, name, sector, industry``; null = unknown."""
    index: pl.DataFrame | None
    """``date, close`` of the market index."""
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Optional tables of the source; see `engine.data.tables`."""
    market: Market
    source: str
    as_of: dt.date
    """Last session that the panel may hold."""
    fingerprint: str
    """Digest of snapshot and quality settings: the key of everything built from the panel."""
    calendar: str = ""
    """Code of the calendar that was named at ingest; empty = the market's own."""
    currency: str = ""
    """Label of prices that was named at ingest; empty = the market's own."""

    def __post_init__(self) -> None:
        if self.frame.is_empty():
            raise DataError(f"{self.source}: no bar is left after the quality gates")
        check_bars(self.frame, self.source, self.as_of)
        absent = [pl.lit(v).alias(k) for k, v in MONEY.items() if k not in self.frame.columns]
        object.__setattr__(self, "frame", self.frame.with_columns(absent))

    @property
    def dates_S(self) -> NDArray[np.datetime64]:
        """Sessions ``[S]`` with a bar, increasing."""
        return self.frame["date"].unique().sort().to_numpy().astype("datetime64[D]")

    @property
    def sessions_per_year(self) -> int:
        """Sessions a year of the exchange where these stocks trade."""
        return sessions_per_year(exchange_of(self.market, self.calendar))

    @property
    def settings(self) -> str:
        """Nothing is known of a panel in memory; its results are told apart by the fingerprint."""
        return ""

    @property
    def chain(self) -> Sequence[str]:
        """Nothing built from a panel in memory can be extended later."""
        return ()

    def dense(self, start: int = 0) -> DensePanel:
        """Scatter the rows of the sessions from ``start`` on into ``[N, S - start]`` arrays."""
        symbols = tuple(self.frame["symbol"].unique().sort())
        dates_S = self.dates_S
        after = self.frame.filter(pl.col("date") >= dates_S[start].item()) if start else self.frame
        dense = scatter(
            [after],
            dates_S=dates_S[start:],
            symbols=symbols,
            securities=self.securities,
            tables=self.tables,
            first=start,
        )
        before = self.frame.filter(pl.col("date") < dates_S[start].item())["symbol"]
        count_N = np.bincount(positions(before, symbols), minlength=len(symbols))
        return replace(
            dense,
            index_close_S=index_closes(self.index, dense.dates_S),
            bars_before_N=count_N.astype(np.int64),
        )


def check_bars(frame: pl.DataFrame, source: str, as_of: dt.date) -> None:
    """Refuse rows that no later stage could use: the promise of the joint."""

    def refuse(condition: pl.Expr, what: str) -> None:
        bad = frame.filter(condition)
        if not bad.is_empty():
            first = bad.row(0, named=True)
            raise DataError(
                f"{source}: {len(bad)} bars with {what} (first: {first['symbol']} on {first['date']})",
                hint="run `atft-tui check` to list what is wrong with the data",
            )

    refuse(pl.col("date") > as_of, f"bar after {as_of}")
    refuse(
        ~pl.all_horizontal(pl.col(name).is_finite() & (pl.col(name) > 0) for name in _PRICES),
        "price not positive and finite",
    )
    body = ("open", "close")
    refuse(
        (pl.max_horizontal(body) > pl.col("high")) | (pl.min_horizontal(body) < pl.col("low")),
        "open or close outside low..high",
    )
    again = (pl.col("date") == pl.col("date").shift(1)) & (
        pl.col("symbol") == pl.col("symbol").shift(1)
    )
    back = (pl.col("date") < pl.col("date").shift(1)) | (
        (pl.col("date") == pl.col("date").shift(1)) & (pl.col("symbol") < pl.col("symbol").shift(1))
    )
    unsorted = frame.select(back.any()).item()
    if unsorted and frame.select(pl.struct("date", "symbol").is_duplicated().any()).item():
        refuse(pl.struct("date", "symbol").is_duplicated(), "(date, symbol) given twice")
    refuse(again, "(date, symbol) given twice")
    if unsorted:
        raise DataError(f"{source}: bars are not sorted by (date, symbol)")


def positions(symbol_M: pl.Series, symbols: Sequence[str]) -> NDArray[np.int64]:
    """Place ``[M]`` of each entry in ``symbols`` (sorted, all entries included)."""
    coded = symbol_M.cast(pl.Enum(symbols)).to_physical()
    return coded.to_numpy().astype(np.int64)


def scatter(
    parts: Iterable[pl.DataFrame],
    *,
    dates_S: NDArray[np.datetime64],
    symbols: tuple[str, ...],
    securities: pl.DataFrame,
    tables: Mapping[str, pl.DataFrame],
    first: int,
) -> DensePanel:
    """Long rows of the sessions ``dates_S`` as arrays ``[N, S]``, one part after the other.

    ``index_close_S`` and ``bars_before_N`` are left to the caller.
    """
    shape = (len(symbols), dates_S.size)
    arrays = {name: np.full(shape, np.nan) for name in _COLUMNS}
    for part in parts:
        frame = _without_ranges_of_breaks(part)
        stock = positions(frame["symbol"], symbols)
        session = np.searchsorted(dates_S, frame["date"].to_numpy().astype("datetime64[D]"))
        paying = frame.select((pl.col("reinvested") != 1).any()).item()
        if paying and "reinvested" not in arrays:  # nobody has paid before
            arrays["reinvested"] = np.where(np.isfinite(arrays["close"]), 1.0, np.nan)
        for name in arrays.keys() - {"proceeds"}:
            arrays[name][stock, session] = frame[name].fill_null(float("nan")).to_numpy()
        paid = (frame["flags"].to_numpy() & PROCEEDS) != 0
        if paid.any():
            at = arrays.setdefault("proceeds", np.zeros(shape, dtype=bool))
            at[stock[paid], session[paid]] = True
    sector = dict(securities.select("symbol", "sector").iter_rows())
    sectors = tuple(sorted({name for name in sector.values() if name}))
    code = {name: i for i, name in enumerate(sectors)}
    return DensePanel(
        dates_S=dates_S,
        symbols=symbols,
        **{f"{name}_NS": array for name, array in arrays.items()},
        sector_N=np.array([code.get(sector.get(s) or "", -1) for s in symbols], dtype=np.int16),
        sectors=sectors,
        index_close_S=None,
        tables=tables,
        first=first,
        bars_before_N=np.zeros(len(symbols), dtype=np.int64),
    )


def _without_ranges_of_breaks(frame: pl.DataFrame) -> pl.DataFrame:
    """Which side of a break its open, high and low are on is not known: they are left out (open null, high
    and low the close), so that no window of features and no label takes a part of the jump for a return.
    """
    jumped = (pl.col("flags") & BREAK) != 0
    if not frame.select(jumped.any()).item():
        return frame
    high_low = (pl.when(jumped).then("close").otherwise(c).alias(c) for c in ("high", "low"))
    return frame.with_columns(pl.when(~jumped).then("open").alias("open"), *high_low)


def index_closes(
    index: pl.DataFrame | None, dates_S: NDArray[np.datetime64]
) -> NDArray[np.float64] | None:
    """``[S]`` of the market index (``date, close``): NaN where it has no value, None where there is none."""
    if index is None:
        return None
    out_S = np.full(dates_S.size, np.nan)
    rows = index.filter(pl.col("date").is_in(pl.Series(dates_S).cast(pl.Date).implode()))
    position = np.searchsorted(dates_S, rows["date"].to_numpy().astype("datetime64[D]"))
    out_S[position] = rows["close"].to_numpy()
    return out_S
