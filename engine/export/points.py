"""The figures of a run's events as points of named series, for programs that draw them."""

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from engine.records import record
from engine.records.backtest import BACKTEST, BacktestSummary, JudgedFigures
from engine.records.train import TRAIN, TrainResult
from engine.runs.events import (
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    RunEvent,
    StepLogged,
)
from engine.runs.settings import flat
from engine.runs.store import Run

_STEP = ("loss", "learning_rate", "sessions_per_second", "memory_mib")
_EPOCH = ("rank_ic", "rank_ic_se", "null_band", "ic", "train_rank_ic", "loss", "score_std_ratio")
_OWN = {"alerts", "schedule", "workspace"}
"""Tables of the configuration that are nobody else's business."""
_TEST = ("rank_ic", "rank_ic_se", "null_band", "icir", "ic", "n_dates")


class Point(NamedTuple):
    """One finite value of one series."""

    key: str
    value: float
    step: int
    """Step of the optimiser, or epoch, whichever the series counts in."""
    at: float
    """Seconds since 1970."""


@dataclass(slots=True)
class Points:
    """Turns events into points; it remembers which fold each part of the run is in."""

    _folds: dict[str, str] = field(default_factory=dict)

    def of(self, event: RunEvent) -> Iterator[Point]:
        """The points of one event; none of a kind without figures. NaN and infinity are left out.

        Series of a walk-forward begin with ``fold-0-seed-1/``, those of other parts of a run with the part.
        """
        if isinstance(event, FoldStarted):
            many = event.folds > 1 or event.seeds > 1
            self._folds[event.task] = f"fold-{event.fold}-seed-{event.seed}" if many else ""
            return
        step, values = _values(event)
        parts = [event.task] if event.task else []
        fold = self._folds.get(event.task, "")
        if fold and fold not in event.task:
            parts.append(fold)
        for name, value in values.items():
            if math.isfinite(value):
                yield Point("/".join([*parts, name]), float(value), step, seconds(event.at))


def _values(event: RunEvent) -> tuple[int, Mapping[str, float]]:
    """The step that the event is of, and its figures by name."""
    match event:
        case StepLogged():
            terms = {f"step/term/{name}": value for name, value in event.terms.items()}
            return event.step, terms | {f"step/{name}": getattr(event, name) for name in _STEP}
        case GradientsLogged():
            return event.step, {f"gradient/{name}": value for name, value in event.norm.items()}
        case GatesLogged():
            return event.step, {f"gate/{name}": value for name, value in event.alpha.items()}
        case GraphWorthLogged():
            return event.step, {"graph_worth/rank_ic": event.worth.without_edges.rank_ic}
        case EpochEvaluated():
            return event.epoch, {f"{event.split}/{name}": getattr(event, name) for name in _EPOCH}
    return 0, {}


def final_figures(run: Run) -> dict[str, float]:
    """Figures of the test days and of the backtest, as far as the run has them; finite ones only."""
    found: dict[str, float] = {}
    trained = record.read_if_there(run.path(TRAIN), TrainResult)
    if trained is not None and trained.test is not None:
        found |= {f"test/{name}": getattr(trained.test, name) for name in _TEST}
    tested = record.read_if_there(run.path(BACKTEST), BacktestSummary)
    if tested is not None:
        values = {name: getattr(tested, name) for name in JudgedFigures.__struct_fields__}
        found |= {
            f"backtest/{k}": float(v) for k, v in values.items() if isinstance(v, int | float)
        }
    return {name: value for name, value in found.items() if math.isfinite(value)}


def flat_config(run: Run) -> dict[str, str]:
    """Dotted key of the run's configuration -> its value as text.

    The tables of mail, clock and places are left out: they decide no figure and name people and machines.
    """
    tables = run.config().model_dump(mode="json", exclude=_OWN)
    return {key: str(value) for key, value in flat(tables).items()}


def seconds(at: str) -> float:
    """Seconds since 1970 of a time of an event; 0 for an event without one."""
    return dt.datetime.fromisoformat(at).timestamp() if at else 0.0
