"""A search with a memory: the only module that knows Optuna.

The memory is `tune/<study>.journal` of the workspace, one line of JSON per change, appended and synced. The
caller holds the study's lock, so at most one process writes. A process that dies leaves a trial running
and perhaps half a line; `open_study` ends the line, and `recover` puts such trials back in the queue.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as _Outcome

from engine.config import Dimension, Range, TuneConfig
from engine.errors import IntegrityError, UsageError
from engine.records.study import TrialRow, TrialState, best_of
from engine.runs.events import EpochEvaluated, FoldStarted, RunEvent
from engine.tuning.journal import require_whole, summed
from engine.tuning.space import Space

_MIN_TRIALS = 5
"""Complete trials below which nothing can be said of the keys."""
_IDENTITY, _RUN, _CUT_OFF = "identity", "run", "cut_off"
"""Attributes: of the study, of a trial, and (numbers of trials that died with their process) of the study."""
_STATES: dict[TrialState, _Outcome] = {
    "complete": _Outcome.COMPLETE,
    "pruned": _Outcome.PRUNED,
    "failed": _Outcome.FAIL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedTrial:
    """A trial that is to be run."""

    number: int
    parameters: dict[str, object]
    """Dotted key -> value."""
    run: str | None
    """The run that this trial was cut off in; it goes on there."""


@dataclass(frozen=True, slots=True)
class _TrialReport:
    """What a running trial reports for pruning."""

    step: int
    """fold x epochs of a fold + epoch: the same moment in every trial of a study."""
    value: float
    """Mean over the folds so far of the best validation RankIC in each."""


@dataclass(slots=True, kw_only=True)
class TrialProgress:
    """A fold of a trial's own events: the same live and after a kill."""

    epochs_per_fold: int
    """Largest number of epochs over all phases; a fold that ends early leaves steps out."""
    fold: int = 0
    best: dict[int, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def advance(self, event: RunEvent) -> _TrialReport | None:
        """The report that this event gives rise to; an epoch that was repeated after a kill gives none."""
        if isinstance(event, FoldStarted):
            self.fold = event.fold
        if not isinstance(event, EpochEvaluated):
            return None
        step = self.fold * self.epochs_per_fold + event.epoch
        if step in self.seen or event.rank_ic != event.rank_ic:
            return None
        self.seen.add(step)
        self.best[self.fold] = max(event.rank_ic, self.best.get(self.fold, event.rank_ic))
        return _TrialReport(step, sum(self.best.values()) / len(self.best))


class _HeldByCaller(JournalFileOpenLock):
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

    def ask(self) -> AskedTrial:
        """The next trial: one from the queue, else one proposed by the sampler.

        Each proposal gets a sampler of its own, seeded by how many trials were begun. So it depends on the
        seed and on what the trials before it found, not on how often the search was interrupted.
        """
        begun = len(self.study.get_trials(deepcopy=False)) - len(self._cut_off())
        self.study.sampler = self._sampler(self.seed + 1000 * begun)
        trial = self.study.ask()
        self._open[trial.number] = trial
        parameters = {d.key: _suggest(trial, d) for d in self.space.dimensions}
        return AskedTrial(
            number=trial.number, parameters=parameters, run=trial.user_attrs.get(_RUN)
        )

    def set_run(self, number: int, run: str) -> None:
        """Remember where an asked trial runs, so that it can go on there."""
        self._open[number].set_user_attr(_RUN, run)

    def report(self, number: int, step: int, value: float) -> bool:
        """Note an intermediate value of an asked trial; True if the trial may end here."""
        trial = self._open[number]
        trial.report(value, step)
        return trial.should_prune()

    def tell(self, number: int, state: TrialState, value: float | None = None) -> None:
        """End an asked trial; ``value`` counts if it is complete."""
        self.study.tell(number, value if state == "complete" else None, state=_STATES[state])
        del self._open[number]

    def recover(self) -> list[TrialRow]:
        """End the trials that a dead process left running, and queue those that have a run again.

        A trial without one had not begun: the sampler proposes the same values anew.
        """
        left = self.study.get_trials(deepcopy=False, states=(_Outcome.RUNNING,))
        if left:
            numbers = [trial.number for trial in left]
            self.study.set_user_attr(_CUT_OFF, [*self._cut_off(), *numbers])
        for trial in left:
            self.study.tell(trial.number, state=_Outcome.FAIL)
            run = trial.user_attrs.get(_RUN)
            if run is not None:
                self.study.enqueue_trial(dict(trial.params), user_attrs={_RUN: run})
        return [self._told(trial, "failed") for trial in left]

    def ended(self) -> Iterator[TrialRow]:
        """Trials that came to an end of their own, in the order they were begun."""
        names = {value: name for name, value in _STATES.items()}
        cut_off = self._cut_off()
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state in names and trial.number not in cut_off:
                yield self._told(trial, names[trial.state])

    def best(self) -> TrialRow | None:
        """The complete trial with the largest value."""
        return best_of(tuple(self.ended()))

    def importances(self) -> dict[str, float]:
        """Searched key -> share of the outcome that it explains, the largest first, by PED-ANOVA.

        Watanabe, Bansal, Hutter, IJCAI 2023, arXiv:2304.10255: how far the distribution of a key among the
        best tenth of the trials lies from its distribution among all. Shares sum to 1; with few trials they
        are a rough hint, no finding, with fewer than ``_MIN_TRIALS`` or equal outcomes there are none.
        """
        complete = self.study.get_trials(deepcopy=False, states=(_Outcome.COMPLETE,))
        if len(complete) < _MIN_TRIALS or len({trial.value for trial in complete}) < 2:
            return {}
        with _experimental():
            found = get_param_importances(self.study, evaluator=PedAnovaImportanceEvaluator())
        return {key: float(share) for key, share in found.items()}

    def _cut_off(self) -> list[int]:
        return list(self.study.user_attrs.get(_CUT_OFF, []))

    def _told(self, trial: FrozenTrial, state: TrialState) -> TrialRow:
        value = trial.value if state == "complete" and trial.value is not None else float("nan")
        known = [d for d in self.space.dimensions if d.key in trial.params]
        return TrialRow(
            number=trial.number,
            state=state,
            value=value,
            parameters={d.key: _value(d, trial.params[d.key]) for d in known},
            run_id=trial.user_attrs.get(_RUN),
        )

    def _sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        with _experimental():
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
    require_whole(path)
    study = optuna.create_study(
        storage=_storage(path),
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        pruner=_pruner(config, epochs_per_fold),
    )
    known = study.user_attrs.get(_IDENTITY)
    wanted = json.loads(json.dumps(identity))
    if known is None:
        study.set_user_attr(_IDENTITY, wanted)
    elif known != wanted:
        raise UsageError(
            f"study {name!r} was begun with other settings: "
            + "; ".join(_differences(known, wanted)),
            hint="give the settings it was begun with, or choose another --study",
        )
    return Study(study=study, space=space, config=config, seed=seed, parallel=parallel)


@contextmanager
def _experimental() -> Iterator[None]:
    """Optuna says on every construction that these options are experimental; here it is not said."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        yield


class _Journal(JournalFileBackend):
    """Optuna's, whose lines carry a sum; it reads over the key that it does not know."""

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        super().append_logs([summed(entry) for entry in logs])


def _storage(path: Path) -> JournalStorage:
    try:
        return JournalStorage(_Journal(str(path), lock_obj=_HeldByCaller(str(path))))
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
