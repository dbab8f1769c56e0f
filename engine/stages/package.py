"""From a finished run to a model package: its members, and the distributions that drift is measured by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.config import Config
from engine.dataset.split import valid_sessions
from engine.errors import UsageError
from engine.records import record
from engine.records.champion import MemberFacts
from engine.records.plans import WALKFORWARD_PLAN, WalkforwardPlan
from engine.records.train import BLEND, NETWORK, TrainResult, read_train
from engine.runs.events import StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.signals.drift import Distribution, Reference
from engine.signals.models import MemberFiles, Model, ModelStore, member_file
from engine.stages.context import StageContext
from engine.stages.fit import fold_checkpoints, seeded_config
from engine.stages.identity import DATA, identity, input_rules
from engine.stages.load import Dataset, load_dataset, raw_days, session_window
from engine.stages.rivals import FITTED, hearing
from engine.training.baselines import RULES, fitted_name
from engine.training.ensemble import Ensemble
from engine.training.members import PERCEPTRON, kind_of, member_config
from engine.training.own_models import FITS, code_name
from engine.training.refit import final_folder
from engine.training.snapshots import Snapshots

_REFERENCE_DAYS = 16
"""Sessions of the reference's span, evenly spaced, that stand for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a run trained, and what is known of it."""

    members: tuple[MemberFiles, ...]
    config: Config
    result: TrainResult

    def packed(self) -> dict[str, Path]:
        """Name in the package -> file of the run."""
        return {
            name: path
            for member in self.members
            for name, path in zip(_names_inside(member), member.paths, strict=True)
        }


def package(context: StageContext, run: Run) -> Model:
    """The run's networks or its blend as a package of the model store; the same run gives the same package.

    It names market and calendar of the data: lots, ticks and sessions a year of its orders are theirs.
    """
    config = run.config()
    within = replace(context, config=config)
    dataset = load_dataset(within, context.sink, in_memory=False)
    trained = _trained_by(run, config, dataset)
    ensemble = Ensemble.load(trained.members, config, dataset.features.features)
    context.sink.emit(StageStarted(stage="reference"))
    reference = _make_reference(trained, dataset, ensemble, context.sink)
    return ModelStore(context.workspace / "models").pack(
        trained.packed(), _of_the_data(config, dataset), _facts(trained, dataset), reference
    )


def _of_the_data(config: Config, dataset: Dataset) -> Config:
    stored = {"market": dataset.panel.market, "calendar": dataset.panel.snapshot.calendar}
    data = config.data.model_copy(update=stored)
    return config.model_copy(update={"data": data})


def _trained_by(run: Run, config: Config, dataset: Dataset) -> Trained:
    """The weights that scored the test days: of a training, or of every seed of every member of a
    walk-forward's newest fold.

    Weights that belong to other rules, features or sizes are a GateError; other data are welcome.
    """
    result = read_train(run.directory)
    if result.status != "done":
        raise UsageError(f"{run.id}: {result.status}", hint="finish it with --resume")
    if run.command != "walkforward":
        members = [_networks(NETWORK, [_kept(run.path("checkpoints"), config, dataset)])]
    elif result.model not in RULES:
        names = config.blend.members if result.model == BLEND else (result.model,)
        fold = max(row.fold for row in result.folds)
        members = [_member(run, config, dataset, fold, name) for name in names]
    else:
        raise UsageError(
            f"{run.id}: holds scores of {result.model} alone",
            hint="a champion is a model that was fitted; `atft-tui walkforward --model blend`",
        )
    return Trained(members=tuple(members), config=config, result=result)


def _kept(folder: Path, config: Config, dataset: Dataset) -> Snapshots:
    """The checkpoints of what scored the test days: of the refit if there was one."""
    return Snapshots(
        directory=final_folder(folder, config.training), identity=identity(config, dataset)
    )


def _member(run: Run, config: Config, dataset: Dataset, fold: int, name: str) -> MemberFiles:
    """All seeds of one member of a fold."""
    kind = kind_of(name)
    if kind not in (NETWORK, PERCEPTRON):
        names = [fitted_name(name, fold), *([] if kind in FITS else [code_name(kind)])]
        return MemberFiles(name=name, paths=tuple(run.path(FITTED) / one for one in names))
    seen = dataset if kind == NETWORK else hearing(dataset, config)
    plan = record.read(run.path(WALKFORWARD_PLAN), WalkforwardPlan)
    snapshots = []
    for number in range(plan.seeds):
        seeded = seeded_config(member_config(config, name), config.training.seed + number)
        folder = fold_checkpoints(run, fold, seeded.training.seed, name)
        snapshots.append(_kept(folder, seeded, seen))
    return _networks(name, snapshots)


def _networks(name: str, snapshots: Sequence[Snapshots]) -> MemberFiles:
    found = [one.files("kept", ignore=DATA) for one in snapshots]
    return MemberFiles(
        name=name,
        paths=tuple(path for path, _ in found),
        blocks=tuple(tuple(sorted(state["blocks"])) for _, state in found),
    )


def _names_inside(member: MemberFiles) -> tuple[str, ...]:
    """Names of a member's files in a package."""
    if not member.blocks:
        code = [code_name(kind_of(member.name))] if len(member.paths) > 1 else []
        return (member_file(member.name), *code)
    return tuple(member_file(member.name, n) for n in range(len(member.paths)))


def _facts(trained: Trained, dataset: Dataset) -> dict[str, object]:
    result, config, members = trained.result, trained.config, trained.members
    alone = members[0].name == NETWORK and len(members) == 1
    packed = [
        MemberFacts(name=member.name, files=_names_inside(member), blocks=member.blocks)
        for member in members
    ]
    return {
        "features": list(dataset.features.features),
        "blocks": [list(blocks) for blocks in members[0].blocks] if alone else [],
        **({} if alone else {"members": [record.as_json(member) for member in packed]}),
        "rules": input_rules(config, dataset.features.market),
        "splits": record.as_json(result.splits),
        "last_session": result.data.last_session or result.splits.test.last,
        "score_horizon": result.score_horizon,
        "test": record.as_json(result.test) if result.test else None,
    }


def _make_reference(
    trained: Trained, dataset: Dataset, ensemble: Ensemble, sink: EventSink
) -> Reference:
    """Raw features and scores on evenly spaced sessions of a span that no weight was learned from: the one
    that chose the epochs or, after a refit, the test's. No label of them is looked at.
    """
    features, config = dataset.features, trained.config
    usable = valid_sessions(features, config.split, config.universe.min_names)
    splits = trained.result.splits
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
