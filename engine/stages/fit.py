"""The networks of a dataset: a trainer that may begin, a fold's network with its scores, their mean;
and the ranks of a training beside the first, which have its settings and data, read rows, and write nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from engine import disk
from engine.config import Config
from engine.dataset.loader import steps_of_epoch
from engine.dataset.split import Fold, Part, Split, refit_split
from engine.errors import EnvironmentProblem, GateError, Interrupted
from engine.features.feature_set import FeatureSet
from engine.files import read_parquet, write_parquet
from engine.graph.graph import GraphSeries
from engine.model.atft_gat_fan import ATFTGATFAN, build_model, parameter_table
from engine.portfolio.prediction import Prediction
from engine.records.train import NETWORK
from engine.runs.events import FoldStarted, ModelBuilt, Noted, PlanMade, StageStarted
from engine.runs.launch import RESUMABLE, ControlFiles
from engine.runs.settings import settings_digest
from engine.runs.sink import EventSink, NullSink
from engine.runs.store import Run
from engine.stages.capacity import checkpoint_bytes
from engine.stages.context import Outcome, StageContext
from engine.stages.identity import identity
from engine.stages.load import Dataset, as_taught, load_dataset
from engine.training.control import RunControl, TrainingStopped
from engine.training.device import Runtime, apply_mode, choose_device
from engine.training.machine import MachineProbe
from engine.training.passes import open_pass
from engine.training.progress import Progress
from engine.training.ranks import Begin, Ranks
from engine.training.refit import REFIT, Refit, RefitSink, repeats_of
from engine.training.snapshots import Snapshots
from engine.training.startup import check_startup
from engine.training.trainer import Trainer


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What the models of some folds are trained and scored with."""

    context: StageContext
    run: Run
    dataset: Dataset
    sink: EventSink
    parts: Sequence[Part]
    """Whose days are scored."""
    seeds: int = 1
    """Networks of a fold."""
    model: str = NETWORK
    """What the run calls the networks of this configuration."""

    def seeded(self, seed: int) -> Self:
        """With the configuration of one network among several."""
        context = replace(self.context, config=seeded_config(self.context.config, seed))
        return replace(self, context=context)


def start_runtime(config: Config, sink: EventSink, ranks: Ranks | None = None) -> Runtime:
    """Choose the configured device, seed torch and set its threads and precision.

    ``ranks``: the processes that train together; None: this one alone.
    """
    device = choose_device(config.training.device, sink)
    alone = apply_mode(config.training.mode, device, config.training.seed)
    return replace(alone, ranks=ranks or Ranks())


def build_trainer(
    work: Scoring,
    split: Split,
    *,
    directory: Path,
    runtime: Runtime,
    begin: Path | None = None,
    make: Callable[..., Trainer] = Trainer,
) -> Trainer:
    """A trainer with freshly initialised weights, its plan told and its start-up assertions passed.

    ``work``: of the data set as `as_taught` gives it. ``directory``: of its checkpoints. ``begin``: of
    another one, whose kept weights it begins with. ``make``: the kind of trainer.
    """
    context, sink, config = work.context, work.sink, work.context.config
    dataset, features = work.dataset, work.dataset.features
    if config.uses_graph and dataset.graphs is not None:
        _require_edges(dataset.graphs, split)
    model = build_model(config, len(features.features)).to(runtime.device)
    _announce(config, features, split, model, sink)
    if not directory.exists():
        disk.require(directory, checkpoint_bytes(config, sum(parameter_table(model).values())))
    sink.emit(StageStarted(stage="startup"))
    check_startup(
        model,
        features,
        dataset.graphs,
        session=int(split.train[-1]),
        window=config.split.window,
        device=runtime.device,
        sink=sink,
    )
    trainer = make(
        config=config,
        features=features,
        graphs=dataset.graphs,
        split=split,
        model=model,
        runtime=runtime,
        sink=sink,
        stop=context.stop,
        snapshots=Snapshots(directory=directory, identity=identity(config, dataset)),
        machine=MachineProbe(context.workspace),
        progress=Progress(),
        control=RunControl(
            files=ControlFiles.of(work.run, context.task), sink=sink, stop=context.stop
        ),
    )
    if begin is not None:
        replace(trainer.snapshots, directory=begin).load_weights("kept", model)
        sink.emit(Noted(message=f"begins with the weights of {begin.name}"))
    return trainer


def refitted(first: Trainer, work: Scoring, begin: Path | None = None) -> Trainer:
    """The network that scores the test days: with `training.refit` one that a second fit has made, else
    that of the first fit, which has ended.

    ``begin`` as the first fit had it. The first fit's network is what it was. TrainingStopped when stopped.
    """
    config, features, repeats = work.context.config, work.dataset.features, repeats_of(first)
    if not config.training.refit:
        return first
    split = refit_split(features, first.split, config.split, config.universe.min_names)
    told = RefitSink(sink=work.sink, repeats=repeats, before=first.progress.step)
    days = features.dates_S[split.train[[0, -1]]]
    work.sink.emit(StageStarted(stage=REFIT))
    names = ", ".join(repeat.phase.name for repeat in repeats)
    message = f"refit of {names}: {told.total:,} steps on {split.train.size:,} days to {days[-1]}"
    work.sink.emit(Noted(message=message))
    second = build_trainer(
        replace(work, dataset=as_taught(work.dataset, split, config), sink=told),
        split,
        directory=first.snapshots.directory / REFIT,
        runtime=start_runtime(config, told, first.runtime.ranks),
        begin=begin,
        make=partial(Refit, repeats=repeats),
    )
    second.progress = Progress(step=first.progress.step, epoch=first.progress.epoch)
    second.run(resume=True)
    told.advanced(told.total, "done")
    return second


def _announce(
    config: Config, features: FeatureSet, split: Split, model: ATFTGATFAN, sink: EventSink
) -> None:
    steps = steps_of_epoch(config.training, split.train, 0)
    sink.emit(
        PlanMade(
            phases=[phase.name for phase in config.training.phases],
            epochs=[phase.epochs for phase in config.training.phases],
            steps_per_epoch=len(steps),
            train_sessions=split.train.size,
            validation_sessions=split.validation.size,
            test_sessions=split.test.size,
            refit=config.training.refit and split.test.size > 0,
        )
    )
    sink.emit(
        ModelBuilt(
            parameters=parameter_table(model),
            n_features=len(features.features),
            n_symbols=len(features.symbols),
            n_sessions=features.dates_S.size,
        )
    )


def _require_edges(graphs: GraphSeries, split: Split) -> None:
    """The original's graph never reached its network; here a GAT without edges does not start."""
    if graphs.at(int(split.train[-1])).edge_index_2E.shape[1] == 0:
        raise GateError(
            "the graph has no edge on the last training day, but the GAT block is on",
            hint="lower graph.threshold, or set graph.kind = 'none'",
        )


def score_seeds(work: Scoring, folds: Sequence[Fold]) -> pl.DataFrame:
    """Scores of each fold: the mean over seeds of each network's scores, standardised within the day."""
    first, means = work.context.config.training.seed, []
    for fold in folds:
        frames = [
            score_network(work.seeded(first + number), fold, of=len(folds))
            for number in range(work.seeds)
        ]
        means.append(mean_scores(frames, work.dataset.features.horizons))
    return pl.concat(means)


def seeded_config(config: Config, seed: int) -> Config:
    """The configuration with another seed."""
    training = config.training.model_copy(update={"seed": seed})
    return config.model_copy(update={"training": training})


def score_network(work: Scoring, fold: Fold, *, of: int) -> pl.DataFrame:
    """Scores of one of ``of`` folds, by a network with the configured seed.

    They lie in ``folds/`` of the run: a network that was done before the run was cut off is not trained
    again, one that was cut off goes on from its last checkpoint. With ``training.warm_start`` a network
    begins with what the fold before chose, which knew nothing of this fold's days either (its refit did).
    """
    run, sink, features = work.run, work.sink, work.dataset.features
    training, index = work.context.config.training, fold.index
    name = network_name(index, training.seed, work.model)
    path = network_file(run, index, training.seed, work.model)
    if path.is_file():
        sink.emit(Noted(message=f"{name}: done before"))
        return read_parquet(path)
    sink.emit(FoldStarted(fold=index, folds=of, seed=training.seed, seeds=work.seeds))
    begin = None
    if training.warm_start and index:
        begin = fold_checkpoints(run, index - 1, training.seed, work.model)
    taught = as_taught(work.dataset, fold.split, work.context.config)
    trainer = build_trainer(
        replace(work, dataset=taught),
        fold.split,
        directory=fold_checkpoints(run, index, training.seed, work.model),
        runtime=start_runtime(work.context.config, sink),
        begin=begin,
    )
    scorers: dict[Part, Trainer] = dict.fromkeys(work.parts, trainer)
    try:
        trainer.run(resume=True)
        if "test" in scorers:
            scorers["test"] = refitted(trainer, work, begin)
    except TrainingStopped as error:
        hint = f"`atft-tui {run.command} --resume {run.id}`" if run.command in RESUMABLE else ""
        raise Interrupted(f"{run.id}: stopped in {name}", hint=hint) from error
    days = {part: scorers[part].score(getattr(fold.split, part)) for part in work.parts}
    frame = pl.concat(d.to_frame(features, split=p, fold=index) for p, d in days.items())
    write_parquet(path, frame)
    return frame


def network_file(run: Run, fold: int, seed: int, model: str = NETWORK) -> Path:
    """Where the scores of the network of a fold and a seed are: once they are there, it is done."""
    return run.path(f"folds/{network_name(fold, seed, model)}.parquet")


def network_name(fold: int, seed: int, model: str) -> str:
    """Of the network of a fold and a seed, in files and messages."""
    return ("" if model == NETWORK else f"{model}-") + f"fold-{fold}-seed-{seed}"


def fold_checkpoints(run: Run, fold: int, seed: int, model: str = NETWORK) -> Path:
    """Where the network of a fold and a seed keeps its weights."""
    return run.path(f"checkpoints/{network_name(fold, seed, model)}")


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


def write_predictions(run: Run, frame: pl.DataFrame, features: FeatureSet, config: Config) -> None:
    """``predictions.parquet`` of the run, with what its scores rest on in the metadata.

    The horizons are those of the frame's columns.
    """
    Prediction(
        frame=frame,
        run_id=run.id,
        horizons=tuple(h for h in features.horizons if f"score_{h}" in frame.columns),
        market=features.market,
        config_digest=settings_digest(config),
        data_fingerprint=features.fingerprint,
    ).write(run.path("predictions.parquet"))


def what_counts(config: Config, features: FeatureSet) -> Begin:
    """What every rank must have: rank 0 tells it once its data are built and stored."""
    return Begin(features=features.fingerprint, settings=settings_digest(config))


def follow(context: StageContext, ranks: Ranks) -> Outcome:
    """Read rows for rank 0 until it has ended.

    EnvironmentProblem where settings or data are others than there, or rank 0 ends without a word.
    """
    begun, config, steps = ranks.hear(), context.config, 0
    if isinstance(begun, Begin):
        features = load_dataset(context, NullSink(), in_memory=False).features
        if begun != what_counts(config, features):
            raise EnvironmentProblem(
                f"rank {ranks.rank} has other settings or data than rank 0",
                hint="start all ranks with the same words, on one workspace or equal copies of it",
            )
        runtime = start_runtime(config, NullSink(), ranks)
        model = build_model(config, len(features.features)).to(runtime.device)
        with open_pass(runtime) as rows:
            steps = rows.follow(model, features, config.split.window)
    text = f"rank {ranks.rank} of {ranks.size}: read its rows of {steps} steps"
    return Outcome(json={"rank": ranks.rank, "steps": steps}, text=text)
