"""Everything a report says, read from the run directory; nothing is computed twice or invented."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from engine.backtest.performance import drawdowns, equity, monthly_returns
from engine.backtest.result import BacktestResult
from engine.config import Config
from engine.data.store import PanelStore
from engine.errors import EngineError, IntegrityError
from engine.files import read_json
from engine.portfolio.weights import Weights
from engine.records import record
from engine.runs.events import AssertionChecked, EpochEvaluated, decode
from engine.runs.store import Run, RunStore
from engine.runs.trials import read_trials

MAX_ABLATIONS, EX_DATES = 12, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run; parts that have not been made yet are None or empty."""

    run_id: str
    manifest: dict[str, Any]
    train: dict[str, Any]
    backtest: dict[str, Any] | None
    quality: dict[str, Any] | None
    audit: dict[str, Any] | None
    sweep: dict[str, Any] | None
    epochs: tuple[EpochEvaluated, ...]
    assertions: tuple[AssertionChecked, ...]
    daily: pl.DataFrame | None
    """`BacktestResult.daily` with ``equity`` (growth of 1) and ``drawdown``."""
    baseline_returns: pl.DataFrame | None
    """``name, date, net_return``."""
    months: dict[str, float]
    holdings: pl.DataFrame | None
    """Book of the last decision: ``date, symbol, name, sector, weight``, largest first."""
    trials: dict[str, Any]
    """Variants simulated on this run's scores."""
    ablations: tuple[dict[str, Any], ...]
    """Other runs on the same features and days whose network or graph differs: what, RankIC, Sharpe."""
    config: dict[str, Any] = field(default_factory=dict)
    comparisons: tuple[dict[str, Any], ...] = ()
    """Comparisons of sizes and of ablations on the same features, newest first."""
    ex_dates: pl.DataFrame | None = None
    """Largest dividends that the book received or paid: ``date, symbol, dividend, weight, received``."""

    @property
    def model(self) -> str:
        """Whose scores these are."""
        name = str(self.train.get("model", "network"))
        return "ATFT-GAT-FAN" if name == "network" else name


def gather(workspace: Path, run: Run) -> Facts:
    """Read the files of a finished run."""
    epochs, assertions = _events(run)
    daily, months = _daily(run)
    train = {"baselines": {}} | read_json(run.path("train.json"))
    backtest = _optional(run.path("backtest.json"))
    if backtest is not None and "factor" not in backtest:
        raise IntegrityError(
            f"{run.id}: its backtest was made by an older version",
            hint=f"run `atft-tui backtest {run.id}` again",
        )
    returns = run.path("backtest_baselines.parquet")
    return Facts(
        run_id=run.id,
        manifest=record.as_json(run.manifest),
        train=train,
        backtest=backtest,
        quality=_optional(workspace / "data" / "quality.json"),
        audit=_optional(workspace / "audit.json"),
        sweep=_optional(run.path("sweep.json")),
        epochs=epochs,
        assertions=assertions,
        daily=daily,
        baseline_returns=pl.read_parquet(returns) if returns.is_file() else None,
        months=months,
        holdings=_holdings(workspace, run),
        ex_dates=paid_dividends(run),
        trials={key: record.as_json(tried) for key, tried in read_trials(run).items()},
        ablations=_ablations(workspace, run, train),
        config=run.config().model_dump(mode="json"),
        comparisons=_comparisons(workspace, train),
    )


def equity_curves(facts: Facts) -> dict[str, dict[str, float]]:
    """Growth of 1 by date for each baseline."""
    if facts.baseline_returns is None:
        return {}
    curves = {}
    for (name,), rows in facts.baseline_returns.group_by("name", maintain_order=True):
        net_D = rows["net_return"].to_numpy()
        dates = rows["date"].cast(pl.String).to_list()
        curves[str(name)] = dict(zip(dates, equity(net_D)[-net_D.size :].tolist(), strict=True))
    return curves


def _optional(path: Path) -> dict[str, Any] | None:
    return read_json(path) if path.is_file() else None


def _events(run: Run) -> tuple[tuple[EpochEvaluated, ...], tuple[AssertionChecked, ...]]:
    epochs: dict[int, EpochEvaluated] = {}
    assertions: dict[str, AssertionChecked] = {}
    with run.events_path.open("rb") as file:
        for line in file:
            event = decode(line)
            if isinstance(event, EpochEvaluated):
                epochs[event.epoch] = event
            elif isinstance(event, AssertionChecked):
                assertions[event.name] = event
    return tuple(epochs.values()), tuple(assertions.values())


def _daily(run: Run) -> tuple[pl.DataFrame | None, dict[str, float]]:
    path = run.path("backtest.parquet")
    if not path.is_file():
        return None, {}
    result = BacktestResult.read(path)
    net_D = result.net_returns()
    frame = result.daily.with_columns(
        pl.Series("equity", equity(net_D)[-net_D.size :]),
        pl.Series("drawdown", drawdowns(net_D)[-net_D.size :]),
    )
    dates_D = result.daily["date"].to_numpy().astype("datetime64[D]")
    return frame, monthly_returns(dates_D, net_D)


def _holdings(workspace: Path, run: Run) -> pl.DataFrame | None:
    path = run.path("weights.parquet")
    if not path.is_file():
        return None
    frame = Weights.read(path).frame
    last = frame.filter(pl.col("date") == frame["date"].max(), pl.col("weight") != 0)
    names = PanelStore(workspace / "data").securities().unique("symbol", keep="first")
    return (
        last.join(names.select("symbol", "name", "sector"), on="symbol", how="left")
        .select("date", "symbol", "name", "sector", "weight")
        .sort(pl.col("weight").abs(), "symbol", descending=[True, False])
    )


def paid_dividends(run: Run) -> pl.DataFrame | None:
    """`Facts.ex_dates`: a stock bought on its ex-date got nothing.

    None without a backtest, or with one from before dividends were money.
    """
    path = run.path("holdings.parquet")
    if not path.is_file() or "dividend" not in pl.read_parquet_schema(path):
        return None
    return (
        pl.scan_parquet(path)
        .filter(pl.col("received") != 0)
        .select("date", "symbol", "dividend", "weight", "received")
        .sort(pl.col("received").abs(), "date", "symbol", descending=[True, False, False])
        .head(EX_DATES)
        .collect()
    )


def _ablations(workspace: Path, run: Run, train: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Runs of the same command on the same features and test days with other blocks or edges.

    One that cannot be read is passed over: `runs` tells what is wrong with it.
    """
    mine = run.config()
    rows: list[dict[str, Any]] = []
    for other in RunStore(workspace / "runs"):
        if other.id == run.id or other.command != run.command or len(rows) == MAX_ABLATIONS:
            continue
        try:
            rows += _ablation(other, mine, train)
        except EngineError:  # of another run than the report's; the list of runs shows it
            continue
    return tuple(rows)


def _ablation(other: Run, mine: Config, train: dict[str, Any]) -> list[dict[str, Any]]:
    """The line of one run; none if it is of other data, or part of a comparison that is told whole."""
    summary = other.path("train.json")
    if not summary.is_file() or other.manifest.comparison is not None:
        return []
    theirs = read_json(summary)
    same = all(
        theirs.get(key) == train.get(key) for key in ("features_fingerprint", "splits", "model")
    )
    if not same or "test" not in theirs:
        return []
    config, changes = other.config(), []
    if config.training.permute_labels != mine.training.permute_labels:
        return []
    if config.graph.kind != mine.graph.kind:
        changes.append(f"graph {config.graph.kind}")
    off = set(mine.model.blocks) - set(config.model.blocks)
    on = set(config.model.blocks) - set(mine.model.blocks)
    changes += [f"without {name}" for name in sorted(off)]
    changes += [f"with {name}" for name in sorted(on)]
    if not changes:
        return []
    tested = _optional(other.path("backtest.json")) or {}
    return [
        {
            "run_id": other.id,
            "change": ", ".join(changes),
            "test": theirs["test"],
            "sharpe": tested.get("sharpe"),
        }
    ]


def _comparisons(workspace: Path, train: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """What `compare` left of trainings on the features of this run."""
    paths = sorted(
        (workspace / "compare").glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    found = [read_json(path) for path in paths]
    return tuple(
        made
        for made in found
        if made.get("kind") in ("sizes", "ablations")
        and made.get("data_fingerprint") == train.get("features_fingerprint")
    )
