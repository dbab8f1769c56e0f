"""The founding document's five criteria, judged from a run's events, and what its monitors showed: the same
for screen, JSON and report.

A value inside its null band does not meet anything, however large it is. What has no evidence yet is
"not shown", which is not "met".
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.records.figure import (
    COLLAPSED_RATIO,
    GRAPH_SHARE,
    IC_GOAL,
    RANK_IC_GOAL,
    SURE,
    is_noise,
)
from engine.records.train import Criterion, CriterionVerdict, Diagnosis, MonitorFigures, SeriesRange
from engine.runs.events import (
    Diagnosed,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    RunEvent,
)
from engine.runs.steps import put

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
            f"±{band:.4f}; {'' if sure else 'not '}told from {goal:.3f} at 95%"
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


@dataclass(slots=True)
class Monitors:
    """All monitored steps and validations of a stream; what a resume or a rollback replays counts once."""

    gradients: list[GradientsLogged] = field(default_factory=list)
    gates: list[GatesLogged] = field(default_factory=list)
    epochs: list[EpochEvaluated] = field(default_factory=list)
    diagnoses: list[Diagnosed] = field(default_factory=list)
    graph_worths: list[GraphWorthLogged] = field(default_factory=list)

    @classmethod
    def of(cls, events: Iterable[RunEvent]) -> "Monitors":
        found = cls()
        for event in events:
            match event:
                case GradientsLogged():
                    put(found.gradients, event)
                case GatesLogged():
                    put(found.gates, event)
                case GraphWorthLogged():
                    put(found.graph_worths, event)
                case EpochEvaluated():
                    found.epochs = [e for e in found.epochs if e.epoch < event.epoch]
                    found.epochs.append(event)
                case Diagnosed():
                    same = (event.code, event.step)
                    found.diagnoses = [d for d in found.diagnoses if (d.code, d.step) != same]
                    found.diagnoses.append(event)
        return found

    def gradient(self, block: str) -> list[float]:
        """Norm of the block's gradient at each monitored step at which it had one."""
        return [event.norm[block] for event in self.gradients if block in event.norm]

    def figures(self) -> MonitorFigures:
        """Per block and gate the extremes, the median and where it began and ended."""
        blocks = sorted({name for event in self.gradients for name in event.norm})
        gates = sorted({name for event in self.gates for name in event.alpha})
        alphas = {
            name: [event.alpha[name] for event in self.gates if name in event.alpha]
            for name in gates
        }
        return MonitorFigures(
            gradient={name: _range(self.gradient(name)) for name in blocks},
            alpha={name: _range(values) for name, values in alphas.items()},
            score_std_ratio=_range([event.score_std_ratio for event in self.epochs]),
            diagnoses=tuple(
                Diagnosis(**{name: getattr(event, name) for name in Diagnosis.__struct_fields__})
                for event in self.diagnoses
            ),
        )


def _range(values: Sequence[float]) -> SeriesRange:
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return SeriesRange(steps=0)
    return SeriesRange(
        first=known[0],
        last=known[-1],
        min=min(known),
        median=statistics.median(known),
        max=max(known),
        steps=len(known),
    )
