"""Dates as people write them: the format is decided by a whole column, and by the exchange calendar."""

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.records.reading import Dates

Sessions = Callable[[dt.date, dt.date], NDArray[np.datetime64]]
"""(first, last) -> session days of the exchange between them, both included."""


def read_dates(
    column: pl.Series,
    *,
    format: str,
    zone: str,
    exchange_zone: str,
    sessions: Sessions | None,
    after: dt.date | None,
    now: dt.datetime,
) -> tuple[pl.Series, Dates]:
    """The column as session days, and how it was read."""
    return column.cast(pl.Date), Dates(format="date")
