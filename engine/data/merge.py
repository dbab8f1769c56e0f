"""One bar a (date, symbol): what gives way where a source gives several, and what is a contradiction."""

# Rows "of one age" come from one file, or from files that end with the same session.

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.data.tables import BAR_SCHEMA, DEFAULTS
from engine.errors import DataError
from engine.records.snapshot import Revision

_KEY = ["date", "symbol"]
_PRICES = ("open", "high", "low", "close")
_VALUES = (*_PRICES, "volume", "turnover")
_MOSTLY = 0.5
"""A later file contradicts what is known where more than this share of the bars that both have differ in a
price. A vendor's daily file revises at most 0.02 % of yesterday's prices (1 of 6,049 bars, forty archives of
a US feed; volumes of up to 3.7 %); another scale, market or day changes nearly all."""
_UNITS = 2.0
"""Log multiple beyond which a volume is one of other units: lots of 100, thousands."""
_SESSION = 5
"""Bars that both have of one session from which the same holds for it: yesterday's right bars in a daily file
do not excuse today's wrong ones."""
_SAME = 1e-9
"""Relative difference below which two numbers are one: text and binary copies of the same file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BarOrigin:
    """Where each bar was read, in the order of the bars."""

    files: tuple[str, ...]
    file: pl.Series
    """Position in ``files``, which is the order of reading. UInt32."""
    line: pl.Series
    """Line of the file from 1, or row of a Parquet or Feather file. UInt32."""

    def where(self, row: int) -> str:
        """File and line of a bar."""
        return f"{self.files[self.file[row]]}: line {self.line[row]}"


Place = Callable[[dt.date, str], str]
"""Where the bar of a session and symbol was read."""


def one_bar_each(
    bars: pl.DataFrame, origin: BarOrigin | None, source: str
) -> tuple[pl.DataFrame, Revision]:
    """Bars (sorted by date and symbol) with one row a key, and what the repeated ones did.

    A row without a close gives way to one that has it; what one row knows and the other does not is kept;
    of several files the one that ends later wins. Two bars of one key in one file, and files that disagree
    on most of the bars that both have, are a DataError that names the places and the values.
    """
    bars = _without_nan(bars)
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift(-1) for name in _KEY)
    twice = bars.select(same.alias("twice"))["twice"].fill_null(value=False)
    if not twice.any():
        return bars, Revision()
    inside = twice | twice.shift(1, fill_value=False)
    rows = bars.with_row_index("row").filter(inside)
    rows = rows.with_columns(_ages(bars, origin)[rows["row"]].alias("age"))

    def clash(pair: Mapping[str, Any], more: str) -> DataError:
        places = (
            [origin.where(pair[name]) for name in ("row_before", "row")] if origin else [source]
        )
        return DataError(
            f"{' and '.join(places)}: {_two_bars(pair)}{more and '; '}{more}",
            hint="remove the wrong row and ingest again; nothing was stored",
        )

    kept, changed, prices = _folded(rows, clash)
    whole = pl.concat([bars.filter(~inside), kept]).sort(_KEY)
    equal = len(bars) - len(whole) - changed
    return whole, Revision(equal=equal, changed=changed, prices=prices)


def place_of(bars: pl.DataFrame, origin: BarOrigin) -> Place:
    """Where the bars of a key were read; of several the last."""

    def place(day: dt.date, symbol: str) -> str:
        hit = (bars["date"] == day) & (bars["symbol"] == symbol)
        return origin.where(int(hit.arg_true()[-1]))

    return place


def laid_over(old: pl.DataFrame, new: pl.DataFrame, place: Place) -> tuple[pl.DataFrame, Revision]:
    """The stored bars ``old`` with those of a later file laid over them, sorted; and what that changed.

    Both have one row a key. What the file does not mention stays. A file that disagrees on most of the
    bars that both have is a DataError.
    """
    old, new = _without_nan(old), _without_nan(new)
    shared = new.join(old.select(_KEY), on=_KEY, how="semi")
    fresh = new.join(old.select(_KEY), on=_KEY, how="anti")
    before = old.join(shared.select(_KEY), on=_KEY, how="semi")
    parts = enumerate((before, shared))
    rows = pl.concat([part.with_columns(age=pl.lit(age, pl.Int64)) for age, part in parts])

    def clash(pair: Mapping[str, Any], more: str) -> DataError:
        return DataError(
            f"{place(pair['date'], pair['symbol'])}: {_two_bars(pair)} (in the store, and here); {more}",
            hint="is it of another scale, market or day? If it is right, take the stored session back with "
            "`atft-tui ingest --undo` and append it again",
        )

    kept, _, prices = _folded(rows.with_row_index("row"), clash)
    changed = kept.join(before, on=list(BAR_SCHEMA), how="anti", nulls_equal=True)
    later = pl.concat([changed, fresh])
    first = later.select(pl.col("date").min()).item()
    whole = pl.concat([old.join(changed, on=_KEY, how="anti"), later]).sort(_KEY)
    return whole, Revision(
        equal=len(shared) - len(changed),
        changed=len(changed),
        prices=prices,
        added=len(fresh.filter(pl.col("date") <= old["date"].max())) if len(old) else 0,
        first="" if first is None else str(first),
    )


def _without_nan(bars: pl.DataFrame) -> pl.DataFrame:
    """NaN as null: both are missing, and a bar that was read twice must be stored in one way."""
    dirty = [
        name for name, kind in bars.schema.items() if kind.is_float() and bars[name].is_nan().any()
    ]
    return bars.with_columns(pl.col(dirty).fill_nan(None)) if dirty else bars


def _ages(bars: pl.DataFrame, origin: BarOrigin | None) -> pl.Series:
    """Age of each bar's file by the session it ends with, oldest 0; all 0 where it is not known."""
    if origin is None:
        return pl.repeat(0, len(bars), dtype=pl.Int64, eager=True)
    rows = pl.DataFrame({"file": origin.file, "date": bars["date"]})
    ends = rows.group_by("file").agg(pl.col("date").max())
    ends = ends.select("file", age=pl.col("date").rank("dense").cast(pl.Int64) - 1)
    return rows.join(ends, on="file", how="left", maintain_order="left")["age"]


def _folded(
    rows: pl.DataFrame, clash: Callable[[Mapping[str, Any], str], DataError]
) -> tuple[pl.DataFrame, int, int]:
    """One bar a key of rows with ``row`` and ``age``, how many later rows differ, how many in a price.

    ``clash`` makes the error of two bars that contradict each other, and of how many do.
    """
    named = [name for name in BAR_SCHEMA if name not in _KEY]
    there = (pl.col("close") > 0).fill_null(value=False)
    rows = rows.filter(there | ~there.any().over(_KEY)).sort(*_KEY, "age", "row")
    pairs = rows.with_columns(
        *(
            pl.col(name).shift(1).over(_KEY).alias(f"{name}_before")
            for name in (*_VALUES, "row", "age")
        ),
        repeated=pl.int_range(pl.len()).over(_KEY) > 0,
    ).filter("repeated")
    pairs = pairs.with_columns(moved=_differ(_PRICES), other=_differ(_VALUES))
    units = (pl.col("volume") / pl.col("volume_before")).log().abs() > _UNITS
    units = units & (pl.col("volume") > 0) & (pl.col("volume_before") > 0)
    pairs = pairs.with_columns(apart=pl.col("moved") | units.fill_null(value=False))
    clashes = pairs.filter(pl.col("other") & (pl.col("age") == pl.col("age_before")))
    if len(clashes):
        many = f"{len(clashes):,} such pairs" if len(clashes) > 1 else ""
        raise clash(clashes.row(0, named=True), many)
    for by, least in ((["age"], 1), (["age", "date"], _SESSION)):
        counts = pairs.group_by(by).agg(pl.len().alias("count"), moved=pl.col("apart").sum())
        counts = counts.filter(pl.col("moved") > _MOSTLY * pl.col("count")).sort(by)
        counts = counts.filter(pl.col("count") >= least)
        if len(counts):
            worst = counts.head(1)
            first = pairs.join(worst, on=by, how="semi").filter("apart").row(0, named=True)
            count, moved = worst.select("count", "moved").row(0)
            which = f" of {first['date']}" if "date" in by else ""
            raise clash(first, f"{moved:,} of {count:,} bars{which} that both have differ")
    kept = rows.group_by(_KEY, maintain_order=True).agg(_newest(name) for name in named)
    return kept.select(list(BAR_SCHEMA)), int(pairs["other"].sum()), int(pairs["moved"].sum())


def _newest(name: str) -> pl.Expr:
    """The last value that says something; the default says nothing."""
    column = pl.col(name)
    if name not in DEFAULTS:
        return column.drop_nulls().last()
    known = column.filter(column != DEFAULTS[name])
    return pl.coalesce(known.last(), column.drop_nulls().last())


def _differ(names: tuple[str, ...]) -> pl.Expr:
    """Whether any of the columns has another value than in the row before; missing ones say nothing."""
    return pl.any_horizontal(
        (
            (pl.col(name) - pl.col(f"{name}_before")).abs()
            > _SAME * pl.max_horizontal(pl.col(name).abs(), pl.col(f"{name}_before").abs())
        ).fill_null(value=False)
        for name in names
    )


def _two_bars(pair: Mapping[str, Any]) -> str:
    return (
        f"{pair['symbol']} on {pair['date']} has two bars that contradict each other: "
        f"{_bar(pair, '_before')} and {_bar(pair, '')}"
    )


def _bar(pair: Mapping[str, Any], suffix: str) -> str:
    names = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
    values = ((short, pair[f"{name}{suffix}"]) for short, name in names.items())
    return " ".join(
        f"{short} {'-' if value is None else f'{value:.10g}'}" for short, value in values
    )
