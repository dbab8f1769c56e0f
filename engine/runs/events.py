"""What a run tells: typed values, one line of JSON each. The screen is a fold of this stream.

A reader skips kinds and fields that it does not know, so an old screen can watch a new run.
Non-finite numbers are written as null and read back as NaN.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

from engine.files import strict

SCHEMA = 1
"""Raised when the meaning of a field changes; adding kinds or fields does not raise it."""

Status = Literal["done", "stopped", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    seq: int = -1
    """Position in the run's stream, set by the sink, from 0 without gaps (also across a resume)."""
    at: str = ""
    """UTC, ISO 8601, set by the sink."""

    kinds: ClassVar[dict[str, type["RunEvent"]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(RunEvent):
    run_id: str
    command: str
    device: str
    mode: str
    seed: int
    config_digest: str
    resumed: bool = False
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(RunEvent):
    stage: str
    """load, quality, features, graph, baselines, startup, train, evaluate, predict, simulate, report;
    of a signal: evidence, drift, inputs, score, seal; of a champion: reference, gate; ledger."""


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
    """reversal_1, reversal_5, momentum_12_1, ridge, lightgbm, oracle."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(RunEvent):
    name: str
    step: int
    epoch: int
    is_best: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned(RunEvent):
    code: str
    """graph_starved, gate_stuck, scores_collapsed, exploding, non_finite, overfitting, device, data,
    network."""
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(RunEvent):
    """A line for the log, when no typed event says it."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(RunEvent):
    status: Status
    error: str = ""
    hint: str = ""
    summary: dict[str, Any] = field(default_factory=dict)
    """What the command prints with ``--json``."""


RunEvent.kinds.update({kind.__name__: kind for kind in RunEvent.__subclasses__()})


def encode(event: RunEvent) -> str:
    """One line of strict JSON, without the newline."""
    return json.dumps({"type": type(event).__name__, **strict(asdict(event))}, allow_nan=False)


def decode(line: str | bytes) -> RunEvent | None:
    """The event of one line; None for a kind this version does not know or a damaged line."""
    try:
        row = json.loads(line)
        kind = RunEvent.kinds[row.pop("type")]
        known = {item.name: item for item in fields(kind)}
        values: dict[str, Any] = {
            name: math.nan if value is None and known[name].type is float else value
            for name, value in row.items()
            if name in known
        }
        return kind(**values)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
