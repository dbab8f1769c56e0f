"""Searches: ``tune/<study>/study.json`` of those that have ended, the run's events of those at work."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.files import read_json
from engine.records.judgement import SURE, is_noise
from engine.runs.events import TrialFinished
from engine.runs.follow import read_new
from engine.runs.store import Run
from engine.runs.summary import RunSummary, number

_COMPLETE = "complete"


@dataclass(frozen=True, slots=True)
class Trial:
    number: int
    run_id: str
    state: str
    """complete, pruned or failed."""
    value: float
    """Mean inner-fold RankIC less one standard error; NaN unless complete."""
    rank_ic: float
    rank_ic_se: float
    n_dates: int
    seconds: float
    size: int | None
    parameters: tuple[tuple[str, str], ...]
    error: str
    best_so_far: bool

    @property
    def noise(self) -> bool:
        """A search draws no null band: 1.96 standard errors stand for it."""
        return is_noise(self.rank_ic, SURE * self.rank_ic_se)

    @property
    def settings(self) -> str:
        return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.parameters)


@dataclass(frozen=True, slots=True)
class Study:
    name: str
    status: str
    run_id: str
    trials: tuple[Trial, ...]
    wanted: int
    """How many trials were asked for; 0 if that is not known."""
    importances: tuple[tuple[str, float], ...]
    horizon: int

    def count(self, state: str) -> int:
        return sum(trial.state == state for trial in self.trials)

    @property
    def best(self) -> Trial | None:
        done = [trial for trial in self.trials if trial.state == _COMPLETE]
        return max(done, key=lambda trial: trial.value, default=None)

    @property
    def course(self) -> tuple[tuple[int, float], ...]:
        """Number of a trial and the best value after it."""
        points: list[tuple[int, float]] = []
        best = -math.inf
        for trial in self.trials:
            if trial.state == _COMPLETE and trial.value > best:
                best = trial.value
            if best > -math.inf:
                points.append((trial.number, best))
        return tuple(points)


def read_studies(workspace: Path, runs: Sequence[RunSummary]) -> tuple[Study, ...]:
    """The search whose run is newest first."""
    tells = {about.id: about for about in runs if about.command == "tune"}
    found = []
    told: set[str] = set()
    for path in sorted((workspace / "tune").glob("*/study.json")):
        found_at = os.stat(path)
        study = _study(path, found_at.st_mtime_ns, found_at.st_size)
        about = tells.get(study.run_id)
        if about is None or about.status == "done":
            told.add(study.run_id)
            found.append(study)
    for run_id, about in tells.items():
        if run_id not in told and about.status:
            found.append(_going(workspace, about))
    return tuple(sorted(found, key=lambda study: study.run_id, reverse=True))


@lru_cache(maxsize=64)
def _study(path: Path, mtime_ns: int, size: int) -> Study:
    values = read_json(path)
    trials = _marked([_trial(row) for row in values["trials"]])
    shares = {str(key): float(share) for key, share in (values.get("importances") or {}).items()}
    return Study(
        name=str(values["study"]),
        status="done",
        run_id=str(values.get("run_id", "")),
        trials=trials,
        wanted=len(trials),
        importances=tuple(sorted(shares.items(), key=lambda pair: -pair[1])),
        horizon=int(values.get("score_horizon", 0)),
    )


def _trial(row: Mapping[str, Any]) -> Trial:
    return Trial(
        number=int(row["number"]),
        run_id=str(row.get("run_id") or ""),
        state=str(row["state"]),
        value=number(row.get("value")),
        rank_ic=number(row.get("rank_ic")),
        rank_ic_se=number(row.get("rank_ic_se")),
        n_dates=int(row.get("n_dates") or 0),
        seconds=number(row.get("seconds")),
        size=row.get("size"),
        parameters=_parameters(row.get("parameters") or {}),
        error=str(row.get("error") or ""),
        best_so_far=False,
    )


def _going(workspace: Path, about: RunSummary) -> Study:
    run = Run(workspace / "runs" / about.id)
    try:
        plan = read_json(run.path("tune.json"))
    except EngineError:
        plan = {}
    trials: dict[int, Trial] = {}
    offset, more = 0, True
    while more:
        events, after = read_new(run.events_path, offset)
        more, offset = after > offset, after
        for event in events:
            if isinstance(event, TrialFinished):
                trials[event.number] = _told(event)
    name = str(plan.get("study") or run.manifest.get("study") or about.id)
    ordered = [trials[key] for key in sorted(trials)]
    wanted = int(plan.get("trials") or 0)
    return Study(name, about.status, about.id, _marked(ordered), wanted, (), 0)


def _told(event: TrialFinished) -> Trial:
    return Trial(
        number=event.number,
        run_id=event.trial_run,
        state=event.state,
        value=event.value if event.state == _COMPLETE else math.nan,
        rank_ic=event.rank_ic,
        rank_ic_se=event.rank_ic_se,
        n_dates=event.n_dates,
        seconds=event.seconds,
        size=None,
        parameters=_parameters(event.parameters),
        error=event.error,
        best_so_far=False,
    )


def _marked(trials: Sequence[Trial]) -> tuple[Trial, ...]:
    """With a mark on each trial that was the best when it ended."""
    best, marked = -math.inf, []
    for trial in trials:
        better = trial.state == _COMPLETE and trial.value > best
        best = trial.value if better else best
        marked.append(replace(trial, best_so_far=better))
    return tuple(marked)


def _parameters(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    shown = []
    for key, value in values.items():
        text = f"{value:.3g}" if isinstance(value, float) else str(value)
        shown.append((str(key), text))
    return tuple(shown)
