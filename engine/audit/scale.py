"""Whether a price knows dividends that were not yet paid: a back-adjusted column beside prices as quoted.

All prices of one bar are of one moment, so open and close lie about the middle of low and high whatever the
market does. A column that was multiplied backwards by later dividends lies below it, the more the older the
bar: that distance is a sum of future dividends, and every feature that compares two columns can read it.
"""

from collections.abc import Iterator

import polars as pl

from engine.errors import DataError
from engine.records.preflight import Leak

_PARTS = 4
"""Parts that each stock's bars are cut into: the oldest is held against the newest."""
_LEAST = 20
"""Bars in a part."""
_DRIFT, _ERRORS = 0.01, 6.0
"""A stock drifts by at least so much (log) and so many standard errors. As quoted, 0 of 6,293 US stocks do in
one year, and 11 of 2,718 in seven years of dirty NASDAQ files."""
_SHARE, _CHANCE = 0.01, 2.0
"""More stocks than this share and so many deviations of chance drift: the column leaks. Fewer are faults of
the vendor in single stocks: where 0.4 % are faulty, 160 stocks drawn at random hold 2 or more once in seven
times."""
_OFF_GRID, _ADJUSTED = 0.5, 0.05
"""Quoted prices are whole cents, adjusted ones are not. More stocks than 5 % whose newest close is a whole
cent and most of whose oldest are not: all was adjusted. As quoted, 0.05 % of US stocks are like that, of
dirty NASDAQ files 0.9 %."""
_CENT = 0.005
"""How far from a whole cent, in cents: a price kept in 32 bits still is one, a random one in 100 is."""
_WAY_OUT = (
    "give all prices of a row on one scale: `ingest --price-scale raw_and_adjusted_close`, or map the quoted "
    'column, e.g. `--columns "close=Close"`'
)


def scale_leaks(bars: pl.DataFrame) -> Iterator[Leak]:
    """One leak for each of open and close that drifts against low and high. Bars as stored, any order.

    Bars without a price take no part. DataError where no stock has ``PARTS * LEAST`` bars.
    """
    for name in ("open", "close"):
        drift = _drifts(bars, name)
        if drift.is_empty():
            raise DataError(f"no stock has {_PARTS * _LEAST} bars with all four prices")
        bad = drift.filter(pl.col("bad"))
        usual = _SHARE * len(drift)
        if len(bad) > usual + _CHANCE * usual**0.5:
            worst = bad.sort(pl.col("drift").abs(), descending=True).row(0, named=True)
            yield Leak(
                check="prices",
                name=name,
                day=str(worst["first"]),
                symbol=worst["symbol"],
                detail=_told(name, bars, bad, len(drift)),
            )


def _told(name: str, bars: pl.DataFrame, bad: pl.DataFrame, stocks: int) -> str:
    """Size of the drift, rows outside their range then and now, overnight against intraday, the way out."""
    part = _parts(bars.join(bad.select("symbol"), on="symbol", how="semi"))
    outside = ~pl.col(name).is_between(pl.col("low"), pl.col("high"))
    old, new = (
        part.filter(pl.col("part") == which).select(outside.mean()).item()
        for which in (0, _PARTS - 1)
    )
    night, day = _overnight_and_intraday(part)
    size = bad["drift"].median()
    assert isinstance(size, float)
    return (
        f"is of another scale: against the middle of low and high of its own bar it moves by "
        f"{size:+.2%} from the oldest quarter to the newest (median of {len(bad):,} of {stocks:,} stocks); "
        f"{old:.0%} of the oldest and {new:.0%} of the newest lie outside low..high; "
        f"overnight {night:+.3%} a day, intraday {day:+.3%}; {_WAY_OUT}"
    )


def _overnight_and_intraday(bars: pl.DataFrame) -> tuple[float, float]:
    """Mean log return from close to next open, and from open to close, over all stocks. All prices > 0."""
    opened, closed = pl.col("open").log(), pl.col("close").log()
    night = opened - closed.shift(1).over("symbol")
    first, second = (
        bars.sort("symbol", "date").select(night.mean(), day=(closed - opened).mean()).row(0)
    )
    return first, second


def adjusted_as_a_whole(bars: pl.DataFrame) -> bool:
    """Whether all prices were adjusted backwards: the newest closes are whole cents, the oldest are not.

    Not seen where the vendor rounded what it had adjusted, or cut off the newest bars.
    """
    cents = pl.col("close") * 100.0
    whole = (cents - cents.round()).abs() <= _CENT
    oldest = whole.filter(pl.col("part") == 0).mean()
    newest = whole.sort_by("date").last()
    told = _parts(bars).group_by("symbol").agg(oldest.alias("oldest"), newest.alias("newest"))
    share = told.select((pl.col("newest") & (pl.col("oldest") < _OFF_GRID)).mean()).item()
    return share is not None and bool(share > _ADJUSTED)


def _parts(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars with all four prices of stocks that have enough of them; ``part`` counts from the oldest, 0."""
    prices = ("open", "high", "low", "close")
    whole = pl.all_horizontal(pl.col(name).is_finite() & (pl.col(name) > 0) for name in prices)
    place = pl.col("date").rank("ordinal").over("symbol") - 1
    return (
        bars.select("symbol", "date", *prices)
        .filter(whole)
        .filter(pl.len().over("symbol") >= _PARTS * _LEAST)
        .with_columns(part=(place * _PARTS // pl.len().over("symbol")).cast(pl.Int64))
    )


def _drifts(bars: pl.DataFrame, name: str) -> pl.DataFrame:
    """symbol, first (oldest day), drift (log, newest against oldest part), bad (drift beyond the limits)."""
    middle = (pl.col("high").log() + pl.col("low").log()) / 2.0
    off = pl.col(name).log() - middle
    # 1.2533 is the standard error of a median against that of a mean, of normal values.
    error = pl.col("off").std() * 1.2533 / pl.len().sqrt()
    each = (
        _parts(bars)
        .filter(pl.col("part").is_in([0, _PARTS - 1]))
        .with_columns(off=off)
        .group_by("symbol", "part")
        .agg(pl.col("off").median(), error.alias("error"), pl.col("date").min().alias("first"))
    )
    old, new = (each.filter(pl.col("part") == part) for part in (0, _PARTS - 1))
    both = old.join(new, on="symbol", suffix="_new")
    drift = pl.col("off_new") - pl.col("off")
    limit = _ERRORS * (pl.col("error") ** 2 + pl.col("error_new") ** 2).sqrt()
    return both.select(
        "symbol", "first", drift=drift, bad=(drift.abs() > _DRIFT) & (drift.abs() > limit)
    )
