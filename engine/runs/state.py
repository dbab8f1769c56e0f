"""What any screen may show of a run: an immutable, bounded picture of its events; `fold` makes it."""

import math
from typing import Literal

from msgspec import Struct, structs

from engine.records.train import BLEND
from engine.runs.events import (
    Advanced,
    AssertionChecked,
    AttentionLogged,
    BaselineEvaluated,
    BlocksWorthLogged,
    CheckpointSaved,
    ControlAnswered,
    Diagnosed,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    MachineLogged,
    ModelBuilt,
    PlanMade,
    RunFinished,
    StepLogged,
    TrialFinished,
    VariantFinished,
    Warned,
)
from engine.runs.log_lines import LogLine

_PhaseStatus = Literal["pending", "running", "kept", "rolled back", "skipped"]
"""``skipped``: planned with no epoch at all."""


class PhaseState(Struct, frozen=True, kw_only=True):
    """A phase of the training, as far as its events have told."""

    name: str
    status: _PhaseStatus = "pending"
    blocks: tuple[str, ...] = ()
    epochs: int = 0
    """Largest number of epochs."""
    first_epoch: int | None = None
    rank_ic: float = math.nan
    rank_ic_se: float = math.nan


class NetworkState(Struct, frozen=True, kw_only=True):
    """One of the networks that a walk-forward or a trial trains, one after another."""

    fold: int
    seed: int
    folds: int
    seeds: int
    epochs: int = 0
    best: EpochEvaluated | None = None
    """On the validation days of its fold."""


class RunState(Struct, frozen=True, kw_only=True):
    """Everything the screen shows of a run. A field keeps the newest event, or all that count, by kind."""

    run_id: str = ""
    command: str = ""
    device: str = ""
    mode: str = ""
    started: str = ""
    updated: str = ""
    n_events: int = 0
    stage: str = ""
    stage_at: str = ""
    """When the stage began."""
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
    graph_worths: tuple[GraphWorthLogged, ...] = ()
    """What passed through the graph's edges, at each validation with the graph on."""
    blocks_worth: BlocksWorthLogged | None = None
    """What goes with each block of the network that was kept."""
    diagnoses: tuple[Diagnosed, ...] = ()
    """What the doctor found, in order."""
    trials: tuple[TrialFinished, ...] = ()
    """Trials of a search, in order of their end."""
    variants: tuple[VariantFinished, ...] = ()
    """Runs of a comparison that have ended."""
    log: tuple[LogLine, ...] = ()
    last_step_at: str = ""
    """When the newest step was logged; empty where the next one begins the counting anew."""
    refit_share: float = 0.0
    """Share of the current network's refit that lies behind, 0..1."""
    training_seconds: float = 0.0
    """Spent by this process since its first step, without pauses and jumps of the clock."""
    first_step_done: float = -1.0
    """Share that was done when this process logged its first step; negative before."""
    answer: ControlAnswered | None = None
    """Newest answer to what a person asked."""
    paused_at: str = ""
    """Since when the run waits; empty while it does not."""
    tasks: tuple["TaskState", ...] = ()
    """Parts of the run that other processes are at, in the order in which they began."""
    seen: str = ""
    """The one of them whose network the fields of `_OF_A_NETWORK` tell of."""
    networks: tuple[NetworkState, ...] = ()
    """Networks of a walk-forward or a trial, the current one last; empty where there is only one."""
    finished: RunFinished | None = None

    @property
    def attention(self) -> AttentionLogged | None:
        """How the graph shared its attention in the newest epoch."""
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
            and event.name not in ("oracle", BLEND)
            and not math.isnan(event.rank_ic)
        ]
        return max(rivals, key=lambda event: event.rank_ic, default=None)

    @property
    def network_share(self) -> float:
        """Share of the network's planned epochs that lies behind, 0..1; finished phases count whole.

        A refit, whose length is known at its beginning only, counts as half.
        """
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
        share = min(1.0, done / sum(self.plan.epochs))
        return (share + self.refit_share) / 2 if self.plan.refit else share

    @property
    def done_share(self) -> float:
        """Share of the planned training that lies behind, 0..1, over all networks."""
        if not self.networks:
            return self.network_share
        now = self.networks[-1]
        total = max(now.folds * now.seeds, len(self.networks))
        at_work = [task.state.network_share for task in self.training] or [self.network_share]
        return min(1.0, (len(self.networks) - len(at_work) + sum(at_work)) / total)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds to go at the pace since this process began to train; None before there is one."""
        gained = self.done_share - self.first_step_done
        if self.first_step_done < 0.0 or gained <= 0.0 or self.finished is not None:
            return None
        if not self.training_seconds:
            return None
        return self.training_seconds / gained * (1.0 - self.done_share)

    @property
    def training(self) -> tuple["TaskState", ...]:
        """Those of the tasks that train a network of the run."""
        return tuple(task for task in self.tasks if task.state.networks)

    def of_task(self, name: str) -> "RunState":
        """The run as seen from the network of one of its tasks; as it is, if there is no such task."""
        seen = next((task.state for task in self.tasks if task.name == name), None)
        if seen is None:
            return self
        return structs.replace(
            self, seen=name, **{field: getattr(seen, field) for field in _OF_A_NETWORK}
        )


class TaskState(Struct, frozen=True, kw_only=True):
    """A part of the run that a process of its own does, as its own events tell it."""

    name: str
    state: RunState

    @property
    def network(self) -> NetworkState:
        """The network it trains, or trained last."""
        return self.state.networks[-1]


_OF_A_NETWORK = (
    "stage",
    "plan",
    "model",
    "assertions",
    "phases",
    "epochs",
    "steps",
    "gradients",
    "gates",
    "attentions",
    "machine",
    "checkpoint",
    "graph_worths",
    "blocks_worth",
    "refit_share",
)
"""Fields that tell of one network. With several at work they are those of the one that began first."""
