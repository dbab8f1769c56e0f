"""What a run tells: typed values, one line of JSON each. The screen is a fold of this stream.

A reader skips kinds and fields that it does not know, so an old screen can watch a new run.
Non-finite numbers are written as null and read back as NaN.
"""

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from engine.runs.event import RunEvent as RunEvent
from engine.runs.wire import decode as decode
from engine.runs.wire import encode as encode

_SCHEMA = 1
"""Raised when the meaning of a field changes; adding kinds or fields does not raise it."""

Status = Literal["done", "stopped", "failed"]
DoctorAction = Literal["warned", "rolled back", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    run_id: str
    command: str
    device: str
    mode: str
    seed: int
    config_digest: str
    resumed: bool = False
    schema: int = _SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(RunEvent):
    stage: str
    """load, quality, features, graph, baselines, startup, train, evaluate, predict, simulate, report,
    tune, compare; of a signal: evidence, drift, inputs, score, seal; of a champion: reference, gate;
    ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advanced(RunEvent):
    """At most ten a second."""

    stage: str
    done: int
    total: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade(RunEvent):
    """The training phases to come, so that a timeline and an ETA can be drawn from the first step."""

    phases: list[str]
    epochs: list[int]
    """Largest number of epochs of each phase."""
    steps_per_epoch: int
    train_sessions: int
    validation_sessions: int
    test_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBuilt(RunEvent):
    parameters: dict[str, int]
    """Per block."""
    n_features: int
    n_symbols: int
    n_sessions: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionChecked(RunEvent):
    """One of the seven start-up assertions."""

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineEvaluated(RunEvent):
    name: str
    """reversal_1, reversal_5, momentum_12_1, ridge, lightgbm, mlp, oracle."""
    split: str
    horizon: int
    rank_ic: float
    rank_ic_se: float
    n_dates: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted(RunEvent):
    phase: int
    name: str
    blocks: list[str]
    epochs: int
    trainable: dict[str, int]
    """Parameters that get updates, per block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseFinished(RunEvent):
    phase: int
    name: str
    best_epoch: int
    rank_ic: float
    rank_ic_se: float
    kept: bool
    """False: it did not beat the phase before it and its weights were thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLogged(RunEvent):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientsLogged(RunEvent):
    step: int
    norm: dict[str, float]
    """L2 norm per block before clipping, e.g. ``{"gat": 3.1e-4}``; blocks that are off are absent."""
    clipped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesLogged(RunEvent):
    step: int
    alpha: dict[str, float]
    """``bypass``: share of the projected stream, 0..1 (the graph's is 1 - alpha); ``fan``, ``san``:
    share of the normalised stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionLogged(RunEvent):
    """Once per epoch, on validation days."""

    step: int
    selection: dict[str, float]
    """Feature name -> mean variable-selection weight, the largest dozen."""
    gat_entropy: float
    """Mean entropy of the neighbours' weights over log(degree), 0..1; NaN while the graph is off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineLogged(RunEvent):
    """Every few seconds."""

    cpu_percent: float
    """Of this process; 200 = two cores."""
    memory_mib: float
    memory_total_mib: float
    disk_free_gib: float
    gpu_percent: float = math.nan
    gpu_memory_mib: float = math.nan
    gpu_memory_total_mib: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEvaluated(RunEvent):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(RunEvent):
    name: str
    step: int
    epoch: int
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(RunEvent):
    code: str
    """device, data, network, config; also the diagnoses, in runs of versions before `Diagnosed`."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed(RunEvent):
    """What the doctor found in a training, and what it did about it."""

    code: str
    """graph_starved, gate_stuck, scores_collapsed, exploding, non_finite, overfitting."""
    severity: Literal["warning", "critical"]
    message: str
    evidence: float
    """The figure that the diagnosis was made by; NaN where it is the fault itself."""
    threshold: float
    remedy: str
    patch: dict[str, Any]
    """Dotted key of the configuration -> value to try."""
    action: DoctorAction
    step: int
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(RunEvent):
    """A line for the log, when no typed event says it."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused(RunEvent):
    """Asked to wait at the end of a step; the `resume` checkpoint of the step is written."""

    step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued(RunEvent):
    step: int
    seconds: float
    """Length of the pause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswered(RunEvent):
    """What became of a checkpoint or a rollback that a person asked for."""

    action: str
    """checkpoint, rollback."""
    done: bool
    step: int
    detail: str
    """What was done, or why not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldStarted(RunEvent):
    """The epochs that follow belong to this fold, counted from 0."""

    fold: int
    folds: int
    seed: int
    seeds: int = 1
    """Networks per fold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialFinished(RunEvent):
    """One trial of a hyper-parameter search, told by the search."""

    number: int
    """In the study's storage, from 0; a trial that was cut off comes back under another number."""
    trial_run: str
    state: str
    """complete, pruned, failed."""
    value: float
    """What the search maximises: mean RankIC of the inner folds less its standard error."""
    rank_ic: float
    rank_ic_se: float
    n_dates: int
    parameters: dict[str, Any]
    """Dotted key -> value."""
    seconds: float
    best: bool
    """The best so far."""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantFinished(RunEvent):
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    status: Status
    error: str = ""
    hint: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    """What the command prints with ``--json``."""


RunEvent.kinds.update({kind.__name__: kind for kind in RunEvent.__subclasses__()})
