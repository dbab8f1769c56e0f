"""What a monitored step and a phase tell."""

from collections.abc import Sequence

from engine.config import PhaseConfig
from engine.runs.events import (
    GatesLogged,
    GradientsLogged,
    PhaseFinished,
    PhaseStarted,
    RunEvent,
    StepLogged,
    Warned,
)
from engine.training.progress import PhaseResult, Progress
from engine.training.step import StepResult

OUT_OF_DEVICE_MEMORY = Warned(
    code="device",
    message="out of device memory: from here every step goes through in two halves",
    hint="lower training.days_per_step or model.hidden",
)


def step_events(
    result: StepResult, progress: Progress, *, rate: float, done: float, memory_mib: float
) -> Sequence[RunEvent]:
    """``done`` is the share of the epoch that lies behind."""
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
    return PhaseStarted(
        phase=number, name=phase.name, blocks=blocks, epochs=phase.epochs, trainable=trainable
    )


def phase_finished(result: PhaseResult, phase: int) -> PhaseFinished:
    return PhaseFinished(
        phase=phase,
        name=result.name,
        best_epoch=result.best_epoch,
        rank_ic=result.rank_ic,
        rank_ic_se=result.rank_ic_se,
        kept=result.kept,
    )
