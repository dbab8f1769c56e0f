"""What a search maximises, from the daily RankIC of validation days that no test ever sees."""

from collections.abc import Sequence

import numpy as np

from engine.evaluation.inference import Series, mean_figure
from engine.records.study import Objective


def objective(daily: Sequence[Series], *, horizon: int) -> Objective:
    """Mean of the daily RankIC of the inner folds less one standard error.

    ``daily``: one series ``[D]`` a fold, in order of time; NaN = undefined, left out. The folds' blocks
    follow one another without a gap, so the error is that of one series, with lag = ``horizon`` sessions
    (labels overlap). NaN below 3 defined days.
    """
    mean = mean_figure(np.concatenate(daily), lag=horizon)
    return Objective(
        value=mean.value - mean.se, rank_ic=mean.value, rank_ic_se=mean.se, n_dates=mean.n_dates
    )
