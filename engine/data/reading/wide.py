"""Tables with a column a code: two levels in the names, or a file a field."""

import ast
import re
from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from engine.data.reading.names import ALL_BARS, field_in, field_of, hit, nameless
from engine.data.reading.parts import (
    FILE_NAME,
    LongSheet,
    emptied,
    looks_like_days,
    no_column,
    require,
    said_of,
)
from engine.data.reading.sheets import LINE, Sheet
from engine.errors import DataError
from engine.records.reading import Column

CODE = r"^[A-Z0-9^][A-Z0-9.\-^=/& ]{0,11}$"
_LOOSE_CODE = r"^[\w.\-^=/&]{1,16}$"
"""The same where the file's own name says which field its columns hold."""
_CODE_LIKE = re.compile(r"^[A-Z]{1,4}$")
"""Names of a column of codes that may be codes themselves: SID, RIC."""
_MIDNIGHT = r"[ T]00:00(?::00(?:\.0+)?)?$"
"""What a day has behind it in a file of moments."""
_Pairs = Mapping[str, tuple[str, str]]
"""Column -> (our field, ticker)."""


def tuple_names(there: list[str]) -> _Pairs:
    """``('Close', 'AAPL')``: two levels that were made text."""
    pairs: dict[str, tuple[str, str]] = {}
    for name in there:
        if not re.fullmatch(r"\(\s*(['\"]).*\1\s*\)", name):
            continue
        try:
            value = ast.literal_eval(name)
        except (ValueError, SyntaxError):
            continue
        if isinstance(value, tuple) and len(value) == 2 and all(isinstance(v, str) for v in value):
            pair = _pair(value[0], value[1])
            if pair is not None:
                pairs[name] = pair
    return pairs


def _pair(one: str, other: str) -> tuple[str, str] | None:
    """(our field, ticker) whichever comes first; the longer word is the field if both could be."""
    first, second = field_of(one), field_of(other)
    if first in ("date", "symbol"):
        first = None
    if second in ("date", "symbol"):
        second = None
    if not one or not other or (first is None and second is None):
        return None
    if first is not None and (second is None or len(one) >= len(other)):
        return first, other
    return (second or "", one)


def joined_names(there: list[str], found: Mapping[str, Column]) -> _Pairs:
    """``AAPL_close``, ``close_AAPL``, ``AAPL.Close``, ``Adj Close AAPL``: when nearly all columns are so."""
    index = {found[ours].theirs for ours in ("date",) if ours in found}
    pairs: dict[str, tuple[str, str]] = {}
    rest = [name for name in there if name not in index and not nameless(name)]
    for name in rest:
        for parts in _splits(name):
            pair = _pair(*parts)
            if pair is not None and len(pair[1]) <= 16 and not pair[1].islower():
                pairs[name] = pair
                break
    tickers = {ticker for _, ticker in pairs.values()}
    enough = len(pairs) >= 2 and len(pairs) > 0.8 * len(rest) and len(pairs) >= 2 * len(tickers)
    return pairs if enough else {}


def _splits(name: str) -> list[tuple[str, str]]:
    """Ways to cut a name in two, the longest field first: ``adj_close_AAPL`` at its last mark as well."""
    marks = [(m.start(), m.end()) for m in re.finditer(r"\s*[_\s.|/:\-]\s*", name)]
    cuts = [(name[:start], name[end:]) for start, end in marks]
    both = [(a, b) for a, b in cuts if field_of(a)][::-1] + [(a, b) for a, b in cuts if field_of(b)]
    return both


def _said_index(there: list[str], columns: Mapping[str, str]) -> str | None:
    said = said_of(columns, "date")
    return hit(said.theirs, there) if said else None


def _index(sheet: Sheet, there: list[str], pairs: _Pairs) -> str:
    """The column of days beside the tickers."""
    rest = [name for name in there if name not in pairs]
    named = [name for name in rest if field_of(re.sub(r"^\('(.*?)',.*", r"\1", name)) == "date"]
    days = named or [name for name in rest if looks_like_days(sheet.frame[name])]
    if not days:
        raise no_column(sheet, "date", "", rest)
    return days[0]


def of_levels(sheet: Sheet, pairs: _Pairs, columns: Mapping[str, str]) -> LongSheet:
    """A sheet whose columns are pairs of field and code."""
    there = sheet.names
    index = _said_index(there, columns) or _index(sheet, there, pairs)
    tickers: dict[str, dict[str, str]] = {}
    for name, (field, ticker) in pairs.items():
        tickers.setdefault(ticker, {}).setdefault(field, name)
    found = _columns_of(tickers, index)
    frames = [
        sheet.frame.select(
            pl.col(index).alias("date"), pl.lit(ticker).alias("symbol"),
            *(pl.col(name).alias(field) for field, name in fields.items()), LINE,
        )
        for ticker, fields in tickers.items()
    ]  # fmt: skip
    left = tuple(name for name in there if name != index and name not in pairs)
    stacked = sheet.dialect is not None and sheet.dialect.levels > 1
    part = LongSheet(
        sheet=emptied(sheet), layout="stacked" if stacked else "wide",
        frame=pl.concat(frames, how="diagonal_relaxed"), columns=_mapped(found, columns, sheet), left=left,
    )  # fmt: skip
    require(sheet, found, {})
    return part


def _mapped(
    found: Mapping[str, Column], columns: Mapping[str, str], sheet: Sheet
) -> dict[str, Column]:
    """The columns with the user's factors; another field for one of ours cannot be said of a wide table."""
    out = dict(found)
    for ours, column in found.items():
        said = said_of(columns, ours)
        if said is None:
            continue
        same = (
            hit(said.theirs, [column.theirs]) if ours == "date" else field_of(said.theirs) == ours
        )
        if not same or ours == "symbol":
            raise no_column(sheet, ours, said.theirs, list(found))
        out[ours] = Column(ours=ours, theirs=column.theirs, times=said.times, decided_by="option")
    return out


def _columns_of(tickers: Mapping[str, Mapping[str, str]], index: str) -> dict[str, Column]:
    first: dict[str, str] = {}
    for fields in tickers.values():
        first = dict(fields) | first
    found = {ours: Column(ours=ours, theirs=first[ours]) for ours in ALL_BARS if ours in first}
    return {
        "date": Column(ours="date", theirs=index),
        "symbol": Column(ours="symbol", theirs="(column names)", decided_by="values"),
        **found,
    }


def of_one_field(
    sheet: Sheet, columns: Mapping[str, str], *, insisted: bool, named: bool
) -> LongSheet | None:
    """A column a ticker; the field is told by the name of the file or a folder. None if it is not so."""
    there = sheet.names
    index = _said_index(there, columns) or next(
        (name for name in there if field_of(name) == "date"), None
    )
    index = index or next((name for name in there if looks_like_days(sheet.frame[name])), None)
    field = field_in(sheet.within)
    tickers = [name for name in there if name != index and not nameless(name)]
    code = CODE if field is None else _LOOSE_CODE
    looks = index is not None and tickers and all(re.search(code, name) for name in tickers)
    if index is None or not tickers or not (insisted or (looks and (field or named))):
        return None
    if any(field_of(name) == "symbol" and not _CODE_LIKE.match(name) for name in tickers):
        return None
    field = field or "close"
    frame = sheet.frame.select(index, LINE, *tickers).unpivot(
        tickers, index=[index, LINE], variable_name="symbol", value_name=field
    )
    names = {
        "date": Column(ours="date", theirs=index),
        "symbol": Column(ours="symbol", theirs="(column names)", decided_by="values"),
        field: Column(ours=field, theirs=FILE_NAME, decided_by="values"),
    }
    return LongSheet(
        sheet=emptied(sheet), layout="wide", frame=frame.rename({index: "date"}),
        columns=_mapped(names, columns, sheet), field=field,
        notes=(f"{sheet.name}: a column a code, each value the {field}.",),
    )  # fmt: skip


def joined(parts: list[LongSheet]) -> list[LongSheet]:
    """Sheets of one field each put beside one another, by day and code as the files have them.

    A field none of whose days and codes another file has is a DataError: it would be lost without a word.
    """
    single = [part for part in parts if part.field]
    if not single:
        return parts
    if len({part.frame["date"].dtype for part in single}) > 1:
        text = pl.col("date").cast(pl.String).str.replace(_MIDNIGHT, "")
        single = [replace(part, frame=part.frame.with_columns(text)) for part in single]
    fields: dict[str, list[LongSheet]] = {}
    for part in single:
        fields.setdefault(part.field, []).append(part)
    first = next((name for name in ("close", "adj_close") if name in fields), next(iter(fields)))
    base = pl.concat([part.frame for part in fields[first]], how="vertical_relaxed")
    columns = dict(fields[first][0].columns)
    for field, others in fields.items():
        if field != first:
            table = pl.concat([part.frame for part in others], how="vertical_relaxed").drop(LINE)
            base = base.join(table, on=["date", "symbol"], how="left", maintain_order="left")
            if base[field].null_count() == len(base) and table[field].count():
                raise _apart(fields[first][0], others[0])
            columns[field] = others[0].columns[field]
    require(fields[first][0].sheet, columns, {}, sorted(fields))
    notes = tuple(note for part in single for note in part.notes)
    whole = replace(fields[first][0], frame=base, columns=columns, field="", notes=notes)
    return [whole, *(part for part in parts if not part.field)]


def _apart(one: LongSheet, other: LongSheet) -> DataError:
    days = " and ".join(f"{str(part.frame['date'][0])!r}" for part in (one, other))
    return DataError(
        f"{other.sheet.name}: none of its days and codes is in {one.sheet.name} (days such as {days})",
        hint="write the days and codes of all files in one way",
    )
