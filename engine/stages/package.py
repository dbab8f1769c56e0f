"""From a finished run to a model package: its networks, and the distributions that drift is measured by."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.config import Config
from engine.dataset.split import valid_sessions
from engine.errors import UsageError
from engine.records import record
from engine.records.plans import WALKFORWARD_PLAN, WalkforwardPlan
from engine.records.train import NETWORK, TrainResult, read_train
from engine.runs.events import StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.signals.drift import Distribution, Reference
from engine.signals.models import Model, ModelStore
from engine.stages.context import StageContext
from engine.stages.fit import fold_checkpoints
from engine.stages.identity import DATA, identity, input_rules
from engine.stages.load import Dataset, load_dataset, raw_days, session_window
from engine.training.ensemble import Ensemble
from engine.training.refit import final_folder
from engine.training.snapshots import Snapshots

_REFERENCE_DAYS = 16
"""Sessions of the reference's span, evenly spaced, that stand for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What a run trained, and what is known of it."""

    weights: tuple[Path, ...]
    blocks: tuple[tuple[str, ...], ...]
    config: Config
    trained: TrainResult


def package(context: StageContext, run: Run) -> Model:
    """The run's networks as a package of the model store; the same run gives the same package.

    It names market and calendar of the data: lots, ticks and sessions a year of its orders are theirs.
    """
    config = run.config()
    within = replace(context, config=config)
    dataset = load_dataset(within, context.sink, in_memory=False)
    networks = _networks_of(run, config, dataset)
    ensemble = Ensemble.load(
        networks.weights, networks.blocks, config, len(dataset.features.features)
    )
    context.sink.emit(StageStarted(stage="reference"))
    reference = _make_reference(networks, dataset, ensemble, context.sink)
    return ModelStore(context.workspace / "models").pack(
        networks.weights, _of_the_data(config, dataset), _facts(networks, dataset), reference
    )


def _of_the_data(config: Config, dataset: Dataset) -> Config:
    stored = {"market": dataset.panel.market, "calendar": dataset.panel.snapshot.calendar}
    data = config.data.model_copy(update=stored)
    return config.model_copy(update={"data": data})


def _networks_of(run: Run, config: Config, dataset: Dataset) -> Networks:
    """The weights that scored the test days: of a training, or of every seed of a walk-forward's newest fold.

    Weights that belong to other rules, features or sizes are a GateError; other data are welcome.
    """
    trained = read_train(run.directory)
    if trained.status != "done":
        raise UsageError(f"{run.id}: {trained.status}", hint="finish it with --resume")
    folders = [(run.path("checkpoints"), config)]
    if run.command == "walkforward":
        folders = _newest_fold(run, config, trained)
    found = [
        Snapshots(
            directory=final_folder(folder, own.training), identity=identity(own, dataset)
        ).files("kept", ignore=DATA)
        for folder, own in folders
    ]
    return Networks(
        weights=tuple(path for path, _ in found),
        blocks=tuple(tuple(sorted(state["blocks"])) for _, state in found),
        config=config,
        trained=trained,
    )


def _newest_fold(run: Run, config: Config, trained: TrainResult) -> list[tuple[Path, Config]]:
    if trained.model != NETWORK:
        raise UsageError(
            f"{run.id}: holds scores of {trained.model}, no network",
            hint="a champion is a network; `atft-tui walkforward --model network`",
        )
    seeds = record.read(run.path(WALKFORWARD_PLAN), WalkforwardPlan).seeds
    fold = max(row.fold for row in trained.folds)
    folders = []
    for number in range(seeds):
        seed = config.training.seed + number
        training = config.training.model_copy(update={"seed": seed})
        folder = fold_checkpoints(run, fold, seed)
        folders.append((folder, config.model_copy(update={"training": training})))
    return folders


def _facts(networks: Networks, dataset: Dataset) -> dict[str, object]:
    trained, config = networks.trained, networks.config
    return {
        "features": list(dataset.features.features),
        "blocks": [list(blocks) for blocks in networks.blocks],
        "rules": input_rules(config, dataset.features.market),
        "splits": record.as_json(trained.splits),
        "last_session": trained.data.last_session or trained.splits.test.last,
        "score_horizon": trained.score_horizon,
        "test": record.as_json(trained.test) if trained.test else None,
    }


def _make_reference(
    networks: Networks, dataset: Dataset, ensemble: Ensemble, sink: EventSink
) -> Reference:
    """Raw features and scores on evenly spaced sessions of a span that no weight was learned from: the one
    that chose the epochs or, after a refit, the test's. No label of them is looked at.
    """
    features, config = dataset.features, networks.config
    usable = valid_sessions(features, config.split, config.universe.min_names)
    splits = networks.trained.splits
    span = splits.test if splits.refitted else splits.validation
    dates_V = features.dates_S[usable]
    inside = usable[(dates_V >= np.datetime64(span.first)) & (dates_V <= np.datetime64(span.last))]
    if inside.size == 0:
        raise UsageError(
            f"the data have none of the days {span.first} to {span.last} that drift is measured against",
            hint="ingest that history too",
        )
    chosen = inside[np.unique(np.linspace(0, inside.size - 1, _REFERENCE_DAYS).astype(int))]
    column = config.labels.horizons.index(config.training.score_horizon)
    ranked = [
        ensemble.rank(session_window(dataset, int(s), config.split.window), column) for s in chosen
    ]
    return Reference(
        features={
            name: Distribution.of(days)
            for name, days in raw_days(dataset, config, chosen.tolist()).items()
        },
        scores=Distribution.of([day.score_MH[:, column] for day in ranked]),
        deviation=float(np.mean([day.deviation for day in ranked])),
        sessions=int(chosen.size),
    )
