"""One file as one or several frames of cells, with the line of each row."""

import csv
import datetime as dt
import io
from collections.abc import Iterator, Mapping, MutableMapping, Set
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath

import polars as pl

from engine.config import ReadingConfig
from engine.data.reading.dates import Exchange
from engine.data.reading.dialect import (
    LINES,
    Dialect,
    of_lines,
    of_rows,
    rows_above_footer,
    without_footer,
    without_names,
)
from engine.data.reading.finding import Member, NotATable, decoded
from engine.errors import DataError, UsageError
from engine.plain_text import readable

_SNIFFED = 200
"""Lines that separator and header are decided on."""
LINE = "\0line"
"""Column of the line of each row, from 1; a name that no file has."""
_ENOUGH = 5
"""Values from which the shortest of them says that a still shorter one was cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Cells under names; text as it stands in text files and Excel, typed in Parquet and Feather."""

    name: str
    within: PurePosixPath
    frame: pl.DataFrame
    """The file's columns, each name different, and `LINE`."""
    encoding: str = ""
    dialect: Dialect | None = None
    """None for typed files."""
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The file's own columns."""
        return [name for name in self.frame.columns if name != LINE]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the files of a table are read with."""

    settings: ReadingConfig
    columns: Mapping[str, str]
    """What the user says: our name -> the file's, perhaps with a factor."""
    exchange: Exchange
    known: Set[str]
    """Normal forms of names that tell a header."""
    after: dt.date | None = None
    """The last stored session, where the rows are to be appended."""
    seen: MutableMapping[bytes, Dialect] = field(default_factory=dict)
    """First line -> how files that begin so are laid out: 5,000 tickers are decided once."""


def read_sheets(member: Member, look: Look) -> list[Sheet]:
    """The sheets of a file; `NotATable` if it holds no rows or nothing that looks like a table."""
    content = member.load()
    if member.kind == "text":
        sheets = [_text(member, content, look)]
    elif member.kind == "excel":
        sheets = list(_excel(member, content, look))
    else:
        sheets = [_typed(member, content)]
    if not any(sheet.frame.height for sheet in sheets):
        raise NotATable(f"{member.name}: no rows")
    return [sheet for sheet in sheets if sheet.frame.height]


def _typed(member: Member, content: bytes) -> Sheet:
    try:
        if member.kind == "parquet":
            frame = pl.read_parquet(io.BytesIO(content))
        else:
            frame = pl.read_ipc(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DataError(
            f"{member.name}: not readable as {member.kind.capitalize()} ({_first_line(error)})",
            hint="the file is damaged or incomplete; fetch it again",
        ) from error
    texts = pl.col(pl.Categorical, pl.Enum).cast(pl.String)
    frame = frame.with_columns(texts).with_row_index(LINE, offset=1)
    return Sheet(name=member.name, within=member.within, frame=frame)


def _excel(member: Member, content: bytes, look: Look) -> Iterator[Sheet]:
    from fastexcel import FastExcelError

    try:
        pages = pl.read_excel(
            io.BytesIO(content), sheet_id=0, has_header=False, raise_if_empty=False,
            drop_empty_rows=False, read_options={"dtypes": "string", "skip_rows": 0},
        )  # fmt: skip
    except (pl.exceptions.PolarsError, FastExcelError, ValueError, OSError) as error:
        raise DataError(
            f"{member.name}: not readable as Excel ({_first_line(error)})",
            hint="save it as CSV or .xlsx without a password",
        ) from error
    filled = {title: page for title, page in pages.items() if page.height}
    for title, page in filled.items():
        alone = len(filled) == 1
        rows = [[cell or "" for cell in row] for row in page.head(_SNIFFED).iter_rows()]
        dialect = of_rows(rows, look.known)
        if dialect is None:
            continue
        frame = page.rename(dict(zip(page.columns, dialect.names, strict=True)))
        frame = frame.with_columns(pl.all().replace("", None))
        frame = frame.with_row_index(LINE, offset=1).slice(dialect.skip)
        last = [[cell or "" for cell in row[1:]] for row in frame.tail(LINES).iter_rows()]
        kept = rows_above_footer(last, len(dialect.names))
        footer = readable(last[kept][0]) if kept < len(last) else ""
        frame, repeated = without_names(frame.head(frame.height - len(last) + kept), dialect)
        yield Sheet(
            name=member.name if alone else f"{member.name}[{readable(title)}]",
            within=member.within if alone else member.within / title,
            frame=_without_blank_rows(frame),
            dialect=dialect,
            notes=_notes(member.name, dialect, footer, repeated),
        )


def _text(member: Member, content: bytes, look: Look) -> Sheet:
    text, encoding = decoded(content, name=member.name, encoding=look.settings.encoding)
    del content
    dialect = _dialect(member, text, look)
    text, footer = without_footer(text, dialect)
    quoted = b'"' in text
    try:
        # Every value stays text: "0050", "NA" and "TRUE" are codes, not numbers, nulls or booleans.
        frame = pl.read_csv(
            text, has_header=False, skip_lines=dialect.skip, separator=dialect.separator,
            schema=dict.fromkeys(dialect.names, pl.String), infer_schema=False,
            quote_char='"' if quoted else None,
        )  # fmt: skip
    except pl.exceptions.NoDataError:
        raise NotATable(f"{member.name}: no rows below the names") from None
    except (pl.exceptions.PolarsError, OSError) as error:
        _refuse_ragged(member.name, text, dialect)
        raise DataError(
            f"{member.name}: not readable as CSV ({_first_line(error)})",
            hint="name the separator with --separator, or save it as CSV or Parquet",
        ) from error
    marks = text.count(dialect.separator.encode(), _offset(text, dialect.skip))
    if marks != frame.height * (len(dialect.names) - 1):
        _refuse_ragged(member.name, text, dialect)
    frame, repeated = without_names(_with_lines(frame, text, dialect), dialect)
    notes = _notes(member.name, dialect, footer, repeated)
    if not text.endswith(b"\n") and frame.height:
        notes = (*notes, _open_end(member.name, frame, look))
    return Sheet(
        name=member.name, within=member.within, frame=_without_blank_rows(frame),
        encoding=encoding, dialect=dialect, notes=notes,
    )  # fmt: skip


def _dialect(member: Member, text: bytes, look: Look) -> Dialect:
    first = text[: text.find(b"\n") + 1]
    if first in look.seen:
        return look.seen[first]
    lines = [raw.decode("utf-8") for raw in islice(io.BytesIO(text), _SNIFFED)]
    separator = look.settings.separator
    mark = "\t" if separator in ("tab", "\\t") else separator
    if len(mark.encode()) > 1 or mark in ('"', "\n", "\r"):
        raise UsageError(
            f"--separator: {separator!r} cannot part columns",
            hint="one character such as ; or |, or tab",
        )
    try:
        dialect = of_lines(lines, look.known, mark)
    except csv.Error as error:
        raise DataError(f"{member.name}: not readable as CSV ({error})") from error
    if dialect is None:
        raise NotATable(f"{member.name}: no rows")
    if dialect.skip == 1:
        look.seen[first] = dialect
    return dialect


def _offset(text: bytes, lines: int) -> int:
    at = 0
    for _ in range(lines):
        at = text.find(b"\n", at) + 1
        if not at:
            return len(text)
    return at


def _records(text: bytes, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    """Line (from 1) and cells of each row, read slowly."""
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    for _ in range(dialect.skip):
        lines.readline()
    reader = csv.reader(lines, delimiter=dialect.separator)
    before = 0
    for row in reader:
        yield dialect.skip + before + 1, row
        before = reader.line_num


def _refuse_ragged(name: str, text: bytes, dialect: Dialect) -> None:
    """An error if a row has not as many fields as there are names; trailing empty ones do not count."""
    width = len(dialect.names)
    try:
        for line, row in _records(text, dialect):
            if row and len(row) != width:
                raise DataError(
                    f"{name}: line {line} has {len(row)} fields, the names are {width}",
                    hint="correct the line; if the separator is wrong, name it with --separator",
                )
    except csv.Error as error:
        raise DataError(f"{name}: not readable as CSV ({error})") from error


def _with_lines(frame: pl.DataFrame, text: bytes, dialect: Dialect) -> pl.DataFrame:
    lines = text.count(b"\n", _offset(text, dialect.skip)) + (not text.endswith(b"\n"))
    if lines == frame.height:
        return frame.with_row_index(LINE, offset=dialect.skip + 1)
    exact = [line for line, _ in _records(text, dialect)]
    if len(exact) == frame.height:
        return frame.with_columns(pl.Series(LINE, exact, pl.UInt32))
    return frame.with_row_index(LINE, offset=dialect.skip + 1)


def _without_blank_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Blank lines are all null. Only files that have any pay for looking at each column."""
    names = [name for name in frame.columns if name != LINE]
    if not names or not frame[names[0]].null_count():
        return frame
    return frame.filter(pl.any_horizontal(pl.col(names).is_not_null()))


def _notes(name: str, dialect: Dialect, footer: str, repeated: int) -> tuple[str, ...]:
    notes = []
    if dialect.preamble and dialect.named:
        notes.append(f"{name}: {dialect.preamble} lines before the names were passed over.")
    if not dialect.named:
        notes.append(f"{name}: no line of names; the columns are called #1, #2, ...")
    if footer:
        notes.append(f"{name}: words below the rows were passed over: {footer!r}.")
    if repeated:
        notes.append(f"{name}: {repeated:,} lines that say the names again were passed over.")
    return tuple(notes)


def _open_end(name: str, frame: pl.DataFrame, look: Look) -> str:
    """The last line has no line end: cut off, where its last value shows it or when appending; else said."""
    line = frame[LINE][-1]
    column = [column for column in frame.columns if column != LINE][-1]
    values = frame[column]
    last, others = values[-1] or "", values[:-1].drop_nulls()
    shorter = others.len() >= _ENOUGH and bool((others.str.len_chars() > len(last)).all())
    decimals = others.str.extract(r"\.(\d+)\s*$").str.len_chars()
    own = len(last.rpartition(".")[2]) if "." in last else 0
    fewer = decimals.len() >= _ENOUGH and not decimals.null_count() and bool((decimals > own).all())
    if shorter or fewer or look.after is not None:
        seen = f" (`{readable(column)}` ends as {readable(last)!r})"
        raise DataError(
            f"{name}: line {line}, the last one, has no line end{seen}: the file may be cut off",
            hint="fetch it again; if it is complete, add the line end",
        )
    return f"{name}: the last line, {line}, has no line end; its values look whole."


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
