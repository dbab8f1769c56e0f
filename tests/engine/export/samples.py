"""A run made by hand: events of a short training, scores, a backtest of four days."""

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from engine.backtest.result import BacktestResult
from engine.config import Config, CostConfig
from engine.files import write_parquet
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.runs.events import RunEvent
from engine.runs.sink import encode
from engine.runs.store import Run, RunStore
from tests.engine.report.samples import NASTY, tested, trained

DAYS = [dt.date(2015, 3, day) for day in (2, 3, 4, 5)]
NET = [0.01, -0.02, 0.005, 0.0]
RIVAL = [0.001, 0.002, -0.001, 0.0]
EVIL = '=HYPERLINK("http://x")'


def run_of(workspace: Path) -> Run:
    """A run with nothing but its manifest and configuration."""
    return RunStore(workspace / "runs").create("train", Config())


def tell(run: Run, events: Iterable[RunEvent]) -> None:
    """Append the events to the run's stream."""
    with run.events_path.open("a") as file:
        file.writelines(encode(event) + "\n" for event in events)


def finished(workspace: Path) -> Run:
    """A run that was trained, scored and simulated."""
    run = run_of(workspace)
    record.write(run.path("train.json"), trained())
    record.write(run.path("backtest.json"), tested())
    scores = np.array([0.5, -1.0], dtype=np.float32)
    Prediction(
        frame=pl.DataFrame(
            {"date": DAYS[:1] * 2, "symbol": ["A", EVIL], "fold": [0, 0], "split": ["test"] * 2,
             "score_5": scores},
            schema_overrides={"fold": pl.Int16},
        ).sort("date", "symbol"),
        run_id=run.id, horizons=(5,), market="us",
    ).write(run.path("predictions.parquet"))  # fmt: skip
    zero = [0.0] * 4
    daily = {
        "date": DAYS, "gross_return": NET, "cost": zero, "net_return": NET, "commission": zero,
        "slippage": zero, "borrow": zero, "dividend": zero, "delisting": zero, "turnover": zero,
        "long_exposure": zero, "short_exposure": zero, "n_names": [2] * 4,
    }  # fmt: skip
    BacktestResult(
        daily=pl.DataFrame(daily), sessions_per_year=245, entry="close", costs=CostConfig(),
        strategy="long_short_quantile", run_id=run.id,
    ).write(run.path("backtest.parquet"))  # fmt: skip
    rivals = {"name": [NASTY] * 4, "date": DAYS, "net_return": RIVAL}
    write_parquet(run.path("backtest_baselines.parquet"), pl.DataFrame(rivals))
    write_parquet(run.path("holdings.parquet"), held())
    return run


def held() -> pl.DataFrame:
    """A is held for two days and closed on the third; B turns from long to short and stays."""
    rows = [
        (DAYS[0], "A", 0.5, 0.01), (DAYS[1], "A", 0.5, -0.02), (DAYS[2], "A", 0.0, 0.004),
        (DAYS[1], EVIL, 0.1, 0.001), (DAYS[2], EVIL, -0.1, 0.002), (DAYS[3], EVIL, -0.2, 0.003),
    ]  # fmt: skip
    return pl.DataFrame(
        rows, schema=["date", "symbol", "weight", "contribution"], orient="row"
    ).with_columns(dividend=pl.lit(0.0), received=pl.lit(0.0))
