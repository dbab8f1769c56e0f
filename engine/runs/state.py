"""What any screen may show of a run: a fold of its events. Pure, immutable, bounded."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Literal, TypeVar

from engine.runs.events import (
    Advanced,
    AssertionChecked,
    AttentionLogged,
    BaselineEvaluated,
    CheckpointSaved,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    MachineLogged,
    ModelBuilt,
    Noted,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RunEvent,
    RunFinished,
    RunStarted,
    StageStarted,
    StepLogged,
    TrialFinished,
    VariantFinished,
    Warned,
)

MAX_POINTS = 512
MAX_EPOCHS = 512
MAX_LOG = 300
MAX_FINDINGS = 50
MAX_TRIALS = 1000

T = TypeVar("T")
Level = Literal["info", "good", "warning", "error"]
PhaseStatus = Literal["pending", "running", "kept", "rolled back"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseState:
    name: str
    status: PhaseStatus = "pending"
    blocks: tuple[str, ...] = ()
    epochs: int = 0
    """Largest number of epochs."""
    first_epoch: int | None = None
    rank_ic: float = float("nan")
    rank_ic_se: float = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    at: str
    """UTC, ISO 8601."""
    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState:
    run_id: str = ""
    command: str = ""
    device: str = ""
    mode: str = ""
    started: str = ""
    updated: str = ""
    n_events: int = 0
    stage: str = ""
    advanced: Advanced | None = None
    """Newest progress of the current stage."""
    plan: PlanMade | None = None
    model: ModelBuilt | None = None
    assertions: tuple[AssertionChecked, ...] = ()
    baselines: tuple[BaselineEvaluated, ...] = ()
    phases: tuple[PhaseState, ...] = ()
    epochs: tuple[EpochEvaluated, ...] = ()
    steps: tuple[StepLogged, ...] = ()
    gradients: tuple[GradientsLogged, ...] = ()
    gates: tuple[GatesLogged, ...] = ()
    attention: AttentionLogged | None = None
    machine: MachineLogged | None = None
    checkpoint: CheckpointSaved | None = None
    warnings: tuple[Warned, ...] = ()
    diagnoses: tuple[Diagnosed, ...] = ()
    """What the doctor found, in order."""
    trials: tuple[TrialFinished, ...] = ()
    """Of a search, in order of their end."""
    variants: tuple[VariantFinished, ...] = ()
    """Runs of a comparison that have ended."""
    log: tuple[LogLine, ...] = ()
    first_step_at: str = ""
    """When this process logged its first step; with `first_step_done` the base of the ETA."""
    first_step_done: float = 0.0
    finished: RunFinished | None = None

    @property
    def best(self) -> EpochEvaluated | None:
        """The validation whose weights are kept: of the phase kept last, else the best so far."""
        kept = [phase for phase in self.phases if phase.status == "kept"]
        marked = [event for event in self.epochs if event.is_best]
        if kept:
            same = [event for event in marked if event.rank_ic == kept[-1].rank_ic]
            return same[-1] if same else None
        return marked[-1] if marked else None

    @property
    def best_baseline(self) -> BaselineEvaluated | None:
        """Strongest simple model on the validation days; the oracle of a synthetic market is none."""
        rivals = [
            event
            for event in self.baselines
            if event.split == "validation" and event.name != "oracle"
        ]
        return max(rivals, key=lambda event: event.rank_ic, default=None)

    @property
    def done_share(self) -> float:
        """Share of the planned training epochs that lies behind, 0..1; finished phases count whole."""
        if self.plan is None or not sum(self.plan.epochs):
            return 0.0
        done = 0.0
        for phase in self.phases:
            if phase.status in ("kept", "rolled back"):
                done += phase.epochs
            elif phase.status == "running" and phase.first_epoch is not None:
                done += len([e for e in self.epochs if e.epoch >= phase.first_epoch])
                last = self.steps[-1] if self.steps else None
                if last and (not self.epochs or last.epoch > self.epochs[-1].epoch):
                    done += last.epoch_fraction
        return min(1.0, done / sum(self.plan.epochs))

    @property
    def eta_seconds(self) -> float | None:
        """At the pace since this process began to train; None before there is one."""
        gained = self.done_share - self.first_step_done
        if not self.first_step_at or gained <= 0.0 or self.finished is not None:
            return None
        spent = seconds_between(self.first_step_at, self.updated)
        return spent / gained * (1.0 - self.done_share)


def fold(events: Iterable[RunEvent], state: RunState | None = None) -> RunState:
    return reduce(advance, events, state or RunState())


def advance(state: RunState, event: RunEvent) -> RunState:
    """Fold one event into the state. The same stream always gives the same screen."""
    state = replace(state, n_events=state.n_events + 1, updated=event.at or state.updated)
    line = _line(event)
    if line is not None:
        state = replace(state, log=(*state.log, line)[-MAX_LOG:])
    match event:
        case RunStarted():
            return replace(
                state,
                run_id=event.run_id,
                command=event.command,
                device=event.device,
                mode=event.mode,
                started=state.started or event.at,
                finished=None,
                first_step_at="",
                warnings=() if not event.resumed else state.warnings,
                diagnoses=() if not event.resumed else state.diagnoses,
                assertions=(),
            )
        case StageStarted():
            return replace(state, stage=event.stage, advanced=None)
        case Advanced():
            return replace(state, advanced=event)
        case PlanMade():
            phases = tuple(
                PhaseState(name=name, epochs=epochs)
                for name, epochs in zip(event.phases, event.epochs, strict=True)
            )
            return replace(state, plan=event, phases=state.phases or phases)
        case ModelBuilt():
            return replace(state, model=event)
        case AssertionChecked():
            return replace(state, assertions=(*state.assertions, event))
        case BaselineEvaluated():
            others = (b for b in state.baselines if (b.name, b.split) != (event.name, event.split))
            return replace(state, baselines=(*others, event))
        case MachineLogged():
            return replace(state, machine=event)
        case AttentionLogged():
            return replace(state, attention=event)
        case CheckpointSaved():
            return replace(state, checkpoint=event)
        case Warned():
            return replace(state, warnings=(*state.warnings, event)[-MAX_FINDINGS:])
        case TrialFinished():
            return replace(state, trials=(*state.trials, event)[-MAX_TRIALS:])
        case VariantFinished():
            known = tuple(v for v in state.variants if v.variant_run != event.variant_run)
            return replace(state, variants=(*known, event)[-MAX_TRIALS:])
        case RunFinished():
            return replace(state, finished=event, advanced=None)
        case _:
            return _advance_training(state, event)


def _advance_training(state: RunState, event: RunEvent) -> RunState:
    match event:
        case PhaseStarted():
            return _start_phase(state, event)
        case PhaseFinished():
            return _finish_phase(state, event)
        case StepLogged():
            return _note_first_step(replace(state, steps=_append(state.steps, event)), event)
        case GradientsLogged():
            return replace(state, gradients=_append(state.gradients, event))
        case GatesLogged():
            return replace(state, gates=_append(state.gates, event))
        case EpochEvaluated():
            earlier = tuple(e for e in state.epochs if e.epoch < event.epoch)
            return replace(state, epochs=(*earlier, event)[-MAX_EPOCHS:])
        case Diagnosed():
            others = (d for d in state.diagnoses if (d.code, d.step) != (event.code, event.step))
            return replace(state, diagnoses=(*others, event)[-MAX_FINDINGS:])
        case _:
            return state


def _start_phase(state: RunState, event: PhaseStarted) -> RunState:
    known = state.phases[event.phase] if event.phase < len(state.phases) else None
    first = len(state.epochs) and state.epochs[-1].epoch + 1
    if known is not None and known.first_epoch is not None:
        first = known.first_epoch
    phase = PhaseState(
        name=event.name,
        status="running",
        blocks=tuple(event.blocks),
        epochs=event.epochs,
        first_epoch=first,
    )
    return replace(state, phases=_with(state.phases, event.phase, phase))


def _finish_phase(state: RunState, event: PhaseFinished) -> RunState:
    if event.phase >= len(state.phases):
        return state
    phase = replace(
        state.phases[event.phase],
        status="kept" if event.kept else "rolled back",
        rank_ic=event.rank_ic,
        rank_ic_se=event.rank_ic_se,
    )
    return replace(state, phases=_with(state.phases, event.phase, phase))


def _with(phases: tuple[PhaseState, ...], index: int, phase: PhaseState) -> tuple[PhaseState, ...]:
    if index >= len(phases):
        return (*phases, phase)
    return (*phases[:index], phase, *phases[index + 1 :])


def _note_first_step(state: RunState, event: StepLogged) -> RunState:
    if state.first_step_at:
        return state
    return replace(state, first_step_at=event.at, first_step_done=state.done_share)


def _append(points: tuple[T, ...], event: T) -> tuple[T, ...]:
    """Add a point; replayed steps of a resumed run replace the old ones; older points thin out."""
    step = event.step  # type: ignore[attr-defined]
    if points and points[-1].step >= step:  # type: ignore[attr-defined]
        points = tuple(point for point in points if point.step < step)  # type: ignore[attr-defined]
    points = (*points, event)
    if len(points) > MAX_POINTS:
        half = MAX_POINTS // 2
        points = (*points[:half:2], *points[half:])
    return points


def seconds_between(first: str, last: str) -> float:
    """Seconds between two ISO times; 0 if one is missing."""
    if not first or not last:
        return 0.0
    return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()


def _line(event: RunEvent) -> LogLine | None:
    """The event as a line of the log, if it is worth one."""
    level: Level = "info"
    match event:
        case RunStarted():
            text = (
                f"{'resumed' if event.resumed else 'started'} on {event.device}, {event.mode} mode"
            )
        case StageStarted(stage=stage) if stage not in ("train", "evaluate"):
            text = stage
        case PhaseStarted():
            text = f"phase {event.phase} {event.name}: {', '.join(event.blocks)}"
        case PhaseFinished():
            level = "good" if event.kept else "warning"
            outcome = "kept" if event.kept else "did not beat the one before, rolled back"
            text = f"phase {event.name}: {event.rank_ic:+.4f}, {outcome}"
        case EpochEvaluated():
            text = f"epoch {event.epoch}: RankIC {event.rank_ic:+.4f}{' best' if event.is_best else ''}"
        case AssertionChecked(passed=False):
            level, text = "error", f"start-up assertion {event.name}: {event.detail}"
        case FoldStarted():
            text = f"fold {event.fold + 1} of {event.folds}, seed {event.seed}"
        case TrialFinished() | VariantFinished():
            level, text = ending(event)
        case Warned():
            level, text = "warning", f"{event.code}: {event.message}"
        case Diagnosed():
            level = "warning" if event.severity == "warning" else "error"
            text = f"{event.code}, {event.action}: {event.message}"
        case Noted():
            text = event.message
        case RunFinished():
            level = "error" if event.status == "failed" else "good"
            text = f"{event.status}{': ' + event.error if event.error else ''}"
        case _:
            return None
    return LogLine(at=event.at, level=level, text=text)


def ending(event: TrialFinished | VariantFinished) -> tuple[Level, str]:
    """The end of a trial or of a variant as level and text."""
    if event.error:
        name = f"trial {event.number}" if isinstance(event, TrialFinished) else event.variant
        return "warning", f"{name}: {event.error}"
    figure = f"RankIC {event.rank_ic:+.4f} ± {event.rank_ic_se:.4f} (n={event.n_dates})"
    if isinstance(event, VariantFinished):
        return "info", f"{event.variant}, seed {event.seed}: test {figure}"
    if event.state != "complete":
        return "info", f"trial {event.number}: {event.state}"
    mark = " best" if event.best else ""
    return (
        "good" if event.best else "info",
        f"trial {event.number}: {event.value:+.4f}, {figure}{mark}",
    )
