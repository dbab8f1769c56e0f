"""Which layout a sheet of prices has, and its rows in long form: one a bar, under our names."""

from collections.abc import Mapping

import polars as pl

from engine.data.reading.finding import NotATable
from engine.data.reading.names import (
    ALL_BARS,
    PRICES,
    Beside,
    day_in,
    listed,
    match,
    nameless,
    normal,
    symbol_of,
)
from engine.data.reading.parts import (
    FILE_NAME,
    LEFT,
    POSITIONS,
    LongSheet,
    emptied,
    looks_like_days,
    no_column,
    require,
    said_of,
)
from engine.data.reading.sheets import LINE, Look, Sheet
from engine.data.reading.wide import CODE, joined_names, of_levels, of_one_field, tuple_names
from engine.records.reading import Column, Layout

_NAMES = "date=THEIRS,symbol=THEIRS,close=THEIRS,..."
_WEAK_SYMBOL = ("name", "stock", "security", "share", "asset", "company", "品种", "銘柄", "簡称")
"""Names that may mean a code: taken where the values look like codes."""


def to_part(sheet: Sheet, look: Look, *, named: bool, names: Beside) -> LongSheet:
    """``named``: the user named this very file. ``names``: what those of all files tell.

    `NotATable` if the sheet does not hold prices.
    """
    there, columns = sheet.names, look.columns
    wide = look.settings.layout == "wide"
    if look.settings.layout in ("auto", "wide"):
        pairs = tuple_names(there)
        found = match(there, ALL_BARS, columns, "bars")
        if not pairs and (wide or not _fits(found)):
            pairs = joined_names(there, found)
        if pairs:
            return of_levels(sheet, pairs, columns)
        if wide or not _fits(found):
            part = of_one_field(sheet, columns, insisted=wide, named=named)
            if part is not None:
                return part
    return _long(sheet, look, named=named, names=names)


def _fits(found: Mapping[str, Column]) -> bool:
    """Two prices of four are a table of bars; one that lacks others is then an error, no other table."""
    return sum(name in found or f"adj_{name}" in found for name in PRICES) >= 2


def _long(sheet: Sheet, look: Look, *, named: bool, names: Beside) -> LongSheet:
    there, columns, wanted = sheet.names, look.columns, look.settings.layout
    found = match(there, ALL_BARS, columns, "bars")
    if not _fits(found) and not named:
        unnamed = sheet.dialect is not None and not sheet.dialect.named
        what = "no line of names" if unnamed else f"no columns of prices; it has {listed(there, 8)}"
        raise NotATable(
            f"{sheet.name}: {what}",
            hint=f"name them: --columns '{POSITIONS if unnamed else _NAMES}'",
        )
    spare = [name for name in there if name not in {column.theirs for column in found.values()}]
    layout: Layout = "long"
    constants: dict[str, str] = {}
    notes = _by_values(sheet, found, spare, look)
    if wanted == "file_per_day" or "date" not in found:
        constants["date"] = _day_of(sheet, columns, found)
        layout = "file_per_day"
    if wanted == "file_per_symbol" or "symbol" not in found:
        constants["symbol"] = _symbol_of(sheet, columns, names)
        layout = "file_per_symbol"
    for ours in constants:
        found[ours] = Column(ours=ours, theirs=FILE_NAME, decided_by="values")
    require(sheet, found, columns)
    kept = [name for name in spare if sheet.frame[name].dtype == pl.String]
    frame = sheet.frame.select(
        *(pl.lit(value).alias(ours) for ours, value in constants.items()),
        *(pl.col(c.theirs).alias(ours) for ours, c in found.items() if ours not in constants),
        *(pl.col(name).alias(LEFT + name) for name in kept),
        LINE,
    )
    return LongSheet(
        sheet=emptied(sheet), layout=layout, frame=frame, columns=found, left=tuple(spare),
        code=constants.get("symbol", ""), notes=notes,
    )  # fmt: skip


def _by_values(
    sheet: Sheet, found: dict[str, Column], spare: list[str], look: Look
) -> tuple[str, ...]:
    """Days and codes that no name tells go from ``spare`` to ``found`` where their values do."""
    if "date" not in found and said_of(look.columns, "date") is None:
        days = (n for n in spare if nameless(n) and looks_like_days(sheet.frame[n]))
        index = next(days, None)
        if index is not None:
            found["date"] = Column(ours="date", theirs=index, decided_by="values")
            spare.remove(index)
    told = "symbol" in found or said_of(look.columns, "symbol")
    if look.settings.layout == "file_per_symbol" or told:
        return ()
    weak = _weak_symbol(sheet.frame, spare)
    if weak is None:
        return ()
    found["symbol"] = Column(ours="symbol", theirs=weak, decided_by="values")
    spare.remove(weak)
    return (f"The codes are taken from the column {listed([weak])}.",)


def _weak_symbol(frame: pl.DataFrame, spare: list[str]) -> str | None:
    """A column without a name, or called ``Name``, whose values look like codes."""
    candidates = sorted(
        (n for n in spare if nameless(n) or normal(n) in _WEAK_SYMBOL), key=nameless
    )
    for name in candidates:
        if frame[name].dtype != pl.String:
            continue
        values = frame[name].drop_nulls().head(5000).unique()
        letters = values.str.contains("[A-Z]").any() or not nameless(name)
        if len(values) and letters and values.str.contains(CODE).all():
            return name
    return None


def _symbol_of(sheet: Sheet, columns: Mapping[str, str], names: Beside) -> str:
    said = said_of(columns, "symbol")
    if said is not None:
        raise no_column(sheet, "symbol", said.theirs, sheet.names)
    symbol = symbol_of(sheet.within, names)
    if symbol is None:
        raise no_column(
            sheet, "symbol", "", sheet.names,
            f", and it cannot be told which word of the file's name {sheet.within.name!r} is the code",
            "of one code: call the file after it, e.g. AAPL.csv; else map the column of the codes: "
            "--columns 'symbol=THEIR_NAME'",
        )  # fmt: skip
    return symbol


def _day_of(sheet: Sheet, columns: Mapping[str, str], found: Mapping[str, Column]) -> str:
    said = said_of(columns, "date")
    if said is not None:
        raise no_column(sheet, "date", said.theirs, sheet.names)
    parts = sheet.within.parts
    for place in (sheet.within.name, *reversed(parts[:-1]), "-".join(parts)):
        day = day_in(place)
        if day is not None and ("symbol" in found or not day.isdigit()):
            return day
    missing = [ours for ours in ("date", *PRICES, "volume") if ours not in found]
    raise no_column(
        sheet, "`, `".join(missing), "", sheet.names,
        f", and the file's name {sheet.within.name!r} tells no day",
    )  # fmt: skip
