"""Spreadsheets: one workbook, or a folder of CSV files, with everything a backtest says."""

from pathlib import Path

import polars as pl

from engine.export.extras import load
from engine.export.points import flat_config
from engine.files import atomic_path, read_parquet, write_text
from engine.portfolio.prediction import Prediction
from engine.records.exported import Exported
from engine.report import render
from engine.report.facts import Facts
from engine.runs.store import Run

_ROWS = 1_048_575
"""Rows of a worksheet below its header."""


def tables(run: Run, facts: Facts) -> dict[str, pl.DataFrame]:
    """Name -> table: ``figures, curve, trades, holdings, config``, as far as the run has them."""
    found = {name.removeprefix("-") or "curve": t for name, t in render.tables(facts).items()}
    held = run.path("holdings.parquet")
    if held.is_file():
        found["trades"] = trades(read_parquet(held))
    config = list(flat_config(run).items())
    found["config"] = pl.DataFrame(config, schema=["key", "value"], orient="row")
    order = ("figures", "curve", "trades", "holdings", "config")
    return {name: found[name] for name in order if name in found}


def trades(held: pl.DataFrame) -> pl.DataFrame:
    """Positions from opening to closing: ``symbol, side, opened, last, closed, sessions, contribution``.

    ``held``: ``date, symbol, weight, contribution`` of each evening a stock was held on, and of the one on
    which it was closed, with weight 0. A position that turns from long to short is two. ``last`` is its
    newest session, ``contribution`` what it added to the returns of the days, a sum of fractions.
    """
    side = pl.col("weight").sign()
    before = pl.col("side").shift(1).over("symbol")
    opens = before.is_null() | (before == 0) | ((pl.col("side") != 0) & (pl.col("side") != before))
    rows = held.sort("symbol", "date").with_columns(side=side)
    rows = rows.with_columns(opens.cum_sum().over("symbol").alias("number"))
    spells = rows.group_by("symbol", "number", maintain_order=True).agg(
        pl.col("side").first(),
        pl.col("date").first().alias("opened"),
        pl.col("date").last().alias("last"),
        (pl.col("side").last() == 0).alias("closed"),
        pl.len().alias("sessions"),
        pl.col("contribution").cast(pl.Float64).sum(),
    )
    words = pl.when(pl.col("side") < 0).then(pl.lit("short")).otherwise(pl.lit("long"))
    return spells.with_columns(words.alias("side")).drop("number").sort("opened", "symbol")


def write_csv(run: Run, facts: Facts, folder: Path) -> Exported:
    """A CSV file a table, and the scores; text that a spreadsheet would run is made inert."""
    prediction = Prediction.read(run.path("predictions.parquet"))
    found = {**tables(run, facts), "scores": prediction.frame}
    files = []
    for name, frame in found.items():
        write_text(folder / f"{name}.csv", render.inert_cells(frame).write_csv())
        files.append(str(folder / f"{name}.csv"))
    counts = {name: len(frame) for name, frame in found.items()}
    return Exported(target="csv", place=str(folder), files=tuple(files), counts=counts)


def write_excel(run: Run, facts: Facts, path: Path) -> Exported:
    """One workbook with a sheet a table. Text stays text: no cell is a formula or a link.

    EnvironmentProblem where ``xlsxwriter`` is missing.
    """
    library = load("xlsxwriter", "excel")
    found = tables(run, facts)
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "nan_inf_to_errors": True}
    with atomic_path(path) as temporary, library.Workbook(str(temporary), plain) as book:
        for name, frame in found.items():
            frame.head(_ROWS).write_excel(book, name, float_precision=6, autofit=True)
    cut = [f"{name}: the first {_ROWS:,} rows" for name, f in found.items() if len(f) > _ROWS]
    return Exported(
        target="excel",
        place=str(path),
        files=(str(path),),
        counts={name: len(frame) for name, frame in found.items()},
        notes=tuple(cut),
    )
