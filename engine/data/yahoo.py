"""Yahoo Finance through yfinance, for a list of codes. Free, unofficial, today's survivors only.

What Yahoo returns with ``auto_adjust=False``: open, high, low, close divided, and volume multiplied, by
every split since (up to today), so that the past changes whenever a stock splits; dividends are left in.
``Adj Close`` takes dividends out as well and is not used. ``Stock Splits`` has new shares per old share
on the ex-date (2.0 for 2:1), 0 on other days; ``Dividends`` the cash of the ex-date, divided by every later
split like the prices.

What we store: prices as quoted on the day (Yahoo's times the product of all later splits), volume in
shares of the day (Yahoo's over the same product), ``adjustment_factor`` one over the split on its ex-date,
``dividend`` in cash a share of the day (Yahoo's times the same product), turnover = close * volume, which
splits do not touch. A later split then changes no earlier row, beyond the rounding of Yahoo's prices. A
missing or negative volume is null, and so is its turnover; a row without a close is dropped, and its factor
and dividend go to the stock's next bar.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from engine.config import Market
from engine.data.tables import BAR_SCHEMA, SECURITY_SCHEMA, RawTables, complete, drop_untraded
from engine.errors import DataError, EnvironmentProblem

_COLUMNS = {"Open": "open", "High": "high", "Low": "low", "Close": "close", "Volume": "volume"}
_SPLITS, _DIVIDENDS = "Stock Splits", "Dividends"
_BIASED = "Yahoo has no delisted stocks: figures made from it are survivor-biased"

_Download = Callable[[Sequence[str], dt.date], Any]
"""(codes, first day) -> pandas frame as `yfinance.download` makes it: columns (code, field), index days."""


def read_yahoo(
    codes: Sequence[str], *, first: dt.date, market: Market, download: _Download | None = None
) -> RawTables:
    """Bars of all codes that Yahoo knows; the others are named in the notes. DataError if it knows none."""
    frame = (download or _download)(codes, first)
    known = (
        {str(code) for code in frame.columns.get_level_values(0)} if len(frame.columns) else set()
    )
    tables = {code: _bars(frame[code], code) for code in dict.fromkeys(codes) if code in known}
    tables = {code: bars for code, bars in tables.items() if not bars.is_empty()}
    if not tables:
        raise DataError(
            f"Yahoo returned no prices for {', '.join(codes[:5])}",
            hint="check data.yahoo.codes (Tokyo is 7203.T) and the network; Yahoo also limits the rate",
        )
    missing = [code for code in dict.fromkeys(codes) if code not in tables]
    notes = [_BIASED]
    if missing:
        notes.append(f"Yahoo has no prices for {', '.join(missing)}")
    securities = pl.DataFrame({"symbol": sorted(tables)}, schema={"symbol": pl.String})
    return RawTables(
        bars=pl.concat(tables.values()).sort("date", "symbol"),
        securities=complete(securities, SECURITY_SCHEMA),
        index=None,
        market=market,
        source="yahoo",
        notes=tuple(notes),
    )


def _bars(frame: Any, code: str) -> pl.DataFrame:
    """One code's pandas frame as quoted bars; empty if there is no close at all."""
    rows = len(frame.index)
    columns: dict[str, pl.Series] = {
        "date": pl.Series([day.date() for day in frame.index], dtype=pl.Date)
    }
    for theirs, ours in {**_COLUMNS, _SPLITS: "split", _DIVIDENDS: "dividend"}.items():
        values = frame[theirs].astype(float).tolist() if theirs in frame.columns else [None] * rows
        columns[ours] = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    typed = pl.DataFrame(columns).unique("date", keep="last").sort("date")
    split = pl.when(pl.col("split") > 0).then("split").otherwise(1.0)
    typed = typed.with_columns(split.alias("split")).with_columns(
        pl.col("split").reverse().cum_prod().reverse().shift(-1, fill_value=1.0).alias("later")
    )
    prices = ("open", "high", "low", "close")
    typed = typed.with_columns(
        pl.lit(code).alias("symbol"),
        (1.0 / pl.col("split")).alias("adjustment_factor"),
        *(pl.col(name) * pl.col("later") for name in prices),
        pl.col("dividend").fill_null(0.0) * pl.col("later"),
        pl.when(pl.col("volume") >= 0).then(pl.col("volume") / pl.col("later")).alias("volume"),
    ).with_columns((pl.col("close") * pl.col("volume")).alias("turnover"))
    typed = typed.with_columns(
        pl.col(n).cast(t) for n, t in BAR_SCHEMA.items() if n in typed.columns
    )
    return drop_untraded(complete(typed, BAR_SCHEMA))


def _download(codes: Sequence[str], first: dt.date) -> Any:
    try:
        import yfinance
    except ImportError:
        raise EnvironmentProblem(
            "yfinance is not installed", hint='install it: pip install "atft-tui[yahoo]"'
        ) from None
    return yfinance.download(
        list(dict.fromkeys(codes)),
        start=first.isoformat(),
        auto_adjust=False,
        actions=True,
        group_by="ticker",
        threads=False,
        progress=False,
        keepna=True,
        multi_level_index=True,
    )
