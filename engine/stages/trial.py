"""One trial of a search: a network per inner fold, judged on validation days. It has no test days."""

import shutil
import time
from typing import Any

import numpy as np

from engine.dataset.split import Fold, inner_folds
from engine.errors import Interrupted
from engine.evaluation.rank_ic import rank_ic_series
from engine.features.feature_set import FeatureSet
from engine.files import write_json
from engine.model.build import build_model, count_parameters
from engine.runs.store import Run
from engine.stages.context import StageContext, run_session
from engine.stages.network import score_network
from engine.stages.pipeline import Loader, load_dataset
from engine.training.evaluate import scored_days
from engine.tuning.objective import objective

RESULT = "trial.json"
PRUNED = "pruned.json"
"""Written by the search when it has seen enough; the trial then ends instead of waiting to go on."""


def run_trial(
    context: StageContext, run: Run, *, resume: bool = False, load: Loader = load_dataset
) -> dict[str, Any]:
    """Train through the inner folds and write ``trial.json``: state, objective, figures of each fold.

    The checkpoints go when it has ended: they are of networks that nobody uses.
    """
    with run_session(context, run, resumed=resume) as session:
        started, sink, config = time.perf_counter(), session.sink, context.config
        dataset = load(context, sink)
        folds = folds_of(context, dataset.features)
        frames = []
        state = "complete"
        try:
            for fold in folds:
                frame = score_network(
                    context, run, dataset, fold, of=len(folds), part="validation", sink=sink
                )
                frames.append(frame)
        except Interrupted:
            if not run.path(PRUNED).is_file():
                raise
            state = "pruned"
        h = config.training.score_horizon
        daily = [rank_ic_series(*scored_days(f, dataset.features, h)[1]) for f in frames]
        found = objective(daily, horizon=h) if daily else None
        summary: dict[str, Any] = {
            "run_id": run.id,
            "state": state,
            "study": run.manifest.study,
            "score_horizon": h,
            **(found.to_json() if found else {}),
            "folds": [
                _fold(fold, dataset.features, series, h)
                for fold, series in zip(folds, daily, strict=False)
            ],
            "parameters": count_parameters(build_model(config, len(dataset.features.features))),
            "seconds": time.perf_counter() - started,
        }
        if state == "pruned":
            summary["value"] = None
        write_json(run.path(RESULT), summary)
        shutil.rmtree(run.path("checkpoints"), ignore_errors=True)
        session.summary = {key: summary.get(key) for key in ("state", "value", "seconds")}
    return summary


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


def _fold(
    fold: Fold, features: FeatureSet, daily_D: np.ndarray[Any, Any], horizon: int
) -> dict[str, Any]:
    days = features.dates_S[fold.split.validation]
    figures = objective([daily_D], horizon=horizon).to_json()
    return {
        "fold": fold.index,
        "first": str(days[0]),
        "last": str(days[-1]),
        "train_sessions": int(fold.split.train.size),
        **{key: figures[key] for key in ("rank_ic", "rank_ic_se", "n_dates")},
    }
