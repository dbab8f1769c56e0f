"""Monitored steps, which come by the hundred thousand, taken into the state of a run by the block."""

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from msgspec import structs

from engine.runs.events import GatesLogged, GradientsLogged, MachineLogged, RunEvent, StepLogged
from engine.runs.state import RunState

MAX_POINTS = 512
"""Kept of a series over steps; older ones thin out."""
_MAX_STEP_S = 3600.0
"""A longer gap between two monitored steps is the machine asleep or its clock set, not training."""


class _Stepped(Protocol):
    @property
    def step(self) -> int: ...


_P = TypeVar("_P", bound=_Stepped)


def put(points: list[_P], point: _P) -> None:
    """Append the point. Those at its step and later are of a training that was cut off: they go."""
    while points and points[-1].step >= point.step:
        points.pop()
    points.append(point)


def seconds_between(first: str, last: str) -> float:
    """Seconds between two ISO times, negative if the clock went back; 0 if one is missing or no time."""
    try:
        return (dt.datetime.fromisoformat(last) - dt.datetime.fromisoformat(first)).total_seconds()
    except (ValueError, TypeError):
        return 0.0


MONITORED = frozenset((StepLogged, GradientsLogged, GatesLogged, MachineLogged))


def monitored(state: RunState, events: Sequence[RunEvent]) -> RunState:
    """The state after events of the kinds in ``MONITORED``."""
    if not events:
        return state
    series: dict[type, list[Any]] = {
        StepLogged: list(state.steps),
        GradientsLogged: list(state.gradients),
        GatesLogged: list(state.gates),
    }
    machine, updated, clock = state.machine, state.updated, Clock.of(state)
    for event in events:
        updated = event.at or updated
        if isinstance(event, MachineLogged):
            machine = event
            continue
        kind = type(event)
        put(series[kind], event)
        if len(series[kind]) > MAX_POINTS:
            series[kind] = thinned(series[kind], _gat_norm if kind is GradientsLogged else None)
        if isinstance(event, StepLogged):
            clock.tick(event.at, partial(_share_at, state, event))
    return structs.replace(
        state,
        n_events=state.n_events + len(events),
        updated=updated,
        machine=machine,
        steps=tuple(series[StepLogged]),
        gradients=tuple(series[GradientsLogged]),
        gates=tuple(series[GatesLogged]),
        **clock.changes(),
    )


def _share_at(state: RunState, step: StepLogged) -> float:
    return structs.replace(state, steps=(step,)).done_share


@dataclass(slots=True)
class Clock:
    """Time spent in training, counted from step to step."""

    first: float
    last_at: str
    seconds: float

    @classmethod
    def of(cls, state: RunState) -> Self:
        """As far as the state has counted."""
        return cls(state.first_step_done, state.last_step_at, state.training_seconds)

    def tick(self, at: str, done: Callable[[], float]) -> None:
        """A step was logged; ``done`` is asked for the share that lies behind at the first one."""
        if self.first < 0.0:
            self.first = done()
        self.seconds += step_seconds(self.last_at, at)
        self.last_at = at

    def changes(self) -> dict[str, object]:
        """Its fields of the state."""
        return {
            "first_step_done": self.first,
            "last_step_at": self.last_at,
            "training_seconds": self.seconds,
        }


def step_seconds(last: str, now: str) -> float:
    """Time between two monitored steps; 0 where it was no training."""
    gap = seconds_between(last, now)
    return gap if 0.0 < gap <= _MAX_STEP_S else 0.0


def thinned(points: Sequence[_P], rank: Callable[[_P], float] | None = None) -> list[_P]:
    """The newer half, and of each two neighbours in the older half the first, or the lower by ``rank``."""
    half = len(points) // 2 // 2 * 2
    kept = [
        pair[1] if rank is not None and rank(pair[1]) < rank(pair[0]) else pair[0]
        for pair in zip(points[:half:2], points[1:half:2], strict=True)
    ]
    return [*kept, *points[half:]]


def _gat_norm(event: GradientsLogged) -> float:
    """The smaller one stays when points thin out: the lowest norm of a run is never lost."""
    return event.norm.get("gat", math.inf)
