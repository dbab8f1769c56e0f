"""Corporate actions of the user's own table, brought to the rows that they concern.

An action counts from the first row of its stock on or after its date. So it is enough to know the day of the
newest row that was cleaned before: what lies later is still to be done.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.data.memory import Memory
from engine.data.tables import BAR_SCHEMA, complete
from engine.records.quality import LISTED, DataFinding, Example

_Renames = Sequence[tuple[dt.date, str, str]]
_PAID = ("merger", "delisting")


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """What the table says about each row; defaults where it says nothing."""

    given_M: NDArray[np.bool_]
    """Rows of which the table speaks: the source's own factor and dividend do not count."""
    adjustment_M: NDArray[np.float64]
    dividend_M: NDArray[np.float64]
    worth_M: NDArray[np.float64]
    """Worth of what was handed out, a share after the split of that day."""
    finding: DataFinding


def renames(actions: pl.DataFrame | None) -> list[tuple[dt.date, str, str]]:
    """Date, old code and new code of each rename, oldest first."""
    if actions is None:
        return []
    rows = actions.filter((pl.col("kind") == "rename") & pl.col("other").is_not_null())
    return list(rows.sort("date").select("date", "symbol", "other").iter_rows())


def renamed(table: pl.DataFrame, known: _Renames, key: str = "date") -> pl.DataFrame:
    """The table with rows of an old code before its rename under the new one.

    Where both codes have a bar on one day, the old one's is the company's.
    """
    for day, old, new in known:
        ours = (pl.col("symbol") == old) & (pl.col(key) < day)
        if key == "date":
            days = table.filter(ours)["date"]
            other = (pl.col("symbol") == new) & (pl.col("date") < day)
            table = table.filter(~(other & pl.col("date").is_in(days.implode())))
        symbol = pl.when(ours).then(pl.lit(new)).otherwise(pl.col("symbol"))
        table = table.with_columns(symbol.alias("symbol"))
    return table


def with_proceeds(
    bars: pl.DataFrame, actions: pl.DataFrame | None, memory: Memory
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with a last one for each stock that was paid out, and their dates and codes.

    It stands on the first session from the date on without a bar of the stock: volume 0, the close is the
    cash a share. Nothing is added where none is given, or the stock was paid before and has not traded since.
    ``memory`` knows the codes of ``bars``; it remembers what was paid.
    """
    none = bars.select("date", "symbol").clear()
    if actions is None:
        return bars, none
    place = {symbol: n for n, symbol in enumerate(memory.symbols)}
    session_T = bars["date"].unique().sort()
    added = []
    for day, symbol, value in _of(actions, _PAID):
        n = place.get(symbol)
        if n is None or value is None or memory.settled[n] >= _number(day):
            continue
        own = bars.filter(symbol=symbol)["date"]
        if (
            not memory.rows[n] and own.min() > day
        ):  # it was paid before: the code is another company's
            memory.settled[n] = _number(day)
            continue
        free = session_T.filter((session_T >= day) & ~session_T.is_in(own.implode()))
        if free.is_empty():
            continue
        since = own.to_physical().is_between(memory.settled[n] + 1, _number(free[0]))
        if memory.end[n] > memory.settled[n] or since.any():
            added.append((free[0], symbol, value))
        memory.settled[n] = _number(free[0])
    if not added:
        return bars, none
    rows = pl.DataFrame(added, schema=["date", "symbol", "close"], orient="row")
    rows = rows.with_columns(volume=0.0, turnover=0.0)
    rows = complete(rows.with_columns(pl.col("close").cast(pl.Float64)), BAR_SCHEMA)
    rows = rows.select(pl.col(name).cast(kind) for name, kind in bars.schema.items())
    return pl.concat([bars, rows]), rows.select("date", "symbol")


def fold(
    actions: pl.DataFrame | None,
    stock_M: NDArray[np.int64],
    day_M: NDArray[np.int64],
    end_N: NDArray[np.int64],
    memory: Memory,
) -> Folded:
    """Splits, spin-offs and dividends, by row. ``end_N``: newest day of each stock before these rows."""
    M = stock_M.size
    given_M = np.zeros(M, dtype=np.bool_)
    adjustment_M, dividend_M, worth_M = np.ones(M), np.zeros(M), np.zeros(M)
    place = {symbol: n for n, symbol in enumerate(memory.symbols)}
    wrong: list[Example] = []
    for day, symbol, value, kind in _of(actions, ("split", "spinoff", "dividend"), "kind"):
        n = place.get(symbol)
        if n is None or _number(day) <= end_N[n]:
            continue
        if not (value is not None and np.isfinite(value) and value > 0.0):
            wrong.append((symbol, str(day), f"{kind} of {value}"))
            continue
        first, stop = np.searchsorted(stock_M, [n, n + 1])
        m = first + np.searchsorted(day_M[first:stop], _number(day))
        if m == stop:
            continue
        given_M[m] = True
        if kind == "split":
            adjustment_M[m] /= value
        elif kind == "spinoff":
            worth_M[m] += value
        else:
            dividend_M[m] += value
    finding = DataFinding(
        rule="bad_action",
        level="error",
        count=len(wrong),
        action="not applied",
        description="action without a positive value",
        examples=tuple(wrong[: LISTED["error"]]),
    )
    return Folded(
        given_M=given_M,
        adjustment_M=adjustment_M,
        dividend_M=dividend_M,
        worth_M=worth_M,
        finding=finding,
    )


def _of(
    actions: pl.DataFrame | None, kinds: Sequence[str], *more: str
) -> Iterator[tuple[Any, ...]]:
    if actions is not None:
        rows = actions.filter(pl.col("kind").is_in(kinds)).sort("date", maintain_order=True)
        yield from rows.select("date", "symbol", "value", *more).iter_rows()


def _number(day: dt.date) -> int:
    """Days since 1970."""
    return int(np.datetime64(str(day), "D").astype(np.int64))
