"""One row per code of a snapshot: who it is, from when to when it has bars, and what it trades."""

import polars as pl

from engine.data.load import StoredPanel
from engine.data.store import Snapshot
from engine.data.tables import SECURITY_SCHEMA

_RECENT = 20
"""Sessions that the median turnover is taken over."""


def stock_table(snapshot: Snapshot, panel: StoredPanel | None) -> pl.DataFrame:
    """Sorted by symbol: ``symbol, name, sector, industry, first, last, rows, kept, median_turnover``.

    ``rows`` counts bars as they came, ``kept`` those that the quality gates left. ``median_turnover``: of
    the kept bars of the last 20 sessions, in currency; null without one. ``panel`` is None for data that
    the gates refuse: nothing is kept then.
    """
    raw = (
        pl.scan_parquet([snapshot.directory / name for name in snapshot.months("bars")])
        .group_by("symbol")
        .agg(
            first=pl.col("date").min(),
            last=pl.col("date").max(),
            rows=pl.len().cast(pl.Int64),
        )
        .collect()
    )
    securities = snapshot.table("securities")
    if securities is None:
        securities = pl.DataFrame(schema=SECURITY_SCHEMA)
    known = securities.select("symbol", "name", "sector", "industry")
    table = known.join(raw, on="symbol", how="full", coalesce=True)
    return (
        table.join(_kept(panel), on="symbol", how="left")
        .with_columns(pl.col("rows", "kept").fill_null(0))
        .sort("symbol")
    )


def _kept(panel: StoredPanel | None) -> pl.DataFrame:
    if panel is None:
        schema = {"symbol": pl.String, "kept": pl.Int64, "median_turnover": pl.Float64}
        return pl.DataFrame(schema=schema)
    start = panel.dates_S[-_RECENT:][0].item()
    recent = (
        panel.bars(str(start))
        .filter(pl.col("date") >= start)
        .group_by("symbol")
        .agg(median_turnover=pl.col("turnover").median())
    )
    kept = {"symbol": panel.symbols, "kept": panel.manifest.bars}
    counts = pl.DataFrame(kept, schema={"symbol": pl.String, "kept": pl.Int64})
    return counts.join(recent, on="symbol", how="left")
