"""Looks at every monitored step and every validation, says what is wrong and what helps against it, and
decides what happens.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.config import Config, Policy
from engine.errors import GateError
from engine.runs.events import Diagnosed, DoctorAction
from engine.runs.sink import EventSink
from engine.training.findings import Code, StepReading, Symptom, of_epoch, of_failure, of_step
from engine.training.progress import Chart, Validation

_ACTIONS: dict[Policy, DoctorAction] = {
    "warn": "warned",
    "rollback": "rolled back",
    "stop": "stopped",
}

_Patch = dict[str, float | str]
_MAX_DROPOUT, _MAX_DECAY = 0.6, 0.5


class RollBack(Exception):  # noqa: N818 - a way out of the epoch, not a fault
    """The training goes back to its last healthy checkpoint."""

    def __init__(self, *, by_hand: bool = False) -> None:
        super().__init__()
        self.by_hand = by_hand
        """A person asked for it: it does not count among the doctor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    """Stateless: what it remembers is in the chart of the training's progress."""

    config: Config
    sink: EventSink

    def look_at_step(self, reading: StepReading, chart: Chart, *, epoch: int) -> None:
        """Raises RollBack or GateError where a finding's policy says so."""
        found = of_step(reading, chart, self.config.doctor)
        self._tell(found, chart, step=reading.step, epoch=epoch)

    def look_at_validation(self, history: Sequence[Validation], chart: Chart, *, step: int) -> bool:
        """Whether the epoch was healthy: no finding since the validation before. Raises as above."""
        found = of_epoch(history, self.config.doctor)
        self._tell(found, chart, step=step, epoch=history[-1].epoch)
        healthy = not chart.told
        chart.told = []
        return healthy

    def look_at_failure(self, error: GateError, chart: Chart, *, step: int, epoch: int) -> None:
        """A step that gave no finite numbers cannot be taken: always raises."""
        self._tell([of_failure(error.message)], chart, step=step, epoch=epoch)
        raise error

    def _tell(self, found: Sequence[Symptom], chart: Chart, *, step: int, epoch: int) -> None:
        """Emit what is new, then act on the gravest."""
        new = [finding for finding in found if finding.code not in chart.told]
        actions = {finding.code: self._action(finding, chart) for finding in new}
        for finding in new:
            chart.told.append(finding.code)
            advice = _remedy(finding.code, self.config)
            self.sink.emit(
                Diagnosed(
                    code=finding.code,
                    severity="warning" if actions[finding.code] == "warned" else "critical",
                    message=finding.message,
                    evidence=finding.evidence,
                    threshold=finding.threshold,
                    remedy=advice.text,
                    patch={**advice.patch},
                    action=actions[finding.code],
                    step=step,
                    epoch=epoch,
                )
            )
        for finding in new:
            if actions[finding.code] == "stopped":
                raise GateError(
                    f"{finding.code}: {finding.message}",
                    hint=_remedy(finding.code, self.config).hint,
                )
        if "rolled back" in actions.values():
            raise RollBack

    def _action(self, finding: Symptom, chart: Chart) -> DoctorAction:
        policy: Policy = getattr(self.config.doctor, finding.code)
        if policy == "warn" and finding.code == "non_finite":
            return "stopped"
        if policy == "rollback" and chart.rollbacks >= self.config.doctor.max_rollbacks:
            return "stopped"
        return _ACTIONS[policy]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Remedy:
    """What to try against a diagnosis."""

    text: str
    patch: _Patch
    """Dotted key of config.toml -> value to try."""

    @property
    def hint(self) -> str:
        """Text and patch in one line."""
        words = " ".join(f"--set {key}={value}" for key, value in self.patch.items())
        return f"{self.text}; try {words}"


def _remedy(code: Code, config: Config) -> _Remedy:
    """The remedy for a run of this configuration."""
    text, patch = _REMEDIES[code]
    return _Remedy(text=text, patch=patch(config))


def _scaled(value: float, factor: float) -> float:
    """Three significant digits: a suggestion, not a measurement."""
    return float(f"{value * factor:.3g}")


def _starved(config: Config) -> _Patch:
    model = config.model
    return {
        "model.alpha_init": min(model.alpha_init, 0.3),
        "model.graph_scale": _scaled(model.graph_scale, 2.0),
    }


def _stuck(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.5)
    return {"model.alpha_init": 0.5, "training.learning_rate": rate}


def _collapsed(config: Config) -> _Patch:
    return {
        "loss.cs_ic": max(0.5, _scaled(config.loss.cs_ic, 2.0)),
        "training.weight_decay": _scaled(config.training.weight_decay, 0.5),
        "model.dropout": _scaled(config.model.dropout, 0.5),
    }


def _exploding(config: Config) -> _Patch:
    training = config.training
    return {
        "training.learning_rate": _scaled(training.learning_rate, 0.5),
        "training.gradient_clip": _scaled(training.gradient_clip, 0.5),
    }


def _non_finite(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.25)
    return {"training.learning_rate": rate, "training.mode": "safe"}


def _overfitting(config: Config) -> _Patch:
    dropout, decay = config.model.dropout, config.training.weight_decay
    return {
        "model.dropout": max(dropout, min(_MAX_DROPOUT, _scaled(dropout + 0.1, 1.0))),
        "training.weight_decay": max(decay, min(_MAX_DECAY, _scaled(decay, 3.0))),
    }


_REMEDIES: dict[Code, tuple[str, Callable[[Config], _Patch]]] = {
    "graph_starved": (
        "check that the graph has edges; give the graph stream more weight at the start, or go without it",
        _starved,
    ),
    "gate_stuck": (
        "start the gate in the middle and lower the learning rate; see that no phase freezes it",
        _stuck,
    ),
    "scores_collapsed": (
        "the network hardly tells stocks apart: more weight for the correlation loss, less shrinkage",
        _collapsed,
    ),
    "exploding": ("lower the learning rate and clip earlier", _exploding),
    "non_finite": (
        "lower the learning rate; in safe mode no half precision is used",
        _non_finite,
    ),
    "overfitting": ("more dropout and weight decay, or fewer epochs", _overfitting),
}
