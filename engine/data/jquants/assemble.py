"""Parts -> RawTables: no network, the same parts give the same tables."""

import datetime as dt
from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from engine.data.jquants.normalise import MASTER_SCHEMA, PART_SCHEMA
from engine.data.jquants.parts import Parts
from engine.data.tables import (
    BAR_SCHEMA,
    INDEX_SCHEMA,
    OPTIONAL,
    SECURITY_SCHEMA,
    RawTables,
    complete,
)
from engine.data.untraded import drop_untraded


def read_jquants(
    folder: Path, *, first: dt.date, tables: Collection[str], notes: Sequence[str] = ()
) -> RawTables:
    """The stored tables from ``first`` on; of the optional ones those named, where they hold rows.

    Securities: the latest known name and sector of every issue that any stored list has.
    """
    parts = Parts(folder)
    master = parts.all("master", MASTER_SCHEMA).sort("date", "symbol")
    securities = master.unique("symbol", keep="last", maintain_order=True).sort("symbol")
    index = None
    if "index" in tables:
        index = parts.all("index", INDEX_SCHEMA).filter(pl.col("date") >= first).sort("date")
    optional = {}
    for name, schema in OPTIONAL.items():
        if name not in tables:
            continue
        day = "date" if name not in ("statements", "earnings") else "available"
        table = parts.all(name, schema).filter(pl.col(day) >= first)
        if not table.is_empty():
            optional[name] = table.sort(list(schema), nulls_last=True)
    bars = parts.all("bars", PART_SCHEMA).filter(pl.col("date") >= first)
    return RawTables(
        bars=drop_untraded(complete(bars, BAR_SCHEMA)),
        securities=securities.select(list(SECURITY_SCHEMA)),
        index=index if index is not None and not index.is_empty() else None,
        optional=optional,
        market="jp",
        source="jquants",
        notes=tuple(notes),
    )
