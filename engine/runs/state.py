"""What any screen may show of a run: a fold of its events. Pure, immutable, bounded."""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce

from engine.runs.events import (
    Advanced,
    AssertionChecked,
    AttentionLogged,
    BaselineEvaluated,
    CheckpointSaved,
    Continued,
    ControlAnswered,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    MachineLogged,
    ModelBuilt,
    Paused,
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
from engine.runs.log_lines import LogLine, log_line
from engine.runs.phases import PhaseState as PhaseState
from engine.runs.phases import begun, ended, planned
from engine.runs.series import MAX_POINTS as MAX_POINTS
from engine.runs.series import append

MAX_EPOCHS = 512
MAX_LOG = 300
_MAX_FINDINGS = 50
_MAX_TRIALS = 1000
_MAX_STEP_S = 3600.0
"""A longer gap between two monitored steps is the machine asleep or its clock set, not training."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkState:
    """One of the networks that a walk-forward or a trial trains, one after another."""

    fold: int
    seed: int
    folds: int
    seeds: int
    epochs: int = 0
    best: EpochEvaluated | None = None
    """On the validation days of its fold."""


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
    attentions: tuple[AttentionLogged, ...] = ()
    """One per epoch."""
    machine: MachineLogged | None = None
    checkpoint: CheckpointSaved | None = None
    """The newest that a resume goes on from."""
    warnings: tuple[Warned, ...] = ()
    diagnoses: tuple[Diagnosed, ...] = ()
    """What the doctor found, in order."""
    trials: tuple[TrialFinished, ...] = ()
    """Of a search, in order of their end."""
    variants: tuple[VariantFinished, ...] = ()
    """Runs of a comparison that have ended."""
    log: tuple[LogLine, ...] = ()
    last_step_at: str = ""
    """When the newest step was logged; empty where the next one begins the counting anew."""
    training_seconds: float = 0.0
    """Spent by this process since its first step, without pauses and jumps of the clock."""
    first_step_done: float = -1.0
    """Share that was done when this process logged its first step; negative before."""
    answer: ControlAnswered | None = None
    """Newest answer to what a person asked."""
    paused_at: str = ""
    """Since when the run waits; empty while it does not."""
    networks: tuple[NetworkState, ...] = ()
    """Of a walk-forward or a trial, the current one last; empty where there is only one network."""
    finished: RunFinished | None = None

    @property
    def attention(self) -> AttentionLogged | None:
        """Of the newest epoch."""
        return self.attentions[-1] if self.attentions else None

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
            if event.split == "validation"
            and event.name != "oracle"
            and not math.isnan(event.rank_ic)
        ]
        return max(rivals, key=lambda event: event.rank_ic, default=None)

    @property
    def network_share(self) -> float:
        """Share of the network's planned epochs that lies behind, 0..1; finished phases count whole."""
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
    def done_share(self) -> float:
        """Share of the planned training that lies behind, 0..1, over all networks."""
        if not self.networks:
            return self.network_share
        now = self.networks[-1]
        total = max(now.folds * now.seeds, len(self.networks))
        return min(1.0, (len(self.networks) - 1 + self.network_share) / total)

    @property
    def eta_seconds(self) -> float | None:
        """At the pace since this process began to train; None before there is one."""
        gained = self.done_share - self.first_step_done
        if self.first_step_done < 0.0 or gained <= 0.0 or self.finished is not None:
            return None
        if not self.training_seconds:
            return None
        return self.training_seconds / gained * (1.0 - self.done_share)


def fold(events: Iterable[RunEvent], state: RunState | None = None) -> RunState:
    return reduce(advance, events, state or RunState())


def advance(state: RunState, event: RunEvent) -> RunState:
    """Fold one event into the state. The same stream always gives the same screen."""
    state = replace(state, n_events=state.n_events + 1, updated=event.at or state.updated)
    line = log_line(event)
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
                last_step_at="",
                training_seconds=0.0,
                first_step_done=-1.0,
                paused_at="",
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
                planned(name, epochs)
                for name, epochs in zip(event.phases, event.epochs, strict=False)
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
            return replace(state, attentions=append(state.attentions, event))
        case CheckpointSaved(name="resume"):
            return replace(state, checkpoint=event)
        case Warned():
            return replace(state, warnings=(*state.warnings, event)[-_MAX_FINDINGS:])
        case TrialFinished():
            return replace(state, trials=(*state.trials, event)[-_MAX_TRIALS:])
        case VariantFinished():
            known = tuple(v for v in state.variants if v.variant_run != event.variant_run)
            return replace(state, variants=(*known, event)[-_MAX_TRIALS:])
        case RunFinished():
            return replace(state, finished=event, advanced=None, paused_at="")
        case _:
            return _advance_training(state, event)


def _advance_training(state: RunState, event: RunEvent) -> RunState:
    match event:
        case PhaseStarted():
            following = state.epochs[-1].epoch + 1 if state.epochs else 0
            return replace(state, phases=begun(state.phases, event, following))
        case PhaseFinished():
            return replace(state, phases=ended(state.phases, event))
        case StepLogged():
            return _note_step(replace(state, steps=append(state.steps, event)), event.at)
        case GradientsLogged():
            return replace(state, gradients=append(state.gradients, event, gat_norm))
        case GatesLogged():
            return replace(state, gates=append(state.gates, event))
        case EpochEvaluated():
            earlier = tuple(e for e in state.epochs if e.epoch < event.epoch)
            epochs = (*earlier, event)[-MAX_EPOCHS:]
            return _note_network(replace(state, epochs=epochs))
        case FoldStarted():
            return _start_network(state, event)
        case ControlAnswered():
            return replace(state, answer=event)
        case Paused():
            return replace(state, paused_at=event.at or state.updated, last_step_at="")
        case Continued():
            return replace(state, paused_at="", last_step_at="")
        case Diagnosed():
            others = (d for d in state.diagnoses if (d.code, d.step) != (event.code, event.step))
            return replace(state, diagnoses=(*others, event)[-_MAX_FINDINGS:])
        case _:
            return state


def _start_network(state: RunState, event: FoldStarted) -> RunState:
    """Another network begins with nothing; one that was cut off goes on with what is known of it."""
    last = state.networks[-1] if state.networks else None
    if last is not None and (last.fold, last.seed) == (event.fold, event.seed):
        return state
    network = NetworkState(fold=event.fold, seed=event.seed, folds=event.folds, seeds=event.seeds)
    return replace(
        state,
        networks=(*state.networks, network)[-_MAX_TRIALS:],
        phases=(),
        epochs=(),
        steps=(),
        gradients=(),
        gates=(),
        attentions=(),
        checkpoint=None,
        last_step_at="",
    )


def _note_network(state: RunState) -> RunState:
    if not state.networks:
        return state
    now = replace(state.networks[-1], epochs=len(state.epochs), best=state.best)
    return replace(state, networks=(*state.networks[:-1], now))


def _note_step(state: RunState, at: str) -> RunState:
    """Count the time since the step before; the first step of a process, a fold or a pause begins it."""
    if state.first_step_done < 0.0:
        return replace(state, last_step_at=at, first_step_done=state.done_share)
    spent = step_seconds(state.last_step_at, at)
    return replace(state, last_step_at=at, training_seconds=state.training_seconds + spent)


def step_seconds(before: str, at: str) -> float:
    """Between two steps; 0 where the clock went back or the gap is none of the training's."""
    gap = seconds_between(before, at)
    return gap if 0.0 < gap <= _MAX_STEP_S else 0.0


def gat_norm(event: GradientsLogged) -> float:
    """The smaller one stays when points thin out: the lowest norm of a run is never lost."""
    return event.norm.get("gat", math.inf)


def seconds_between(first: str, last: str) -> float:
    """Seconds between two ISO times, negative if the clock went back; 0 if one is missing or no time."""
    try:
        return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
