"""Columns of many alike files as one frame in our types; an error names file, line, column and value."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.data.reading.finding import Member, NotATable, find
from engine.data.reading.numbers import BadValue, NumberStyle, number_style, to_numbers, to_ratios
from engine.data.reading.sheets import LINE, Look, Sheet, read_sheets
from engine.errors import DataError
from engine.plain_text import readable
from engine.records.reading import Column, ReadingPlan, Unread

FILE = "\0file"
"""Column of the position of each row's file in the list of files; a name that no file has."""
_BOOLEANS = dict.fromkeys(("true", "1", "yes", "y"), True) | dict.fromkeys(
    ("false", "0", "no", "n"), False
)
_TEXT_MARKS = r"""^(?:="(.*)"|'([^']*))$"""
_FLOAT = r"^(\d+)\.0+$"
MANY = 10
"""Files that a message names before it counts the rest."""


def sheets_of(path: Path, look: Look) -> tuple[list[Sheet], list[Unread]]:
    """All sheets below a path, and what was passed over. A named file that is no table is an error."""
    members, unread = find(path)
    sheets: list[Sheet] = []
    for member in members:
        try:
            sheets += read_sheets(member, look)
        except NotATable as error:
            unread.append(passed_over(member, error))
    if not sheets:
        raise nothing_in(path, unread)
    return sheets, unread


def passed_over(file: Member | Sheet, error: NotATable) -> Unread:
    """A file that holds no such table, with the reason as the plan shows it."""
    return Unread(file=file.name, reason=error.message.removeprefix(f"{file.name}: "))


def nothing_in(path: Path, unread: Sequence[Unread], hint: str = "") -> DataError:
    """The error of a path below which no file could be read, with the reasons of the first ones."""
    if path.is_file() and len(unread) == 1:
        return DataError(f"{unread[0].file}: {unread[0].reason}", hint=hint)
    shown = "; ".join(f"{one.file}: {one.reason}" for one in unread[:MANY]) or "the folder is empty"
    more = f"; and {len(unread) - MANY} more" if len(unread) > MANY else ""
    return DataError(
        f"{path}: no table was found ({shown}{more})",
        hint=hint
        or "tables end in .csv .txt .tsv .parquet .feather .xlsx, or .gz .zip .zst of them",
    )


@dataclass(slots=True, kw_only=True)
class Cells:
    """Rows of alike files under our names, in the order of the files.

    Not frozen: typed columns take the place of their text, or ten million rows would be held twice (1 GiB).
    """

    frame: pl.DataFrame
    """Our columns as the files have them, `FILE` and `LINE`."""
    files: Sequence[str]
    """Names by position, of the whole table and not only of these rows."""
    columns: Mapping[str, Column]

    def put(self, ours: str, column: pl.Series) -> None:
        """Let a typed column take the place of its text."""
        self.frame = self.frame.with_columns(column.alias(ours))

    def where(self, row: int) -> str:
        """File and line of a row."""
        return f"{self.files[self.frame[FILE][row]]}: line {self.frame[LINE][row]}"

    def refusal(self, bad: BadValue, ours: str) -> DataError:
        """The error of a bad value or column, with file, line, column and value."""
        theirs = readable(self.columns[ours].theirs)
        if bad.row is None:
            files = self.frame[FILE].unique().sort()
            more = f" and {len(files) - 1} files like it" if len(files) > 1 else ""
            place = f"{self.files[files[0]]}{more}: column `{theirs}`"
            return DataError(f"{place}: {bad.why}", hint=bad.hint)
        value = repr(readable(bad.value))
        return DataError(
            f"{self.where(bad.row)}, column `{theirs}`: {value} {bad.why}", hint=bad.hint
        )

    def style(self, names: Sequence[str], decimal: str) -> NumberStyle:
        """How these columns write numbers; a DataError where that stays open."""
        try:
            return number_style([self.frame[name] for name in names], decimal)
        except BadValue as bad:
            raise self.refusal(bad, "volume" if "volume" in self.columns else names[0]) from None

    def numbers(self, ours: str, style: NumberStyle) -> pl.Series:
        """A column as Float64 in our units; a DataError names the first value that is no number."""
        try:
            read = to_ratios if ours in ("factor", "split") else to_numbers
            numbers = read(self.frame[ours], style)
        except BadValue as bad:
            raise self.refusal(bad, ours) from None
        times = self.columns[ours].times
        return numbers if times == 1 else numbers * times

    def texts(self, ours: str) -> pl.Series:
        """Codes and labels, without the marks that keep a spreadsheet from making them numbers (``'000001``,
        ``="000001"``); whole numbers lose the ``.0`` that a column of floats gave them.
        """
        column = self.frame[ours]
        if column.dtype.is_float():
            whole = column.cast(pl.Int64, strict=False)
            if (whole.cast(pl.Float64) == column.fill_nan(None)).all():
                column = whole
        text = column.cast(pl.String).str.strip_chars().str.replace(_TEXT_MARKS, "$1$2")
        if all(part.drop_nulls().str.contains(_FLOAT).all() for part in (text.head(100), text)):
            text = text.str.replace(_FLOAT, "$1")
        return text.replace({"": None}).rename(ours)

    def booleans(self, ours: str) -> pl.Series:
        """A column of yes and no; a DataError names the first value that is neither."""
        column = self.frame[ours]
        if column.dtype == pl.Boolean:
            return column
        text = self.texts(ours).str.to_lowercase()
        known = text.replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean)
        lost = known.is_null() & text.is_not_null()
        if lost.any():
            row = int(lost.arg_max() or 0)
            raise self.refusal(
                BadValue(
                    "is neither true nor false", row=row, value=str(column[row]), hint="yes or no"
                ),
                ours,
            )
        return known

    def filled(self, ours: str, column: pl.Series) -> pl.Series:
        """The column, if it is empty in no row."""
        if column.null_count():
            row = int(column.is_null().arg_max() or 0)
            theirs = readable(self.columns[ours].theirs)
            raise DataError(
                f"{self.where(row)}, column `{theirs}` is empty",
                hint="fill it in, or take the row out",
            )
        return column


def together(
    frames: Sequence[tuple[int, pl.DataFrame, Mapping[str, Column]]],
    files: Sequence[str],
    alike: Callable[[pl.DataFrame], object] = lambda frame: None,
) -> list[tuple[Cells, list[int]]]:
    """Frames of the same columns and types as one, each with the positions of its frames.

    A frame comes with the position of its file and what its columns are; ``alike`` adds to the key.
    """
    groups: dict[object, list[int]] = {}
    for i, (_, frame, columns) in enumerate(frames):
        taken = tuple((c.theirs, c.times) for c in columns.values())
        key = (tuple(frame.schema.items()), taken, alike(frame))
        groups.setdefault(key, []).append(i)
    out = []
    for members in groups.values():
        rows = pl.concat(
            [
                frames[i][1].with_columns(pl.lit(frames[i][0], pl.UInt32).alias(FILE))
                for i in members
            ]
        )
        out.append((Cells(frame=rows, files=files, columns=frames[members[0]][2]), members))
    return out


def plan_of(table: str, path: Path, sheets: Sequence[Sheet], style: NumberStyle) -> ReadingPlan:
    """How alike sheets below a path are written; what was made of them is for the caller to fill in."""
    first = sheets[0]
    return ReadingPlan(
        table=table,
        path=first.name if len(sheets) == 1 else str(path),
        files=len(sheets),
        encoding=first.encoding,
        separator=first.dialect.separator if first.dialect else "",
        header_lines=first.dialect.skip if first.dialect else 0,
        decimal=style.decimal,
        thousands=style.thousands,
    )


def shape(column: pl.Series) -> str:
    """How the first value is written, digits as 9, letters as a: it parts files of other dates."""
    first = column.drop_nulls().head(1).cast(pl.String)
    return str(
        first.str.replace_all(r"\d+", "9").str.replace_all(r"[A-Za-z]+", "a").str.join("")[0]
    )
