"""The tables of a report for spreadsheets and programs: CSV and Parquet."""

from pathlib import Path

import polars as pl

from engine.errors import UsageError
from engine.files import FORMULA, strict, write_parquet, write_text
from engine.records import record
from engine.report.facts import Facts
from engine.report.sections.section import flat


def tables(facts: Facts) -> dict[str, pl.DataFrame]:
    """``""``: one row a session, also of the baselines' net returns; ``-holdings``; ``-figures``."""
    if facts.backtest is None or facts.daily is None:
        raise UsageError(
            f"{facts.run_id}: csv and parquet hold the simulation, and there is none yet",
            hint=f"run `atft-tui backtest {facts.run_id}` first",
        )
    daily = facts.daily
    if facts.baseline_returns is not None:
        wide = facts.baseline_returns.pivot(on="name", index="date", values="net_return")
        names = [name for name in wide.columns if name != "date"]
        wide = wide.rename({name: f"net_return_{name}" for name in names})
        daily = daily.join(wide, on="date", how="left").sort("date")
    told = record.as_json(facts.backtest)
    figures = {key: value for key, value in told.items() if not isinstance(value, list)}
    rows = [(key, None if value is None else str(value)) for key, value in flat(strict(figures))]
    found = {
        "": daily,
        "-figures": pl.DataFrame(
            rows, schema={"figure": pl.String, "value": pl.String}, orient="row"
        ),
    }
    if facts.holdings is not None:
        found["-holdings"] = facts.holdings
    return found


def write_tables(directory: Path, stem: str, facts: Facts, kind: str) -> list[Path]:
    """``<stem><name>.<kind>`` of each table; CSV text cells cannot be formulas, Parquet is untouched."""
    paths = []
    for name, frame in tables(facts).items():
        path = directory / f"{stem}{name}.{kind}"
        if kind == "csv":
            write_text(path, inert(frame).write_csv())
        else:
            write_parquet(path, frame)
        paths.append(path)
    return paths


def inert(frame: pl.DataFrame) -> pl.DataFrame:
    """Text cells that a spreadsheet would run get a leading apostrophe; numbers stay numbers.

    A figure written as text (``-0.5``) is no formula and is left alone.
    """
    return frame.with_columns(
        pl.when(_runs(pl.col(name))).then("'" + pl.col(name)).otherwise(pl.col(name)).alias(name)
        for name, dtype in frame.schema.items()
        if dtype == pl.String
    )


def _runs(cell: pl.Expr) -> pl.Expr:
    risky = pl.any_horizontal(cell.str.starts_with(mark) for mark in FORMULA)
    return risky & cell.cast(pl.Float64, strict=False).is_null()
