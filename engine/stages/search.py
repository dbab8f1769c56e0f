"""The loop of a search: ask the study, let a run do the work, tell the study. Resumable at any moment."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from msgspec.structs import replace

from engine.config import Config
from engine.errors import ConfigError, EnvironmentProblem, Interrupted
from engine.files import write_json
from engine.records import record
from engine.records.figure import Figure
from engine.records.protocol import JudgedDays
from engine.records.study import (
    PRUNED,
    TRIAL,
    StudyResult,
    TrialResult,
    TrialRow,
    TrialState,
    counted,
)
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
from engine.stages.load import Shelf
from engine.stages.tasks import Task
from engine.stages.workers import failure, workers
from engine.tuning.space import applied
from engine.tuning.study import AskedTrial, Study, TrialProgress


def epochs_per_fold(config: Config) -> int:
    """Largest number of epochs over all phases."""
    return sum(phase.epochs for phase in config.training.phases)


@dataclass(slots=True, kw_only=True)
class Search:
    """One search at work; ``run`` goes on until as many trials have ended as were asked for."""

    context: StageContext
    parent: Run
    sink: EventSink
    name: str
    study: Study
    shelf: Shelf
    trials: int
    jobs: int
    days: JudgedDays | None = None
    """The validation days by the spans of the protocol; None without one."""
    _asked: dict[str, AskedTrial] = field(default_factory=dict)
    _progress: dict[str, TrialProgress] = field(default_factory=dict)
    _ended: int = 0

    def run(self) -> StudyResult:
        """Trials until enough have ended; Interrupted when stopped."""
        self._ended = len(list(self.study.ended()))
        self.sink.emit(StageStarted(stage="tune"))
        self._advance("")
        try:
            tasks = map(Task, self._next())
            for task in workers(self.context, self.jobs, self.shelf).each(tasks, self._watch):
                self._end(task.run)
        except Interrupted as error:
            again = f"atft-tui tune --study {self.name} --trials {self.trials}"
            raise Interrupted(
                f"study {self.name}: stopped after {self._ended} of {self.trials} trials",
                hint=f"`{again}` with the same settings goes on",
            ) from error
        rows, best = tuple(self._row(told) for told in self.study.ended()), self.study.best()
        return StudyResult(
            study=self.name,
            run_id=self.parent.id,
            score_horizon=self.context.config.training.score_horizon,
            best=next((row for row in rows if best and row.number == best.number), None),
            judged_days=self.days,
            counts=counted(rows),
            importances=self.study.importances(),
            trials=rows,
            seconds=sum(row.seconds for row in rows if row.seconds == row.seconds),
        )

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

    def _run_of(self, asked: AskedTrial) -> Run:
        """Where the trial was cut off, or a run of its own. ConfigError if its values do not go together."""
        store = self.context.store
        if asked.run is not None and (store.root / asked.run / "manifest.json").is_file():
            return store.open(asked.run)
        config = applied(self.context.config, asked.parameters)
        tags = {"study": self.name, "trial": asked.number, "parameters": asked.parameters}
        run = store.create("trial", config, tags)
        self.study.set_run(asked.number, run.id)
        return run

    def _watch(self, task: Task, event: RunEvent) -> bool:
        """Report a trial's epochs to the study; False once the trial has been cut."""
        run = task.run
        asked, progress = self._asked[run.id], self._progress[run.id]
        report = progress.advance(event)
        if isinstance(event, FoldStarted):
            self._advance(f"trial {asked.number} fold {event.fold + 1} of {event.folds}")
        if isinstance(event, EpochEvaluated):
            place = f"trial {asked.number} fold {progress.fold + 1}"
            self._advance(f"{place} {epoch_words(event)}")
        if report is not None and self.study.report(asked.number, report.step, report.value):
            write_json(run.path(PRUNED), {"step": report.step, "value": report.value})
        return not run.path(PRUNED).is_file()

    def _end(self, run: Run) -> None:
        """Tell the study how the trial of a run ended."""
        asked, words = self._asked.pop(run.id), failure(run)
        if words:
            self._tell(asked, "failed", run=run, error=words)
            return
        result = record.read_if_there(run.path(TRIAL), TrialResult)
        if result is None and run.path(PRUNED).is_file():
            self._tell(asked, "pruned", run=run)  # its process was told before it could listen
        elif result is None:
            raise EnvironmentProblem(
                f"{run.id}: ended without a result", hint=f"see {run.log_path}"
            )
        elif result.state == "complete" and result.value != result.value:
            self._tell(asked, "failed", run=run, error="RankIC is undefined on its days")
        else:
            self._tell(asked, result.state, run=run)

    def _tell(
        self, asked: AskedTrial, state: TrialState, *, run: Run | None, error: str = ""
    ) -> None:
        row = self._row(
            TrialRow(
                number=asked.number,
                run_id=run.id if run else None,
                state=state,
                parameters=asked.parameters,
            )
        )
        self.study.tell(asked.number, state, row.value)
        self._ended += 1
        best = self.study.best()
        self.sink.emit(
            TrialFinished(
                number=asked.number,
                trial_run=run.id if run else "",
                state=state,
                parameters=asked.parameters,
                value=row.value,
                rank_ic=row.rank_ic,
                rank_ic_se=row.rank_ic_se,
                n_dates=row.n_dates or 0,
                seconds=row.seconds,
                best=best is not None and best.number == asked.number,
                error=error,
            )
        )
        self._advance("")

    def _advance(self, note: str) -> None:
        self.sink.emit(Advanced(stage="tune", done=self._ended, total=self.trials, note=note))

    def _row(self, told: TrialRow) -> TrialRow:
        """A trial as `tune --json` shows it; figures are those of its run."""
        if told.run_id is None:
            return replace(told, value=float("nan"))
        run = Run(self.context.store.root / told.run_id)
        found = record.read_if_there(run.path(TRIAL), TrialResult)
        row = replace(told, value=float("nan"), error=failure(run))
        return row if found is None else row.measured(found)


def epoch_words(event: EpochEvaluated) -> str:
    """``epoch 3 RankIC +0.0205 ± 0.0042 (n=252)``."""
    figure = Figure(event.rank_ic, event.rank_ic_se, n=event.n_dates)
    return f"epoch {event.epoch} RankIC {figure.text()}"
