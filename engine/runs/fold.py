"""The one fold of a run's events into its state. The same stream always gives the same state."""

import datetime as dt
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from msgspec import structs

from engine.runs.events import (
    Advanced,
    AssertionChecked,
    AttentionLogged,
    BaselineEvaluated,
    BlocksWorthLogged,
    CheckpointSaved,
    Continued,
    ControlAnswered,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    GatesLogged,
    GradientsLogged,
    GraphWorthLogged,
    MachineLogged,
    ModelBuilt,
    Paused,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RunEvent,
    RunFinished,
    RunStarted,
    StageStarted,
    StepLogged,
    TrialFinished,
    VariantFinished,
    Warned,
)
from engine.runs.lines import decode
from engine.runs.log_lines import log_line
from engine.runs.state import NetworkState, PhaseState, RunState

_MAX_POINTS = 512
"""Kept of a series over steps; older ones thin out."""
_MAX_EPOCHS = 512
_MAX_LOG = 300
_MAX_FINDINGS = 50
_MAX_TRIALS = 1000
_MAX_STEP_S = 3600.0
"""A longer gap between two monitored steps is the machine asleep or its clock set, not training."""


class _Stepped(Protocol):
    @property
    def step(self) -> int: ...


_P = TypeVar("_P", bound=_Stepped)
_Changes = dict[str, object]
"""Field of the state -> its new value."""


def fold(events: Iterable[RunEvent], state: RunState | None = None) -> RunState:
    """The state after these events, from ``state`` or from nothing. The same stream gives the same state.

    Monitored steps, which come by the hundred thousand, are taken in by the block: a step then costs as
    much as decoding it.
    """
    state = state or RunState()
    block: list[RunEvent] = []
    for event in events:
        if type(event) in _MONITORED:
            block.append(event)
        else:
            state = _advance(_monitored(state, block), event)
            block = []
    return _monitored(state, block)


def decoded(lines: Iterable[bytes]) -> Iterator[RunEvent]:
    """The events of these lines; those that hold none of this version are passed over."""
    return (event for line in lines if (event := decode(line)) is not None)


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


# ---- monitored steps ---------------------------------------------------------------------------------


_MONITORED = frozenset((StepLogged, GradientsLogged, GatesLogged, MachineLogged))


def _monitored(state: RunState, events: Sequence[RunEvent]) -> RunState:
    """The state after events of the kinds in ``_MONITORED``."""
    if not events:
        return state
    series: dict[type, list[Any]] = {
        StepLogged: list(state.steps),
        GradientsLogged: list(state.gradients),
        GatesLogged: list(state.gates),
    }
    machine, updated = state.machine, state.updated
    first, last_at, seconds = state.first_step_done, state.last_step_at, state.training_seconds
    for event in events:
        updated = event.at or updated
        if isinstance(event, MachineLogged):
            machine = event
            continue
        kind = type(event)
        put(series[kind], event)
        if len(series[kind]) > _MAX_POINTS:
            series[kind] = _thinned(series[kind], _gat_norm if kind is GradientsLogged else None)
        if isinstance(event, StepLogged):
            if first < 0.0:
                first = structs.replace(state, steps=(event,)).done_share
            seconds += _step_seconds(last_at, event.at)
            last_at = event.at
    return structs.replace(
        state,
        n_events=state.n_events + len(events),
        updated=updated,
        machine=machine,
        steps=tuple(series[StepLogged]),
        gradients=tuple(series[GradientsLogged]),
        gates=tuple(series[GatesLogged]),
        first_step_done=first,
        last_step_at=last_at,
        training_seconds=seconds,
    )


def _step_seconds(last: str, now: str) -> float:
    """Time between two monitored steps; 0 where it was no training."""
    gap = seconds_between(last, now)
    return gap if 0.0 < gap <= _MAX_STEP_S else 0.0


def _thinned(points: Sequence[_P], rank: Callable[[_P], float] | None = None) -> list[_P]:
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


# ---- all other events: kind -> what it changes --------------------------------------------------------


def _advance(state: RunState, event: RunEvent) -> RunState:
    line, change = log_line(event), _CHANGES.get(type(event))
    return structs.replace(
        state,
        n_events=state.n_events + 1,
        updated=event.at or state.updated,
        log=state.log if line is None else (*state.log, line)[-_MAX_LOG:],
        **(change(state, event) if change else {}),
    )


def _run_started(state: RunState, event: RunStarted) -> _Changes:
    return {
        "run_id": event.run_id,
        "command": event.command,
        "device": event.device,
        "mode": event.mode,
        "started": state.started or event.at,
        "finished": None,
        "last_step_at": "",
        "training_seconds": 0.0,
        "first_step_done": -1.0,
        "paused_at": "",
        "warnings": state.warnings if event.resumed else (),
        "diagnoses": state.diagnoses if event.resumed else (),
        "assertions": (),
    }


def _advanced(state: RunState, event: Advanced) -> _Changes:
    """The steps of a refit come as its progress; the time they take is training too."""
    if event.stage != "refit":
        return {"advanced": event}
    again = structs.replace(state, refit_share=event.done / max(1, event.total))
    first = state.first_step_done if state.first_step_done >= 0.0 else again.done_share
    seconds = state.training_seconds + _step_seconds(state.last_step_at, event.at)
    return {
        "advanced": event,
        "refit_share": again.refit_share,
        "first_step_done": first,
        "last_step_at": event.at,
        "training_seconds": seconds,
    }


def _planned(state: RunState, event: PlanMade) -> _Changes:
    phases = tuple(map(_pending, event.phases, event.epochs))
    return {"plan": event, "phases": state.phases or phases}


def _pending(name: str, epochs: int) -> PhaseState:
    return PhaseState(name=name, status="pending" if epochs else "skipped", epochs=epochs)


def _phase_started(state: RunState, event: PhaseStarted) -> _Changes:
    """A phase that is taken up again keeps its first epoch."""
    phases, number = state.phases, event.phase
    if number < 0:
        return {}
    if not event.epochs:
        return {"phases": _with(phases, number, _pending(event.name, 0))}
    first = phases[number].first_epoch if number < len(phases) else None
    if first is None:
        first = state.epochs[-1].epoch + 1 if state.epochs else 0
    phase = PhaseState(
        name=event.name,
        status="running",
        blocks=tuple(event.blocks),
        epochs=event.epochs,
        first_epoch=first,
    )
    return {"phases": _with(phases, number, phase)}


def _phase_finished(state: RunState, event: PhaseFinished) -> _Changes:
    if not 0 <= event.phase < len(state.phases):
        return {}
    phase = structs.replace(
        state.phases[event.phase],
        status="kept" if event.kept else "rolled back",
        rank_ic=event.rank_ic,
        rank_ic_se=event.rank_ic_se,
    )
    return {"phases": _with(state.phases, event.phase, phase)}


def _with(phases: tuple[PhaseState, ...], index: int, phase: PhaseState) -> tuple[PhaseState, ...]:
    return (*phases[:index], phase, *phases[index + 1 :])


def _attention(state: RunState, event: AttentionLogged) -> _Changes:
    points = list(state.attentions)
    put(points, event)
    return {"attentions": tuple(points if len(points) <= _MAX_POINTS else _thinned(points))}


def _graph_worth(state: RunState, event: GraphWorthLogged) -> _Changes:
    points = list(state.graph_worths)
    put(points, event)
    return {"graph_worths": tuple(points[-_MAX_EPOCHS:]), "blocks_worth": None}


def _epoch(state: RunState, event: EpochEvaluated) -> _Changes:
    """An epoch that is evaluated again replaces the one before, and all that followed it."""
    epochs = (*(e for e in state.epochs if e.epoch < event.epoch), event)[-_MAX_EPOCHS:]
    if not state.networks:
        return {"epochs": epochs}
    best = structs.replace(state, epochs=epochs).best
    now = structs.replace(state.networks[-1], epochs=len(epochs), best=best)
    return {"epochs": epochs, "networks": (*state.networks[:-1], now)}


def _fold_started(state: RunState, event: FoldStarted) -> _Changes:
    """Another network begins with nothing; one that was cut off goes on with what is known of it."""
    last = state.networks[-1] if state.networks else None
    if last is not None and (last.fold, last.seed) == (event.fold, event.seed):
        return {}
    network = NetworkState(fold=event.fold, seed=event.seed, folds=event.folds, seeds=event.seeds)
    nothing = ("phases", "epochs", "steps", "gradients", "gates", "attentions", "graph_worths")
    return {
        **dict.fromkeys(nothing, ()),
        "networks": (*state.networks, network)[-_MAX_TRIALS:],
        "checkpoint": None,
        "blocks_worth": None,
        "refit_share": 0.0,
        "last_step_at": "",
    }


def _again(
    known: Iterable[Any], event: Any, same: Callable[[Any], object], most: int = _MAX_TRIALS
) -> tuple[Any, ...]:
    """The events with one more, which takes the place of the one that was about the same."""
    return (*(e for e in known if same(e) != same(event)), event)[-most:]


_CHANGES: dict[type, Callable[[RunState, Any], _Changes]] = {
    RunStarted: _run_started,
    StageStarted: lambda s, e: {"stage": e.stage, "advanced": None},
    Advanced: _advanced,
    PlanMade: _planned,
    ModelBuilt: lambda s, e: {"model": e},
    AssertionChecked: lambda s, e: {"assertions": (*s.assertions, e)},
    BaselineEvaluated: lambda s, e: {
        "baselines": _again(s.baselines, e, lambda b: (b.name, b.split))
    },
    PhaseStarted: _phase_started,
    PhaseFinished: _phase_finished,
    AttentionLogged: _attention,
    GraphWorthLogged: _graph_worth,
    BlocksWorthLogged: lambda s, e: {"blocks_worth": e},
    EpochEvaluated: _epoch,
    FoldStarted: _fold_started,
    CheckpointSaved: lambda s, e: {"checkpoint": e} if e.name == "resume" else {},
    Warned: lambda s, e: {"warnings": (*s.warnings, e)[-_MAX_FINDINGS:]},
    Diagnosed: lambda s, e: {
        "diagnoses": _again(s.diagnoses, e, lambda d: (d.code, d.step), _MAX_FINDINGS)
    },
    ControlAnswered: lambda s, e: {"answer": e},
    Paused: lambda s, e: {"paused_at": e.at or s.updated, "last_step_at": ""},
    Continued: lambda s, e: {"paused_at": "", "last_step_at": ""},
    TrialFinished: lambda s, e: {"trials": (*s.trials, e)[-_MAX_TRIALS:]},
    VariantFinished: lambda s, e: {"variants": _again(s.variants, e, lambda v: v.variant_run)},
    RunFinished: lambda s, e: {"finished": e, "advanced": None, "paused_at": ""},
}
