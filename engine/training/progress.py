"""Where a training run stands: everything besides tensors that an exact resume needs, and what its doctor
remembers between two looks, so that a resumed run is judged alike.
"""

import math
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace

from engine.records import record
from engine.records.rank_ic import GraphWorth
from engine.records.train import PhaseResult


class Chart(Struct, kw_only=True):
    """Signs of the current phase, and what rollbacks have changed for the rest of the run."""

    streaks: dict[str, int] = field(default_factory=dict)
    """Diagnosis -> monitored steps in a row with its sign."""
    told: list[str] = field(default_factory=list)
    """Diagnoses made since the last validation; each is told once."""
    alpha: float = math.nan
    """Bypass gate at the last monitored step; NaN before there is one."""
    alpha_step: int = 0
    gate_checks: int = 0
    gate_moved: float = 0.0
    """Path of alpha since the movement was last judged."""
    gate_allowed: float = 0.0
    """Path that the learning rate allowed: every step moves the gate's logit by about the rate."""
    rollbacks: int = 0
    rate_scale: float = 1.0
    """Factor that rollbacks have put on the learning rate."""

    def of_new_phase(self) -> Self:
        """A chart without signs: blocks and schedule change, so they count anew."""
        return type(self)(rollbacks=self.rollbacks, rate_scale=self.rate_scale)

    def after_rollback(self, factor: float, *, by_hand: bool = False) -> Self:
        """A chart with a lower learning rate: without it the same steps would lead to the same place."""
        fresh = self.of_new_phase()
        rollbacks = self.rollbacks + (not by_hand)
        return replace(fresh, rollbacks=rollbacks, rate_scale=self.rate_scale * factor)


class Validation(Struct, frozen=True, kw_only=True):
    """One validation of the current phase: what chooses the best epoch and what the doctor looks at."""

    epoch: int
    rank_ic: float
    rank_ic_se: float
    null_band: float
    ic: float
    icir: float
    smoothed: float
    """RankIC averaged over the last `training.smoothing_epochs`; the best epoch has the largest."""
    train_rank_ic: float
    """Mean over the steps of the epoch."""
    score_std_ratio: float
    """Deviation of the scores over that of the label."""
    graph: GraphWorth | None = None
    """What passed through the graph's edges; None while the graph was off."""
    rate_scale: float = 1.0
    """Factor on the learning rate then; below 1 after a rollback."""


class Progress(Struct, kw_only=True):
    """Counters and history. ``step`` and ``epoch`` count over the whole run, the others restart."""

    phase: int = 0
    epoch: int = 0
    epoch_in_phase: int = 0
    step: int = 0
    step_in_phase: int = 0
    step_in_epoch: int = 0
    parts: int = 1
    """Into how many parts the rows of a step are cut; more than 1 after memory ran out."""
    kept_blocks: list[str] = field(default_factory=list)
    rejected_blocks: list[str] = field(default_factory=list)
    """Blocks that only rolled-back phases brought in; later phases go without them."""
    train_ics: list[float] = field(default_factory=list)
    """RankIC of each step of the current epoch."""
    gradient: dict[str, float] = field(default_factory=dict)
    """Newest monitored gradient norm per block."""
    alpha: dict[str, float] = field(default_factory=dict)
    """Newest monitored gate shares."""
    sessions: int = 0
    seconds: float = 0.0
    """Training days seen so far and the time that took, validation left out."""
    history: list[Validation] = field(default_factory=list)
    """Validations of the current phase."""
    best: Validation | None = None
    """Entry of ``history`` whose weights are stored as the current phase's best."""
    best_daily: list[float] = field(default_factory=list)
    """RankIC of each validation day in ``best``."""
    kept_daily: list[float] = field(default_factory=list)
    """The same of the newest phase that was kept."""
    results: list[PhaseResult] = field(default_factory=list)
    chart: Chart = field(default_factory=Chart)
    """What the doctor remembers."""

    @property
    def sessions_per_second(self) -> float:
        """Training days a second; NaN before the first step."""
        return self.sessions / self.seconds if self.seconds else float("nan")

    @property
    def best_kept(self) -> PhaseResult | None:
        """The newest phase that was kept."""
        kept = [result for result in self.results if result.kept]
        return kept[-1] if kept else None

    def to_state(self) -> dict[str, object]:
        """As builtin values, for a checkpoint's ``state.json``."""
        return record.as_json(self)

    @classmethod
    def from_state(cls, state: object) -> Self:
        """Inverse of `to_state` after a way through strict JSON, which turned NaN into null."""
        return record.convert(state, cls, "progress of a checkpoint")
