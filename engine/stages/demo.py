"""`demo`: the whole way on a market whose answer is known."""

import time
from dataclasses import replace
from typing import Any

import polars as pl

from engine.config import Config
from engine.data.store import PanelStore
from engine.errors import EnvironmentProblem, Interrupted, UsageError
from engine.files import read_json
from engine.portfolio.prediction import Prediction
from engine.runs import launch
from engine.runs.events import Noted, RunFinished
from engine.runs.sink import NullSink
from engine.runs.store import Run
from engine.stages.backtest import backtest
from engine.stages.check import check
from engine.stages.context import Outcome, StageContext
from engine.stages.ingest import ingest
from engine.stages.pipeline import load_dataset
from engine.stages.report import report
from engine.stages.text import rank_ic, table
from engine.stages.train import run_training
from engine.training.evaluate import paired_rank_ic

_QUICK: dict[str, Any] = {"n_symbols": 80, "n_sessions": 700}
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
    tested = backtest(context, run=main["run_id"], strategy=None)
    exported = report(context, run=main["run_id"], format="html,json,md")
    answer = _compare(context, main, plain) | {
        "quality": verdict,
        "backtest": tested.json,
        "report": exported.json,
        "seconds": time.perf_counter() - started,
    }
    return Outcome(json=answer, text=_text(answer, exported.text))


def _train_both(context: StageContext) -> tuple[dict[str, Any], dict[str, Any]]:
    """The run with the graph here and, beside it in a process of its own, the one without."""
    store = context.store
    run = store.open(context.run_id) if context.run_id else store.create("train", context.config)
    load_dataset(context, NullSink())  # once, into the cache that both read
    other = launch.start(context.workspace, "train", _without_graph(context.config))
    try:
        summary = run_training(context, run)
        if summary["status"] != "done":
            raise Interrupted(f"{run.id}: stopped", hint="run the demo again")
        context.sink.emit(Noted(message=f"waiting for {other.id}, the run without the graph"))
        return summary, _result_of(other, context)
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


def _result_of(run: Run, context: StageContext) -> dict[str, Any]:
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
    return read_json(run.path("train.json"))


def _compare(context: StageContext, main: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    h = main["score_horizon"]
    features = load_dataset(context, NullSink(), in_memory=False).features
    ours, theirs = (_test_scores(context, summary["run_id"]) for summary in (main, plain))
    oracle = main["baselines"]["oracle"]["test"]
    return {
        "run_id": main["run_id"],
        "run_without_graph": plain["run_id"],
        "horizon": h,
        "test": {
            "oracle": oracle,
            "network": main["test"],
            "network_without_graph": plain["test"],
            **{n: v["test"] for n, v in main["baselines"].items() if n != "oracle"},
        },
        "recovered": main["test"]["rank_ic"] / oracle["rank_ic"],
        "graph_gain": paired_rank_ic(ours, theirs, features, horizon=h),
    }


def _test_scores(context: StageContext, run_id: str) -> pl.DataFrame:
    path = context.store.open(run_id).path("predictions.parquet")
    return Prediction.read(path).only("test").frame


def _text(answer: dict[str, Any], report_text: str) -> str:
    rows = [[name, rank_ic(figures)] for name, figures in answer["test"].items()]
    gain = answer["graph_gain"]
    return "\n".join(
        [
            table(rows, header=["", f"test RankIC, h={answer['horizon']} sessions"]),
            "",
            f"the network recovers {answer['recovered']:.0%} of the oracle's RankIC",
            f"with the graph minus without it, same days: "
            f"{gain['difference']:+.4f} ± {gain['se']:.4f} (n={gain['n_dates']})",
            "± Newey-West standard error · null = 95 % band of shuffled scores · ~ = inside it",
            "",
            report_text,
            f"done in {answer['seconds']:.0f} s",
        ]
    )


def _is_demo(context: StageContext) -> bool:
    return PanelStore(context.workspace / "data").load_raw().market == "synthetic"


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
