"""The figures of one validation: the event of the epoch, and the entry of the phase's history."""

from typing import Any

import numpy as np
from msgspec import structs

from engine.config import Config
from engine.runs.events import EpochEvaluated
from engine.training.progress import Progress
from engine.training.scoring import ScoredDays


def evaluated(
    scored: ScoredDays, progress: Progress, config: Config
) -> tuple[EpochEvaluated, dict[str, Any]]:
    """Judge the scores of the validation days against the epochs of the phase so far.

    The entry has the event's fields, ``icir`` and ``smoothed``: the RankIC averaged over the last
    `training.smoothing_epochs`, which chooses the best epoch.
    """
    training = config.training
    h = config.labels.horizons.index(training.score_horizon)
    summary = scored.summary(
        h, horizon=training.score_horizon, null_draws=training.null_draws, seed=training.seed
    )
    before = [row["rank_ic"] for row in progress.history]
    smoothed = float(np.mean([*before, summary.rank_ic][-training.smoothing_epochs :]))
    event = EpochEvaluated(
        epoch=progress.epoch,
        phase=progress.phase,
        split="validation",
        horizon=training.score_horizon,
        rank_ic=summary.rank_ic,
        rank_ic_se=summary.rank_ic_se,
        null_band=summary.null_band,
        ic=summary.ic,
        n_dates=summary.n_dates,
        score_std_ratio=scored.std_ratio(h),
        is_best=progress.best is None or smoothed > progress.best["smoothed"],
        train_rank_ic=_mean(progress.train_ics),
        ic_se=summary.ic_se,
        ic_null_band=summary.ic_null_band,
    )
    return event, {**structs.asdict(event), "icir": summary.icir, "smoothed": smoothed}


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
