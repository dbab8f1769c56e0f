"""Lines of a file that are no rows: a vendor's words below the table, and the names again between rows."""

import csv
import re
from collections.abc import Iterable, Sequence

import polars as pl

from engine.data.labels import readable
from engine.data.reading.dialect import Dialect
from engine.data.reading.names import nameless

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
