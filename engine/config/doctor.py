"""When something is wrong with a training, and what is done about it."""

from typing import Literal

from pydantic import Field

from engine.config.base import Table
from engine.records.judgement import COLLAPSED_RATIO, GRADIENT_HEALTHY, GRADIENT_LOW

Policy = Literal["warn", "rollback", "stop"]
"""warn: say it and go on. rollback: back to the last healthy checkpoint, with a lower learning rate;
stop when `doctor.max_rollbacks` are used up. stop: end the run."""


class DoctorConfig(Table):
    graph_starved: Policy = "warn"
    """The GAT gets no gradient: what happens."""
    gate_stuck: Policy = "warn"
    """The bypass gate is saturated, or does not move although it gets gradient: what happens."""
    scores_collapsed: Policy = "rollback"
    """All stocks of a day get nearly the same score in eval mode: what happens."""
    exploding: Policy = "rollback"
    """Gradients are far too large: what happens."""
    non_finite: Policy = "rollback"
    """Loss or gradient is NaN or infinite (warn = stop, as no step can be taken): what happens."""
    overfitting: Policy = "warn"
    """Training RankIC rises while validation RankIC falls: what happens."""
    gradient_low: float = Field(GRADIENT_LOW, gt=0)
    """GAT gradient norm below which it is starved. L2 norm before clipping."""
    gradient_healthy: float = Field(GRADIENT_HEALTHY, gt=0)
    """GAT gradient norm from which it is healthy. L2 norm before clipping."""
    gradient_high: float = Field(1e3, gt=0)
    """Norm of all gradients above which they explode. L2 norm before clipping."""
    consecutive_checks: int = Field(3, ge=1)
    """Monitored steps in a row before graph_starved or exploding is said."""
    gate_margin: float = Field(0.02, gt=0, lt=0.5)
    """A gate whose alpha is nearer than this to 0 or 1 is saturated."""
    gate_checks: int = Field(5, ge=2)
    """Monitored steps that the movement of a gate is measured over."""
    gate_movement: float = Field(0.01, gt=0, lt=1)
    """Movement of alpha, as a share of what the learning rate allows, below which a gate is stuck."""
    min_score_std_ratio: float = Field(COLLAPSED_RATIO, gt=0, lt=1)
    """Eval-mode score deviation over label deviation below which scores count as collapsed."""
    gap_epochs: int = Field(3, ge=1)
    """Epochs in a row in which the gap between training and validation RankIC has to grow."""
    gap_errors: float = Field(1.0, ge=0)
    """Fall of the validation RankIC over them that counts. Standard errors."""
    max_rollbacks: int = Field(2, ge=0)
    """Rollbacks of one training; the finding after the last one ends it."""
    rollback_rate: float = Field(0.5, gt=0, le=1)
    """Factor on the learning rate at every rollback, for the rest of the training."""
