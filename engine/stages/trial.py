"""One trial of a search: a network per inner fold, judged on validation days. It has no test days."""

import shutil
import time

import numpy as np
from msgspec.structs import asdict

from engine.dataset.split import Fold, inner_folds
from engine.errors import Interrupted
from engine.evaluation.inference import Series
from engine.features.feature_set import FeatureSet
from engine.model.atft_gat_fan import build_model, count_parameters
from engine.records import record
from engine.records.study import PRUNED, TRIAL, Objective, TrialFold, TrialResult, TrialState
from engine.runs.store import Run
from engine.stages.context import StageContext, run_session
from engine.stages.fit import Scoring, score_network
from engine.stages.load import Loader, load_dataset
from engine.stages.protocol import admit
from engine.training.evaluate import daily_rank_ics
from engine.tuning.space import objective


def run_trial(
    context: StageContext, run: Run, *, resume: bool = False, load: Loader = load_dataset
) -> TrialResult:
    """Train through the inner folds and write ``trial.json``: state, objective, figures of each fold.

    The checkpoints go when it has ended: they are of networks that nobody uses. Whether the days may be
    judged was asked of the search.
    """
    with run_session(context, run, resumed=resume) as session:
        started, sink, config = time.perf_counter(), session.sink, context.config
        dataset = load(context, sink)
        folds, frames = folds_of(context, dataset.features), []
        validation = np.concatenate([fold.split.validation for fold in folds])
        days = admit(context, run, dataset.features, validation, confirm=True, way="")
        work = Scoring(context=context, run=run, dataset=dataset, sink=sink, parts=("validation",))
        state: TrialState = "complete"
        try:
            for fold in folds:
                frame = score_network(work, fold, of=len(folds))
                frames.append(frame)
        except Interrupted:
            if not run.path(PRUNED).is_file():
                raise
            state = "pruned"
        h = config.training.score_horizon
        daily = [daily_rank_ics(frame, dataset.features, h)[1] for frame in frames]
        found = asdict(objective(daily, horizon=h) if daily else Objective())
        if state == "pruned":
            found["value"] = float("nan")
        result = TrialResult(
            run_id=run.id,
            state=state,
            study=run.manifest.study or "",
            judged_days=days,
            score_horizon=h,
            folds=tuple(
                _fold(fold, dataset.features, daily_D, h)
                for fold, daily_D in zip(folds, daily, strict=False)
            ),
            parameters=count_parameters(build_model(config, len(dataset.features.features))),
            seconds=time.perf_counter() - started,
            **found,
        )
        record.write(run.path(TRIAL), result)
        shutil.rmtree(run.path("checkpoints"), ignore_errors=True)
        session.summary = {"state": state, "value": result.value, "seconds": result.seconds}
    return result


def folds_of(context: StageContext, features: FeatureSet) -> list[Fold]:
    """The inner folds that the configuration asks for."""
    config = context.config
    return inner_folds(
        features,
        config.split,
        config.universe.min_names,
        folds=config.tune.folds,
        fold_sessions=config.tune.fold_sessions,
    )


def _fold(fold: Fold, features: FeatureSet, daily_D: Series, horizon: int) -> TrialFold:
    days = features.dates_S[fold.split.validation]
    found = objective([daily_D], horizon=horizon)
    return TrialFold(
        fold=fold.index,
        first=str(days[0]),
        last=str(days[-1]),
        train_sessions=int(fold.split.train.size),
        rank_ic=found.rank_ic,
        rank_ic_se=found.rank_ic_se,
        n_dates=found.n_dates,
    )
