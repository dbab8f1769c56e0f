"""`train`: one run through all phases, its baselines, and the scores of its unseen days."""

import time
from typing import Any

import numpy as np
import polars as pl

from engine.data.store import PanelStore
from engine.dataset.split import Split, single_split
from engine.evaluation.rank_ic import RankICSummary
from engine.features.feature_set import FeatureSet
from engine.files import atomic_path, digest, write_json
from engine.model.build import parameter_table
from engine.portfolio.prediction import Prediction
from engine.runs.events import BaselineEvaluated, StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext, open_or_create, run_session
from engine.stages.pipeline import (
    Dataset,
    build_trainer,
    load_dataset,
    oracle_frame,
    start_runtime,
)
from engine.stages.text import training_text
from engine.training.baselines import compute_baselines
from engine.training.evaluate import by_horizon, evaluate, paired_rank_ic
from engine.training.machine import peak_memory_mib
from engine.training.trainer import Trainer, TrainingStopped


def train(context: StageContext, *, resume: str | None = None) -> Outcome:
    """Train, or go on with a stopped or killed run (its own config counts then)."""
    run, context = open_or_create(context, "train", resume=resume)
    with run_session(context, run, resumed=resume is not None) as session:
        summary = train_run(context, run, session.sink, resume=resume is not None)
        session.status, session.summary = summary["status"], headline(summary)
    return Outcome(json=summary, text=training_text(summary))


def headline(summary: dict[str, Any]) -> dict[str, Any]:
    """The few figures that a list of runs shows."""
    keys = ("best", "test", "score_std_ratio", "seconds", "score_horizon")
    return {key: summary[key] for key in keys if key in summary}


def train_run(
    context: StageContext, run: Run, sink: EventSink, *, resume: bool = False
) -> dict[str, Any]:
    """The work of `train` inside an open run; returns what `train --json` prints."""
    started = time.perf_counter()
    config = context.config
    dataset = load_dataset(context, sink)
    features = dataset.features
    split = single_split(features, config.split, config.universe.min_names)
    runtime = start_runtime(config, sink)
    trainer = build_trainer(
        context,
        dataset,
        split,
        directory=run.path("checkpoints"),
        runtime=runtime,
        sink=sink,
    )
    baselines = load_baselines(context, run, dataset, split, sink)
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
        "parameters": parameter_table(trainer.model),
        "phases": [result.to_json() for result in trainer.progress.results],
        "seconds": time.perf_counter() - started,
        "peak_memory_mib": peak_memory_mib(),
        **provenance(context, dataset, split),
    }
    if status == "done":
        sink.emit(StageStarted(stage="predict"))
        scores = predict_splits(trainer, features, split)
        Prediction(
            frame=scores,
            run_id=run.id,
            horizons=features.horizons,
            market=features.market,
            config_digest=digest(config.model_dump(mode="json")),
            data_fingerprint=features.fingerprint,
        ).write(run.path("predictions.parquet"))
        summary |= results(context, trainer, dataset, scores, baselines)
    write_json(run.path("train.json"), summary)
    return summary


def provenance(context: StageContext, dataset: Dataset, split: Split) -> dict[str, Any]:
    """What the figures rest on: data, universe, splits."""
    features = dataset.features
    dates_S = features.dates_S

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
            "quality": dataset.quality.verdict,
            "notes": list(dataset.quality.notes),
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


def load_baselines(
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
    with atomic_path(path) as temporary:
        frame.write_parquet(temporary)
    h, training = config.training.score_horizon, config.training
    for (name,), rows in frame.group_by("name", maintain_order=True):
        figures = evaluate(
            rows, features, null_draws=training.null_draws, seed=training.seed, horizons=[h]
        )
        for part, values in figures.items():
            sink.emit(
                BaselineEvaluated(
                    name=str(name),
                    split=part,
                    horizon=h,
                    rank_ic=values[h].rank_ic,
                    rank_ic_se=values[h].rank_ic_se,
                    n_dates=values[h].n_dates,
                )
            )
    return frame


def predict_splits(trainer: Trainer, features: FeatureSet, split: Split) -> pl.DataFrame:
    """Scores of validation and test days with the weights that the run keeps."""
    parts = (("validation", split.validation), ("test", split.test))
    frames = [
        trainer.score(sessions).to_frame(features, split=name, fold=0) for name, sessions in parts
    ]
    return pl.concat(frames).sort("date", "symbol")


def results(
    context: StageContext,
    trainer: Trainer,
    dataset: Dataset,
    scores: pl.DataFrame,
    baselines: pl.DataFrame,
) -> dict[str, Any]:
    """Figures of the network and of the baselines on the same days, and their paired differences."""
    training, features = context.config.training, dataset.features
    h, draws, seed = training.score_horizon, training.null_draws, training.seed
    ours = evaluate(scores, features, null_draws=draws, seed=seed)
    table: dict[str, Any] = {}
    for (name,), rows in baselines.group_by("name", maintain_order=True):
        theirs = evaluate(rows, features, null_draws=draws, seed=seed, horizons=[h])
        table[str(name)] = {split: _short(values[h]) for split, values in theirs.items()}
        test, mine = (frame.filter(pl.col("split") == "test") for frame in (rows, scores))
        table[str(name)]["test_difference"] = paired_rank_ic(mine, test, features, horizon=h)
    scored = trainer.score(trainer.split.validation)
    return {
        "best": _short(ours["validation"][h]),
        "test": _short(ours["test"][h]),
        "horizons": {split: by_horizon(values) for split, values in ours.items()},
        "baselines": table,
        "score_std_ratio": scored.std_ratio(features.horizons.index(h)),
        "kept_blocks": trainer.progress.kept_blocks,
        "steps": trainer.progress.step,
        "gradient": trainer.progress.gradient,
        "alpha": trainer.progress.alpha,
        "sessions_per_second": trainer.progress.sessions_per_second,
    }


def _short(summary: RankICSummary) -> dict[str, Any]:
    return {
        "rank_ic": summary.rank_ic,
        "rank_ic_se": summary.rank_ic_se,
        "null_band": summary.null_band,
        "icir": summary.icir,
        "ic": summary.ic,
        "hit_share": summary.hit_share,
        "n_dates": summary.n_dates,
    }
