"""Bars as quoted and the corporate actions beside them, from whatever scale a file has.

All prices of a row are on one scale: as quoted, or all adjusted by the vendor. Close from one and open from
the other would put dividends that were not yet paid into every overnight return.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
from msgspec.structs import replace as replace_fields
from numpy.typing import NDArray

from engine.config import ReadingConfig
from engine.data.reading.conventions import Convention, convention_of
from engine.data.reading.numbers import BadValue
from engine.data.reading.ratio import RowOrder, actions_of, hold_dividends, money_of, order_of
from engine.records.reading import Factor, PriceScale

_PRICES = ("open", "high", "low", "close")
_Floats = NDArray[np.float64]
_Notes = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """Bars on one price scale."""

    bars: pl.DataFrame
    """date, symbol, open, high, low, close, volume, turnover (where the file has it), adjustment_factor,
    dividend; the rows of the frame in their order. Where a row has nothing before it to be compared with,
    the last two are 1 and 0."""
    price_scale: PriceScale
    factor: Factor | None
    notes: tuple[str, ...] = ()


def midpoints(frame: pl.DataFrame) -> tuple[pl.DataFrame, _Notes]:
    """The frame without the minus sign that marks a close as a midpoint of bid and ask (CRSP), and a note.

    ``frame``: rows with a numeric close and perhaps low and high, all in quote currency. A sign is such a
    mark where the number without it lies within low..high; if one negative close does not, all stay.
    """
    if "close" not in frame.columns or not {"low", "high"} <= set(frame.columns):
        return frame, ()
    size = pl.col("close").abs()
    marked = frame.select(
        there=pl.col("close") < 0, within=size.is_between(pl.col("low"), pl.col("high"))
    ).filter(pl.col("there"))
    if not len(marked) or not marked["within"].all():
        return frame, ()
    said = (
        "A close below 0 lies within low and high without its sign: the midpoint of bid and ask on a day "
        f"without a trade. The sign is left out of {len(marked):,}."
    )
    return frame.with_columns(size.alias("close")), (said,)


def to_quoted(
    frame: pl.DataFrame, settings: ReadingConfig, *, vintage: pl.Series | None = None
) -> Scaled:
    """Bars of a frame in file order, on one scale. BadValue if the scales are mixed or a factor misfits.

    The frame has date, symbol and some of open, high, low, close, volume as quoted, the same with ``adj_``
    before them, factor, split, dividend, turnover; numbers are Float64, missing ones null. ``vintage``
    numbers the files that the rows came from.
    """
    frame = frame.with_columns(pl.col(pl.Float64).fill_nan(None))
    scale = _scale(frame, settings)
    if scale == "adjusted":
        return _adjusted(frame)
    quoted = Scaled(bars=_bars(frame, None, None), price_scale="raw", factor=None)
    if scale == "raw" and not _says(frame, "dividend"):
        return quoted
    order = order_of(frame["symbol"], frame["date"], vintage)
    dividend, notes = _dividends(frame, order)
    if scale == "raw":
        if dividend is None:
            return replace(quoted, notes=notes)
        if settings.price_scale == "auto" and _paid_in(frame, order, dividend):
            return _adjusted(frame)
        paid = int((dividend > 0).sum())
        plan = Factor(column="dividend", convention="cash on the ex-date", dividends=paid)
        bars = _bars(frame, None, order.in_file(dividend))
        return Scaled(bars=bars, price_scale="raw", factor=plan, notes=notes)
    if scale == "raw_and_adjusted_close":
        return _from_ratio(frame, order, dividend, notes)
    factors = _has_events(frame, "factor") or "split" not in frame.columns
    column: Literal["factor", "split"] = "factor" if factors else "split"
    values, close = _array(frame, column, order), _array(frame, "close", order)
    read = convention_of(values, close, order, column=column, wanted=settings.factor)
    if settings.price_scale == "auto" and _paid_in(frame, order, dividend, read):
        return _adjusted(frame)
    return _from_factor(frame, order, read, dividend, notes)


def _paid_in(
    frame: pl.DataFrame, order: RowOrder, dividend: _Floats | None, read: Convention | None = None
) -> bool:
    """Whether the closes hold the dividends; a vendor that adjusts for them does so for splits as well."""
    if dividend is None or "adj_close" in frame.columns:
        return False
    close = _array(frame, "close", order)
    if read is not None and (read.factor != 1).any():
        if not read.divided:
            return False
        close = close * _later(1 / read.factor, order)
    return hold_dividends(close, dividend, order)


def _scale(frame: pl.DataFrame, settings: ReadingConfig) -> PriceScale:
    """Which prices are taken, from the columns that are there."""
    there = set(frame.columns)
    raw, adjusted = "close" in there, "adj_close" in there
    factor = bool({"factor", "split"} & there)
    if settings.price_scale != "auto":
        needed = {
            "raw": raw,
            "raw_and_factor": raw and factor,
            "raw_and_adjusted_close": raw and adjusted,
            "adjusted": raw or adjusted,
        }
        if not needed[settings.price_scale]:
            raise BadValue(
                f"The price scale {settings.price_scale} needs columns that are not there",
                hint="map them with --columns (close, adj_close, factor), or leave --price-scale out",
            )
        return settings.price_scale
    lone = [name for name in _PRICES[:3] if name in there and f"adj_{name}" not in there]
    turned = [name for name in _PRICES[:3] if name not in there and f"adj_{name}" in there]
    if not raw and adjusted and not lone:
        return "adjusted"
    if raw and turned and adjusted and not lone:
        return "adjusted"
    if (not raw and adjusted) or (raw and turned):
        kept, moved = (lone, ["close"]) if not raw else (["close"], turned)
        raise BadValue(
            f"The scales are mixed: {', '.join(kept)} as quoted, {', '.join(moved)} adjusted only",
            hint="map four quoted prices with --columns, or say --price-scale adjusted if all are adjusted",
        )
    if factor and any(_has_events(frame, name) for name in ("factor", "split")):
        return "raw_and_factor"
    if raw and adjusted:
        return "raw_and_adjusted_close"
    return "raw_and_factor" if factor else "raw"


def _says(frame: pl.DataFrame, column: str) -> bool:
    return column in frame.columns and bool((frame[column] != 0).any())


def _has_events(frame: pl.DataFrame, column: str) -> bool:
    """Whether a column of factors is there and has other values than 0 and 1."""
    return column in frame.columns and not bool(frame[column].drop_nulls().is_in([0.0, 1.0]).all())


def _array(frame: pl.DataFrame, column: str, order: RowOrder) -> _Floats:
    return frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy()[order.rows]


def _dividends(frame: pl.DataFrame, order: RowOrder) -> tuple[_Floats | None, tuple[str, ...]]:
    """Cash on ex-dates, in the order; None if the file has none. A figure that stays is no payment."""
    if not _says(frame, "dividend"):
        return None, ()
    cash = np.nan_to_num(_array(frame, "dividend", order))
    paid = np.flatnonzero((cash > 0) & ~order.first)
    if paid.size and np.mean(cash[paid] == cash[paid - 1]) > 0.5:
        return None, ("The dividend column repeats its figure from day to day: it is not used.",)
    return np.maximum(cash, 0.0), ()


def _bars(
    frame: pl.DataFrame, factor: _Floats | None, dividend: _Floats | None, prefix: str = ""
) -> pl.DataFrame:
    """The columns of bars; prices and volume from those with the prefix."""
    taken = [
        pl.col(f"{prefix}{name}").alias(name)
        if f"{prefix}{name}" in frame.columns
        else pl.lit(None, pl.Float64).alias(name)
        for name in (*_PRICES, "volume")
    ]
    turnover = ["turnover"] if "turnover" in frame.columns else []
    ones = pl.lit(1.0) if factor is None else pl.Series(factor)
    zeros = pl.lit(0.0) if dividend is None else pl.Series(dividend)
    return frame.select("date", "symbol", *taken, *turnover, adjustment_factor=ones, dividend=zeros)


def _adjusted(frame: pl.DataFrame) -> Scaled:
    """All prices as the vendor adjusted them; what is there as quoted only is brought to the same scale."""
    there = set(frame.columns)
    if "adj_close" in there:
        both = "close" in there
        moved = pl.col("adj_close") / pl.col("close") if both else pl.lit(1.0)
        frame = frame.with_columns(
            (pl.col(name) * moved).alias(f"adj_{name}")
            for name in _PRICES[:3]
            if name in there and f"adj_{name}" not in there
        )
        if both and "turnover" not in there and "volume" in there:
            frame = frame.with_columns(turnover=pl.col("close") * pl.col("volume"))
        if "adj_volume" not in there and "volume" in there:
            frame = frame.with_columns(adj_volume=pl.col("volume"))
    unused = [name for name in ("factor", "split", "dividend") if name in there]
    said = f"The prices are adjusted already: {', '.join(unused)} not applied."
    bars = _bars(frame, None, None, "adj_" if "adj_close" in there else "")
    return Scaled(bars=bars, price_scale="adjusted", factor=None, notes=(said,) if unused else ())


def _from_ratio(
    frame: pl.DataFrame, order: RowOrder, dividend: _Floats | None, notes: _Notes
) -> Scaled:
    """Quoted bars; splits and dividends from the changes of the adjusted close over the quoted one."""
    close = _array(frame, "close", order)
    found = actions_of(_array(frame, "adj_close", order), close, order)
    cash = found.dividend if dividend is None or found.dividend.any() else dividend
    before = order.before(close > 0)
    event = np.flatnonzero((found.factor != 1) & (before >= 0))
    jump = np.log(close[event] / close[before[event]])
    left = jump - np.log(found.factor[event])
    plan = Factor(
        column="adj_close",
        convention="an adjusted close, taken as a ratio to the close",
        events=event.size,
        dividends=int((cash > 0).sum()),
        jump_before=float(np.median(np.abs(jump))) if event.size else 0.0,
        jump_after=float(np.median(np.abs(left))) if event.size else 0.0,
    )
    return Scaled(
        bars=_bars(frame, order.in_file(found.factor), order.in_file(cash)),
        price_scale="raw_and_adjusted_close",
        factor=plan,
        notes=(*notes, *_unexplained(found.unexplained)),
    )


def _unexplained(count: int) -> _Notes:
    said = (
        f"Changes of adjusted close / close that the close does not follow, not applied: {count:,}."
    )
    return (said,) if count else ()


def _from_factor(
    frame: pl.DataFrame, order: RowOrder, read: Convention, dividend: _Floats | None, notes: _Notes
) -> Scaled:
    """Quoted bars beside a column of factors; where prices are divided by later splits, that is undone.

    Dividends that the file does not have come from an adjusted close where the column knows splits only,
    and from the factors themselves where it knows all.
    """
    factor = read.factor
    if dividend is None and read.plan.column == "split" and "adj_close" in frame.columns:
        prices = _array(frame, "adj_close", order), _array(frame, "close", order)
        found = actions_of(*prices, order, known=None if read.divided else factor)
        dividend, notes = found.dividend, (*notes, *_unexplained(found.unexplained))
        factor = factor * found.factor if read.divided else found.factor
    elif read.plan.column == "factor":
        found = money_of(factor, _array(frame, "close", order), order, dividend)
        factor, dividend = found.factor, found.dividend
    if read.divided:
        later = _later(1 / read.factor, order)
        times = order.in_file(later)
        frame = frame.with_columns(
            *(pl.col(name) * pl.Series(times) for name in _PRICES if name in frame.columns),
            pl.col("^volume$") / pl.Series(times),
        )
        dividend = None if dividend is None else dividend * later
    cash = np.zeros(factor.size) if dividend is None else dividend
    return Scaled(
        bars=_bars(frame, order.in_file(factor), order.in_file(cash)),
        price_scale="raw_and_factor",
        factor=replace_fields(
            read.plan, events=int((factor != 1).sum()), dividends=int((cash > 0).sum())
        ),
        notes=notes,
    )


def _later(split: _Floats, order: RowOrder) -> _Floats:
    """Product of the splits after each row, inside its stock and vintage."""
    at = np.flatnonzero(split != 1)
    events = pl.DataFrame({"start": order.start[at], "split": split[at]})
    product = events.select(pl.col("split").cum_prod(reverse=True).over("start")).to_series()
    following = np.searchsorted(at, np.arange(split.size), side="right")
    inside = following < at.size
    inside[inside] = order.start[at[following[inside]]] == order.start[inside]
    later = np.ones(split.size)
    later[inside] = product.to_numpy()[following[inside]]
    return later
