"""CSV and Parquet files as typed tables. An error names file, column and row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from engine.data.store import read_parquet
from engine.data.tables import Schema
from engine.errors import DataError, EnvironmentProblem

BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
SUFFIXES = (".parquet", ".csv")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What is looked for in the files of one table."""

    table: str
    schema: Schema
    guesses: Mapping[str, tuple[str, ...]]
    """Our column -> names it is known under elsewhere, most specific first."""
    optional: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset({"symbol", "date"})
    """Columns that must not be empty in any row."""
    instead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> other columns, any of which does instead."""
    lenient: bool = False
    """A mapping without the table's name is tried first, but not insisted on."""
    finish: Callable[[Path, pl.DataFrame], pl.DataFrame] = lambda file, frame: frame
    """What is done to the typed rows of a file."""

    def candidates(self, name: str, columns: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
        """Names to look for, and whether the user insists on one (``table.column`` or ``column``)."""
        if f"{self.table}.{name}" in columns:
            return (columns[f"{self.table}.{name}"],), True
        if name in columns and not self.lenient:
            return (columns[name],), True
        mapped = (columns[name],) if name in columns else ()
        return (*mapped, *self.guesses[name]), False


def read_table(path: Path, layout: Layout, columns: Mapping[str, str]) -> pl.DataFrame:
    """A file, or all .csv and .parquet files of a folder."""
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        if not files:
            raise DataError(f"{path}: no .csv or .parquet file in this folder")
    return pl.concat([_typed(file, layout, columns) for file in files], how="diagonal")


def _typed(file: Path, layout: Layout, columns: Mapping[str, str]) -> pl.DataFrame:
    frame = _read(file)
    found: dict[str, str] = {}
    missing: dict[str, tuple[str, ...]] = {}
    for name in layout.schema:
        candidates, insisted = layout.candidates(name, columns)
        hit = next((candidate for candidate in candidates if candidate in frame.columns), None)
        if hit is not None:
            found[name] = hit
        elif insisted or name not in layout.optional:
            missing[name] = candidates
    for name, candidates in missing.items():
        if not any(other in found for other in layout.instead.get(name, ())):
            raise DataError(
                f"{file}: no column for `{name}` (looked for {', '.join(candidates)}; "
                f"the file has {', '.join(frame.columns)})",
                hint=f'map it: --columns "{name}=YOUR_COLUMN"',
            )
    out = frame.select(pl.col(theirs).alias(ours) for ours, theirs in found.items())
    for name in out.columns:
        out = out.with_columns(_convert(file, out, name, layout.schema[name]))
    for key in layout.keys:
        if key in out.columns and out[key].null_count():
            row = int(out[key].is_null().arg_max() or 0)
            raise DataError(f"{file}: `{found[key]}` is empty in row {row + 1}")
    return layout.finish(file, out)


def _convert(file: Path, frame: pl.DataFrame, name: str, dtype: pl.DataType | type) -> pl.Series:
    """One column in our type; a value that does not parse is an error with its row."""
    column = frame[name]
    if dtype == pl.Date and column.dtype == pl.String:
        converted = column.str.slice(0, 10).str.replace_all("/", "-").str.to_date(strict=False)
    elif dtype == pl.Float64 and column.dtype == pl.String:
        blank = column.str.strip_chars().is_in(["", "nan", "NaN", "null", "None"])
        converted = column.str.strip_chars().cast(pl.Float64, strict=False)
        converted = converted.set(blank, float("nan"))
    elif dtype == pl.Boolean and column.dtype == pl.String:
        converted = (
            column.str.strip_chars()
            .str.to_lowercase()
            .replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
        )
    else:
        converted = column.cast(dtype, strict=False)
    lost = converted.is_null() & column.is_not_null()
    if lost.any():
        row = int(lost.arg_max() or 0)
        raise DataError(
            f"{file}: column `{name}`, row {row + 1}: {column[row]!r} is not a {dtype}",
            hint="correct the value or map another column with --columns",
        )
    return converted


def _read(file: Path) -> pl.DataFrame:
    if not file.exists():
        raise EnvironmentProblem(f"{file}: no such file")
    if file.suffix == ".parquet":
        return read_parquet(file)
    try:
        # Every value stays text: "0050", "NA" and "TRUE" are codes, not numbers, nulls or booleans.
        return pl.read_csv(file, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{file}: not readable as CSV ({str(error).splitlines()[0]})") from error
