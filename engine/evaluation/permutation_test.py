"""Are trainings on permuted labels as good as chance? Their RankIC, with both sources of its error."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.inference import Series, newey_west_se

ERRORS = 2.0
"""Standard errors within which the mean has to lie."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermutationTest:
    """RankIC on days with their own labels of networks that were trained on permuted ones."""

    rank_ic: float
    """Mean over permutations and days."""
    spread: float
    """Standard deviation over permutations, divisor K - 1."""
    se_permutations: float
    """spread / sqrt(K): another set of permutations would give other networks."""
    se_days: float
    """Newey-West, of the daily mean over permutations: other days would rank the same networks otherwise."""
    se: float
    """Root of the sum of both squares. What is noise of a day and of one network alone counts in both, so
    it is rather too large than too small."""
    n_permutations: int
    n_dates: int

    @property
    def ratio(self) -> float:
        return self.rank_ic / self.se

    @property
    def verdict(self) -> str:
        """``within`` = no better and no worse than chance, ``outside``, or ``undecided`` if undefined."""
        if not np.isfinite(self.ratio):
            return "undecided"
        return "within" if abs(self.ratio) <= ERRORS else "outside"


def permutation_test(series: Sequence[Series], *, lag: int) -> PermutationTest:
    """``series``: daily RankIC of each permutation's network on the same D days; NaN = undefined.

    Days are a sample and so are permutations. Networks that learned nothing still differ from each other:
    where returns are predictable, almost any fixed direction in the features ranks them somewhat, up or
    down, on every day of the span, and no error over days knows of it. Fewer than two permutations have no
    spread: every error is NaN.
    """
    daily_KD = np.array(series, dtype=np.float64)
    daily_KD = daily_KD[:, np.isfinite(daily_KD).any(axis=0)]
    K = len(daily_KD)
    nan = float("nan")
    if daily_KD.shape[1] == 0:
        return PermutationTest(
            rank_ic=nan, spread=nan, se_permutations=nan, se_days=nan, se=nan,
            n_permutations=K, n_dates=0,
        )  # fmt: skip
    mean_K = np.nanmean(daily_KD, axis=1)
    spread = float(mean_K.std(ddof=1)) if K > 1 else nan
    se_permutations = spread / float(np.sqrt(K))
    se_days = newey_west_se(np.nanmean(daily_KD, axis=0), lag=lag)
    return PermutationTest(
        rank_ic=float(mean_K.mean()),
        spread=spread,
        se_permutations=se_permutations,
        se_days=se_days,
        se=float(np.hypot(se_permutations, se_days)),
        n_permutations=K,
        n_dates=daily_KD.shape[1],
    )
