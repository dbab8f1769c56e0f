"""Is one set of scores better than another on the same days, and would another seed say so too?"""

# Shape suffixes: D days, K permutations.
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np

from engine.config import Config
from engine.evaluation.inference import Series, mean_figure, newey_west_se, paired_interval
from engine.records.comparison import Direction, PermutationTest, RankICGap, RankICLevel
from engine.records.rank_ic import PairedDifference

_MIN_SEEDS = 2
"""Fewer trainings decide nothing: nobody knows how another one would differ."""
_VERDICTS: dict[str, dict[Direction, str]] = {
    "ablations": {"worse": "earns its place", "better": "costs", "undecided": "undecided"},
    "sizes": {"worse": "worse", "better": "better", "undecided": "undecided"},
}
"""What the direction of (variant - reference) says: of the part that was taken away, of the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRankIC:
    """RankIC by day of the mean of several networks' scores, and of each network; NaN = undefined."""

    dates: list[date]
    mean_D: Series
    seeds: dict[int, Series]


def level(daily: DailyRankIC | None, horizon: int) -> RankICLevel | None:
    """Mean RankIC over the defined days, with its error and those of each seed; None without scores."""
    if daily is None:
        return None
    mean = mean_figure(daily.mean_D, lag=horizon)
    by_seed = tuple(float(np.nanmean(series_D)) for series_D in daily.seeds.values())
    return RankICLevel(
        rank_ic=mean.value,
        rank_ic_se=mean.se,
        n_dates=mean.n_dates,
        by_seed=by_seed,
        seed_deviation=_deviation(by_seed),
    )


def gap(a: DailyRankIC | None, b: DailyRankIC | None, config: Config) -> RankICGap | None:
    """a - b on common days, with the differences of each common seed; None without a common day.

    Its interval is that of a bootstrap as the configuration has it.
    """
    if a is None or b is None:
        return None
    both = sorted(set(a.dates) & set(b.dates))
    if not both:
        return None
    in_a, in_b = ([daily.dates.index(day) for day in both] for daily in (a, b))
    found = paired_interval(
        a.mean_D[in_a],
        b.mean_D[in_b],
        lag=config.training.score_horizon,
        draws=config.backtest.bootstrap_draws,
        confidence=config.backtest.confidence,
        seed=config.training.seed,
    )
    by_seed = tuple(
        float(np.nanmean(a.seeds[seed][in_a] - b.seeds[seed][in_b]))
        for seed in sorted(a.seeds.keys() & b.seeds.keys())
    )
    return RankICGap(
        **{name: getattr(found, name) for name in PairedDifference.__struct_fields__},
        by_seed=by_seed,
        seed_deviation=_deviation(by_seed),
        direction=_direction(found, by_seed),
    )


def _direction(found: PairedDifference, by_seed: Sequence[float]) -> Direction:
    """Decided only if the whole interval lies on one side of 0 and every seed on the same side.

    The interval knows how days differ, the seeds how trainings differ; one without the other has called
    many a lucky initialisation an improvement.
    """
    if found.low > 0 and all(difference > 0 for difference in by_seed):
        return "better"
    if found.high < 0 and all(difference < 0 for difference in by_seed):
        return "worse"
    return "undecided"


def variant_verdict(found: RankICGap | None, kind: Literal["sizes", "ablations"] | str) -> str:
    """The verdict in the words of the comparison; fewer than two seeds decide nothing."""
    if found is None:
        return "not trained"
    return _VERDICTS[kind][found.direction if len(found.by_seed) >= _MIN_SEEDS else "undecided"]


def permutation_test(series: Sequence[Series], *, lag: int) -> PermutationTest:
    """Are trainings on permuted labels as good as chance? Each series ``[D]`` is the daily RankIC of one
    permutation's network on the same days with their own labels; NaN = undefined.

    Days are a sample and so are permutations. Networks that learned nothing still differ from each other:
    where returns are predictable, almost any fixed direction in the features ranks them somewhat, up or
    down, on every day of the span, and no error over days knows of it. Fewer than two permutations have no
    spread: every error is NaN.
    """
    daily_KD = np.array(series, dtype=np.float64)
    daily_KD = daily_KD[:, np.isfinite(daily_KD).any(axis=0)]
    K, nan = len(daily_KD), float("nan")
    if daily_KD.shape[1] == 0:
        return PermutationTest(n_permutations=K)
    mean_K = np.nanmean(daily_KD, axis=1)
    mean, spread = float(mean_K.mean()), float(mean_K.std(ddof=1)) if K > 1 else nan
    se_permutations = spread / float(np.sqrt(K))
    se_days = newey_west_se(np.nanmean(daily_KD, axis=0), lag=lag)
    se = float(np.hypot(se_permutations, se_days))
    return PermutationTest(
        rank_ic=mean,
        spread=spread,
        se_permutations=se_permutations,
        se_days=se_days,
        se=se,
        n_permutations=K,
        n_dates=daily_KD.shape[1],
        ratio=mean / se if se else nan,
    )


def _deviation(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
