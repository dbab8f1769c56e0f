"""Reading tables: what a damaged or foreign file raises becomes an error that the screens can tell."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import IntegrityError


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """An IntegrityError in place of what polars raises for a table it cannot read or that lacks a column."""
    import polars as pl

    try:
        yield
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(
            f"{path.name}: cannot be read ({error})", hint="run the backtest again"
        ) from error
