"""`train`: one run through all phases, its baselines, and the scores of its unseen days."""

import time
from dataclasses import replace as replaced

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from engine.config import Config
from engine.data.store import PanelStore
from engine.dataset.split import Fold, Part, Split, refit_split, single_split
from engine.errors import Interrupted
from engine.features.feature_set import FeatureSet
from engine.files import read_parquet, write_parquet
from engine.model.atft_gat_fan import parameter_table
from engine.records import record
from engine.records.rank_ic import RankICSummary, Worth
from engine.records.train import (
    BLEND,
    NETWORK,
    TRAIN,
    DataFacts,
    Headline,
    Span,
    Spans,
    TrainResult,
)
from engine.runs.events import BaselineEvaluated, BlocksWorthLogged, Noted, StageStarted
from engine.runs.fold import fold
from engine.runs.scoreboard import Monitors, scoreboard
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages import protocol
from engine.stages.capacity import warn_of_memory
from engine.stages.context import Outcome, StageContext, open_or_create, run_session
from engine.stages.fit import (
    Scoring,
    build_trainer,
    follow,
    refitted,
    start_runtime,
    what_counts,
    write_predictions,
)
from engine.stages.load import Dataset, Loader, as_taught, load_dataset, oracle_frame
from engine.stages.rivals import blended, hearing, named, require_models, score_rivals
from engine.stages.text import training_text
from engine.training.control import TrainingStopped
from engine.training.evaluate import against_baselines, anatomy, evaluate, feature_rank_ics
from engine.training.machine import peak_memory_mib
from engine.training.ranks import Ranks, joined_ranks
from engine.training.scoring import ScoredDays
from engine.training.trainer import Trainer
from engine.training.worth import blocks_worth, graph_worth, other_graphs

_Judged = dict[str, dict[str, RankICSummary]]
"""Baseline -> split -> figures at the horizon that the run is judged by."""


def train(context: StageContext, *, confirm: bool = False, resume: str | None = None) -> Outcome:
    """Train, or go on with a stopped or killed run (its own config counts then).

    One of several processes that `torchrun` started trains, the others read rows for it.
    """
    with joined_ranks(context.config.training.device) as ranks:
        if ranks.rank:
            return follow(context, ranks)
        run, context = open_or_create(context, "train", resume=resume)
        found = run_training(context, run, resume=resume is not None, confirm=confirm, ranks=ranks)
    return protocol.outcome(context, found, training_text(found), found.judged_days)


def run_training(
    context: StageContext,
    run: Run,
    *,
    resume: bool = False,
    load: Loader = load_dataset,
    with_baselines: bool = True,
    confirm: bool = False,
    ranks: Ranks | None = None,
) -> TrainResult:
    """Train in a session of its own, which ends with the run's status and headline.

    ``confirm``: it may judge confirmation days. ``ranks``: the processes that read rows for this one.
    """
    with run_session(context, run, resumed=resume) as session:
        found = _train_run(
            context,
            run,
            session.sink,
            resume=resume,
            load=load,
            with_baselines=with_baselines,
            confirm=confirm,
            ranks=ranks or Ranks(),
        )
        record.write(run.path(TRAIN), found)
        session.status = "done" if found.status == "done" else "stopped"
        session.summary = record.as_json(_headline(found))
    return found


def _headline(found: TrainResult) -> Headline:
    """What the list of runs shows of a training."""
    return Headline(
        best=found.best,
        test=found.test,
        score_std_ratio=found.score_std_ratio,
        seconds=found.seconds,
        score_horizon=found.score_horizon,
        against=found.strongest(),
    )


def _train_run(
    context: StageContext,
    run: Run,
    sink: EventSink,
    *,
    resume: bool,
    load: Loader,
    with_baselines: bool,
    confirm: bool,
    ranks: Ranks,
) -> TrainResult:
    """The work of `train` inside an open run."""
    if with_baselines:
        require_models(context)
    started, config, dataset = time.perf_counter(), context.config, load(context, sink)
    split = single_split(dataset.features, config.split, config.universe.min_names)
    days = protocol.admit(
        context, run, dataset.features, split.test, confirm=confirm, way=protocol.NEWEST_DAYS
    )
    parts: tuple[Part, ...] = ("validation", "test")
    work = Scoring(context=context, run=run, dataset=dataset, sink=sink, parts=parts)
    taught = as_taught(dataset, split, config)
    warn_of_memory(config, dataset.features, sink)
    ranks.tell(what_counts(config, dataset.features))
    if ranks.size > 1:
        sink.emit(Noted(message=f"{ranks.size} ranks share the rows of each step"))
    runtime, folder = start_runtime(config, sink, ranks), run.path("checkpoints")
    trainer = build_trainer(
        replaced(work, dataset=taught), split, directory=folder, runtime=runtime
    )
    baselines, judged, status = pl.DataFrame(), _Judged(), "done"
    try:
        if with_baselines:
            baselines = _baselines(work, taught.features, split)
            judged = _judge_baselines(context, baselines, taught.features, sink)
        trainer.run(resume=resume)
        newest = refitted(trainer, work)
    except (TrainingStopped, Interrupted):
        status = "stopped"
    monitors = Monitors.of(run.events())
    found = replace(
        provenance(context, run, dataset, split),
        status=status,
        judged_days=days,
        device=str(runtime.device),
        mode=config.training.mode,
        parameters=parameter_table(trainer.model),
        phases=tuple(trainer.progress.results),
        seconds=time.perf_counter() - started,
        peak_memory_mib=peak_memory_mib(),
        scoreboard=scoreboard(fold(run.events()).best, monitors.epochs, monitors.graph_worths),
        monitors=monitors.figures(),
    )
    if status != "done":
        return found
    sink.emit(StageStarted(stage="predict"))
    return _with_scores(found, context, run, (trainer, newest), taught.features, baselines, judged)


def provenance(context: StageContext, run: Run, dataset: Dataset, split: Split) -> TrainResult:
    """What the figures of a run rest on: data, universe, splits. The figures are yet to come."""
    config, features, notes = context.config, dataset.features, list(dataset.quality.notes)
    if config.training.permute_labels:
        notes.append(
            "labels permuted among stocks on training and validation days: a test of the method"
        )

    learned = split
    if config.training.refit:
        learned = refit_split(features, split, config.split, config.universe.min_names)

    def span(sessions: NDArray[np.int64]) -> Span:
        first, last = (str(features.dates_S[session]) for session in (sessions[0], sessions[-1]))
        return Span(first=first, last=last, sessions=int(sessions.size))

    return TrainResult(
        run_id=run.id,
        score_horizon=config.training.score_horizon,
        permuted_labels=config.training.permute_labels,
        data=DataFacts(
            source=features.source,
            market=features.market,
            fingerprint=dataset.panel.fingerprint,
            last_session=str(features.dates_S[-1]),
            quality=dataset.quality.verdict,
            notes=tuple(notes),
        ),
        features_fingerprint=features.fingerprint,
        graph_fingerprint=dataset.graphs.fingerprint if dataset.graphs else None,
        n_features=len(features.features),
        splits=Spans(
            train=span(split.train),
            validation=span(split.validation),
            test=span(split.test),
            embargo_sessions=config.split.embargo_sessions,
            trained_to=str(features.dates_S[learned.train[-1]]),
        ),
    )


def _baselines(work: Scoring, taught: FeatureSet, split: Split) -> pl.DataFrame:
    """Scores of the simple models on the same days (``baselines.parquet``), and what each input is worth
    alone on training days (``feature_ic.json``); both are made once per run.
    """
    path, told = work.run.path("baselines.parquet"), work.run.path("feature_ic.json")
    context, sink = work.context, work.sink
    config = context.config
    if path.exists():
        frame = read_parquet(path)
    else:
        sink.emit(StageStarted(stage="baselines"))
        whole = Fold(index=0, split=split)
        # Told as they come: the perceptron's training may take longer than all before it.
        frame = score_rivals(
            replaced(work, dataset=hearing(work.dataset, config)),
            whole,
            ready=lambda simple: _judge_baselines(context, simple, taught, sink),
        )
        oracle = oracle_frame(PanelStore(context.workspace / "data").oracle(), taught, split)
        frame = pl.concat([frame, oracle]) if not oracle.is_empty() else frame
        write_parquet(path, frame)
    if not told.exists():
        record.write(told, feature_rank_ics(taught, split, config.training.score_horizon))
    return frame


def _judge_baselines(
    context: StageContext, baselines: pl.DataFrame, features: FeatureSet, sink: EventSink
) -> _Judged:
    """Figures of each simple model by name and split, told as events too."""
    training, h = context.config.training, context.config.training.score_horizon
    judged: _Judged = {}
    for (name,), rows in baselines.group_by("name", maintain_order=True):
        figures = evaluate(rows, features, training, [h])
        judged[str(name)] = {part: values[str(h)] for part, values in figures.items()}
        for part, found in judged[str(name)].items():
            sink.emit(
                BaselineEvaluated(
                    name=str(name),
                    split=part,
                    horizon=h,
                    rank_ic=found.rank_ic,
                    rank_ic_se=found.rank_ic_se,
                    n_dates=found.n_dates,
                )
            )
    return judged


def _with_scores(
    found: TrainResult,
    context: StageContext,
    run: Run,
    trainers: tuple[Trainer, Trainer],
    features: FeatureSet,
    baselines: pl.DataFrame,
    judged: _Judged,
) -> TrainResult:
    """Score the validation days with the first trainer's weights, the test days with the second's, which may
    be a refit that has learned from validation days; and write the predictions.

    The result has the figures of the network and of the simple models on the same days, and their paired
    differences.
    """
    (trainer, newest), training = trainers, context.config.training
    progress, h, split = trainer.progress, training.score_horizon, trainer.split
    others = other_graphs(trainer.model, training.seed)
    scored = {
        "validation": trainer.score(split.validation, others),
        "test": newest.score(split.test),
    }
    scores = pl.concat(
        days.to_frame(features, split=name, fold=0) for name, days in scored.items()
    ).sort("date", "symbol")
    write_predictions(run, scores, features, context.config)
    ours = evaluate(scores, features, training)
    baselines = _with_blend(scores, baselines, context.config)
    if not baselines.is_empty():
        mixed = baselines.filter(pl.col("name") == BLEND)
        judged |= _judge_baselines(context, mixed, features, trainer.sink)
    rivals = against_baselines(scores, baselines, features, context.config)
    return replace(
        found,
        best=ours["validation"][str(h)],
        test=ours["test"][str(h)],
        horizons=ours,
        spans=protocol.span_results(scores, baselines, features, context.config, found.judged_days),
        anatomy=anatomy(scores.filter(pl.col("split") == "test"), features, h),
        baselines={
            name: replace(rival, validation=judged[name]["validation"])
            for name, rival in rivals.items()
        },
        score_std_ratio=scored["validation"].std_ratio(features.horizons.index(h)),
        kept_blocks=tuple(progress.kept_blocks),
        steps=progress.step,
        gradient=progress.gradient,
        alpha=progress.alpha,
        sessions_per_second=progress.sessions_per_second,
        graph_worth=graph_worth(scored["validation"], context.config),
        blocks_worth=_blocks_worth(trainer, scored["validation"]),
    )


def _with_blend(scores: pl.DataFrame, baselines: pl.DataFrame, config: Config) -> pl.DataFrame:
    """The baselines and, if they and the network are all its members, the blend beside them."""
    if baselines.is_empty():
        return baselines
    mixed = blended(pl.concat([named(scores, NETWORK), baselines], how="diagonal"), config)
    return (
        baselines if mixed is None else pl.concat([baselines, named(mixed, BLEND)], how="diagonal")
    )


def _blocks_worth(trainer: Trainer, scored: ScoredDays) -> dict[str, Worth]:
    """What goes with each block that was kept, told as an event too."""
    found = blocks_worth(
        trainer.model, scored, lambda: trainer.score(trainer.split.validation), trainer.config
    )
    trainer.sink.emit(BlocksWorthLogged(worth=found))
    return found
