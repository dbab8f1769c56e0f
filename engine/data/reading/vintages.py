"""Which rows of a file may be compared: those of one stock that were written at one time.

A vendor's daily file has a few sessions, each adjusted as of that evening, and the next file repeats some
of them on its own basis. A ratio of an adjusted to a quoted price says something only against another
row of the same evening, the same *vintage*.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Rows by stock, vintage and date. Arrays have one element a row, in this order."""

    rows: NDArray[np.int64]
    """Position in the file."""
    start: NDArray[np.int64]
    """Position, in this order, of the first row of the same stock and vintage."""

    @property
    def first(self) -> NDArray[np.bool_]:
        """Rows with nothing before them in their vintage."""
        first: NDArray[np.bool_] = self.start == np.arange(self.start.size)
        return first

    def before(self, there: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The nearest earlier row of the vintage for which ``there`` holds, or -1."""
        at = np.arange(there.size)
        newest = np.maximum.accumulate(np.where(there, at, -1))
        earlier = np.concatenate(([-1], newest[:-1]))[: there.size]
        return np.where(earlier >= self.start, earlier, -1)

    def in_file(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of this order in the order of the file."""
        out = np.empty_like(values)
        out[self.rows] = values
        return out


def order_of(symbol: pl.Series, date: pl.Series, file: pl.Series | None) -> Order:
    """The order of a table; ``file`` numbers the files that its rows came from.

    Without repeated (symbol, date) all rows of a stock are one vintage, whatever files they came from.
    With them each file is a vintage of its own, and inside a file a new one begins where the dates of a
    stock turn back or stand still.
    """
    keys = pl.DataFrame(
        {"code": symbol.cast(pl.Categorical).to_physical(), "date": date.to_physical()}
    )
    sorted_keys = keys.with_row_index("row").sort("code", "date", maintain_order=True)
    code, day = sorted_keys["code"].to_numpy(), sorted_keys["date"].to_numpy()
    if ((code[1:] == code[:-1]) & (day[1:] == day[:-1])).any():
        keys = keys.with_columns(_vintage(keys, file).alias("vintage")).with_row_index("row")
        sorted_keys = keys.sort("code", "vintage", "date", maintain_order=True)
        group = sorted_keys["vintage"].to_numpy()
    else:
        group = code
    new = np.concatenate(([True], group[1:] != group[:-1]))[: group.size]
    start = np.maximum.accumulate(np.where(new, np.arange(group.size), 0))
    return Order(rows=sorted_keys["row"].to_numpy().astype(np.int64), start=start)


def _vintage(keys: pl.DataFrame, file: pl.Series | None) -> pl.Series:
    """Number of each row's stock and vintage, in the order of the file."""
    whole = pl.repeat(0, len(keys), eager=True) if file is None else file
    table = keys.with_columns(whole.alias("file")).with_row_index("row")
    table = table.sort("code", "file", maintain_order=True)
    code, part, day = (table[name].to_numpy() for name in ("code", "file", "date"))
    step = np.diff(day.astype(np.int64), prepend=0)
    new = np.concatenate(([True], (code[1:] != code[:-1]) | (part[1:] != part[:-1])))[: code.size]
    forward = int((step[~new] > 0).sum()) >= int((step[~new] < 0).sum())
    new |= (step <= 0) if forward else (step >= 0)
    vintage = np.empty(code.size, dtype=np.int64)
    vintage[table["row"].to_numpy()] = np.cumsum(new)
    return pl.Series("vintage", vintage)
