"""What the doctor remembers between two looks. Part of the progress: a resumed run is judged alike."""

import math
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace


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
