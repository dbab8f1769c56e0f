"""The loop of a search: ask the study, let a run do the work, tell the study. Resumable at any moment."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.config import Config
from engine.errors import ConfigError, EnvironmentProblem, Interrupted
from engine.files import read_json, write_json
from engine.runs.events import (
    Advanced,
    EpochEvaluated,
    FoldStarted,
    RunEvent,
    StageStarted,
    TrialFinished,
)
from engine.runs.sink import EventSink
from engine.runs.store import Run
from engine.stages.context import StageContext
from engine.stages.pipeline import Shelf
from engine.stages.trial import PRUNED, RESULT
from engine.stages.workers import failure, workers
from engine.tuning.progress import TrialProgress
from engine.tuning.space import applied
from engine.tuning.study import Asked, State, Study, Told


def epochs_per_fold(config: Config) -> int:
    """Largest number of epochs over all phases."""
    return sum(phase.epochs for phase in config.training.phases)


@dataclass(slots=True, kw_only=True)
class Search:
    context: StageContext
    parent: Run
    sink: EventSink
    name: str
    study: Study
    shelf: Shelf
    trials: int
    jobs: int
    _asked: dict[str, Asked] = field(default_factory=dict)
    _progress: dict[str, TrialProgress] = field(default_factory=dict)
    _ended: int = 0

    def run(self) -> dict[str, Any]:
        """Trials until enough have ended; returns what `tune --json` prints."""
        self._ended = len(list(self.study.ended()))
        self.sink.emit(StageStarted(stage="tune"))
        self._advance("")
        try:
            for run in workers(self.context, self.jobs, self.shelf).each(self._next(), self._watch):
                self._end(run)
        except Interrupted as error:
            again = f"atft-tui tune --study {self.name} --trials {self.trials}"
            raise Interrupted(
                f"study {self.name}: stopped after {self._ended} of {self.trials} trials",
                hint=f"`{again}` with the same settings goes on",
            ) from error
        return self._summary()

    def _next(self) -> Iterator[Run]:
        """Runs of new trials while more are wanted than have ended or are at work."""
        while self._ended + len(self._asked) < self.trials:
            if self.context.stop.requested:
                raise Interrupted("stopped between two trials")
            asked = self.study.ask()
            try:
                run = self._run_of(asked)
            except ConfigError as error:
                self._tell(asked, "failed", run=None, error=error.message)
                continue
            self._asked[run.id] = asked
            self._progress[run.id] = TrialProgress(
                epochs_per_fold=epochs_per_fold(self.context.config)
            )
            yield run

    def _run_of(self, asked: Asked) -> Run:
        """Where the trial was cut off, or a run of its own. ConfigError if its values do not go together."""
        store = self.context.store
        if asked.run is not None and (store.root / asked.run / "manifest.json").is_file():
            return store.open(asked.run)
        config = applied(self.context.config, asked.parameters)
        tags = {"study": self.name, "trial": asked.number, "parameters": asked.parameters}
        run = store.create("trial", config, tags)
        self.study.set_run(asked.number, run.id)
        return run

    def _watch(self, run: Run, event: RunEvent) -> bool:
        """Report a trial's epochs to the study; False once the trial has been cut."""
        asked, progress = self._asked[run.id], self._progress[run.id]
        report = progress.advance(event)
        if isinstance(event, FoldStarted):
            self._advance(f"trial {asked.number} fold {event.fold + 1} of {event.folds}")
        if isinstance(event, EpochEvaluated):
            figure = f"RankIC {event.rank_ic:+.4f} ± {event.rank_ic_se:.4f} (n={event.n_dates})"
            self._advance(
                f"trial {asked.number} fold {progress.fold + 1} epoch {event.epoch} {figure}"
            )
        if report is not None and self.study.report(asked.number, report.step, report.value):
            write_json(run.path(PRUNED), {"step": report.step, "value": report.value})
        return not run.path(PRUNED).is_file()

    def _end(self, run: Run) -> None:
        """Tell the study how the trial of a run ended."""
        asked, words = self._asked.pop(run.id), failure(run)
        if words:
            self._tell(asked, "failed", run=run, error=words)
            return
        if not run.path(RESULT).is_file() and run.path(PRUNED).is_file():
            self._tell(asked, "pruned", run=run)  # its process was told before it could listen
            return
        if not run.path(RESULT).is_file():
            raise EnvironmentProblem(
                f"{run.id}: ended without a result", hint=f"see {run.log_path}"
            )
        result = read_json(run.path(RESULT))
        state: State = result["state"]
        if state == "complete" and result["value"] is None:
            self._tell(asked, "failed", run=run, error="RankIC is undefined on its days")
            return
        self._tell(asked, state, run=run)

    def _tell(self, asked: Asked, state: State, *, run: Run | None, error: str = "") -> None:
        row = self._row(
            Told(
                number=asked.number,
                state=state,
                value=float("nan"),
                parameters=asked.parameters,
                run=run.id if run else None,
            )
        )
        self.study.tell(asked.number, state, row["value"])
        self._ended += 1
        best = self.study.best()
        self.sink.emit(
            TrialFinished(
                number=asked.number,
                trial_run=run.id if run else "",
                state=state,
                parameters=asked.parameters,
                value=_number(row["value"]),
                rank_ic=_number(row["rank_ic"]),
                rank_ic_se=_number(row["rank_ic_se"]),
                n_dates=row["n_dates"] or 0,
                seconds=_number(row["seconds"]),
                best=best is not None and best.number == asked.number,
                error=error,
            )
        )
        self._advance("")

    def _advance(self, note: str) -> None:
        self.sink.emit(Advanced(stage="tune", done=self._ended, total=self.trials, note=note))

    def _row(self, told: Told) -> dict[str, Any]:
        """A trial as `tune --json` shows it; figures are those of its run."""
        directory = self.context.store.root / told.run if told.run else None
        path = directory / RESULT if directory else None
        result = read_json(path) if path and path.is_file() else {}
        return {
            "number": told.number,
            "run_id": told.run,
            "state": told.state,
            "parameters": told.parameters,
            "value": result.get("value"),
            "error": failure(Run(directory)) if directory else "",
            **{
                key: result.get(key)
                for key in ("rank_ic", "rank_ic_se", "n_dates", "folds", "seconds")
            },
            "size": result.get("parameters"),
        }

    def _summary(self) -> dict[str, Any]:
        rows = [self._row(told) for told in self.study.ended()]
        best = self.study.best()
        chosen = next((row for row in rows if best and row["number"] == best.number), None)
        return {
            "study": self.name,
            "run_id": self.parent.id,
            "score_horizon": self.context.config.training.score_horizon,
            "objective": "mean inner-fold validation RankIC - 1 standard error",
            "best": chosen,
            "counts": {
                state: sum(row["state"] == state for row in rows)
                for state in ("complete", "pruned", "failed")
            },
            "importances": self.study.importances(),
            "trials": rows,
            "seconds": sum(row["seconds"] or 0.0 for row in rows),
        }


def _number(value: float | None) -> float:
    return math.nan if value is None else value
