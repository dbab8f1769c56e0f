"""Is one set of scores better than another on the same days, and would another seed say so too?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from engine.evaluation.inference import Series, newey_west_se, stationary_bootstrap

_Direction = Literal["better", "worse", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Mean daily RankIC of a less that of b on the days on which both are defined."""

    difference: float
    low: float
    high: float
    """Percentile interval of the stationary block bootstrap over days."""
    se: float
    """Newey-West."""
    n_dates: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def paired_interval(
    a_D: Series, b_D: Series, *, horizon: int, draws: int, confidence: float, seed: int
) -> Difference:
    """Interval of the mean of a - b; days are drawn in blocks, together for both.

    Mean block: the cube root of the number of days, at least ``horizon`` sessions, over which labels
    overlap. The interval is NaN below 20 common days.
    """
    d_D = a_D - b_D
    d_D = d_D[np.isfinite(d_D)]
    low, high = stationary_bootstrap(
        d_D,
        lambda rows: rows.mean(axis=1),
        draws=draws,
        mean_block=max(float(horizon), d_D.size ** (1 / 3)),
        confidence=confidence,
        seed=seed,
    )
    return Difference(
        difference=float(d_D.mean()) if d_D.size else float("nan"),
        low=low,
        high=high,
        se=newey_west_se(d_D, lag=horizon),
        n_dates=int(d_D.size),
    )


def direction(found: Difference, by_seed: Sequence[float]) -> _Direction:
    """Decided only if the whole interval lies on one side of 0 and every seed on the same side.

    The interval knows how days differ, the seeds how trainings differ; one without the other has called
    many a lucky initialisation an improvement.
    """
    if found.low > 0 and all(difference > 0 for difference in by_seed):
        return "better"
    if found.high < 0 and all(difference < 0 for difference in by_seed):
        return "worse"
    return "undecided"
