"""Which layout a sheet of prices has, and its rows in long form: one a bar, under our names."""

import ast
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import polars as pl

from engine.config import ReadingConfig
from engine.data.reading.finding import NotATable
from engine.data.reading.names import (
    ADJUSTED_FIELDS,
    ALL_BARS,
    PRICES,
    field_of,
    hit,
    listed,
    mapped,
    match,
    nameless,
    normal,
)
from engine.data.reading.sheets import LINE, Sheet
from engine.errors import DataError
from engine.records.reading import Column, Layout

FILE_NAME = "(file name)"
LEFT = "\0left "
"""Before the name of a text column that is kept until it is known whether it tells rows apart."""
WEAK_SYMBOL = ("name", "stock", "security", "share", "asset", "company", "品种", "銘柄", "簡称")
"""Names that may mean a code: taken where the values look like codes."""
CODE = r"^[A-Z0-9^][A-Z0-9.\-^=/& ]{0,11}$"
NOISE = frozenset(
    "data daily day d 1d eod price prices quote quotes history historical hist stock stocks bars bar ohlc"
    " ohlcv adjusted unadjusted raw us csv download table export chart values max".split()
)
"""Words of file names that are no code."""
DAY = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)"
)
DAY_OF_MONTH = re.compile(r"(?<!\d)(0[1-9]|[12]\d|3[01])[-_]?([A-Za-z]{3})[-_]?((?:19|20)\d\d)(?!\d)")


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
    notes: tuple[str, ...] = ()


def to_part(
    sheet: Sheet, columns: Mapping[str, str], settings: ReadingConfig, *, named: bool
) -> Part:
    """``named``: the user named this very file. `NotATable` if the sheet does not hold prices."""
    there = [name for name in sheet.frame.columns if name != LINE]
    wide = settings.layout == "wide"
    if settings.layout in ("auto", "wide"):
        pairs = _tuples(there)
        found = match(there, ALL_BARS, columns, "bars")
        if not pairs and (wide or not _fits(found)):
            pairs = _joined(there, found)
        if pairs:
            return _of_levels(sheet, there, pairs)
        if wide or not _fits(found):
            return _of_one_field(sheet, there, columns, insisted=wide, named=named)
    return _long(sheet, there, columns, settings)


def _fits(found: Mapping[str, Column]) -> bool:
    """Two prices of four are a table of bars; one that lacks others is then an error, no other table."""
    return sum(name in found or f"adj_{name}" in found for name in PRICES) >= 2


def _long(
    sheet: Sheet, there: list[str], columns: Mapping[str, str], settings: ReadingConfig
) -> Part:
    found = match(there, ALL_BARS, columns, "bars")
    if not _fits(found):
        raise NotATable(
            f"{sheet.name}: no columns of prices (it has {listed(there)})",
            hint="name them: --columns 'date=THEIRS,symbol=THEIRS,close=THEIRS,...'",
        )
    layout: Layout = "long"
    notes: list[str] = []
    constants: dict[str, str] = {}
    spare = [name for name in there if name not in {column.theirs for column in found.values()}]
    if "date" not in found and mapped(columns, "bars", "date", lenient=False) is None:
        index = next((name for name in spare if nameless(name) and _dates(sheet.frame[name])), None)
        if index is not None:
            found["date"] = Column(ours="date", theirs=index, decided_by="values")
            spare.remove(index)
    if settings.layout == "file_per_day" or "date" not in found:
        constants["date"] = _day_of(sheet, columns, there)
        layout = "file_per_day"
    if settings.layout != "file_per_symbol" and "symbol" not in found:
        weak = _weak_symbol(sheet.frame, spare) if not _said(columns, "symbol") else None
        if weak is not None:
            found["symbol"] = Column(ours="symbol", theirs=weak, decided_by="values")
            spare.remove(weak)
            notes.append(f"The codes are taken from the column {listed([weak])}.")
    if settings.layout == "file_per_symbol" or "symbol" not in found:
        constants["symbol"] = _symbol_of(sheet, columns, there)
        layout = "file_per_symbol"
    for ours in constants:
        found[ours] = Column(ours=ours, theirs=FILE_NAME, decided_by="values")
    _require(sheet, found, columns, there)
    kept = [name for name in spare if sheet.frame[name].dtype == pl.String]
    frame = sheet.frame.select(
        *(pl.lit(value).alias(ours) for ours, value in constants.items()),
        *(pl.col(c.theirs).alias(ours) for ours, c in found.items() if ours not in constants),
        *(pl.col(name).alias(LEFT + name) for name in kept),
        LINE,
    )
    return Part(
        sheet=_emptied(sheet), layout=layout, frame=frame, columns=found, left=tuple(spare),
        notes=tuple(notes),
    )  # fmt: skip


def _said(columns: Mapping[str, str], ours: str) -> bool:
    return mapped(columns, "bars", ours, lenient=False) is not None


def _emptied(sheet: Sheet) -> Sheet:
    return replace(sheet, frame=sheet.frame.clear())


def _require(
    sheet: Sheet, found: Mapping[str, Column], columns: Mapping[str, str], there: list[str]
) -> None:
    for ours in ("date", "symbol", *ADJUSTED_FIELDS):
        said = mapped(columns, "bars", ours, lenient=False)
        if said is not None and ours not in found:
            raise _no_column(sheet, ours, said.theirs, there)
        if ours not in found and f"adj_{ours}" not in found:
            raise _no_column(sheet, ours, "", there)


def _no_column(sheet: Sheet, ours: str, said: str, there: list[str], more: str = "") -> DataError:
    looked = f"looked for {said}; " if said else ""
    return DataError(
        f"{sheet.name}: no column for `{ours}` ({looked}the file has {listed(there)}){more}",
        hint=f"map it: --columns '{ours}=THEIR_NAME', in single quotes where a name begins with $",
    )


def _dates(values: pl.Series) -> bool:
    """Whether an unnamed column is days and no running number."""
    if values.dtype in (pl.Date, pl.Datetime):
        return True
    if values.dtype != pl.String:
        return False
    head = values.drop_nulls().head(100)
    return bool(len(head)) and bool(head.str.contains(r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d|^\s*(?:19|20)\d{6}\b").all())


def _weak_symbol(frame: pl.DataFrame, spare: list[str]) -> str | None:
    """A column without a name, or called ``Name``, whose values look like codes."""
    candidates = sorted(
        (n for n in spare if nameless(n) or normal(n) in WEAK_SYMBOL), key=nameless
    )
    for name in candidates:
        if frame[name].dtype != pl.String:
            continue
        values = frame[name].drop_nulls().head(5000).unique()
        letters = values.str.contains("[A-Z]").any() or not nameless(name)
        if len(values) and letters and values.str.contains(CODE).all():
            return name
    return None


def _symbol_of(sheet: Sheet, columns: Mapping[str, str], there: list[str]) -> str:
    said = mapped(columns, "bars", "symbol", lenient=False)
    if said is not None:
        raise _no_column(sheet, "symbol", said.theirs, there)
    symbol = symbol_in(sheet.within.name)
    if symbol is None:
        raise _no_column(
            sheet, "symbol", "", there, f", and the file's name {sheet.within.name!r} is no code"
        )
    return symbol


def symbol_in(stem: str) -> str | None:
    """``AAPL_data`` -> AAPL, ``aapl.us`` -> AAPL.US, ``stock_7203_2020-01-01`` -> 7203; None if unclear."""
    without = DAY.sub(" ", stem) if len(stem) > 10 else stem
    words = re.split(r"[\s_()\[\],+]+", without)
    codes = [word.strip("-.") for word in words if word.strip("-.").lower() not in NOISE | {""}]
    if len(codes) != 1 or not re.search(r"[A-Za-z0-9]", codes[0]):
        return None
    code = re.sub(r"(?i)[-.](daily|history|historical|data|prices?|quotes?|1d)$", "", codes[0])
    return code.upper() if code.islower() else code


def _day_of(sheet: Sheet, columns: Mapping[str, str], there: list[str]) -> str:
    said = mapped(columns, "bars", "date", lenient=False)
    if said is not None:
        raise _no_column(sheet, "date", said.theirs, there)
    for place in (sheet.within.name, *reversed(sheet.within.parts[:-1])):
        day = day_in(place)
        if day is not None:
            return day.isoformat()
    raise _no_column(
        sheet, "date", "", there, f", and the file's name {sheet.within.name!r} tells no day"
    )


def day_in(stem: str) -> dt.date | None:
    """``prices_20240102``, ``2024-01-02``, ``cm02JAN2024bhav`` -> the day; None without one."""
    try:
        if parts := DAY.search(stem):
            return dt.date(int(parts[1]), int(parts[2]), int(parts[3]))
        if parts := DAY_OF_MONTH.search(stem):
            return dt.datetime.strptime("".join(parts.groups()).title(), "%d%b%Y").date()  # noqa: DTZ007
    except ValueError:
        return None
    return None


Pairs = Mapping[str, tuple[str, str]]
"""Column -> (our field, ticker)."""


def _tuples(there: list[str]) -> Pairs:
    """``('Close', 'AAPL')``: two levels that were made text."""
    pairs: dict[str, tuple[str, str]] = {}
    for name in there:
        if not re.fullmatch(r"\(\s*(['\"]).*\1\s*\)", name.partition("#")[0] if False else name):
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


def _joined(there: list[str], found: Mapping[str, Column]) -> Pairs:
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
    both = [(a, b) for a, b in cuts if field_of(a)] [::-1] + [(a, b) for a, b in cuts if field_of(b)]
    return both


def _index(sheet: Sheet, there: list[str], pairs: Pairs) -> str:
    """The column of days beside the tickers."""
    rest = [name for name in there if name not in pairs]
    named = [name for name in rest if field_of(re.sub(r"^\('(.*?)',.*", r"\1", name)) == "date"]
    days = named or [name for name in rest if _dates(sheet.frame[name])]
    if not days:
        raise _no_column(sheet, "date", "", rest)
    return days[0]


def _of_levels(sheet: Sheet, there: list[str], pairs: Pairs) -> Part:
    index = _index(sheet, there, pairs)
    tickers: dict[str, dict[str, str]] = {}
    for name, (field, ticker) in pairs.items():
        tickers.setdefault(ticker, {}).setdefault(field, name)
    columns = _columns_of(tickers, index, sheet)
    frames = [
        sheet.frame.select(
            pl.col(index).alias("date"), pl.lit(ticker).alias("symbol"),
            *(pl.col(name).alias(field) for field, name in fields.items()), LINE,
        )
        for ticker, fields in tickers.items()
    ]  # fmt: skip
    left = tuple(name for name in there if name != index and name not in pairs)
    stacked = sheet.dialect is not None and sheet.dialect.skip - sheet.dialect.preamble > 1
    part = Part(
        sheet=_emptied(sheet), layout="stacked" if stacked else "wide",
        frame=pl.concat(frames, how="diagonal"), columns=columns, left=left,
    )  # fmt: skip
    _require(sheet, columns, {}, there)
    return part


def _columns_of(
    tickers: Mapping[str, Mapping[str, str]], index: str, sheet: Sheet
) -> dict[str, Column]:
    first: dict[str, str] = {}
    for fields in tickers.values():
        first = dict(fields) | first
    found = {ours: Column(ours=ours, theirs=first[ours]) for ours in ALL_BARS if ours in first}
    return {
        "date": Column(ours="date", theirs=index),
        "symbol": Column(ours="symbol", theirs="(column names)", decided_by="values"),
        **found,
    }


def _of_one_field(
    sheet: Sheet, there: list[str], columns: Mapping[str, str], *, insisted: bool, named: bool
) -> Part:
    """A column a ticker; the field is told by the name of the file or a folder."""
    said = mapped(columns, "bars", "date", lenient=False)
    index = (hit(said.theirs, there) if said else None) or next(
        (name for name in there if field_of(name) == "date"), None
    )
    index = index or next((name for name in there if _dates(sheet.frame[name])), None)
    field = field_in(sheet.within)
    tickers = [name for name in there if name != index and not nameless(name)]
    looks = index is not None and tickers and all(re.search(CODE, name) for name in tickers)
    if index is None or not tickers or not (insisted or (looks and (field or named))):
        return _long(sheet, there, columns, ReadingConfig(layout="long"))
    field = field or "close"
    frame = sheet.frame.select(index, LINE, *tickers).unpivot(
        tickers, index=[index, LINE], variable_name="symbol", value_name=field
    )
    names = {
        "date": Column(ours="date", theirs=index),
        "symbol": Column(ours="symbol", theirs="(column names)", decided_by="values"),
        field: Column(ours=field, theirs=FILE_NAME, decided_by="values"),
    }
    return Part(
        sheet=_emptied(sheet), layout="wide", frame=frame.rename({index: "date"}), columns=names,
        field=field, notes=(f"{sheet.name}: a column a code, each value the {field}.",),
    )  # fmt: skip


def field_in(within: PurePosixPath) -> str | None:
    """The field that a file or one of its folders is called after: ``close.csv``, ``prices_open.csv``."""
    for place in (within.name, *reversed(within.parts[:-1])):
        words = re.split(r"[\s_.\-]+", place)
        for text in (place, *words[::-1]):
            field = field_of(text) if len(text) > 1 else None
            if field is not None and field not in ("date", "symbol"):
                return field
    return None


def joined(parts: list[Part]) -> list[Part]:
    """Sheets of one field each put beside one another, by day and code as the files have them."""
    single = [part for part in parts if part.field]
    if not single:
        return parts
    fields: dict[str, list[Part]] = {}
    for part in single:
        fields.setdefault(part.field, []).append(part)
    first = next((name for name in ("close", "adj_close") if name in fields), next(iter(fields)))
    base = pl.concat([part.frame for part in fields[first]])
    columns = dict(fields[first][0].columns)
    for field, others in fields.items():
        if field != first:
            table = pl.concat([part.frame for part in others]).drop(LINE)
            base = base.join(table, on=["date", "symbol"], how="left", maintain_order="left")
            columns[field] = others[0].columns[field]
    _require(fields[first][0].sheet, columns, {}, sorted(fields))
    notes = tuple(note for part in single for note in part.notes)
    whole = replace(fields[first][0], frame=base, columns=columns, field="", notes=notes)
    return [whole, *(part for part in parts if not part.field)]
