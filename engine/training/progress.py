"""Where a training run stands: everything besides tensors that an exact resume needs."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from msgspec import structs

from engine.runs.events import EpochEvaluated
from engine.training.doctor.chart import Chart


@dataclass(slots=True, kw_only=True)
class PhaseResult:
    """Outcome of a finished phase. RankIC figures are those of its best validation epoch."""

    name: str
    epochs: int
    best_epoch: int
    rank_ic: float
    rank_ic_se: float
    null_band: float
    ic: float
    icir: float
    smoothed: float
    """Mean RankIC of the last `training.smoothing_epochs` validations; what phases are compared by."""
    kept: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, name: str, epochs: int, best: Mapping[str, Any], *, kept: bool) -> Self:
        figures = ("rank_ic", "rank_ic_se", "null_band", "ic", "icir", "smoothed")
        values = {figure: best[figure] for figure in figures}
        return cls(name=name, epochs=epochs, best_epoch=best["epoch"], kept=kept, **values)


@dataclass(slots=True, kw_only=True)
class Progress:
    """Counters and history. ``step`` and ``epoch`` count over the whole run, the others restart."""

    phase: int = 0
    epoch: int = 0
    epoch_in_phase: int = 0
    step: int = 0
    step_in_phase: int = 0
    step_in_epoch: int = 0
    halves: bool = False
    """True after the device ran out of memory: the days of a step go through in two halves."""
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
    history: list[dict[str, Any]] = field(default_factory=list)
    """Validations of the current phase, each the fields of an EpochEvaluated plus icir, smoothed."""
    best: dict[str, Any] | None = None
    """Entry of ``history`` whose weights are stored as the current phase's best."""
    results: list[PhaseResult] = field(default_factory=list)
    chart: Chart = field(default_factory=Chart)
    """What the doctor remembers."""

    @property
    def sessions_per_second(self) -> float:
        return self.sessions / self.seconds if self.seconds else float("nan")

    @property
    def best_kept(self) -> PhaseResult | None:
        kept = [result for result in self.results if result.kept]
        return kept[-1] if kept else None

    def validations(self) -> list[EpochEvaluated]:
        known = {item.name for item in structs.fields(EpochEvaluated)}
        return [
            EpochEvaluated(**{k: v for k, v in row.items() if k in known}) for row in self.history
        ]

    def to_state(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Inverse of `to_state` after a way through strict JSON, which turned NaN into null."""
        state = dict(state)
        state["results"] = [PhaseResult(**_nan(row)) for row in state["results"]]
        state["chart"] = Chart(**_nan(state["chart"]))
        state["history"] = [_nan(row) for row in state["history"]]
        state["best"] = None if state["best"] is None else _nan(state["best"])
        state["train_ics"] = [math.nan if ic is None else ic for ic in state["train_ics"]]
        return cls(**state)


def _nan(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: math.nan if value is None else value for key, value in row.items()}
