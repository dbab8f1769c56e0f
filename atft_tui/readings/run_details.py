"""Everything about one run that is not in its line of the table: how it went, its files, its gate."""

import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from atft_tui.readings.files import FILES, attempted
from engine.records.champion import CHAMPION_FILE, ChampionEntry, ChampionHistory
from engine.records.run import RunManifest, RunSummary
from engine.runs.events import (
    CheckpointSaved,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    PhaseFinished,
    RunEvent,
    RunFinished,
    RunStarted,
    StepLogged,
    Warned,
)
from engine.runs.fold import decoded
from engine.runs.sink import Follower
from engine.runs.store import Run

_MAX_FINDINGS, _MAX_FILES = 50, 200
_KEPT_EPOCHS = 32
"""A resume goes back by less, and several networks may be at work."""
_Place = tuple[int, int]
"""Number of a network in its run, and epoch."""


@dataclass(frozen=True, slots=True)
class Course:
    """How a run went."""

    epochs: tuple[tuple[int, EpochEvaluated], ...] = ()
    """Position in the run, counted over its folds, and the validation there."""
    losses: tuple[tuple[int, float], ...] = ()
    """Position, and the mean loss of the epoch's logged steps, on training days with dropout on."""
    phases: tuple[PhaseFinished, ...] = ()
    findings: tuple[Warned | Diagnosed, ...] = ()
    started: RunStarted | None = None
    finished: RunFinished | None = None
    checkpoint: CheckpointSaved | None = None


@dataclass(slots=True)
class CourseReader:
    """Follows one event file; `read` gives the same value as long as nothing was added."""

    path: Path
    _follower: Follower = field(init=False)
    _course: Course = field(default_factory=Course)
    _epochs: dict[_Place, EpochEvaluated] = field(default_factory=dict)
    _steps: dict[_Place, dict[int, float]] = field(default_factory=dict)
    """Place -> step -> loss, of the newest epochs: steps repeated after a resume replace the old ones."""
    _losses: dict[_Place, float] = field(default_factory=dict)
    """Place -> mean, of the epochs before."""
    _phases: dict[int, PhaseFinished] = field(default_factory=dict)
    _findings: list[Warned | Diagnosed] = field(default_factory=list)
    _now: dict[str, int] = field(default_factory=dict)
    """Part of the run -> number of the network that it trains."""
    _folds: dict[tuple[int, int], int] = field(default_factory=dict)
    """Fold and seed -> number of the network."""

    def __post_init__(self) -> None:
        self._follower = Follower(self.path)

    def read(self) -> Course:
        """How the run went so far; what cannot be opened is as it was."""
        changed, more = False, True
        while more:
            lines, again, more = self._follower.read()
            if again and self.path.exists():  # of a file that is gone, what was read stays
                self._forget()
            for event in decoded(lines):
                changed = self._take(event) or changed
        if changed:
            self._course = self._made()
        return self._course

    def _take(self, event: RunEvent) -> bool:
        """Whether the event is one of those that tell how the run went."""
        match event:
            case FoldStarted():
                known = self._folds
                self._now[event.task] = known.setdefault((event.fold, event.seed), len(known))
                self._phases = {}
            case EpochEvaluated():
                self._epochs[self._place(event)] = event
            case StepLogged() if math.isfinite(event.loss):
                self._take_loss(self._place(event), event)
            case PhaseFinished():
                self._phases[event.phase] = event
            case Warned() | Diagnosed():
                self._findings = [*self._findings, event][-_MAX_FINDINGS:]
            case RunStarted():
                self._course = replace(self._course, started=event, finished=None)
            case RunFinished():
                self._course = replace(self._course, finished=event)
            case CheckpointSaved():
                self._course = replace(self._course, checkpoint=event)
            case _:
                return False
        return True

    def _place(self, event: EpochEvaluated | StepLogged) -> _Place:
        return self._now.get(event.task, 0), event.epoch

    def _take_loss(self, x: _Place, event: StepLogged) -> None:
        self._losses.pop(x, None)
        steps = self._steps.pop(x, {})
        self._steps[x] = steps | {event.step: event.loss}
        if len(self._steps) > _KEPT_EPOCHS:
            oldest = next(iter(self._steps))
            self._losses[oldest] = _mean(self._steps.pop(oldest))

    def _made(self) -> Course:
        losses = self._losses | {x: _mean(steps) for x, steps in self._steps.items()}
        position = {place: n for n, place in enumerate(sorted({*self._epochs, *losses}))}
        return replace(
            self._course,
            epochs=tuple((position[place], self._epochs[place]) for place in sorted(self._epochs)),
            losses=tuple((position[place], losses[place]) for place in sorted(losses)),
            phases=tuple(self._phases.values()),
            findings=tuple(self._findings),
        )

    def _forget(self) -> None:
        self._course, self._now = Course(), {}
        self._epochs, self._losses, self._steps, self._phases = {}, {}, {}, {}
        self._findings, self._folds = [], {}


def _mean(steps: dict[int, float]) -> float:
    return sum(steps.values()) / len(steps)


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file or folder of a run."""

    name: str
    """A folder ends with a slash; its size is of all that is in it."""
    size: int


@dataclass(frozen=True, slots=True)
class RunDetails:
    """All that is known of one run."""

    about: RunSummary
    manifest: RunManifest
    course: Course
    files: tuple[RunFile, ...]
    last_words: str
    gate: ChampionEntry | None
    """What the gate said last of this run."""
    is_champion: bool = False
    """The champion was packed from this run."""
    gate_trouble: str = ""
    """Why nothing is known of the gate; the rest of the run is told all the same."""


def read_details(
    workspace: Path, run: Run, about: RunSummary, course: Course, words: str
) -> RunDetails:
    """What the details panel shows of a run, beside its line and how it went."""
    path = workspace / CHAMPION_FILE
    told = attempted(lambda: FILES.record_if_there(path, ChampionHistory))
    history = told.value or ChampionHistory()
    own = [entry for entry in history.history if entry.run == run.id]
    return RunDetails(
        about=about,
        manifest=run.manifest,
        course=course,
        files=files_of(run.directory),
        last_words=words,
        gate=own[-1] if own else None,
        is_champion=history.champion in {entry.model for entry in own},
        gate_trouble=told.trouble,
    )


def files_of(directory: Path) -> tuple[RunFile, ...]:
    """Files and folders of a run with their sizes, the largest first."""
    found = []
    for entry in os.scandir(directory):
        folder = entry.is_dir(follow_symlinks=False)
        size = _size(entry.path) if folder else entry.stat(follow_symlinks=False).st_size
        found.append(RunFile(f"{entry.name}{'/' * folder}", size))
    return tuple(sorted(found, key=lambda file: (-file.size, file.name))[:_MAX_FILES])


def _size(directory: str) -> int:
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size
            except FileNotFoundError:
                continue  # a checkpoint that was replaced meanwhile
    return total
