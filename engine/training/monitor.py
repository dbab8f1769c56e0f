"""What a monitored step, a phase and a validation tell, and to whom: events, the doctor."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.config import Config, PhaseConfig
from engine.evaluation.inference import paired_difference
from engine.records.train import PhaseResult
from engine.runs.events import (
    AttentionLogged,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    Noted,
    PhaseFinished,
    PhaseStarted,
    StepLogged,
    Warned,
)
from engine.runs.sink import EventSink
from engine.training.doctor import Doctor, StepReading
from engine.training.machine import MachineProbe
from engine.training.progress import Progress, Validation
from engine.training.scoring import ScoredDays
from engine.training.step import StepFigures
from engine.training.worth import graph_worth

_MACHINE_EVERY_S = 5.0


@dataclass(slots=True, kw_only=True)
class Monitor:
    """Turns figures into events, and shows them to the doctor."""

    config: Config
    features: tuple[str, ...]
    """Names, in the order of the network's inputs."""
    sink: EventSink
    machine: MachineProbe
    doctor: Doctor = field(init=False)
    _machine_due: float = 0.0

    def __post_init__(self) -> None:
        self.doctor = Doctor(config=self.config, sink=self.sink)

    def step(self, figures: StepFigures, progress: Progress, *, rate: float, done: float) -> None:
        """Tell of a monitored step; ``done`` is the share of the epoch that lies behind.

        Raises what the doctor's policy asks for.
        """
        machine = self.machine.read()
        if time.monotonic() >= self._machine_due:
            self._machine_due = time.monotonic() + _MACHINE_EVERY_S
            self.sink.emit(machine)
        progress.gradient, progress.alpha = figures.norm, figures.alpha
        step = progress.step
        self.sink.emit(GradientsLogged(step=step, norm=figures.norm, clipped=figures.clipped))
        self.sink.emit(GatesLogged(step=step, alpha=figures.alpha))
        self.sink.emit(
            StepLogged(
                step=step,
                epoch=progress.epoch,
                phase=progress.phase,
                epoch_fraction=done,
                loss=figures.loss,
                terms=figures.terms,
                learning_rate=rate,
                sessions_per_second=progress.sessions_per_second,
                memory_mib=machine.memory_mib,
            )
        )
        gate_rate = rate * self.config.training.gate_scale
        reading = StepReading(
            step=step, norm=figures.norm, alpha=figures.alpha, gate_rate=gate_rate
        )
        self.doctor.look_at_step(reading, progress.chart, epoch=progress.epoch)

    def validation(self, scored: ScoredDays, progress: Progress) -> tuple[bool, bool]:
        """Judge an epoch by its scores of the validation days: whether it is the best, and healthy."""
        event, entry = _judged(scored, progress, self.config)
        self.sink.emit(event)
        progress.history.append(entry)
        self.sink.emit(
            AttentionLogged(
                step=progress.step,
                selection=_top_features(scored.selection_F, self.features),
                gat_entropy=scored.gat_entropy,
            )
        )
        if entry.graph is not None:
            told = GraphWorthLogged(step=progress.step, epoch=entry.epoch, worth=entry.graph)
            self.sink.emit(told)
        healthy = self.doctor.look_at_validation(
            progress.history, progress.chart, step=progress.step
        )
        if event.is_best:
            progress.best = entry
            h = self.config.labels.horizons.index(event.horizon)
            progress.best_daily = scored.daily_rank_ic(h).tolist()
        return event.is_best, healthy


def out_of_memory(parts: int) -> Warned:
    """The warning that from here the rows of every step go through the network in ``parts`` parts."""
    return Warned(
        code="device",
        message=f"out of memory: from here the rows of every step go through in {parts} parts",
        hint="the gradient is the same, a step takes a third longer; lower training.days_per_step",
    )


def phase_started(
    phase: PhaseConfig, number: int, blocks: list[str], trainable: dict[str, int]
) -> PhaseStarted:
    """The event of a phase that begins with these blocks on; ``trainable`` counts their weights."""
    return PhaseStarted(
        phase=number, name=phase.name, blocks=blocks, epochs=phase.epochs, trainable=trainable
    )


def phase_result(
    name: str, blocks: Sequence[str], progress: Progress, best: Validation, horizon: int
) -> PhaseResult:
    """The outcome of a phase by its best validation epoch, against the phase kept before it.

    It is kept if its daily RankIC is better by more than one standard error of the paired difference: of
    two equal ones the better on a few hundred days is a coin's choice. The first phase is kept.
    """
    first = progress.best_kept is None
    gain, se = math.nan, math.nan
    if not first:
        days = np.array(progress.best_daily), np.array(progress.kept_daily)
        gain, se = paired_difference(*days, lag=horizon)
    return PhaseResult(
        name=name,
        blocks=tuple(blocks),
        epochs=progress.epoch_in_phase,
        best_epoch=best.epoch,
        rank_ic=best.rank_ic,
        rank_ic_se=best.rank_ic_se,
        null_band=best.null_band,
        ic=best.ic,
        icir=best.icir,
        smoothed=best.smoothed,
        gain=gain,
        gain_se=se,
        kept=first or gain > se,
        rate_scale=best.rate_scale,
    )


def not_kept(result: PhaseResult, lost: Sequence[str]) -> Noted:
    """The line that a phase was rolled back, and which blocks went with it."""
    text = f", without {', '.join(lost)}" if lost else ""
    return Noted(
        message=f"phase {result.name} gained {result.gain:+.4f} ± {result.gain_se:.4f}, "
        f"not more than its error: rolled back{text}"
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


def _judged(
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
        rate_scale=progress.chart.rate_scale,
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


def _mean(values: list[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _top_features(
    weight_F: NDArray[np.float32], names: tuple[str, ...], count: int = 12
) -> dict[str, float]:
    """The ``count`` largest variable-selection weights of ``[F]`` by feature name, largest first."""
    return {names[i]: float(weight_F[i]) for i in np.argsort(-weight_F, kind="stable")[:count]}
