"""The founding document's five criteria, judged from a run's events: the same for screen, JSON and report.

A value inside its null band does not meet anything, however large it is. What has no evidence yet is
"not shown", which is not "met".
"""

import math
import statistics
from collections.abc import Sequence

from engine.records.judgement import (
    COLLAPSED_RATIO,
    GRAPH_SHARE,
    IC_GOAL,
    RANK_IC_GOAL,
    SURE,
    is_noise,
)
from engine.records.train import Criterion, CriterionVerdict
from engine.runs.events import EpochEvaluated, GraphWorthLogged

_MIN_LATER = 2
"""Epochs after the best one that a spread needs."""


def scoreboard(
    best: EpochEvaluated | None,
    epochs: Sequence[EpochEvaluated],
    graph_worths: Sequence[GraphWorthLogged],
) -> tuple[Criterion, ...]:
    """``best``: the validation whose weights are kept; ``epochs``: all of the run, in order;
    ``graph_worths``: what passed through the graph's edges at the validations with the graph on.
    """
    return (
        _mean("rank_ic", "validation RankIC", RANK_IC_GOAL, best, len(epochs)),
        _mean("ic", "validation IC", IC_GOAL, best, len(epochs)),
        _stability(best, epochs),
        _no_degeneracy(best, epochs),
        _graph_worth(best, graph_worths),
    )


def _mean(
    name: str, words: str, goal: float, best: EpochEvaluated | None, n_epochs: int
) -> Criterion:
    nan = math.nan
    value = se = band = nan
    if best is not None:
        is_rank = name == "rank_ic"
        value = best.rank_ic if is_rank else best.ic
        se = best.rank_ic_se if is_rank else best.ic_se
        band = best.null_band if is_rank else best.ic_null_band
    noise = is_noise(value, band)
    evidence = "no validation yet"
    if best is not None:
        place = "inside" if noise else "outside"
        sure = abs(value - goal) > SURE * se
        evidence = (
            f"n={best.n_dates} days, h={best.horizon}, best of {n_epochs} epochs; {place} the null band "
            f"±{band:.4f}; {'' if sure else 'not '}told from {goal:.3f} at 95 %"
        )
    verdict: CriterionVerdict = "met" if value > goal and not noise else "not met"
    return Criterion(
        name=name,
        goal=f"{words} > {goal:.3f}",
        value=value,
        se=se,
        null_band=band,
        threshold=goal,
        verdict="not shown" if best is None else verdict,
        evidence=evidence,
    )


def _stability(best: EpochEvaluated | None, epochs: Sequence[EpochEvaluated]) -> Criterion:
    """The epochs from the best one on differ by less than the best one's own standard error."""
    later = [event.rank_ic for event in epochs if best is not None and event.epoch > best.epoch]
    threshold = best.rank_ic_se if best is not None else math.nan
    value = se = math.nan
    verdict: CriterionVerdict = "not shown"
    evidence = f"{len(later)} epochs after the best one, {_MIN_LATER} are needed"
    if best is not None and len(later) >= _MIN_LATER:
        path = [best.rank_ic, *later]
        value = statistics.stdev(path)
        se = value / math.sqrt(2.0 * (len(path) - 1))
        verdict = "met" if value <= threshold else "not met"
        evidence = (
            f"{len(later)} epochs after the best one: mean RankIC {statistics.fmean(later):+.4f}, "
            f"lowest {min(later):+.4f}"
        )
    return Criterion(
        name="stability",
        goal="spread of the epochs from the best one on <= one standard error",
        value=value,
        se=se,
        threshold=threshold,
        verdict=verdict,
        evidence=evidence,
    )


def _no_degeneracy(best: EpochEvaluated | None, epochs: Sequence[EpochEvaluated]) -> Criterion:
    value = best.score_std_ratio if best is not None else math.nan
    verdict: CriterionVerdict = "met" if value > COLLAPSED_RATIO else "not met"
    lowest = min((event.score_std_ratio for event in epochs), default=math.nan)
    return Criterion(
        name="no_degeneracy",
        goal=f"eval-mode score deviation > {COLLAPSED_RATIO:g} of the label's",
        value=value,
        threshold=COLLAPSED_RATIO,
        verdict="not shown" if best is None else verdict,
        evidence=f"of the best epoch; lowest of {len(epochs)} epochs {lowest:.3f}",
    )


def _graph_worth(
    best: EpochEvaluated | None, graph_worths: Sequence[GraphWorthLogged]
) -> Criterion:
    """Of the network that is kept: one that is kept without a graph does not meet it."""
    value = threshold = math.nan
    verdict: CriterionVerdict = "not shown"
    evidence = "no validation with the graph on yet"
    if graph_worths:
        kept = [told for told in graph_worths if best is not None and told.epoch == best.epoch]
        told = (kept or graph_worths)[-1].worth
        evidence = (
            f"{told.without_edges.share_text} of the score variance, n={told.without_edges.n_dates} days, "
            f"{told.neighbours:.1f} neighbours a stock; with random ones {told.random_neighbours.text}"
        )
        if kept:
            value, threshold = told.without_edges.rank_ic, told.without_edges.rank_ic_se
            verdict = "met" if told.pays else "not met"
        else:
            verdict = "not met"
            evidence = f"the network that is kept has no graph; newest with it: {evidence}"
    return Criterion(
        name="graph_worth",
        goal=f"RankIC lost without edges > one error, score variance > {GRAPH_SHARE:.1%}",
        value=value,
        se=threshold,
        threshold=threshold,
        verdict=verdict,
        evidence=evidence,
    )
