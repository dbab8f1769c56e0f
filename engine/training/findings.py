"""The six diagnoses: by which figure each is made. Functions of monitored values and the chart."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.config import DoctorConfig
from engine.training.progress import Chart, Validation

Code = Literal[
    "graph_starved", "gate_stuck", "scores_collapsed", "exploding", "non_finite", "overfitting"
]
_GATE = "bypass"
_MIN_ALLOWED = 1e-4
"""Movement of alpha that must have been possible before its absence means anything: at the end of a
schedule the rate is so small that float32 rounds the gate's steps away."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """One diagnosis with the figure that it was made by."""

    code: Code
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


def of_step(reading: StepReading, chart: Chart, config: DoctorConfig) -> list[Symptom]:
    """Findings of one monitored step; the chart takes note of it."""
    signs = {
        "graph_starved": _starved(reading, config),
        "exploding": _exploding(reading, config),
    }
    found: list[Symptom] = []
    for code, finding in signs.items():
        chart.streaks[code] = chart.streaks.get(code, 0) + 1 if finding else 0
        if finding and chart.streaks[code] >= config.consecutive_checks:
            found.append(finding)
    stuck = _gate_stuck(reading, chart, config)
    return [*found, stuck] if stuck else found


def of_epoch(history: Sequence[Validation], config: DoctorConfig) -> list[Symptom]:
    """Findings of the newest validation, given all validations of the phase so far."""
    last = history[-1]
    candidates = (_unheard(last, config), _collapsed(last, config), _overfitting(history, config))
    return [finding for finding in candidates if finding is not None]


def of_failure(message: str) -> Symptom:
    """The step that could not be taken because loss or gradient was not finite."""
    return Symptom("non_finite", message, math.nan, math.inf)


def _starved(reading: StepReading, config: DoctorConfig) -> Symptom | None:
    norm, low = reading.norm.get("gat"), config.gradient_low
    if norm is None or norm >= low:
        return None
    message = f"gradient of the graph block is {norm:.1e}, below {low:.0e}"
    return Symptom("graph_starved", message, norm, low)


def _unheard(last: Validation, config: DoctorConfig) -> Symptom | None:
    """Nothing passes through the graph's edges: without them the scores are the same, or as good."""
    if last.graph is None or last.graph.is_heard(config.graph_share):
        return None
    told = last.graph.without_edges
    if math.isnan(told.share):
        return None
    neighbours = f"{last.graph.neighbours:.1f} neighbours a stock"
    message = f"without the graph's edges nothing is lost: {told.text}; {neighbours}"
    return Symptom("graph_starved", message, told.share, config.graph_share)


def _exploding(reading: StepReading, config: DoctorConfig) -> Symptom | None:
    total, high = math.hypot(*reading.norm.values()), config.gradient_high
    if total <= high:
        return None
    message = f"gradient norm {total:.1e} before clipping, above {high:.0e}"
    return Symptom("exploding", message, total, high)


def _gate_stuck(reading: StepReading, chart: Chart, config: DoctorConfig) -> Symptom | None:
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
        return Symptom("gate_stuck", message, alpha, limit)
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
    return Symptom("gate_stuck", message, share, config.gate_movement)


def _collapsed(last: Validation, config: DoctorConfig) -> Symptom | None:
    ratio, least = last.score_std_ratio, config.min_score_std_ratio
    if ratio >= least:
        return None
    message = f"eval-mode score deviation is {ratio:.4f} of the label's"
    return Symptom("scores_collapsed", message, ratio, least)


def _overfitting(history: Sequence[Validation], config: DoctorConfig) -> Symptom | None:
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
    return Symptom("overfitting", message, fall, limit)
