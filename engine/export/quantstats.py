"""quantstats and its kin: daily net returns, and those of the simple models beside them.

What agrees with `periods` set to our sessions a year: Sharpe, Sortino, volatility, Calmar, drawdown, win rate
and tail ratio. What does not, because it is defined otherwise: ``value_at_risk`` and
``expected_shortfall`` (a normal distribution there, the 5 % quantile of the days here), everything that
quantstats compounds by calendar months, and the smart and probabilistic ratios.
"""

from pathlib import Path

import polars as pl

from engine.backtest.result import BacktestResult
from engine.export.frames import write_indexed
from engine.files import read_parquet
from engine.records.exported import Exported
from engine.runs.store import Run, require_file

STRATEGY = "strategy"


def write(run: Run, folder: Path) -> Exported:
    """``returns.parquet`` (index date) and ``returns.csv``: ``strategy`` and a column a simple model.

    IntegrityError for a run without a backtest.
    """
    hint = f"run `atft-tui backtest {run.id}` first"
    result = BacktestResult.read(require_file(run.path("backtest.parquet"), hint))
    frame = result.daily.select("date", pl.col("net_return").alias(STRATEGY))
    rivals = run.path("backtest_baselines.parquet")
    if rivals.is_file():
        wide = read_parquet(rivals).pivot(on="name", index="date", values="net_return")
        frame = frame.join(wide, on="date", how="left").sort("date")
    parquet = write_indexed(folder / "returns.parquet", frame, ["date"])
    table = folder / "returns.csv"
    frame.write_csv(table)
    spy = result.sessions_per_year
    others = [name for name in frame.columns if name not in ("date", STRATEGY)]
    return Exported(
        target="quantstats",
        place=str(folder),
        files=(str(parquet), str(table)),
        counts={"sessions": len(frame)},
        notes=(
            f"a year has {spy} sessions here: quantstats.stats.sharpe(returns, periods={spy})",
            f"columns besides {STRATEGY}: {', '.join(others) or 'none'}",
        ),
    )
