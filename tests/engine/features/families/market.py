"""A small market with all optional tables, and contexts over any part of it."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.config import SyntheticConfig
from engine.data.panel import DensePanel, Panel
from engine.data.synthetic import generate
from engine.data.tables import BAR_SCHEMA
from engine.data.universe import _market_series
from engine.features.context import Array, Context
from engine.features.families import earnings, flow, margin, options, short, statements
from engine.features.feature import Feature

MODULES = (options, flow, margin, short, statements, earnings)
FEATURES: tuple[Feature, ...] = tuple(feature for module in MODULES for feature in module.FEATURES)
SESSIONS = 600
Tables = Mapping[str, pl.DataFrame]


@cache
def world() -> tuple[DensePanel, Tables]:
    config = SyntheticConfig(n_symbols=24, n_sessions=SESSIONS, seed=5, optional_tables=True)
    raw = generate(config).raw
    panel = Panel(
        frame=raw.bars.select(
            *(name for name in BAR_SCHEMA if name != "adjustment_factor")
        ).with_columns(pl.col("close").alias("close_raw")),
        securities=raw.securities,
        index=raw.index,
        market="synthetic",
        source="test",
        as_of=raw.bars["date"].max(),  # type: ignore[arg-type]
        fingerprint="",
    )
    return panel.dense(), raw.optional


def tail(dense: DensePanel, sessions: int) -> DensePanel:
    """The newest sessions."""
    cut: dict[str, Any] = {}
    for item in fields(dense):
        value = getattr(dense, item.name)
        if item.name.endswith("S") and value is not None:
            cut[item.name] = np.ascontiguousarray(value[..., -sessions:])
    return replace(dense, **cut)


def context(dense: DensePanel, tables: Tables) -> Context:
    member_NS = np.isfinite(dense.close_NS)
    return Context(replace(dense, tables=tables), member_NS, _market_series(dense, member_NS))


def values(x: Context, chosen: tuple[Feature, ...] = FEATURES) -> dict[str, Array]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return {feature.name: feature.compute(x) for feature in chosen}


def day(dense: DensePanel, session: int) -> pl.Expr:
    return pl.lit(dense.dates_S[session]).cast(pl.Date)


def changed(tables: Tables, change: Callable[[pl.DataFrame], pl.DataFrame]) -> Tables:
    return {name: change(table) for name, table in tables.items()}


def scramble(table: pl.DataFrame, later: pl.Expr) -> pl.DataFrame:
    """Rows that ``later`` picks get other figures, dates and kinds; ``available`` stays."""
    random = np.random.default_rng(0)
    out = []
    for name, kind in table.schema.items():
        if kind == pl.Float64:
            noise = pl.Series(random.uniform(-3, 9, len(table)))
            out.append(
                pl.when(later).then(pl.col(name) * noise).otherwise(pl.col(name)).alias(name)
            )
        elif kind == pl.Date and name != "available":
            days = pl.lit(pl.Series(random.integers(-90, 90, len(table))))
            moved = pl.col(name) + pl.duration(days=days)
            out.append(pl.when(later).then(moved).otherwise(pl.col(name)).alias(name))
    return table.with_columns(out)


def same(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    """Equal to the last bit; NaN equals NaN."""
    return np.array_equal(a, b, equal_nan=True)
