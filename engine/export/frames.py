"""Tables for programs of the pandas world: Parquet that comes back with its index."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from engine.files import atomic_path


def write_indexed(path: Path, frame: pl.DataFrame, index: Sequence[str]) -> Path:
    """Parquet that ``pandas.read_parquet`` gives back with these columns as its index; returns the path.

    Dates become timestamps of nanoseconds, which the libraries of that world expect.
    """
    found = frame.with_columns(pl.col(pl.Date).cast(pl.Datetime("ns"))).to_pandas()
    with atomic_path(path) as temporary:
        found.set_index(list(index)).to_parquet(temporary)
    return path
