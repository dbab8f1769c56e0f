"""A figure with its error: the one place where a measured number becomes text, and the one rule of when it
counts: for the log, the tables, the report and the screen.
"""

import math
from typing import Literal

from msgspec import Struct

_Unit = Literal["", "%", "bps"]
"""How a fraction is shown: as it is, in percent, or in basis points."""
_Role = Literal["good", "bad", "plain", "unknown"]
_SCALE: dict[_Unit, float] = {"": 1.0, "%": 100.0, "bps": 1e4}
DASH = "—"
SURE = 1.96
"""Standard errors between a value and zero at 95 %."""
GRADIENT_LOW, GRADIENT_HEALTHY = 1e-8, 1e-6
"""L2 norm of the GAT block's gradient: below the first it is starved, above the second healthy."""
GRAPH_SHARE = 1e-3
"""Share of the score variance that goes with the graph's edges below which the graph is not heard."""
COLLAPSED_RATIO = 0.02
"""Eval-mode score deviation over label deviation below which scores count as collapsed."""
RANK_IC_GOAL, IC_GOAL = 0.020, 0.015
"""Validation RankIC and IC that the founding document asks for."""


class Figure(Struct, frozen=True):
    """A number, how sure it is, and what chance alone would give. NaN means not known."""

    value: float
    error: float = math.nan
    """Standard error of the value."""
    band: float = math.nan
    """Half-width of the null band: chance alone stays within plus or minus this in 95 of 100 cases."""
    n: int = 0
    """Sessions (or other independent units) it was measured on; 0 = not told."""
    unit: _Unit = ""

    def text(self, digits: int = 4, *, sign: bool = True) -> str:
        """``+0.0205 ± 0.0042 (n=252)``; the parts that are not known are left out."""
        if math.isnan(self.value):
            return DASH
        scale = _SCALE[self.unit]
        out = f"{self.value * scale:{'+' if sign else ''}.{digits}f}"
        if not math.isnan(self.error):
            out += f" ± {self.error * scale:.{digits}f}"
        out += self.unit if self.unit == "%" else f" {self.unit}" if self.unit else ""
        return out + (f" (n={self.n:,})" if self.n else "")

    @property
    def role(self) -> _Role:
        """Good or bad beyond the null band (or two standard errors where no band is known), else plain."""
        if math.isnan(self.value):
            return "unknown"
        limit = self.band if not math.isnan(self.band) else 2.0 * self.error
        if math.isnan(limit) or abs(self.value) <= limit:
            return "plain"
        return "good" if self.value > 0.0 else "bad"


class Interval(Struct, frozen=True):
    """A value with the two ends of its 95 % interval."""

    value: float
    low: float = math.nan
    high: float = math.nan

    def text(self, digits: int = 2, *, sign: bool = True) -> str:
        """``+0.91 [+0.20, +1.62]``; the value alone where the interval is not known."""
        plus = "+" if sign else ""
        if math.isnan(self.value):
            return DASH
        out = f"{self.value:{plus}.{digits}f}"
        if math.isnan(self.low) or math.isnan(self.high):
            return out
        return f"{out} [{self.low:{plus}.{digits}f}, {self.high:{plus}.{digits}f}]"


def counted(count: float, one: str, many: str = "") -> str:
    """``1 run``, ``2 runs``, ``1,204 runs``; a dash in place of a count that is not known (NaN)."""
    shown = DASH if math.isnan(count) else f"{count:,.0f}"
    return f"{shown} {one if shown == '1' else many or one + 's'}"


def is_noise(rank_ic: float, null_band: float) -> bool:
    """True unless |RankIC| lies outside the band of shuffled scores; an undefined value is noise."""
    return not abs(rank_ic) > null_band


def is_established(rank_ic: float, standard_error: float, null_band: float) -> bool:
    """Outside the null band, and `SURE` standard errors away from zero."""
    return not is_noise(rank_ic, null_band) and abs(rank_ic) > SURE * standard_error
