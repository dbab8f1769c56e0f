"""Everything a report says, read from the run directory; nothing is computed twice or invented."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import msgspec
import polars as pl

from engine import hashes
from engine.backtest.performance import equity, monthly_returns
from engine.backtest.result import BacktestResult
from engine.config import Config
from engine.data.store import PanelStore
from engine.errors import EngineError, IntegrityError
from engine.files import Json, read_parquet
from engine.portfolio.prediction import Weights
from engine.records import record
from engine.records.backtest import BACKTEST, BacktestSummary, SettingsTable
from engine.records.comparison import VARIANTS, VariantComparison, comparison_files
from engine.records.figure import counted
from engine.records.names import model_name
from engine.records.preflight import AuditResult, read_audit
from engine.records.protocol import CountedLook, JudgedDays
from engine.records.quality import QUALITY, CheckedQuality
from engine.records.rank_ic import RankICSummary
from engine.records.run import TriedVariant
from engine.records.sweep import SWEEP, SweepSummary
from engine.records.train import NETWORK, TRAIN, TrainResult, read_train
from engine.runs.events import AssertionChecked, EpochEvaluated
from engine.runs.sink import DAMAGED
from engine.runs.store import Run, RunStore
from engine.runs.trials import read_looks, read_trials

_MAX_ABLATIONS, _EX_DATES = 12, 10


class AblationRun(msgspec.Struct, frozen=True, kw_only=True):
    """Another run on the same features and days whose network or graph differs."""

    run_id: str
    change: str
    """``graph random, without gat``"""
    test: RankICSummary
    sharpe: float
    """NaN where it was not simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of a run; parts that have not been made yet are None or empty."""

    run_id: str
    manifest: Json
    """Of the run: when, with which program and packages it was made."""
    train: TrainResult
    backtest: BacktestSummary | None = None
    quality: CheckedQuality | None = None
    audit: AuditResult | None = None
    sweep: SweepSummary | None = None
    epochs: tuple[EpochEvaluated, ...] = ()
    assertions: tuple[AssertionChecked, ...] = ()
    daily: pl.DataFrame | None = None
    """`BacktestResult.curve`."""
    baseline_returns: pl.DataFrame | None = None
    """``name, date, net_return``."""
    months: dict[str, float] = field(default_factory=dict)
    """``2016-03`` -> compound net return."""
    styles: pl.DataFrame | None = None
    """Lean of the decided book of every decision on each style: ``date, style, lean``."""
    sectors: pl.DataFrame | None = None
    """What was held in each sector: ``date, sector, net, gross``, fractions of equity."""
    holdings: pl.DataFrame | None = None
    """Book of the last decision: ``date, symbol, name, sector, weight``, largest first."""
    trials: dict[str, TriedVariant] = field(default_factory=dict)
    """Tried variants by the digest of their settings."""
    ablations: tuple[AblationRun, ...] = ()
    config: SettingsTable = field(default_factory=dict)
    comparisons: tuple[VariantComparison, ...] = ()
    """Comparisons of sizes and of ablations on the same features, newest first."""
    ex_dates: pl.DataFrame | None = None
    """Largest dividends that the book received or paid: ``date, symbol, dividend, weight, received``."""

    looks: tuple[CountedLook, ...] = ()
    """All looks of the workspace."""

    def words(self, days: JudgedDays | None) -> str:
        """What days a figure rests on and how often they were looked at; empty without a protocol."""
        return "" if days is None else days.words(days.looks(self.looks))

    @property
    def model(self) -> str:
        """Whose scores these are."""
        return "ATFT-GAT-FAN" if self.train.model == NETWORK else model_name(self.train.model)

    @property
    def test(self) -> RankICSummary:
        """RankIC on the test days; a run that was not trained to its end has no report."""
        assert self.train.test is not None
        return self.train.test

    @property
    def traded(self) -> BacktestSummary:
        """The backtest, for sections that are made only where there is one."""
        assert self.backtest is not None
        return self.backtest

    @property
    def settings(self) -> SettingsTable:
        """The run's configuration with the trading tables that its backtest used."""
        return self.config | (self.backtest.tables if self.backtest else {})


def gather(workspace: Path, run: Run) -> Facts:
    """Read the files of a finished run."""
    told = _Told.by(run)
    daily, months = _daily(run)
    train = told.noted(read_train(run.directory))
    backtest = record.read_if_there(run.path(BACKTEST), BacktestSummary)
    if backtest is not None and backtest.factor is None:
        raise IntegrityError(
            f"{run.id}: its backtest was made by an older version",
            hint=f"run `atft-tui backtest {run.id}` again",
        )
    return Facts(
        run_id=run.id,
        manifest=record.as_json(run.manifest),
        train=train,
        backtest=backtest,
        quality=record.read_if_there(workspace / QUALITY, CheckedQuality),
        audit=read_audit(workspace),
        sweep=record.read_if_there(run.path(SWEEP), SweepSummary),
        epochs=tuple(told.epochs.values()),
        assertions=tuple(told.assertions.values()),
        daily=daily,
        baseline_returns=_table(run, "baselines"),
        styles=_table(run, "styles"),
        sectors=_table(run, "sectors"),
        months=months,
        holdings=_holdings(workspace, run),
        ex_dates=_paid_dividends(run),
        trials=dict(read_trials(run)),
        ablations=_ablations(workspace, run, train),
        config=run.config().model_dump(mode="json"),
        comparisons=_comparisons(workspace, train),
        looks=read_looks(run.directory.parent),
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


@dataclass(slots=True)
class _Told:
    """What the events of a run say of its epochs and its start, and how many lines are damaged."""

    epochs: dict[int, EpochEvaluated] = field(default_factory=dict)
    assertions: dict[str, AssertionChecked] = field(default_factory=dict)
    damaged: int = 0

    @classmethod
    def by(cls, run: Run) -> Self:
        told = cls()
        for event in run.events():
            if isinstance(event, EpochEvaluated):
                told.epochs[event.epoch] = event
            elif isinstance(event, AssertionChecked):
                told.assertions[event.name] = event
            elif event == DAMAGED:
                told.damaged += 1
        return told

    def noted(self, train: TrainResult) -> TrainResult:
        """The result, with a note where damaged lines are left out of the report."""
        if not self.damaged:
            return train
        words = f"events.jsonl: {counted(self.damaged, 'damaged line')}, left out of this report"
        data = msgspec.structs.replace(train.data, notes=(*train.data.notes, words))
        return msgspec.structs.replace(train, data=data)


def _daily(run: Run) -> tuple[pl.DataFrame | None, dict[str, float]]:
    path = run.path("backtest.parquet")
    if not path.is_file():
        return None, {}
    result = BacktestResult.read(path)
    dates_D = result.daily["date"].to_numpy().astype("datetime64[D]")
    return result.curve(), monthly_returns(dates_D, result.net_returns())


def _table(run: Run, name: str) -> pl.DataFrame | None:
    """A daily table of the backtest; None without one, or of a version that did not write it."""
    path = run.path(f"backtest_{name}.parquet")
    return read_parquet(path) if path.is_file() else None


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


def _paid_dividends(run: Run) -> pl.DataFrame | None:
    """`Facts.ex_dates`: a stock bought on its ex-date got nothing.

    None without a backtest, or with one from before dividends were money.
    """
    path = run.path("holdings.parquet")
    if not path.is_file() or "dividend" not in pl.read_parquet_schema(hashes.checked(path)):
        return None
    return (
        pl.scan_parquet(path)
        .filter(pl.col("received") != 0)
        .select("date", "symbol", "dividend", "weight", "received")
        .sort(pl.col("received").abs(), "date", "symbol", descending=[True, False, False])
        .head(_EX_DATES)
        .collect()
    )


def _ablations(workspace: Path, run: Run, train: TrainResult) -> tuple[AblationRun, ...]:
    """Runs of the same command on the same features and test days with other blocks or edges.

    One that cannot be read is passed over: `runs` tells what is wrong with it.
    """
    mine = run.config()
    rows: list[AblationRun] = []
    for other in RunStore(workspace / "runs"):
        if other.id == run.id or other.command != run.command or len(rows) == _MAX_ABLATIONS:
            continue
        try:
            rows += _ablation(other, mine, train)
        except EngineError:  # of another run than the report's; the list of runs shows it
            continue
    return tuple(rows)


def _ablation(other: Run, mine: Config, train: TrainResult) -> list[AblationRun]:
    """The line of one run; none if it is of other data, or part of a comparison that is told whole."""
    if not other.path(TRAIN).is_file() or other.manifest.comparison is not None:
        return []
    theirs, config = read_train(other.directory), other.config()
    same = all(
        getattr(theirs, name) == getattr(train, name)
        for name in ("features_fingerprint", "splits", "model")
    )
    changes = _changes(config, mine)
    permuted = config.training.permute_labels != mine.training.permute_labels
    if not same or theirs.test is None or permuted or not changes:
        return []
    tested = record.read_if_there(other.path(BACKTEST), BacktestSummary)
    return [
        AblationRun(
            run_id=other.id,
            change=", ".join(changes),
            test=theirs.test,
            sharpe=tested.sharpe if tested else float("nan"),
        )
    ]


def _changes(config: Config, mine: Config) -> list[str]:
    ours, theirs = set(mine.model.blocks), set(config.model.blocks)
    graph = [f"graph {config.graph.kind}"] if config.graph.kind != mine.graph.kind else []
    without = [f"without {name}" for name in sorted(ours - theirs)]
    return [*graph, *without, *(f"with {name}" for name in sorted(theirs - ours))]


def _comparisons(workspace: Path, train: TrainResult) -> tuple[VariantComparison, ...]:
    """What `compare` left of trainings on the features of this run."""
    paths = comparison_files(workspace, *VARIANTS)
    found = (record.read(path, VariantComparison) for path in paths)
    return tuple(m for m in found if m.data_fingerprint == train.features_fingerprint)
