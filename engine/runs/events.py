"""What a run tells: typed values, one line of JSON each. The screen is a fold of this stream.

`engine.runs.sink` writes and reads them. `RunStarted.schema` rises when the meaning of
a field changes, not with new kinds or fields.
"""

import math
from typing import Literal

from msgspec import Struct

from engine.records.rank_ic import GraphWorth, Worth

Status = Literal["done", "stopped", "failed"]
DoctorAction = Literal["warned", "rolled back", "stopped"]


class RunEvent(Struct, frozen=True, kw_only=True, tag=True):
    """What every event has; its kind is the name of its class, ``type`` in the line."""

    seq: int = -1
    """Position in the run's stream, set by the sink, from 0 without gaps (also across a resume)."""
    at: str = ""
    """UTC, ISO 8601, set by the sink."""
    task: str = ""
    """The part of the run that this is about, if a process of its own does it, e.g. fold-1-seed-2."""


class RunStarted(RunEvent, frozen=True, kw_only=True):
    """The run begins, or goes on after it was stopped or killed."""

    run_id: str
    command: str
    device: str
    mode: str
    seed: int
    config_digest: str
    resumed: bool = False
    schema: int = 1


class StageStarted(RunEvent, frozen=True, kw_only=True):
    """A part of the work begins: load, features, train, predict, simulate, report, seal, gate ..."""

    stage: str


class Advanced(RunEvent, frozen=True, kw_only=True):
    """How far the stage has come; at most ten a second."""

    stage: str
    done: int
    total: int
    note: str = ""


class PlanMade(RunEvent, frozen=True, kw_only=True):
    """The training phases to come, so that a timeline and an ETA can be drawn from the first step."""

    phases: list[str]
    epochs: list[int]
    """Largest number of epochs of each phase."""
    steps_per_epoch: int
    train_sessions: int
    validation_sessions: int
    test_sessions: int
    refit: bool = False
    """A second fit follows, which takes at most as many steps."""


class ModelBuilt(RunEvent, frozen=True, kw_only=True):
    """The network is made; its size and that of its inputs."""

    parameters: dict[str, int]
    """Per block."""
    n_features: int
    n_symbols: int
    n_sessions: int


class AssertionChecked(RunEvent, frozen=True, kw_only=True):
    """One of the seven start-up assertions."""

    name: str
    passed: bool
    detail: str


class BaselineEvaluated(RunEvent, frozen=True, kw_only=True):
    """A simple model (reversal_1, momentum_12_1, ridge, mlp, oracle ...) was scored on the same days."""

    name: str
    split: str
    horizon: int
    rank_ic: float
    rank_ic_se: float
    n_dates: int


class PhaseStarted(RunEvent, frozen=True, kw_only=True):
    """A phase of the training begins with these blocks switched on."""

    phase: int
    name: str
    blocks: list[str]
    epochs: int
    trainable: dict[str, int]
    """Parameters that get updates, per block."""


class PhaseFinished(RunEvent, frozen=True, kw_only=True):
    """A phase ended; its weights were kept or thrown away."""

    phase: int
    name: str
    best_epoch: int
    rank_ic: float
    rank_ic_se: float
    kept: bool
    """False: it did not beat the phase before it and its weights were thrown away."""


class StepLogged(RunEvent, frozen=True, kw_only=True):
    """One monitored optimiser step."""

    step: int
    epoch: int
    """Counts over all phases, from 0."""
    phase: int
    epoch_fraction: float
    """Done share of the epoch, 0..1."""
    loss: float
    terms: dict[str, float]
    """base, rank_ic, cs_ic, sharpe: unweighted values of the loss terms."""
    learning_rate: float
    sessions_per_second: float
    memory_mib: float
    """Resident memory of the process."""


class GradientsLogged(RunEvent, frozen=True, kw_only=True):
    """Gradient norms of a monitored step."""

    step: int
    norm: dict[str, float]
    """L2 norm per block before clipping, e.g. ``{"gat": 3.1e-4}``; blocks that are off are absent."""
    clipped: bool


class GatesLogged(RunEvent, frozen=True, kw_only=True):
    """Shares of the network's gates at a monitored step."""

    step: int
    alpha: dict[str, float]
    """``bypass``: share of the projected stream, 0..1 (the graph's is 1 - alpha); ``fan``, ``san``:
    share of the normalised stream."""


class AttentionLogged(RunEvent, frozen=True, kw_only=True):
    """What the network weighs, once per epoch, on validation days."""

    step: int
    selection: dict[str, float]
    """Feature name -> mean variable-selection weight, the largest dozen."""
    gat_entropy: float
    """Mean entropy of the neighbours' weights over log(degree), 0..1; NaN while the graph is off."""


class GraphWorthLogged(RunEvent, frozen=True, kw_only=True):
    """What passes through the graph's edges, at each validation while the graph is on."""

    step: int
    epoch: int
    worth: GraphWorth


class BlocksWorthLogged(RunEvent, frozen=True, kw_only=True):
    """What goes with each block, on validation days, with the weights that were kept."""

    worth: dict[str, Worth]
    """Block -> its worth; ``window`` is all blocks in front of the graph together."""


class MachineLogged(RunEvent, frozen=True, kw_only=True):
    """Load of the machine, every few seconds."""

    cpu_percent: float
    """Share of one core that this process takes; 200 is two cores."""
    memory_mib: float
    memory_total_mib: float
    disk_free_gib: float
    gpu_percent: float = math.nan
    gpu_memory_mib: float = math.nan
    gpu_memory_total_mib: float = math.nan


class EpochEvaluated(RunEvent, frozen=True, kw_only=True):
    """Validation in eval mode on whole days."""

    epoch: int
    phase: int
    split: str
    horizon: int
    rank_ic: float
    """Mean over dates of the daily Spearman correlation of score and forward return."""
    rank_ic_se: float
    """Newey-West standard error of that mean, lag = horizon."""
    null_band: float
    """Half-width of the 95 % band of the same mean with shuffled scores."""
    ic: float
    n_dates: int
    score_std_ratio: float
    """Mean over dates of std(score) / std(target), eval mode."""
    is_best: bool
    train_rank_ic: float = math.nan
    """Mean of the days of this epoch's steps, dropout on."""
    loss: float = math.nan
    """Loss on the split, where it was computed."""
    ic_se: float = math.nan
    """Newey-West standard error of `ic`."""
    ic_null_band: float = math.nan
    """Half-width of the 95 % band of `ic` with shuffled scores."""


class CheckpointSaved(RunEvent, frozen=True, kw_only=True):
    """Weights and counters were written, to go on from or as the best so far."""

    name: str
    step: int
    epoch: int
    is_best: bool


class Warned(RunEvent, frozen=True, kw_only=True):
    """Something that a person should know; the run goes on."""

    code: str
    """device, data, network, config; also the diagnoses, in runs of versions before `Diagnosed`."""
    message: str
    hint: str = ""


class Diagnosed(RunEvent, frozen=True, kw_only=True):
    """What the doctor found in a training, and what it did about it."""

    code: str
    """graph_starved, gate_stuck, scores_collapsed, exploding, non_finite, overfitting."""
    severity: Literal["warning", "critical"]
    message: str
    evidence: float
    """The figure that the diagnosis was made by; NaN where it is the fault itself."""
    threshold: float
    remedy: str
    patch: dict[str, object]
    """Dotted key of the configuration -> value to try."""
    action: DoctorAction
    step: int
    epoch: int


class Noted(RunEvent, frozen=True, kw_only=True):
    """A line for the log, when no typed event says it."""

    message: str


class Paused(RunEvent, frozen=True, kw_only=True):
    """Asked to wait at the end of a step; the `resume` checkpoint of the step is written."""

    step: int


class Continued(RunEvent, frozen=True, kw_only=True):
    """A paused run goes on."""

    step: int
    seconds: float
    """Length of the pause."""


class ControlAnswered(RunEvent, frozen=True, kw_only=True):
    """What became of a checkpoint or rollback that a person asked for: done, or why not."""

    action: str
    done: bool
    step: int
    detail: str


class FoldStarted(RunEvent, frozen=True, kw_only=True):
    """The epochs that follow belong to this fold, counted from 0."""

    fold: int
    folds: int
    seed: int
    seeds: int = 1
    """Networks per fold."""


class TaskFinished(RunEvent, frozen=True, kw_only=True):
    """The part of the run that is named by ``task`` is done; more of it will not be told."""


class TrialFinished(RunEvent, frozen=True, kw_only=True):
    """One trial of a hyper-parameter search, told by the search."""

    number: int
    """Number in the study's storage, from 0; a trial that was cut off comes back under another one."""
    trial_run: str
    state: str
    """complete, pruned, failed."""
    value: float
    """What the search maximises: mean RankIC of the inner folds less its standard error."""
    rank_ic: float
    rank_ic_se: float
    n_dates: int
    parameters: dict[str, object]
    """Dotted key -> value."""
    seconds: float
    best: bool
    """The best so far."""
    error: str = ""


class VariantFinished(RunEvent, frozen=True, kw_only=True):
    """One run of a comparison, told by the comparison."""

    variant: str
    seed: int
    variant_run: str
    status: str
    rank_ic: float
    """On the test days."""
    rank_ic_se: float
    n_dates: int
    error: str = ""


class RunFinished(RunEvent, frozen=True, kw_only=True):
    """The last event of a process: how the run ended, and why."""

    status: Status
    error: str = ""
    hint: str = ""
    summary: dict[str, object] = {}
    """What the command prints with ``--json``."""
