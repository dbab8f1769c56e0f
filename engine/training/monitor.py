"""What a monitored step, a phase and a validation tell."""

from collections.abc import Sequence

import numpy as np

from engine.config import Config, PhaseConfig
from engine.records.train import PhaseResult
from engine.runs.events import (
    AttentionLogged,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    PhaseFinished,
    PhaseStarted,
    RunEvent,
    StepLogged,
    Warned,
)
from engine.training import probes
from engine.training.progress import Progress, Validation
from engine.training.scoring import ScoredDays
from engine.training.step import StepResult
from engine.training.worth import graph_worth

OUT_OF_DEVICE_MEMORY = Warned(
    code="device",
    message="out of device memory: from here every step goes through in two halves",
    hint="lower training.days_per_step or model.hidden",
)


def step_events(
    result: StepResult, progress: Progress, *, rate: float, done: float, memory_mib: float
) -> Sequence[RunEvent]:
    """The events of a monitored step; ``done`` is the share of the epoch that lies behind."""
    step = progress.step
    return (
        GradientsLogged(step=step, norm=result.norm, clipped=result.clipped),
        GatesLogged(step=step, alpha=result.alpha),
        StepLogged(
            step=step,
            epoch=progress.epoch,
            phase=progress.phase,
            epoch_fraction=done,
            loss=result.loss,
            terms=result.terms,
            learning_rate=rate,
            sessions_per_second=progress.sessions_per_second,
            memory_mib=memory_mib,
        ),
    )


def phase_started(
    phase: PhaseConfig, number: int, blocks: list[str], trainable: dict[str, int]
) -> PhaseStarted:
    """The event of a phase that begins with these blocks on; ``trainable`` counts their weights."""
    return PhaseStarted(
        phase=number, name=phase.name, blocks=blocks, epochs=phase.epochs, trainable=trainable
    )


def phase_result(name: str, epochs: int, best: Validation, *, kept: bool) -> PhaseResult:
    """The outcome of a phase by its best validation epoch."""
    return PhaseResult(
        name=name,
        epochs=epochs,
        best_epoch=best.epoch,
        rank_ic=best.rank_ic,
        rank_ic_se=best.rank_ic_se,
        null_band=best.null_band,
        ic=best.ic,
        icir=best.icir,
        smoothed=best.smoothed,
        kept=kept,
    )


def phase_finished(result: PhaseResult, phase: int) -> PhaseFinished:
    """The event of a phase that has ended."""
    return PhaseFinished(
        phase=phase,
        name=result.name,
        best_epoch=result.best_epoch,
        rank_ic=result.rank_ic,
        rank_ic_se=result.rank_ic_se,
        kept=result.kept,
    )


def validation(
    scored: ScoredDays, progress: Progress, config: Config
) -> tuple[EpochEvaluated, Validation]:
    """Judge the scores of the validation days against the epochs of the phase so far."""
    training = config.training
    h = config.labels.horizons.index(training.score_horizon)
    summary = scored.summary(
        h, horizon=training.score_horizon, null_draws=training.null_draws, seed=training.seed
    )
    before = [entry.rank_ic for entry in progress.history]
    entry = Validation(
        epoch=progress.epoch,
        rank_ic=summary.rank_ic,
        rank_ic_se=summary.rank_ic_se,
        null_band=summary.null_band,
        ic=summary.ic,
        icir=summary.icir,
        smoothed=float(np.mean([*before, summary.rank_ic][-training.smoothing_epochs :])),
        train_rank_ic=_mean(progress.train_ics),
        score_std_ratio=scored.std_ratio(h),
        graph=graph_worth(scored, config),
    )
    event = EpochEvaluated(
        epoch=entry.epoch,
        phase=progress.phase,
        split="validation",
        horizon=training.score_horizon,
        rank_ic=entry.rank_ic,
        rank_ic_se=entry.rank_ic_se,
        null_band=entry.null_band,
        ic=entry.ic,
        n_dates=summary.n_dates,
        score_std_ratio=entry.score_std_ratio,
        is_best=progress.best is None or entry.smoothed > progress.best.smoothed,
        train_rank_ic=entry.train_rank_ic,
        ic_se=summary.ic_se,
        ic_null_band=summary.ic_null_band,
    )
    return event, entry


def network_events(
    scored: ScoredDays, entry: Validation, step: int, features: tuple[str, ...]
) -> Sequence[RunEvent]:
    """What a validation tells of the network: its weights of the inputs, and what its graph is worth."""
    attention = AttentionLogged(
        step=step,
        selection=probes.top_features(scored.selection_F, features),
        gat_entropy=scored.gat_entropy,
    )
    if entry.graph is None:
        return (attention,)
    return attention, GraphWorthLogged(step=step, epoch=entry.epoch, worth=entry.graph)


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
