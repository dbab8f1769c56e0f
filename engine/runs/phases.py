"""The phases of a training, as far as its events have told."""

from dataclasses import dataclass, replace
from typing import Literal

from engine.runs.events import PhaseFinished, PhaseStarted

_PhaseStatus = Literal["pending", "running", "kept", "rolled back", "skipped"]
"""``skipped``: planned with no epoch at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseState:
    name: str
    status: _PhaseStatus = "pending"
    blocks: tuple[str, ...] = ()
    epochs: int = 0
    """Largest number of epochs."""
    first_epoch: int | None = None
    rank_ic: float = float("nan")
    rank_ic_se: float = float("nan")


def planned(name: str, epochs: int) -> PhaseState:
    return PhaseState(name=name, status="pending" if epochs else "skipped", epochs=epochs)


def begun(
    phases: tuple[PhaseState, ...], event: PhaseStarted, following: int
) -> tuple[PhaseState, ...]:
    """``following``: number of the next epoch. A phase that is taken up again keeps its first one."""
    if not event.epochs:
        return _with(phases, event.phase, planned(event.name, 0))
    known = phases[event.phase] if event.phase < len(phases) else None
    first = following if known is None or known.first_epoch is None else known.first_epoch
    phase = PhaseState(
        name=event.name,
        status="running",
        blocks=tuple(event.blocks),
        epochs=event.epochs,
        first_epoch=first,
    )
    return _with(phases, event.phase, phase)


def ended(phases: tuple[PhaseState, ...], event: PhaseFinished) -> tuple[PhaseState, ...]:
    if event.phase >= len(phases):
        return phases
    phase = replace(
        phases[event.phase],
        status="kept" if event.kept else "rolled back",
        rank_ic=event.rank_ic,
        rank_ic_se=event.rank_ic_se,
    )
    return _with(phases, event.phase, phase)


def _with(phases: tuple[PhaseState, ...], index: int, phase: PhaseState) -> tuple[PhaseState, ...]:
    if index >= len(phases):
        return (*phases, phase)
    return (*phases[:index], phase, *phases[index + 1 :])
