"""A sheet of prices in long form, what it must have, and which of several rows of a code and day stays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from engine.data.reading.names import ADJUSTED_FIELDS, Mapped, listed, mapped
from engine.data.reading.sheets import Sheet
from engine.errors import DataError
from engine.plain_text import readable
from engine.records.reading import Column, Layout

FILE_NAME = "(file name)"
POSITIONS = "date=#1,symbol=#2,open=#3,..."
LEFT = "\0left "
"""Before the name of a text column that is kept until it is known whether it tells rows apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSheet:
    """A sheet in long form, its values still as the file has them."""

    sheet: Sheet
    """Without its cells."""
    layout: Layout
    frame: pl.DataFrame
    """Our names, `LINE`, and text columns that were not taken, behind `LEFT`."""
    columns: Mapping[str, Column]
    left: tuple[str, ...] = ()
    field: str = ""
    """The field that a wide sheet holds, if it holds one."""
    code: str = ""
    """The code that a file holds, if it holds one."""
    notes: tuple[str, ...] = ()


def said_of(columns: Mapping[str, str], ours: str) -> Mapped | None:
    """What the user says of one of our columns of bars."""
    return mapped(columns, "bars", ours, lenient=False)


def emptied(sheet: Sheet) -> Sheet:
    """The sheet without its cells."""
    return replace(sheet, frame=sheet.frame.clear())


def require(
    sheet: Sheet,
    found: Mapping[str, Column],
    columns: Mapping[str, str],
    there: list[str] | None = None,
) -> None:
    """DataError if a column that bars need, or one that the user mapped, was not found."""
    missing = []
    there = sheet.names if there is None else there
    for ours in ("date", "symbol", *ADJUSTED_FIELDS):
        said = said_of(columns, ours)
        if said is not None and ours not in found:
            raise no_column(sheet, ours, said.theirs, there)
        if ours not in found and f"adj_{ours}" not in found:
            missing.append(ours)
    if missing:
        raise no_column(sheet, "`, `".join(missing), "", there)


def no_column(
    sheet: Sheet, ours: str, said: str, there: list[str], more: str = "", hint: str = ""
) -> DataError:
    """The error of a missing column, with what the file has and how to say which one is meant."""
    looked = f"looked for {said}; " if said else ""
    unnamed = sheet.dialect is not None and not sheet.dialect.named
    if unnamed and len(there) == 1:
        hint = "the file has one column: if others are in it, name what parts them with --separator"
    elif unnamed:
        hint = f"the file has no line of names; say which column is which: --columns '{POSITIONS}'"
    guessed = sheet.encoding not in ("", "utf-8") and not "".join(there).isascii()
    garbled = "; if the names look wrong, say the file's --encoding" if guessed else ""
    wanted = ",".join(f"{name}=THEIR_NAME" for name in ours.split("`, `"))
    return DataError(
        f"{sheet.name}: no column for `{ours}` ({looked}the file has {listed(there)}){more}",
        hint=hint
        or f"map it: --columns '{wanted}', in single quotes where a name begins with $" + garbled,
    )


def looks_like_days(values: pl.Series) -> bool:
    """Whether an unnamed column is days and no running number."""
    if values.dtype in (pl.Date, pl.Datetime):
        return True
    if values.dtype != pl.String:
        return False
    head = values.drop_nulls().head(100)
    return bool(len(head)) and bool(
        head.str.contains(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d|^\s*(?:19|20)\d{6}\b").all()
    )


_KINDS = 40
"""More different values than this are no kinds of a listing."""
_CURRENCY = re.compile(
    r"(?i)^(?:\w+[ _])?(?:currency|curr|ccy)(?:[ _]?code)?$|^(?:通貨|币种|货币|幣別)$"
)
"""Names of a column that tells the currency of a row's prices."""


def one_currency(frame: pl.DataFrame) -> tuple[str, ...]:
    """What is said where stocks are in several currencies; DataError where one stock is.

    ``frame``: rows in long form, the text columns that were not taken behind `LEFT`.
    """
    notes = []
    for name in (n for n in frame.columns if _CURRENCY.match(n.removeprefix(LEFT))):
        told = frame.filter(pl.col(name).str.strip_chars() != "")
        kinds = told[name].unique().sort().to_list()
        if not name.startswith(LEFT) or len(kinds) < 2:
            continue
        column, said = readable(name.removeprefix(LEFT)), listed([str(kind) for kind in kinds])
        mixed = told.group_by("symbol").agg(pl.col(name).unique().sort()).sort("symbol")
        mixed = mixed.filter(pl.col(name).list.len() > 1)
        if len(mixed):
            code, both = mixed.row(0)
            raise DataError(
                f"column `{column}`: the prices of {readable(str(code))} are in {listed(both)}"
                f"{f', and {len(mixed) - 1:,} more stocks change theirs' if len(mixed) > 1 else ''}",
                hint="convert them to one currency for each stock, or leave one of them out of the file",
            )
        notes.append(
            f"`{column}` says {said}: returns are right, but traded values and amounts of different "
            "stocks are compared as if they were in one currency."
        )
    return tuple(notes)


def one_series(frame: pl.DataFrame) -> tuple[pl.Series | None, tuple[str, ...]]:
    """Which rows stay (None = all), and what is said about it.

    Where a text column with few values differs between all rows of a (date, symbol), the value that most
    rows of the table have is kept, then the next one; DataError if two have the most. Rows that no such
    column tells apart all stay: they are contradictions, or the same bar twice.
    """
    texts = [name for name in frame.columns if name.startswith(LEFT)]
    kinds = [name for name in texts if 1 < frame[name].n_unique() <= _KINDS]
    if not kinds:
        return None, ()
    keys = ["date", "symbol"]
    doubled = frame.select(pl.struct(keys).is_duplicated()).to_series()
    rows = frame.filter(doubled)
    telling = [name for name in kinds if _tells_apart(rows, name)] if doubled.any() else []
    if not telling:
        return None, ()
    name = min(telling, key=lambda name: frame[name].n_unique())
    counts = frame[name].value_counts().sort("count", name, descending=[True, False])
    order = counts[name].to_list()
    if counts["count"][0] == counts["count"][1]:
        raise DataError(
            f"several rows of a code and day differ in `{readable(name.removeprefix(LEFT))}`, and "
            f"{listed([str(value) for value in order[:2]])} have {counts['count'][0]:,} rows each: "
            "neither is the usual one",
            hint="leave one of them in the file, or make it a part of the code",
        )
    rank = {value: i for i, value in enumerate(order)}
    ranked = frame.select(
        *keys,
        pl.col(name).replace_strict(rank, default=len(rank), return_dtype=pl.Int32).alias("r"),
    )
    keep = ranked.select(pl.col("r") == pl.col("r").min().over(keys)).to_series()
    left = frame.filter(~keep)[name].value_counts().sort("count", descending=True)
    said = ", ".join(f"{count:,} of {readable(str(value))}" for value, count in left.iter_rows())
    column = readable(name.removeprefix(LEFT))
    return keep, (
        f"Several rows of a code and day differ in `{column}`: the commonest value is kept "
        f"({readable(str(order[0]))}), and rows were left out: {said}.",
    )


def _tells_apart(rows: pl.DataFrame, name: str) -> bool:
    return (
        not rows[name].null_count()
        and not rows.select(pl.struct("date", "symbol", name).is_duplicated().any()).item()
    )
