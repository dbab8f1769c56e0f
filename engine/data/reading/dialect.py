"""How the cells of a file are laid out: the separator, the line of names, where rows begin and end.

Lines that are no rows: a vendor's words below the table, and the names again between rows.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import polars as pl

from engine.data.reading.names import field_of, nameless, normal
from engine.plain_text import readable

SEPARATORS = (",", ";", "\t", "|")
_HEADER_WITHIN = 40
"""Lines among which the names are looked for; exports begin with a few lines about themselves."""
_LEVELS = frozenset(
    normal(word) for word in
    ("", "Ticker", "Tickers", "Symbol", "Symbols", "Code", "Price", "Prices", "Field", "Attributes",
     "Date", "Datetime", "Level 0", "Level 1", "Unnamed: 0", "Unnamed: 0_level_0", "Unnamed: 0_level_1",
     "銘柄コード", "コード", "代码")
)  # fmt: skip
"""What stands before the values of a level in a head of two lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """Where names and rows are. Lines are counted from 0."""

    separator: str
    """Empty for Excel, whose cells are apart already."""
    names: tuple[str, ...]
    """One a column, each different; ``('Close', 'AAPL')`` where two lines say field and ticker; ``#1``,
    ``#2`` where the file has no line of names."""
    skip: int
    """Lines before the first row."""
    preamble: int = 0
    """How many of the skipped lines stand before the names."""
    named: bool = True
    """Whether there is a line of names."""
    levels: int = 1
    """2 where the names are a line of fields and a line of codes."""


def of_lines(lines: Sequence[str], known: Set[str], separator: str = "") -> Dialect | None:
    """The separator under which the lines agree best and the names are known; None without any cells.

    ``known`` are normal forms of names. ``separator`` insists.
    """
    tried = (separator,) if separator else SEPARATORS
    best: tuple[tuple[int, float], Dialect] | None = None
    for candidate in tried:
        rows = list(csv.reader(lines, delimiter=candidate))
        found = of_rows(rows, known, candidate)
        if found is None or (len(found.names) < 2 and not separator and candidate != ","):
            continue
        width = len(found.names)
        body = [row for row in rows[found.skip :] if row]
        agree = sum(len(row) == width for row in body) / len(body) if body else 1.0
        hits = sum(normal(name) in known for name in found.names) + width * (found.levels > 1)
        rank = (hits, agree * width)
        if best is None or rank > best[0]:
            best = rank, found
    return None if best is None else best[1]


def of_rows(rows: Sequence[Sequence[str]], known: Set[str], separator: str = "") -> Dialect | None:
    """Header and first row of rows of cells."""
    widths = Counter(len(row) for row in rows if any(cell.strip() for cell in row))
    if not widths:
        return None
    # The width of most rows; with one row of names and one of values that disagree, the wider one.
    width = max(widths, key=lambda w: (widths[w], w))
    head = _line_of_names(rows, width, known)
    if head is None:
        first = next(i for i, row in enumerate(rows) if len(row) == width)
        names = tuple(f"#{i + 1}" for i in range(width))
        return Dialect(separator=separator, names=names, skip=first, preamble=first, named=False)
    for upper in (head - 1, head):
        if 0 <= upper < len(rows) - 1 and len(rows[upper]) == len(rows[upper + 1]) == width:
            pairs = _two_levels(rows[upper], rows[upper + 1])
            if pairs is not None:
                return _of_two(rows, upper, pairs, separator)
    cells = [*rows[head], ""][: width if len(rows[head]) <= width or not rows[head][-1] else None]
    names = _different(cells)
    return Dialect(
        separator=separator, names=names, skip=_past_blank(rows, head + 1), preamble=head
    )


def _line_of_names(rows: Sequence[Sequence[str]], width: int, known: Set[str]) -> int | None:
    """The first line that is as wide as the rows and has half as many known names as the best one."""
    hits = {
        i: sum(normal(cell) in known for cell in row if cell.strip())
        for i, row in enumerate(rows[:_HEADER_WITHIN])
        if width - 1 <= len(row) <= width + 1 and not _is_data(row)
    }
    most = max(hits.values(), default=0)
    if not most:
        full = (i for i in hits if len(rows[i]) == width and all(c.strip() for c in rows[i][1:]))
        first = next(full, None)
        return (
            first if first is not None and any(_is_data(row) for row in rows[first + 1 :]) else None
        )
    return next(i for i, count in hits.items() if 2 * count >= most)


def _is_data(row: Sequence[str]) -> bool:
    """Rows hold numbers or dates; names of columns may be bare codes, but then all of them are."""
    numeric = [
        any(c.isdigit() for c in cell) and not any(c.isalpha() for c in cell)
        for cell in row
        if cell.strip()
    ]
    if not any(numeric):
        return False
    index = _names_the_days(row[0])
    codes = numeric[1:] if row[0].strip() else numeric
    return not (index and codes and all(codes))


def _names_the_days(cell: str) -> bool:
    """Whether it may stand above the column of days in a line of fields or of tickers."""
    return normal(cell) in _LEVELS or field_of(cell) == "date"


def _two_levels(upper: Sequence[str], lower: Sequence[str]) -> tuple[tuple[str, str], ...] | None:
    """(field, ticker) of each column after the first, if one line is fields and the other tickers.

    A column of days beside them has no ticker. Fields beside a column of codes are names of their own, and
    the other line says their types or units.
    """
    if not (_names_the_days(upper[0]) and _names_the_days(lower[0])) or len(upper) < 2:
        return None
    for fields, tickers in ((upper, lower), (lower, upper)):
        known = sum(field_of(cell) is not None for cell in fields[1:])
        others = sum(field_of(cell) is not None and len(cell) > 1 for cell in tickers[1:])
        pairs = tuple(zip(fields[1:], tickers[1:], strict=True))
        whole = all(ticker.strip() or field_of(field) == "date" for field, ticker in pairs)
        whole &= not any(field_of(field) == "symbol" for field in fields)
        if 2 * known > len(fields) - 1 and 2 * others < len(tickers) - 1 and whole:
            return pairs
    return None


def _of_two(
    rows: Sequence[Sequence[str]], upper: int, pairs: tuple[tuple[str, str], ...], separator: str
) -> Dialect:
    below = upper + 2
    index = rows[upper + 1][0]
    if below < len(rows) and rows[below] and not any(cell.strip() for cell in rows[below][1:]):
        index, below = rows[below][0], below + 1
    names = (index, *(repr((field.strip(), ticker.strip())) for field, ticker in pairs))
    skip = _past_blank(rows, below)
    return Dialect(
        separator=separator, names=_different(names), skip=skip, preamble=upper, levels=2
    )


def _past_blank(rows: Sequence[Sequence[str]], at: int) -> int:
    return next((i for i in range(at, len(rows)) if rows[i]), at)


def _different(cells: Sequence[str]) -> tuple[str, ...]:
    """Names without space around them, each different: a position behind a name that was there already."""
    names: list[str] = []
    for i, cell in enumerate(cells):
        name = cell.strip().removeprefix("\ufeff") or f"Unnamed: {i}"
        names.append(name if name not in names else f"{name}#{i + 1}")
    return tuple(names)


_TAIL = 4096
"""Bytes at the end of a file in which words below the table are looked for."""
LINES = 10
"""Rows of a sheet, likewise."""
_PROSE = re.compile(r"^\s*(?:[*#\u00a9\u203b]|[^\W\d]+\s*[:\uff1a]|\S*[^\W\d]{2,}\S*\s+\S)")
"""Two words, one before a colon, or a mark of a footnote. A row that was cut off has one word, or a date."""


def _is_footer(cells: Sequence[str], width: int) -> bool:
    """Whether a line is words about the table: at most half as many cells as it has columns, no number."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    if not filled or 2 * len(filled) > width or not _PROSE.match(cells[0]):
        return False
    return not any(re.match(r"^[\d.,+-]+$", cell) for cell in filled)


def without_footer(text: bytes, dialect: Dialect) -> tuple[bytes, str]:
    """The text without words below its rows, and the first line of these; empty if there are none."""
    whole = len(text) <= _TAIL
    lines = text[-_TAIL:].split(b"\n")
    cut, said = 0, ""
    for below, line in enumerate(reversed(lines if whole else lines[1:])):
        cells = _cells(line, dialect)
        if _is_footer(cells, len(dialect.names)):
            cut, said = below + 1, ", ".join(cell.strip() for cell in cells if cell.strip())
        elif any(cell.strip() for cell in cells):
            break
    if not cut or _begins_with_words(text, dialect):
        return text, ""
    return text[: len(text) - sum(len(line) + 1 for line in lines[-cut:]) + 1], readable(said)


def _cells(line: bytes, dialect: Dialect) -> list[str]:
    try:
        return next(csv.reader([line.decode("utf-8")], delimiter=dialect.separator), [])
    except (csv.Error, UnicodeDecodeError):
        return [""]


def _begins_with_words(text: bytes, dialect: Dialect) -> bool:
    """Whether ordinary rows begin as words below would: with a company's name or ``Jan 2, 2024``."""
    row = text.split(b"\n", dialect.skip + 1)[dialect.skip :][:1]
    cells = _cells(row[0], dialect) if row else []
    return not cells or _PROSE.match(cells[0]) is not None


def rows_above_footer(rows: Sequence[Sequence[str]], width: int) -> int:
    """Rows of a sheet, given its last ones, that are not words below the table, nor blank between them."""
    kept = len(rows)
    for at in range(len(rows) - 1, -1, -1):
        if _is_footer(rows[at], width):
            kept = at
        elif any(cell.strip() for cell in rows[at]):
            break
    return kept


def without_names(frame: pl.DataFrame, dialect: Dialect) -> tuple[pl.DataFrame, int]:
    """The rows that do not say the names again, as files that were put together do, and how many did."""
    names = [name for name in dialect.names if not nameless(name) and "#" not in name]
    if not dialect.named or not names:
        return frame, 0
    if not (frame[names[0]] == names[0]).any():
        return frame, 0
    same: Iterable[pl.Expr] = (
        pl.col(name).str.strip_chars().fill_null(name) == name for name in names
    )
    kept = frame.filter(~pl.all_horizontal(same))
    return kept, frame.height - kept.height
