"""The one fold of a run's events into its state. The same stream always gives the same state."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

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
    GraphWorthLogged,
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
    TaskFinished,
    TrialFinished,
    VariantFinished,
    Warned,
)
from engine.runs.log_lines import log_line
from engine.runs.sink import decode
from engine.runs.state import NetworkState, PhaseState, RunState, TaskState
from engine.runs.steps import MAX_POINTS, MONITORED, Clock, monitored, put, thinned

_MAX_EPOCHS = 512
_MAX_LOG = 300
_MAX_FINDINGS = 50
_MAX_TRIALS = 1000


_Changes = dict[str, object]
"""Field of the state -> its new value."""


def fold(events: Iterable[RunEvent], state: RunState | None = None) -> RunState:
    """The state after these events, from ``state`` or from nothing. The same stream gives the same state.

    Monitored steps, which come by the hundred thousand, are taken in by the block: a step then costs as
    much as decoding it.
    """
    state = state or RunState()
    blocks: dict[str, list[RunEvent]] = {}
    for event in events:
        if type(event) in MONITORED:
            blocks.setdefault(event.task, []).append(event)
        else:
            state = _taken(_all_taken(state, blocks), event.task, (event,))
            blocks = {}
    return _all_taken(state, blocks)


def _all_taken(state: RunState, blocks: Mapping[str, Sequence[RunEvent]]) -> RunState:
    """The state after blocks of monitored steps, one for each part of the run."""
    for task, block in blocks.items():
        state = _taken(state, task, block)
    return state


def _taken(state: RunState, task: str, events: Sequence[RunEvent]) -> RunState:
    """The state after events of one part of the run: a block of monitored steps, or a single other one."""
    if task:
        return _taken_from_task(state, task, events)
    if type(events[0]) in MONITORED:
        return monitored(state, events)
    return _advance(state, events[0])


def decoded(lines: Iterable[bytes]) -> Iterator[RunEvent]:
    """The events of these lines; those that hold none of this version are passed over."""
    return (event for line in lines if (event := decode(line)) is not None)


# ---- parts of the run that other processes do ------------------------------------------------------------


def _taken_from_task(state: RunState, name: str, events: Sequence[RunEvent]) -> RunState:
    """The task has a state of its own; the run shows the network of the one that began first."""
    first = events[0]
    before = state.done_share
    known = {task.name: task.state for task in state.tasks}
    if isinstance(first, TaskFinished):
        known.pop(name, None)
    else:
        plain = [structs.replace(event, task="") for event in events]
        known[name] = _taken(known.get(name, RunState()), "", plain)
    tasks = tuple(TaskState(name=name, state=own) for name, own in known.items())
    state = structs.replace(state, tasks=tasks)
    own = known.get(name)
    if own is not None and own.networks:
        state = structs.replace(state, networks=_with_network(state.networks, own.networks[-1]))
    shown = next((task.name for task in state.training), "")
    return _of_the_run(state.of_task(shown), events, before)


def _with_network(
    networks: tuple[NetworkState, ...], network: NetworkState
) -> tuple[NetworkState, ...]:
    """The networks with this one, in the place that it had."""
    same = [
        n for n, one in enumerate(networks) if (one.fold, one.seed) == (network.fold, network.seed)
    ]
    if same:
        return (*networks[: same[0]], network, *networks[same[0] + 1 :])
    return (*networks, network)[-_MAX_TRIALS:]


def _of_the_run(state: RunState, events: Sequence[RunEvent], before: float) -> RunState:
    """What events of a task mean for the run as a whole: its clock, its log, what a person has to know."""
    clock, first = Clock.of(state), events[0]
    for event in events:
        refits = isinstance(event, Advanced) and event.stage == "refit"
        if (refits or isinstance(event, StepLogged)) and event.at > clock.last_at:
            clock.tick(event.at, lambda: before)  # one that is not later was beside what is counted
    state = structs.replace(state, **clock.changes())
    if type(first) in MONITORED:
        return structs.replace(
            state,
            n_events=state.n_events + len(events),
            updated=max(state.updated, events[-1].at),
        )
    if isinstance(first, Advanced):
        return structs.replace(_noted(state, first, None), advanced=first)
    kept = isinstance(first, _OF_THE_RUN)
    return _noted(state, first, _CHANGES.get(type(first)) if kept else None)


# ---- all other events: kind -> what it changes --------------------------------------------------------


def _advance(state: RunState, event: RunEvent) -> RunState:
    return _noted(state, event, _CHANGES.get(type(event)))


def _noted(state: RunState, event: RunEvent, change: "_Change | None") -> RunState:
    """The state with the event counted and in the log, and with what it changes."""
    line = log_line(event)
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
        "tasks": (),
        "warnings": state.warnings if event.resumed else (),
        "diagnoses": state.diagnoses if event.resumed else (),
        "assertions": (),
    }


def _advanced(state: RunState, event: Advanced) -> _Changes:
    """The steps of a refit come as its progress; the time they take is training too."""
    if event.stage != "refit":
        return {"advanced": event}
    share, clock = event.done / max(1, event.total), Clock.of(state)
    clock.tick(event.at, lambda: structs.replace(state, refit_share=share).done_share)
    return {"advanced": event, "refit_share": share, **clock.changes()}


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
    return {"attentions": tuple(points if len(points) <= MAX_POINTS else thinned(points))}


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


_Change = Callable[[RunState, Any], _Changes]
_OF_THE_RUN = (Warned, Diagnosed, ControlAnswered, Paused, Continued)
"""Events of a task that change the state of the run as they would without tasks."""
_CHANGES: dict[type, _Change] = {
    RunStarted: _run_started,
    StageStarted: lambda s, e: {"stage": e.stage, "stage_at": e.at, "advanced": None},
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
    RunFinished: lambda s, e: {"finished": e, "advanced": None, "paused_at": "", "tasks": ()},
}
