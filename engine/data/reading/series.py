"""Several rows of one code and day that a column tells apart, such as the NSE's SERIES EQ and BE."""

import polars as pl

from engine.data.labels import readable
from engine.data.reading.parts import LEFT

_KINDS = 40
"""More different values than this are no kinds of a listing."""


def one_series(frame: pl.DataFrame) -> tuple[pl.Series | None, tuple[str, ...]]:
    """Which rows stay (None = all), and what is said about it.

    Where a text column with few values differs between all rows of a (date, symbol), the value that most
    rows of the table have is kept, then the next one. Rows that no such column tells apart all stay: they
    are contradictions, or the same bar twice.
    """
    texts = [name for name in frame.columns if name.startswith(LEFT)]
    kinds = [name for name in texts if 1 < frame[name].n_unique() <= _KINDS]
    if not kinds:
        return None, ()
    keys = ["date", "symbol"]
    doubled = frame.select(pl.struct(keys).is_duplicated()).to_series()
    rows = frame.filter(doubled)
    telling = [name for name in kinds if _tells_apart(rows, name)] if doubled.any() else []
    if not telling:
        return None, ()
    name = min(telling, key=lambda name: frame[name].n_unique())
    order = frame[name].value_counts().sort("count", name, descending=[True, False])[name].to_list()
    rank = {value: i for i, value in enumerate(order)}
    ranked = frame.select(
        *keys,
        pl.col(name).replace_strict(rank, default=len(rank), return_dtype=pl.Int32).alias("r"),
    )
    keep = ranked.select(pl.col("r") == pl.col("r").min().over(keys)).to_series()
    left = frame.filter(~keep)[name].value_counts().sort("count", descending=True)
    said = ", ".join(f"{count:,} of {readable(str(value))}" for value, count in left.iter_rows())
    column = readable(name.removeprefix(LEFT))
    return keep, (
        f"Several rows of a code and day differ in `{column}`: the commonest value is kept "
        f"({readable(str(order[0]))}), and rows were left out: {said}.",
    )


def _tells_apart(rows: pl.DataFrame, name: str) -> bool:
    return (
        not rows[name].null_count()
        and not rows.select(pl.struct("date", "symbol", name).is_duplicated().any()).item()
    )
