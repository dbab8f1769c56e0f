"""One network of a fold: trained, and its scores of the days it is judged by. Resumable."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from engine.dataset.split import Fold
from engine.errors import Interrupted
from engine.files import write_parquet
from engine.runs.events import FoldStarted, Noted
from engine.runs.launch import RESUMABLE
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import StageContext
from engine.stages.pipeline import Dataset, as_taught, build_trainer, start_runtime
from engine.training.stopping import TrainingStopped


def score_network(
    context: StageContext,
    run: Run,
    dataset: Dataset,
    fold: Fold,
    *,
    of: int,
    seeds: int = 1,
    part: Literal["validation", "test"],
    sink: EventSink,
) -> pl.DataFrame:
    """Scores of one part of one of ``of`` folds, by a network with the configured seed (one of ``seeds``).

    They lie in ``folds/`` of the run: a network that was done before the run was cut off is not trained
    again, one that was cut off goes on from its last checkpoint. With ``training.warm_start`` a network
    begins with the weights of the fold before, which knew nothing of this fold's days either.
    """
    training = context.config.training
    seed = training.seed
    name = _name(fold.index, seed)
    path = run.path(f"folds/{name}.parquet")
    if path.is_file():
        sink.emit(Noted(message=f"{name}: done before"))
        return pl.read_parquet(path)
    sink.emit(FoldStarted(fold=fold.index, folds=of, seed=seed, seeds=seeds))
    trainer = build_trainer(
        context,
        as_taught(dataset, fold.split, context.config),
        fold.split,
        run=run,
        directory=fold_checkpoints(run, fold.index, seed),
        runtime=start_runtime(context.config, sink),
        sink=sink,
    )
    if training.warm_start and fold.index:
        before = replace(trainer.snapshots, directory=fold_checkpoints(run, fold.index - 1, seed))
        before.load_weights("kept", trainer.model)
        sink.emit(Noted(message=f"begins with the weights of {_name(fold.index - 1, seed)}"))
    try:
        trainer.run(resume=True)
    except TrainingStopped as error:
        hint = f"`atft-tui {run.command} --resume {run.id}`" if run.command in RESUMABLE else ""
        raise Interrupted(f"{run.id}: stopped in {name}", hint=hint) from error
    scored = trainer.score(getattr(fold.split, part))
    frame = scored.to_frame(dataset.features, split=part, fold=fold.index)
    write_parquet(path, frame)
    return frame


def _name(fold: int, seed: int) -> str:
    return f"fold-{fold}-seed-{seed}"


def fold_checkpoints(run: Run, fold: int, seed: int) -> Path:
    """Where the network of a fold and a seed keeps its weights."""
    return run.path(f"checkpoints/{_name(fold, seed)}")


def mean_scores(frames: Sequence[pl.DataFrame], horizons: Sequence[int]) -> pl.DataFrame:
    """The mean over networks of their scores, each standardised within the day.

    ``frames`` have the same rows ``date, symbol`` in the same order.
    """
    columns = [f"score_{h}" for h in horizons]
    standard = [
        frame.with_columns(
            ((pl.col(c) - pl.col(c).mean()) / (pl.col(c).std() + 1e-12)).over("date")
            for c in columns
        )
        for frame in frames
    ]
    mean = np.mean([frame.select(columns).to_numpy() for frame in standard], axis=0)
    return frames[0].with_columns(
        pl.Series(column, mean[:, i], dtype=pl.Float32) for i, column in enumerate(columns)
    )
