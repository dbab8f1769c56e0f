"""A sheet of prices in long form, and what it must have."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from engine.data.reading.names import ADJUSTED_FIELDS, listed, mapped
from engine.data.reading.sheets import Sheet
from engine.errors import DataError
from engine.records.reading import Column, Layout

FILE_NAME = "(file name)"
POSITIONS = "date=#1,symbol=#2,open=#3,..."
LEFT = "\0left "
"""Before the name of a text column that is kept until it is known whether it tells rows apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A sheet in long form, its values still as the file has them."""

    sheet: Sheet
    """Without its cells."""
    layout: Layout
    frame: pl.DataFrame
    """Our names, `LINE`, and text columns that were not taken, behind `LEFT`."""
    columns: Mapping[str, Column]
    left: tuple[str, ...] = ()
    field: str = ""
    """Of a wide sheet that holds one field: which."""
    code: str = ""
    """Of a file that holds one code: which."""
    notes: tuple[str, ...] = ()


def emptied(sheet: Sheet) -> Sheet:
    return replace(sheet, frame=sheet.frame.clear())


def require(
    sheet: Sheet, found: Mapping[str, Column], columns: Mapping[str, str], there: list[str]
) -> None:
    missing = []
    for ours in ("date", "symbol", *ADJUSTED_FIELDS):
        said = mapped(columns, "bars", ours, lenient=False)
        if said is not None and ours not in found:
            raise no_column(sheet, ours, said.theirs, there)
        if ours not in found and f"adj_{ours}" not in found:
            missing.append(ours)
    if missing:
        raise no_column(sheet, "`, `".join(missing), "", there)


def no_column(
    sheet: Sheet, ours: str, said: str, there: list[str], more: str = "", hint: str = ""
) -> DataError:
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
