"""What a search maximises, from the daily RankIC of validation days that no test ever sees."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.evaluation.inference import newey_west_se

_Series = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    value: float
    """rank_ic - rank_ic_se: a lucky mean over few or restless days counts for less."""
    rank_ic: float
    """Mean daily RankIC over the days of all folds."""
    rank_ic_se: float
    """Newey-West standard error of that mean."""
    n_dates: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def objective(daily: Sequence[_Series], *, horizon: int) -> Objective:
    """Mean of the daily RankIC of the inner folds less one standard error.

    ``daily``: one series a fold, in order of time; NaN = undefined, left out. The folds' blocks follow one
    another without a gap, so the error is that of one series, with lag = ``horizon`` sessions (labels
    overlap). NaN below 3 defined days.
    """
    every_D = np.concatenate([np.asarray(series_D, dtype=np.float64) for series_D in daily])
    known_D = every_D[np.isfinite(every_D)]
    mean = float(known_D.mean()) if known_D.size else float("nan")
    error = newey_west_se(known_D, lag=horizon)
    return Objective(value=mean - error, rank_ic=mean, rank_ic_se=error, n_dates=int(known_D.size))
