"""The verdict before anything is stored: what the tables themselves say against the way they were read.

Nothing here changes a value. Every limit stands far beyond what honest dirty data show (measured on NASDAQ
2010-16, NYSE 2010-13 and a US vendor's daily feed 2015-16) and far within what a misreading does.
"""

import datetime as dt
import math
from collections.abc import Mapping
from zoneinfo import ZoneInfo

import polars as pl
from msgspec.structs import replace

from engine.data.calendar import exchange_of, exchange_zone
from engine.data.evidence_days import day_problems, days_of
from engine.data.evidence_joins import (
    StoredMarket,
    join_problems,
    joins_of,
    spelling_problems,
    store_problems,
)
from engine.data.tables import RawTables
from engine.plain_text import readable
from engine.records.reading import Evidence, Problem

_Stocks = tuple[tuple[str, ...], int]
_OUTSIDE = 0.2
"""Share of rows with open or close outside low..high. Honest: at most 0.05 %; a close of another price scale
than open, high and low: 71 to 99.9 %."""
_ROUNDING = 1e-6
_OVERNIGHT = 0.005
"""Mean log return from close to open, a day. Honest: at most 0.024 %; an adjusted close beside a quoted open:
4.8 to 10 %, taken back during the day."""
_BACK = 0.5
"""Share of it that the day takes back."""
_ENOUGH = 20
"""Sessions from which a mean over days says anything; rows of a stock likewise."""
_LEAP = 0.3
"""Log returns beyond it are splits and bad prints, not a mean."""
_NO_CLOSE = 0.5
"""Share of rows without a close, or a volume. Honest: 0.003 % and less than 1 %."""
_SAMPLE = 2_000_000
"""Rows beyond which returns and traded values are measured on every k-th stock."""
_NEAR_POWER = 0.4
"""Log distance of the median traded value from a power of ten. Honest: below 0.02 (the average price of a
day against its close)."""
_NARROW = 0.25
"""Median absolute deviation within which a whole table is off by one factor; else scales are mixed."""
_APART = 0.25
"""Log distance from close x volume that is said."""
_NEGATIVE = 0.02
"""Share of rows with a price below 0. Honest: 0.003 %; returns and changes: 50 to 90 %."""
_SCALES = 0.25
"""Log distance of a close from low..high that is another price scale and no misprint."""
_MANY = 0.2
"""Share of stocks in other units than the rest from which the table is refused."""
_UNITS = {
    6: ("volume is in millions", {"volume": "1000000"}),
    4: ("volume is in ten thousands", {"volume": "10000"}),
    3: ("volume is in thousands", {"volume": "1000"}),
    2: ("volume is in lots of 100", {"volume": "100"}),
    1: ("volume is in lots of 10", {"volume": "10"}),
    -1: (
        "volume is in lots of 100 and traded value in thousands",
        {"volume": "100", "turnover": "1000"},
    ),
    -2: (
        "prices are in cents or pence",
        dict.fromkeys(("open", "high", "low", "close"), "0.01"),
    ),
    -3: ("traded value is in thousands", {"turnover": "1000"}),
    -4: ("traded value is in ten thousands", {"turnover": "10000"}),
    -6: ("traded value is in millions", {"turnover": "1000000"}),
}
"""Power of ten by which traded value / (close x volume) is off, what that means, and what mends it."""


def gather(
    raw: RawTables,
    *,
    now: dt.datetime,
    columns: Mapping[str, str] | None = None,
    store: StoredMarket | None = None,
) -> Evidence:
    """Evidence on tables as read, with the verdict.

    ``columns``: our names -> the file's, for the hints. ``store``: what they are to be added to. Bars may
    repeat a key; they are sorted by date and symbol.
    """
    bars = raw.bars
    exchange = exchange_of(raw.market, raw.calendar)
    today = day_at(bars["date"].max(), exchange, now)  # type: ignore[arg-type]
    days = days_of(bars, exchange)
    after = store.after if store else ""
    joins = joins_of(raw, None if store is None else store.symbols)
    measured = Evidence(
        rows=len(bars),
        symbols=bars["symbol"].n_unique(),
        first=str(bars["date"].min()),
        last=str(bars["date"].max()),
        on_sessions=days.share,
        shifted=days.shifted,
        swapped=days.swapped,
        joins=joins,
    )
    crossed, figures = _prices(bars)
    stocks, values = _values(bars)
    seen = replace(measured, **figures, **_returns(bars), **values)
    problems = [
        *day_problems(raw, days, today=today, exchange=exchange, after=after),
        *(store_problems(bars, store, columns or {}) if store else ()),
        *_price_problems(seen, crossed, bars["date"].n_unique(), columns or {}),
        *_stock_problems(bars),
        *_value_problems(seen, stocks, columns or {}),
        *join_problems(joins, raw),
        *spelling_problems(bars),
    ]
    return replace(seen, problems=tuple(problems))


def day_at(last: dt.date, exchange: str, now: dt.datetime) -> dt.date:
    """The day at the exchange, for data that end at ``last``. Asking for its zone is slow, and only near
    today does it matter.
    """
    if last < now.date() - dt.timedelta(days=1):
        return now.date()
    return now.astimezone(ZoneInfo(exchange_zone(exchange))).date()


def _prices(bars: pl.DataFrame) -> tuple[float, dict[str, float | None]]:
    """Share of rows whose high is below their low, and fields of `Evidence` about single rows."""
    open_, high, low, close = (pl.col(name) for name in ("open", "high", "low", "close"))
    prices = (open_, high, low, close)
    whole = pl.all_horizontal(price > 0 for price in prices)
    top, bottom = high * (1 + _ROUNDING), low * (1 - _ROUNDING)
    outside = (pl.max_horizontal(open_, close) > top) | (pl.min_horizontal(open_, close) < bottom)
    bare = pl.all_horizontal((price.fill_nan(None).fill_null(0.0) == 0.0) for price in prices)
    found = bars.lazy().select(
        outside_range=(outside & whole).sum() / whole.sum(),
        crossed=((bottom > top) & whole).sum() / whole.sum(),
        whole=whole.sum(),
        zero_rows=bare.sum(),
        negative=pl.any_horizontal(price < 0 for price in prices).mean(),
        no_close=(~(close > 0)).fill_null(value=True).mean(),
        no_volume=(~(pl.col("volume") > 0)).fill_null(value=True).mean(),
    )
    row = found.collect().row(0, named=True)
    crossed = row.pop("crossed")
    if not row.pop("whole"):
        return 0.0, row | {"outside_range": None}
    return crossed, row


def _returns(bars: pl.DataFrame) -> dict[str, float | None]:
    """Mean and spread of the log returns over night and over the day, on a sample of the stocks."""
    if len(bars) > _SAMPLE:
        every = -(-len(bars) // _SAMPLE)
        chosen = bars["symbol"].unique().sort().gather_every(every)
        bars = bars.filter(pl.col("symbol").is_in(chosen.implode()))
    part = bars.lazy().select("symbol", "open", "close")
    part = part.filter((pl.col("open") > 0) & (pl.col("close") > 0))
    both = part.select(
        overnight=(pl.col("open") / pl.col("close").shift(1).over("symbol")).log(),
        intraday=(pl.col("close") / pl.col("open")).log(),
    )
    wanted: dict[str, pl.Expr] = {}
    for name in ("overnight", "intraday"):
        usual = pl.col(name).filter(pl.col(name).abs() < _LEAP)
        wanted |= {f"{name}_mean": usual.mean(), f"{name}_spread": usual.std()}
    return both.select(**wanted).collect().row(0, named=True)


def _values(bars: pl.DataFrame) -> tuple[_Stocks, dict[str, float | int]]:
    """Traded value against close x volume: codes that are off with the count of all, fields of `Evidence`.

    Nothing where the table has no traded value of its own.
    """
    traded = bars.lazy().select("symbol", "close", "volume", "turnover")
    traded = traded.filter(pl.all_horizontal(pl.col("close", "volume", "turnover") > 0))
    if len(bars) > _SAMPLE:
        traded = traded.gather_every(-(-len(bars) // _SAMPLE))
    off = (pl.col("turnover") / (pl.col("close") * pl.col("volume"))).log()
    table = traded.select("symbol", off=off).filter(pl.col("off").is_finite()).collect()
    if table.is_empty() or (table["off"].abs() < _ROUNDING).all():
        return ((), 0), {}
    middle = float(table["off"].median())  # type: ignore[arg-type]
    stocks = table.group_by("symbol").agg(
        pl.len(), pl.col("off").mean(), spread=pl.col("off").std()
    )
    power = ((pl.col("off") - middle) / pl.lit(10.0).log()).round()
    near = ((pl.col("off") - middle) - power * pl.lit(10.0).log()).abs() < _NEAR_POWER
    wrong = stocks.filter((power != 0) & near)
    wrong = wrong.filter((pl.col("len") >= _ENOUGH) & (pl.col("spread") < 2 * _NARROW)).sort(
        "symbol"
    )
    figures = {
        "value_ratio": math.exp(middle),
        "value_spread": float((table["off"] - middle).abs().median()),  # type: ignore[arg-type]
        "stocks_off": len(wrong),
    }
    return (tuple(wrong["symbol"].head(3)), len(stocks)), figures


def _price_problems(
    seen: Evidence, crossed: float, sessions: int, columns: Mapping[str, str]
) -> list[Problem]:
    problems = []
    scale = "close and open are of two price scales (one adjusted, one as quoted)"
    mend = '--price-scale, or name the columns of one scale: --columns "close=Close"'
    if seen.negative > _NEGATIVE:
        what = (
            f"{seen.negative:.0%} of the rows have a price below 0: returns or changes, not prices"
        )
        problems.append(Problem(what=what, mend='--columns "open=COLUMN,close=COLUMN"'))
    if crossed > _OUTSIDE:
        high, low = columns.get("high", "high"), columns.get("low", "low")
        what = f"high is below low in {crossed:.0%} of the rows: each is in the other's place"
        problems.append(Problem(what=what, mend=f'--columns "high={low},low={high}"'))
    elif (seen.outside_range or 0.0) > _OUTSIDE:
        what = (
            f"open or close lies outside low..high in {seen.outside_range:.0%} of the rows: {scale}"
        )
        problems.append(Problem(what=what, mend=mend))
    night, day = seen.overnight_mean or 0.0, seen.intraday_mean or 0.0
    if sessions >= _ENOUGH and abs(night) > _OVERNIGHT and day * night < -_BACK * night * night:
        what = f"prices move {night:+.2%} every night and {day:+.2%} every day: {scale}"
        problems.append(Problem(what=what, mend=mend))
    if seen.no_close > _NO_CLOSE:
        share = f"{seen.no_close:.0%} of the rows have no close above 0"
        what = f"{share}: another column is meant, or no trading day"
        problems.append(Problem(what=what, mend='--columns "close=COLUMN"'))
    if seen.no_volume > _NO_CLOSE:
        what = (
            f"{seen.no_volume:.0%} of the rows have no volume above 0: by them nobody could trade"
        )
        problems.append(Problem(what=what, mend='--columns "volume=COLUMN"', refused=False))
    return problems


def _stock_problems(bars: pl.DataFrame) -> list[Problem]:
    """Stocks whose close is on another price scale than their open, high and low in many rows."""
    close, low, high = (pl.col(name) for name in ("close", "low", "high"))
    apart = (close.log() > high.log() + _SCALES) | (close.log() < low.log() - _SCALES)
    rows = bars.lazy().filter(pl.all_horizontal(pl.col("close", "low", "high") > 0) & apart)
    stocks = rows.group_by("symbol").len().filter(pl.col("len") >= _ENOUGH).sort("symbol").collect()
    if stocks.is_empty():
        return []
    known = bars["symbol"].n_unique()
    first, count = stocks.row(0)
    what = (
        f"{readable(first)} has {count:,} rows whose close is of another price scale than its high and low"
        f"{f', {len(stocks) - 1:,} more of {known:,} stocks likewise' if len(stocks) > 1 else ''}"
        " (one adjusted, one as quoted, or two listings under one code)"
    )
    mend = "--price-scale, name the columns of one scale with --columns, or correct these stocks"
    return [Problem(what=what, mend=mend, refused=len(stocks) > _MANY * known)]


def _value_problems(seen: Evidence, known: _Stocks, columns: Mapping[str, str]) -> list[Problem]:
    ratio = seen.value_ratio
    if ratio is None:
        return []
    power = math.log10(ratio)
    whole, count = round(power), f"traded value is {ratio:.3g} x close x volume"
    off = abs(power - whole) * math.log(10.0) < _NEAR_POWER and (seen.value_spread or 0.0) < _NARROW
    if whole and off:
        cause, times = _UNITS.get(whole, ("units are mixed", {"volume": "FACTOR"}))
        mend = ",".join(f"{name}={columns.get(name, name)}*{by}" for name, by in times.items())
        return [Problem(what=f"{count}: {cause}", mend=f'--columns "{mend}"')]
    problems = []
    if abs(power) * math.log(10.0) > _APART:
        what = f"{count}: prices and volumes are of two scales (adjusted and as quoted)"
        problems.append(Problem(what=what, mend="--price-scale", refused=False))
    if seen.stocks_off:
        names, stocks = known
        what = (
            f"{seen.stocks_off:,} of {stocks:,} stocks have volumes or traded values in other units"
        )
        problems.append(
            Problem(
                what=f"{what} than the rest throughout, e.g. {', '.join(names)}",
                mend="correct these stocks in the file; `check` drops their rows",
                refused=seen.stocks_off > _MANY * stocks,
            )
        )
    return problems
