"""The same market with another future: cut off, replaced by noise, or published differently."""

import datetime as dt
from dataclasses import replace

import numpy as np
import polars as pl

from engine.data.tables import RawTables

_PRICES = ("open", "high", "low", "close")


def sample(raw: RawTables, *, stocks: int, sessions: int, keep: str) -> RawTables:
    """The newest sessions of evenly chosen stocks; ``keep`` (the index symbol, or "") is among them."""
    days = raw.bars["date"].unique().sort()
    first = days[-min(sessions, len(days))]
    bars = raw.bars.filter(pl.col("date") >= first)
    names = bars["symbol"].unique().sort()
    chosen = names.gather_every(max(1, -(-len(names) // stocks)))
    if keep:
        chosen = pl.concat([chosen, pl.Series("symbol", [keep])]).unique()
    inside = pl.col("symbol").is_in(chosen.implode())
    optional = {
        name: table.filter(inside) if "symbol" in table.columns else table
        for name, table in raw.optional.items()
    }
    return replace(raw, bars=bars.filter(inside), optional=optional, oracle=None)


def poisoned(raw: RawTables, day: dt.date, seed: int = 0) -> RawTables:
    """Every bar, index value and published row after ``day`` is noise.

    One bar in ten is gone, and so is every bar of one stock in seven.
    """
    rng = np.random.default_rng(seed)
    after = pl.col("date") > day
    noise = pl.Series(np.exp(rng.normal(0.0, 0.3, len(raw.bars))))
    spread = pl.Series(1.0 + rng.random(len(raw.bars)))
    scale = {
        "open": noise,
        "close": noise * pl.Series(np.exp(rng.normal(0.0, 0.02, len(raw.bars)))),
        "high": noise * spread,
        "low": noise / spread,
        "volume": noise * 3.0,
        "turnover": noise * noise * 3.0,
    }
    bars = raw.bars.with_columns(
        pl.when(after).then(pl.col(name) * by).otherwise(pl.col(name)).alias(name)
        for name, by in scale.items()
    )
    names = bars["symbol"].unique().sort()
    gone = names.filter(pl.Series(rng.random(len(names)) < 1 / 7))
    lost = pl.Series(rng.random(len(bars)) < 0.1) | pl.col("symbol").is_in(gone.implode())
    index = raw.index
    if index is not None:
        wild = pl.Series(np.exp(rng.normal(0.0, 0.1, len(index))))
        index = index.with_columns(
            pl.when(after).then(pl.col("close") * wild).otherwise(pl.col("close")).alias("close")
        )
    return unpublished(replace(raw, bars=bars.filter(~(after & lost)), index=index), day, seed)


def unpublished(raw: RawTables, day: dt.date, seed: int = 0) -> RawTables:
    """Rows of the optional tables that became available after ``day`` say something else."""
    rng = np.random.default_rng(seed + 1)
    return replace(
        raw, optional={name: _other(table, day, rng) for name, table in raw.optional.items()}
    )


def _other(table: pl.DataFrame, day: dt.date, rng: np.random.Generator) -> pl.DataFrame:
    later = pl.col("available") > day
    numbers = [name for name, kind in table.schema.items() if kind == pl.Float64]
    return table.with_columns(
        pl.when(later)
        .then(pl.col(name) * pl.Series(np.exp(rng.normal(0.0, 0.5, len(table)))))
        .otherwise(pl.col(name))
        .alias(name)
        for name in numbers
    )


def in_flight(raw: RawTables) -> dt.date | None:
    """The day at whose close most rows existed but were not published yet; None without such rows.

    Only there can a forgotten publication date be seen.
    """
    waiting: dict[dt.date, int] = {}
    for table in raw.optional.values():
        key = "period_end" if "period_end" in table.columns else "date"
        rows = table.filter(pl.col(key) < pl.col("available"))
        for day, count in rows.group_by(key).len().iter_rows():
            waiting[day] = waiting.get(day, 0) + count
    days = raw.bars["date"].unique().sort()
    late = days[int(len(days) * 0.6) : -5]
    return max((d for d in late if d in waiting), key=lambda d: waiting[d], default=None)
