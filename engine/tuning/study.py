"""A search with a memory: the only module that knows Optuna.

The memory is `tune/<study>.journal` of the workspace, one line of JSON per change, appended and synced. The
caller holds the study's lock, so at most one process writes. A process that dies leaves a trial running
and perhaps half a line; `open_study` ends the line, and `recover` puts such trials back in the queue.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from engine.config import Dimension, Range, TuneConfig
from engine.errors import IntegrityError, UsageError
from engine.tuning.importance import importances
from engine.tuning.space import Space

State = Literal["complete", "pruned", "failed"]
IDENTITY, RUN, CUT_OFF = "identity", "run", "cut_off"
"""Attributes: of the study, of a trial, and (numbers of trials that died with their process) of the study."""
_STATES: dict[State, TrialState] = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A trial that is to be run."""

    number: int
    parameters: dict[str, Any]
    """Dotted key -> value."""
    run: str | None
    """The run that this trial was cut off in; it goes on there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A trial that has ended."""

    number: int
    state: State
    value: float
    """NaN unless complete."""
    parameters: dict[str, Any]
    run: str | None


class HeldByCaller(JournalFileOpenLock):
    """The study's own lock is held already; a second one could be left behind by a kill."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        """Nothing is held."""


@dataclass(slots=True, kw_only=True)
class Study:
    """Ask for values, report on the way, tell the end. Values are maximised."""

    study: optuna.Study
    space: Space
    config: TuneConfig
    seed: int
    parallel: bool
    _open: dict[int, optuna.Trial] = field(default_factory=dict)

    def ask(self) -> Asked:
        """The next trial: one from the queue, else one proposed by the sampler.

        Each proposal gets a sampler of its own, seeded by how many trials were begun. So it depends on the
        seed and on what the trials before it found, not on how often the search was interrupted.
        """
        begun = len(self.study.get_trials(deepcopy=False)) - len(self._cut_off())
        self.study.sampler = self._sampler(self.seed + 1000 * begun)
        trial = self.study.ask()
        self._open[trial.number] = trial
        parameters = {d.key: _suggest(trial, d) for d in self.space.dimensions}
        return Asked(number=trial.number, parameters=parameters, run=trial.user_attrs.get(RUN))

    def set_run(self, number: int, run: str) -> None:
        """Remember where an asked trial runs, so that it can go on there."""
        self._open[number].set_user_attr(RUN, run)

    def report(self, number: int, step: int, value: float) -> bool:
        """Note an intermediate value of an asked trial; True if the trial may end here."""
        trial = self._open[number]
        trial.report(value, step)
        return trial.should_prune()

    def tell(self, number: int, state: State, value: float | None = None) -> None:
        """End an asked trial; ``value`` counts if it is complete."""
        self.study.tell(number, value if state == "complete" else None, state=_STATES[state])
        del self._open[number]

    def recover(self) -> list[Told]:
        """End the trials that a dead process left running, and queue those that have a run again.

        A trial without one had not begun: the sampler proposes the same values anew.
        """
        left = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        if left:
            numbers = [trial.number for trial in left]
            self.study.set_user_attr(CUT_OFF, [*self._cut_off(), *numbers])
        for trial in left:
            self.study.tell(trial.number, state=TrialState.FAIL)
            run = trial.user_attrs.get(RUN)
            if run is not None:
                self.study.enqueue_trial(dict(trial.params), user_attrs={RUN: run})
        return [self._told(trial, "failed") for trial in left]

    def ended(self) -> Iterator[Told]:
        """Trials that came to an end of their own, in the order they were begun."""
        names = {value: name for name, value in _STATES.items()}
        cut_off = self._cut_off()
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state in names and trial.number not in cut_off:
                yield self._told(trial, names[trial.state])

    def best(self) -> Told | None:
        complete = [told for told in self.ended() if told.state == "complete"]
        return max(complete, key=lambda told: told.value, default=None)

    def importances(self) -> dict[str, float]:
        """Searched key -> share of the outcome that it explains; see `engine.tuning.importance`."""
        return importances(self.study)

    def _cut_off(self) -> list[int]:
        return list(self.study.user_attrs.get(CUT_OFF, []))

    def _told(self, trial: FrozenTrial, state: State) -> Told:
        value = trial.value if state == "complete" and trial.value is not None else float("nan")
        known = [d for d in self.space.dimensions if d.key in trial.params]
        return Told(
            number=trial.number,
            state=state,
            value=value,
            parameters={d.key: _value(d, trial.params[d.key]) for d in known},
            run=trial.user_attrs.get(RUN),
        )

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        with warnings.catch_warnings():
            # Optuna says on every construction that these options are experimental.
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return optuna.samplers.TPESampler(
                seed=seed % 2**32,
                n_startup_trials=self.config.startup_trials,
                multivariate=True,
                constant_liar=self.parallel,
            )


def open_study(
    path: Path,
    *,
    name: str,
    identity: Mapping[str, Any],
    space: Space,
    config: TuneConfig,
    epochs_per_fold: int,
    seed: int,
    parallel: bool,
) -> Study:
    """The study of that name, made if it is not there.

    One that was begun with another identity (space, data, settings) is a UsageError that names what
    differs: its trials could not be compared with new ones. The caller holds the study's lock.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    _end_torn_line(path)
    study = optuna.create_study(
        storage=_storage(path),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=_pruner(config, epochs_per_fold),
    )
    known = study.user_attrs.get(IDENTITY)
    wanted = json.loads(json.dumps(identity))
    if known is None:
        study.set_user_attr(IDENTITY, wanted)
    elif known != wanted:
        raise UsageError(
            f"study {name!r} was begun with other settings: "
            + "; ".join(_differences(known, wanted)),
            hint="give the settings it was begun with, or choose another --study",
        )
    return Study(study=study, space=space, config=config, seed=seed, parallel=parallel)


def _storage(path: Path) -> JournalStorage:
    try:
        return JournalStorage(JournalFileBackend(str(path), lock_obj=HeldByCaller(str(path))))
    except (ValueError, KeyError) as error:
        raise IntegrityError(
            f"{path}: not readable as the journal of a search ({error})",
            hint="choose another --study, or restore the file",
        ) from error


def _end_torn_line(path: Path) -> None:
    """Cut off the half line of a writer that was killed: what was appended to it would be lost too."""
    if not path.is_file():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole != len(content):
            file.truncate(whole)


def _pruner(config: TuneConfig, epochs_per_fold: int) -> optuna.pruners.BasePruner:
    if config.pruner == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(
        n_startup_trials=config.startup_trials,
        n_warmup_steps=round(config.prune_from * epochs_per_fold),
    )


def _suggest(trial: optuna.Trial, dimension: Dimension) -> Any:
    if not isinstance(dimension, Range):
        texts = [json.dumps(choice) for choice in dimension.choices]
        return json.loads(trial.suggest_categorical(dimension.key, texts))
    suggest: Callable[..., float] = (
        trial.suggest_int
        if isinstance(dimension.low, int) and isinstance(dimension.high, int)
        else trial.suggest_float
    )
    return suggest(dimension.key, dimension.low, dimension.high, log=dimension.log)


def _value(dimension: Dimension, stored: Any) -> Any:
    """A stored value as the configuration takes it: choices are kept as JSON text."""
    return stored if isinstance(dimension, Range) else json.loads(stored)


def _differences(known: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """``key: was A, is B`` of each entry; long values are only named."""
    lines = []
    for key in sorted({**known, **wanted}):
        was, now = known.get(key), wanted.get(key)
        if was != now:
            short = max(len(repr(was)), len(repr(now))) < 60
            lines.append(f"{key}: was {was}, is {now}" if short else f"{key} differs")
    return lines
