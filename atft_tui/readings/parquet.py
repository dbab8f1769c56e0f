"""Tables with polars, which is not loaded before the first one is read."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.records.record import RecordError

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def readable(name: str) -> Iterator[None]:
    """A RecordError in place of what polars raises for a table it cannot read or that lacks a column."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise RecordError(f"{name}: cannot be read ({str(error).splitlines()[0]})") from error


def read_table(source: Path | bytes, columns: Sequence[str], *, name: str) -> "pl.DataFrame":
    """These columns; RecordError for a torn file or one that lacks a column."""
    import polars as pl

    with readable(name):
        frame = pl.read_parquet(io.BytesIO(source) if isinstance(source, bytes) else source)
        return frame.select(columns)
