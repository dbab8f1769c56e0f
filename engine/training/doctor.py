"""The doctor of a training: six diagnoses, functions of monitored values and the chart; what helps against
each; and who looks at every monitored step and every validation, and decides what happens.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.config import Config, DoctorConfig, Policy
from engine.errors import GateError
from engine.runs.events import Diagnosed, DoctorAction
from engine.runs.sink import EventSink
from engine.training.progress import Chart, Validation

_Code = Literal[
    "graph_starved", "gate_stuck", "scores_collapsed", "exploding", "non_finite", "overfitting"
]
_GATE = "bypass"
_MIN_ALLOWED = 1e-4
"""Movement of alpha that must have been possible before its absence means anything: at the end of a
schedule the rate is so small that float32 rounds the gate's steps away."""

_ACTIONS: dict[Policy, DoctorAction] = {
    "warn": "warned",
    "rollback": "rolled back",
    "stop": "stopped",
}

_Patch = dict[str, float | str]
_MAX_DROPOUT, _MAX_DECAY = 0.6, 0.5


@dataclass(frozen=True, slots=True)
class _Symptom:
    """One diagnosis with the figure that it was made by."""

    code: _Code
    message: str
    evidence: float
    """The figure that it was made by."""
    threshold: float
    """What the figure was held against."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReading:
    """One monitored step."""

    step: int
    norm: Mapping[str, float]
    """Gradient norm per block before clipping."""
    alpha: Mapping[str, float]
    """Gate shares."""
    gate_rate: float
    """Learning rate of the gates."""


def _of_step(reading: StepReading, chart: Chart, config: DoctorConfig) -> list[_Symptom]:
    """Findings of one monitored step; the chart takes note of it."""
    signs = {
        "graph_starved": _starved(reading, config),
        "exploding": _exploding(reading, config),
    }
    found: list[_Symptom] = []
    for code, finding in signs.items():
        chart.streaks[code] = chart.streaks.get(code, 0) + 1 if finding else 0
        if finding and chart.streaks[code] >= config.consecutive_checks:
            found.append(finding)
    stuck = _gate_stuck(reading, chart, config)
    return [*found, stuck] if stuck else found


def _of_epoch(history: Sequence[Validation], config: DoctorConfig) -> list[_Symptom]:
    """Findings of the newest validation, given all validations of the phase so far."""
    last = history[-1]
    candidates = (_unheard(last, config), _collapsed(last, config), _overfitting(history, config))
    return [finding for finding in candidates if finding is not None]


def _of_failure(message: str) -> _Symptom:
    """The step that could not be taken because loss or gradient was not finite."""
    return _Symptom("non_finite", message, math.nan, math.inf)


def _starved(reading: StepReading, config: DoctorConfig) -> _Symptom | None:
    norm, low = reading.norm.get("gat"), config.gradient_low
    if norm is None or norm >= low:
        return None
    message = f"gradient of the graph block is {norm:.1e}, below {low:.0e}"
    return _Symptom("graph_starved", message, norm, low)


def _unheard(last: Validation, config: DoctorConfig) -> _Symptom | None:
    """Nothing passes through the graph's edges: without them the scores are the same, or as good."""
    if last.graph is None or last.graph.is_heard(config.graph_share):
        return None
    told = last.graph.without_edges
    if math.isnan(told.share):
        return None
    neighbours = f"{last.graph.neighbours:.1f} neighbours a stock"
    message = f"without the graph's edges nothing is lost: {told.text}; {neighbours}"
    return _Symptom("graph_starved", message, told.share, config.graph_share)


def _exploding(reading: StepReading, config: DoctorConfig) -> _Symptom | None:
    total, high = math.hypot(*reading.norm.values()), config.gradient_high
    if total <= high:
        return None
    message = f"gradient norm {total:.1e} before clipping, above {high:.0e}"
    return _Symptom("exploding", message, total, high)


def _gate_stuck(reading: StepReading, chart: Chart, config: DoctorConfig) -> _Symptom | None:
    """Saturated, or without movement while its block gets gradient and the rate would allow some.

    AdamW moves the logit by about the learning rate a step, whatever the gradient's size, so alpha's
    path can be held against ``rate x steps x alpha (1 - alpha)``: a gate that takes random steps covers
    a good part of it, one that is cut off nothing.
    """
    alpha = reading.alpha.get(_GATE)
    if alpha is None:
        return None
    if not config.gate_margin < alpha < 1.0 - config.gate_margin:
        side, limit = "graph", config.gate_margin
        if alpha > 0.5:
            side, limit = "projected stream", 1.0 - config.gate_margin
        message = f"bypass gate alpha is {alpha:.3f}: only the {side} is heard"
        return _Symptom("gate_stuck", message, alpha, limit)
    before, steps = chart.alpha, reading.step - chart.alpha_step
    chart.alpha, chart.alpha_step = alpha, reading.step
    if math.isnan(before) or reading.norm.get(_GATE, 0.0) < config.gradient_low:
        return None
    chart.gate_checks += 1
    chart.gate_moved += abs(alpha - before)
    chart.gate_allowed += reading.gate_rate * steps * alpha * (1.0 - alpha)
    if chart.gate_checks < config.gate_checks or chart.gate_allowed < _MIN_ALLOWED:
        return None
    share = chart.gate_moved / chart.gate_allowed
    chart.gate_checks, chart.gate_moved, chart.gate_allowed = 0, 0.0, 0.0
    if share >= config.gate_movement:
        return None
    message = (
        f"bypass gate alpha stays at {alpha:.3f} although its block gets gradient: it made {share:.1%} of "
        "the way that the learning rate allows"
    )
    return _Symptom("gate_stuck", message, share, config.gate_movement)


def _collapsed(last: Validation, config: DoctorConfig) -> _Symptom | None:
    ratio, least = last.score_std_ratio, config.min_score_std_ratio
    if ratio >= least:
        return None
    message = f"eval-mode score deviation is {ratio:.4f} of the label's"
    return _Symptom("scores_collapsed", message, ratio, least)


def _overfitting(history: Sequence[Validation], config: DoctorConfig) -> _Symptom | None:
    recent = history[-config.gap_epochs - 1 :]
    gaps = [event.train_rank_ic - event.rank_ic for event in recent]
    grew = len(gaps) > config.gap_epochs and all(b > a for a, b in itertools.pairwise(gaps))
    fall = recent[0].rank_ic - recent[-1].rank_ic
    limit = config.gap_errors * recent[-1].rank_ic_se
    if not (grew and fall > limit):
        return None
    message = (
        f"the gap to training RankIC grew for {config.gap_epochs} epochs, validation RankIC fell by "
        f"{fall:.4f}"
    )
    return _Symptom("overfitting", message, fall, limit)


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
        found = _of_step(reading, chart, self.config.doctor)
        self._tell(found, chart, step=reading.step, epoch=epoch)

    def look_at_validation(self, history: Sequence[Validation], chart: Chart, *, step: int) -> bool:
        """Whether the epoch was healthy: no finding since the validation before. Raises as above."""
        found = _of_epoch(history, self.config.doctor)
        self._tell(found, chart, step=step, epoch=history[-1].epoch)
        healthy = not chart.told
        chart.told = []
        return healthy

    def look_at_failure(self, error: GateError, chart: Chart, *, step: int, epoch: int) -> None:
        """A step that gave no finite numbers cannot be taken: always raises."""
        self._tell([_of_failure(error.message)], chart, step=step, epoch=epoch)
        raise error

    def _tell(self, found: Sequence[_Symptom], chart: Chart, *, step: int, epoch: int) -> None:
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

    def _action(self, finding: _Symptom, chart: Chart) -> DoctorAction:
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


def _remedy(code: _Code, config: Config) -> _Remedy:
    """The remedy for a run of this configuration."""
    text, patch = _REMEDIES[code]
    return _Remedy(text=text, patch=patch(config))


def _scaled(value: float, factor: float) -> float:
    """Three significant digits: a suggestion, not a measurement."""
    return float(f"{value * factor:.3g}")


def _starved_patch(config: Config) -> _Patch:
    model = config.model
    return {
        "model.alpha_init": min(model.alpha_init, 0.3),
        "model.graph_scale": _scaled(model.graph_scale, 2.0),
    }


def _stuck_patch(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.5)
    return {"model.alpha_init": 0.5, "training.learning_rate": rate}


def _collapsed_patch(config: Config) -> _Patch:
    return {
        "loss.cs_ic": max(0.5, _scaled(config.loss.cs_ic, 2.0)),
        "training.weight_decay": _scaled(config.training.weight_decay, 0.5),
        "model.dropout": _scaled(config.model.dropout, 0.5),
    }


def _exploding_patch(config: Config) -> _Patch:
    training = config.training
    return {
        "training.learning_rate": _scaled(training.learning_rate, 0.5),
        "training.gradient_clip": _scaled(training.gradient_clip, 0.5),
    }


def _non_finite_patch(config: Config) -> _Patch:
    rate = _scaled(config.training.learning_rate, 0.25)
    return {"training.learning_rate": rate, "training.mode": "safe"}


def _overfitting_patch(config: Config) -> _Patch:
    dropout, decay = config.model.dropout, config.training.weight_decay
    return {
        "model.dropout": max(dropout, min(_MAX_DROPOUT, _scaled(dropout + 0.1, 1.0))),
        "training.weight_decay": max(decay, min(_MAX_DECAY, _scaled(decay, 3.0))),
    }


_REMEDIES: dict[_Code, tuple[str, Callable[[Config], _Patch]]] = {
    "graph_starved": (
        "check that the graph has edges; give the graph stream more weight at the start, or go without it",
        _starved_patch,
    ),
    "gate_stuck": (
        "start the gate in the middle and lower the learning rate; see that no phase freezes it",
        _stuck_patch,
    ),
    "scores_collapsed": (
        "the network hardly tells stocks apart: more weight for the correlation loss, less shrinkage",
        _collapsed_patch,
    ),
    "exploding": ("lower the learning rate and clip earlier", _exploding_patch),
    "non_finite": (
        "lower the learning rate; in safe mode no half precision is used",
        _non_finite_patch,
    ),
    "overfitting": ("more dropout and weight decay, or fewer epochs", _overfitting_patch),
}
