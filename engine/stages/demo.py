"""`demo`: the whole way on a market whose answer is known."""

import time
from dataclasses import replace

import polars as pl
from msgspec import Struct

from engine.config import Config
from engine.data.store import PanelStore
from engine.errors import EnvironmentProblem, Interrupted, UsageError
from engine.portfolio.prediction import Prediction
from engine.records import record
from engine.records.figure import Figure
from engine.records.names import model_name
from engine.records.rank_ic import PairedDifference, RankICSummary
from engine.records.train import TrainResult, read_train
from engine.runs import launch
from engine.runs.events import Noted, RunFinished
from engine.runs.sink import NullSink
from engine.runs.store import Run
from engine.stages.backtest import backtest
from engine.stages.check import check
from engine.stages.context import Outcome, StageContext
from engine.stages.ingest import ingest
from engine.stages.load import load_dataset
from engine.stages.report import report
from engine.stages.text import line, table
from engine.stages.train import run_training
from engine.training.evaluate import paired_rank_ic

_QUICK: dict[str, object] = {"n_symbols": 80, "n_sessions": 700}
_QUICK_EPOCHS = 1
_POLL_S = 0.2
_START_PATIENCE_S = 120.0
"""For the other process to open its run after this one has finished its own."""


def demo(context: StageContext, *, quick: bool = False) -> Outcome:
    """Synthetic market -> check -> train with and without the graph -> backtest -> report."""
    started = time.perf_counter()
    if (context.workspace / "data" / "CURRENT").exists() and not _is_demo(context):
        raise UsageError(
            f"{context.workspace}: holds other data already", hint="choose a fresh --workspace"
        )
    if quick:
        context = replace(context, config=_quick(context.config))
    ingest(context, source="synthetic", prices=None, securities=None, index=None, columns=None)
    verdict = check(context).json["verdict"]
    main, plain = _train_both(context)
    tested = backtest(context, run=main.run_id, strategy=None)
    exported = report(context, run=main.run_id, format="html,json,md")
    answer = _answer(context, main, plain)
    seconds = time.perf_counter() - started
    told = record.as_json(answer) | {
        "quality": verdict,
        "backtest": tested.json,
        "report": exported.json,
        "seconds": seconds,
    }
    text = f"{answer.text()}\n\n{exported.text}\ndone in {seconds:.0f} s"
    return Outcome(json=told, text=text)


class DemoAnswer(Struct, frozen=True, kw_only=True):
    """How much of what can be known was found, and what the graph is worth."""

    run_id: str
    run_without_graph: str
    horizon: int
    test: dict[str, RankICSummary]
    """Oracle, network, network without the graph and the simple models on the test days."""
    recovered: float
    """RankIC of the network over that of the oracle."""
    graph_gain: PairedDifference

    def text(self) -> str:
        """The table of test figures, and both answers in words."""
        rows = [[model_name(name), line(figures)] for name, figures in self.test.items()]
        gain = self.graph_gain
        figure = Figure(gain.difference, gain.se, n=gain.n_dates)
        return "\n".join(
            [
                table(rows, header=["", f"test RankIC, h={self.horizon} sessions"]),
                "",
                f"the network recovers {self.recovered:.0%} of the oracle's RankIC",
                f"with the graph minus without it, same days: {figure.text()}",
                "± Newey-West standard error · null = 95% band of shuffled scores · ~ = inside it",
            ]
        )


def _train_both(context: StageContext) -> tuple[TrainResult, TrainResult]:
    """The run with the graph here and, beside it in a process of its own, the one without."""
    store = context.store
    run = store.open(context.run_id) if context.run_id else store.create("train", context.config)
    load_dataset(context, NullSink())  # once, into the cache that both read
    other = launch.start(context.workspace, "train", _without_graph(context.config))
    try:
        found = run_training(context, run)
        if found.status != "done":
            raise Interrupted(f"{run.id}: stopped", hint="run the demo again")
        context.sink.emit(Noted(message=f"waiting for {other.id}, the run without the graph"))
        return found, _result_of(other, context)
    finally:
        if other.is_alive():
            launch.request_stop(other)


def _without_graph(config: Config) -> Config:
    blocks = tuple(block for block in config.model.blocks if block not in ("gat", "bypass"))
    return config.model_copy(
        update={
            "graph": config.graph.model_copy(update={"kind": "none"}),
            "model": config.model.model_copy(update={"blocks": blocks}),
        }
    )


def _result_of(run: Run, context: StageContext) -> TrainResult:
    """Wait for the other process; what it did not finish is an error with its own words."""
    started = time.monotonic()
    while (status := run.status()) in ("created", "running", "paused"):
        if context.stop.requested:
            raise Interrupted(f"{run.id}: stopped", hint="run the demo again")
        if status == "created" and time.monotonic() - started > _START_PATIENCE_S:
            break
        time.sleep(_POLL_S)
    last = run.last_event()
    if status != "done":
        words = last.error if isinstance(last, RunFinished) else "see its log.txt"
        raise EnvironmentProblem(f"{run.id}: {status}, {words}", hint="run the demo again")
    return read_train(run.directory)


def _answer(context: StageContext, main: TrainResult, plain: TrainResult) -> DemoAnswer:
    h = main.score_horizon
    features = load_dataset(context, NullSink(), in_memory=False).features
    ours, theirs = (_test_scores(context, found.run_id) for found in (main, plain))
    oracle = main.baselines["oracle"].test
    assert main.test is not None
    assert plain.test is not None
    return DemoAnswer(
        run_id=main.run_id,
        run_without_graph=plain.run_id,
        horizon=h,
        test={
            "oracle": oracle,
            "network": main.test,
            "network_without_graph": plain.test,
            **{name: rival.test for name, rival in main.baselines.items() if name != "oracle"},
        },
        recovered=main.test.rank_ic / oracle.rank_ic,
        graph_gain=paired_rank_ic(ours, theirs, features, horizon=h),
    )


def _test_scores(context: StageContext, run_id: str) -> pl.DataFrame:
    path = context.store.open(run_id).path("predictions.parquet")
    return Prediction.read(path).only("test").frame


def _is_demo(context: StageContext) -> bool:
    return PanelStore(context.workspace / "data").snapshot().manifest.market == "synthetic"


def _quick(config: Config) -> Config:
    synthetic = config.data.synthetic.model_copy(update=_QUICK)
    phases = tuple(p.model_copy(update={"epochs": _QUICK_EPOCHS}) for p in config.training.phases)
    split = config.split.model_copy(update={"validation_sessions": 100, "test_sessions": 120})
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"synthetic": synthetic}),
            "split": split,
            "training": config.training.model_copy(update={"phases": phases}),
        }
    )
