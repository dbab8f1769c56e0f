"""`train`: one run through all phases, its baselines, and the scores of its unseen days."""

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from engine.data.store import PanelStore
from engine.dataset.split import Split, single_split
from engine.evaluation.rank_ic import RankICSummary
from engine.features.feature_set import FeatureSet
from engine.files import write_json, write_parquet
from engine.model.build import parameter_table
from engine.runs.events import BaselineEvaluated, StageStarted
from engine.runs.fold import fold
from engine.runs.monitors import Monitors
from engine.runs.scoreboard import scoreboard
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext, open_or_create, run_session
from engine.stages.pipeline import (
    Dataset,
    Loader,
    as_taught,
    build_trainer,
    load_dataset,
    oracle_frame,
    start_runtime,
    write_predictions,
)
from engine.stages.text import training_text
from engine.training.anatomy import anatomy
from engine.training.baselines import compute_baselines
from engine.training.evaluate import against_baselines, by_horizon, evaluate
from engine.training.feature_ic import feature_rank_ics
from engine.training.machine import peak_memory_mib
from engine.training.stopping import TrainingStopped
from engine.training.trainer import Trainer

_Judged = dict[str, dict[str, RankICSummary]]
"""Baseline -> split -> figures at the horizon that the run is judged by."""


def train(context: StageContext, *, resume: str | None = None) -> Outcome:
    """Train, or go on with a stopped or killed run (its own config counts then)."""
    run, context = open_or_create(context, "train", resume=resume)
    summary = run_training(context, run, resume=resume is not None)
    return Outcome(json=summary, text=training_text(summary))


def run_training(
    context: StageContext,
    run: Run,
    *,
    resume: bool = False,
    load: Loader = load_dataset,
    with_baselines: bool = True,
) -> dict[str, Any]:
    """Train in a session of its own, which ends with the run's status and headline."""
    with run_session(context, run, resumed=resume) as session:
        summary = _train_run(
            context, run, session.sink, resume=resume, load=load, with_baselines=with_baselines
        )
        session.status, session.summary = summary["status"], _headline(summary)
    return summary


def _headline(summary: dict[str, Any]) -> dict[str, Any]:
    """The few figures that a list of runs shows."""
    keys = ("best", "test", "score_std_ratio", "seconds", "score_horizon")
    told = {key: summary[key] for key in keys if key in summary}
    against = _strongest(summary.get("baselines", {}))
    return told | ({"against": against} if against else {})


def _strongest(baselines: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The paired difference on the test days to the simple model that is best there; empty without one."""
    rivals = {
        name: values["test_difference"] | {"rank_ic": values["test"]["rank_ic"]}
        for name, values in baselines.items()
        if name != "oracle" and math.isfinite(values["test"]["rank_ic"])
    }
    if not rivals:
        return {}
    name = max(rivals, key=lambda rival: float(rivals[rival]["rank_ic"]))
    low, high = rivals[name]["low"], rivals[name]["high"]
    verdict = "above" if low > 0 else "below" if high < 0 else "undecided"
    return {"name": name, **rivals[name], "verdict": verdict}


def _train_run(
    context: StageContext,
    run: Run,
    sink: EventSink,
    *,
    resume: bool = False,
    load: Loader = load_dataset,
    with_baselines: bool = True,
) -> dict[str, Any]:
    """The work of `train` inside an open run; returns what `train --json` prints."""
    started = time.perf_counter()
    config = context.config
    dataset = load(context, sink)
    split = single_split(dataset.features, config.split, config.universe.min_names)
    taught = as_taught(dataset, split, config)
    features = taught.features
    runtime = start_runtime(config, sink)
    trainer = build_trainer(
        context,
        taught,
        split,
        run=run,
        directory=run.path("checkpoints"),
        runtime=runtime,
        sink=sink,
    )
    baselines = pl.DataFrame()
    if with_baselines:
        baselines = _load_baselines(context, run, taught, split, sink)
        _write_feature_ics(context, run, features, split)
    judged = _judge_baselines(context, baselines, features, sink)
    status = "done"
    try:
        trainer.run(resume=resume)
    except TrainingStopped:
        status = "stopped"
    summary: dict[str, Any] = {
        "run_id": run.id,
        "status": status,
        "device": str(runtime.device),
        "mode": config.training.mode,
        "score_horizon": config.training.score_horizon,
        "permuted_labels": config.training.permute_labels,
        "parameters": parameter_table(trainer.model),
        "phases": [result.to_json() for result in trainer.progress.results],
        "seconds": time.perf_counter() - started,
        "peak_memory_mib": peak_memory_mib(),
        **provenance(context, dataset, split),
    }
    summary |= _health(run)
    if status == "done":
        sink.emit(StageStarted(stage="predict"))
        summary |= results(context, run, trainer, features, baselines, judged)
    write_json(run.path("train.json"), summary)
    return summary


def _health(run: Run) -> dict[str, Any]:
    """Scoreboard and monitors, from the events of the run."""
    state, monitors = fold(run.events()), Monitors.of(run.events())
    criteria = scoreboard(state.best, monitors.epochs, monitors.gradient("gat"))
    return {
        "scoreboard": [criterion.to_json() for criterion in criteria],
        "monitors": monitors.to_json(),
    }


def provenance(context: StageContext, dataset: Dataset, split: Split) -> dict[str, Any]:
    """What the figures rest on: data, universe, splits."""
    features = dataset.features
    dates_S = features.dates_S
    notes = list(dataset.quality.notes)
    if context.config.training.permute_labels:
        notes.append(
            "labels permuted among stocks on training and validation days: a test of the method"
        )

    def span(sessions: np.ndarray) -> dict[str, Any]:
        return {
            "first": str(dates_S[sessions[0]]),
            "last": str(dates_S[sessions[-1]]),
            "sessions": int(sessions.size),
        }

    return {
        "data": {
            "source": features.source,
            "market": features.market,
            "fingerprint": dataset.panel.fingerprint,
            "last_session": str(dates_S[-1]),
            "quality": dataset.quality.verdict,
            "notes": notes,
        },
        "features_fingerprint": features.fingerprint,
        "graph_fingerprint": dataset.graphs.fingerprint if dataset.graphs else None,
        "n_features": len(features.features),
        "splits": {
            "train": span(split.train),
            "validation": span(split.validation),
            "test": span(split.test),
            "embargo_sessions": context.config.split.embargo_sessions,
        },
    }


def _load_baselines(
    context: StageContext, run: Run, dataset: Dataset, split: Split, sink: EventSink
) -> pl.DataFrame:
    """Scores of the simple models on the same days; computed once per run (`baselines.parquet`)."""
    path = run.path("baselines.parquet")
    config, features = context.config, dataset.features
    if path.exists():
        return pl.read_parquet(path)
    sink.emit(StageStarted(stage="baselines"))
    frame = compute_baselines(features, split, config=config, sink=sink)
    oracle = oracle_frame(PanelStore(context.workspace / "data").oracle(), features, split)
    frame = pl.concat([frame, oracle]) if not oracle.is_empty() else frame
    write_parquet(path, frame)
    return frame


def _write_feature_ics(context: StageContext, run: Run, features: FeatureSet, split: Split) -> None:
    """``feature_ic.json`` of the run: RankIC of each input alone on training days, once per run."""
    path = run.path("feature_ic.json")
    if not path.exists():
        horizon = context.config.training.score_horizon
        write_json(path, feature_rank_ics(features, split, horizon))


def _by_name(baselines: pl.DataFrame) -> Iterable[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Name and rows of each baseline, in order; nothing of a run that was trained without them."""
    if baselines.is_empty():
        return ()
    return baselines.group_by("name", maintain_order=True)


def _judge_baselines(
    context: StageContext, baselines: pl.DataFrame, features: FeatureSet, sink: EventSink
) -> _Judged:
    """Figures of each simple model by name and split, told as events too."""
    training, h = context.config.training, context.config.training.score_horizon
    judged: _Judged = {}
    for (name,), rows in _by_name(baselines):
        figures = evaluate(
            rows, features, null_draws=training.null_draws, seed=training.seed, horizons=[h]
        )
        judged[str(name)] = {part: values[h] for part, values in figures.items()}
        for part, summary in judged[str(name)].items():
            sink.emit(
                BaselineEvaluated(
                    name=str(name),
                    split=part,
                    horizon=h,
                    rank_ic=summary.rank_ic,
                    rank_ic_se=summary.rank_ic_se,
                    n_dates=summary.n_dates,
                )
            )
    return judged


def results(
    context: StageContext,
    run: Run,
    trainer: Trainer,
    features: FeatureSet,
    baselines: pl.DataFrame,
    judged: _Judged,
) -> dict[str, Any]:
    """Score validation and test with the weights that are kept, and write the predictions.

    Returns the figures of the network and of the baselines on the same days, and their paired
    differences.
    """
    training = context.config.training
    h, draws, seed = training.score_horizon, training.null_draws, training.seed
    scored = {
        "validation": trainer.score(trainer.split.validation),
        "test": trainer.score(trainer.split.test),
    }
    frames = [days.to_frame(features, split=name, fold=0) for name, days in scored.items()]
    scores = pl.concat(frames).sort("date", "symbol")
    write_predictions(run, scores, features, context.config)
    ours = evaluate(scores, features, null_draws=draws, seed=seed)
    table = against_baselines(scores, baselines, features, context.config)
    for name, figures in judged.items():
        table[name]["validation"] = asdict(figures["validation"])
    return {
        "best": asdict(ours["validation"][h]),
        "test": asdict(ours["test"][h]),
        "horizons": {split: by_horizon(values) for split, values in ours.items()},
        "anatomy": anatomy(scores.filter(pl.col("split") == "test"), features, h),
        "baselines": table,
        "score_std_ratio": scored["validation"].std_ratio(features.horizons.index(h)),
        "kept_blocks": trainer.progress.kept_blocks,
        "steps": trainer.progress.step,
        "gradient": trainer.progress.gradient,
        "alpha": trainer.progress.alpha,
        "sessions_per_second": trainer.progress.sessions_per_second,
    }
