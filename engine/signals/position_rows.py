"""The rows of positions in a broker's file: below which line of names they stand, section by section."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.data.labels import readable
from engine.data.reading.dialect import SEPARATORS
from engine.data.reading.finding import decoded
from engine.data.reading.names import listed, normal
from engine.errors import EnvironmentProblem, UsageError
from engine.signals.position_columns import Head, head_of, looks_like_names

_Record = tuple[int, list[str]]
"""Line, from 1, and its cells without space around them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    line: int
    cells: Mapping[str, str]
    """Ours -> text."""
    head: Head
    every: tuple[str, ...]
    """Every cell, ours or not."""

    @property
    def first(self) -> str:
        return next((cell for cell in self.every if cell), "")


@dataclass(slots=True, kw_only=True)
class Rows:
    """What was found in a file."""

    separator: str
    rows: list[Row] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Sections, and lines outside of any table, that are not positions."""


def read_rows(path: Path, said: Mapping[str, str]) -> Rows:
    """Rows below lines of names that have a code and a number of shares; UsageError if there is none."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EnvironmentProblem(f"{path}: cannot be read ({error.strerror})") from error
    if content.startswith(b"PK\x03\x04"):
        raise UsageError(f"{path}: a workbook or archive, not text", hint="save it as CSV")
    text = decoded(content, name=str(path))[0].decode("utf-8")
    tried = [_rows(_records(text, separator), separator, said) for separator in SEPARATORS]
    best = max(tried, key=lambda found: (len(found.rows), found.separator == ","))
    if not best.rows and not any(_heads(text, separator, said) for separator in SEPARATORS):
        raise _no_columns(path, text, said)
    return best


def _records(text: str, separator: str) -> list[_Record]:
    reader = csv.reader(io.StringIO(text, newline=None), delimiter=separator)
    found, before = [], 0
    for cells in reader:
        found.append((before + 1, [cell.strip() for cell in cells]))
        before = reader.line_num
    return found


def _heads(text: str, separator: str, said: Mapping[str, str]) -> bool:
    return any(head_of(cells, said) for _, cells in _records(text, separator))


def _rows(records: Sequence[_Record], separator: str, said: Mapping[str, str]) -> Rows:
    found = Rows(separator=separator)
    if any(len(cells) > 2 and normal(cells[1]) == "header" for _, cells in records):
        found.rows += _statement(records, said, found.left)
    else:
        found.rows += _plain(records, said, found.left)
    return found


def _plain(records: Sequence[_Record], said: Mapping[str, str], left: list[str]) -> Iterator[Row]:
    """Tables one below the other, each with its names, and titles between them.

    Below a title or an empty line, names of other things than positions end a table; nothing else does,
    so that no position is lost below a remark.
    """
    head: Head | None = None
    blank = False
    for line, cells in records:
        if not any(cells):
            blank = True
            continue
        named = head_of(cells, said)
        title = len(cells) == 1 and head is not None and len(head.names) > 2
        if named is not None:
            head = named
        elif blank and looks_like_names(cells):
            head = None
        if head is None:
            left.append(f"line {line}")
        elif named is None and not title:
            yield Row(line=line, cells=head.cells(cells), head=head, every=tuple(cells))
        blank = title


def _statement(
    records: Sequence[_Record], said: Mapping[str, str], left: list[str]
) -> Iterator[Row]:
    """A statement of activity: each line begins with its section and what it is of it.

    Positions are the section that knows shares and value and no time of a trade; cash is the row of the
    cash report that ends it.
    """
    head: Head | None = None
    cash = False
    for line, cells in records:
        if len(cells) < 3:
            continue
        section, kind, rest = cells[0], normal(cells[1]), cells[2:]
        if kind == "header":
            head, cash = head_of(rest, said), normal(rest[0]) == "currencysummary"
            if head and ("value" not in head.columns or any("date" in normal(n) for n in rest)):
                head = None
            if cash:
                head = head_of(("code", "kind", "shares"), {})
            if head is None and section not in left:
                left.append(section)
        elif kind == "data" and head is not None:
            if not cash:
                yield Row(line=line, cells=head.cells(rest), head=head, every=tuple(rest))
            elif normal(rest[0]) == "endingcash":
                row = [rest[1], "cash", rest[2]]
                yield Row(line=line, cells=head.cells(row), head=head, every=tuple(row))


def _no_columns(path: Path, text: str, said: Mapping[str, str]) -> UsageError:
    """Names what the file has where names are looked for: its widest line without numbers."""
    rows = [cells for separator in SEPARATORS for _, cells in _records(text, separator)]
    named = [row for row in rows if looks_like_names(row)] or [row for row in rows if any(row)]
    widest: list[str] = max(named, key=len, default=[])
    shown = listed(filter(None, widest))
    there = {normal(name) for name in widest}
    absent = {o: t for o, t in said.items() if normal(t.partition("*")[0]) not in there}
    wanted = ", ".join(f"`{readable(theirs)}` for {ours}" for ours, theirs in absent.items())
    needs = (
        f"there is no column {wanted}" if wanted else "needs a column of codes and one of shares"
    )
    return UsageError(
        f"{path}: {needs}; its columns are {shown or 'none'}",
        hint='name them with --position-columns "code=THEIRS,shares=THEIRS"; side, account, kind, '
        "value, name and currency can be named too",
    )
