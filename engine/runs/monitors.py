"""What the monitors of a training showed, from its events: for `train --json` and the scoreboard."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from engine.records.train import Diagnosis, MonitorFigures, SeriesRange
from engine.runs.events import (
    Diagnosed,
    EpochEvaluated,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    RunEvent,
)
from engine.runs.fold import put


@dataclass(slots=True)
class Monitors:
    """All monitored steps and validations of a stream; what a resume or a rollback replays counts once."""

    gradients: list[GradientsLogged] = field(default_factory=list)
    gates: list[GatesLogged] = field(default_factory=list)
    epochs: list[EpochEvaluated] = field(default_factory=list)
    graph_worths: list[GraphWorthLogged] = field(default_factory=list)
    diagnoses: list[Diagnosed] = field(default_factory=list)

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
