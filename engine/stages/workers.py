"""Tasks that a command wants done: one after another here, or several beside each other.

Both ways keep one promise: `each` takes the next task when there is room for it, shows every event of a task
to `watch` from the first (also those of a run from before it was cut off), and gives the task back when it
has ended. A process that dies takes nothing along but the step it was in: the tasks go on where they are.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import numpy as np

from engine.config.market import ExecutorConfig
from engine.dataset.batch import targets
from engine.errors import ConfigError, EngineError, GateError, Interrupted
from engine.evaluation.ranks import average_rank_rows
from engine.files import own_folder
from engine.records import record
from engine.records.plans import WALKFORWARD_PLAN, WalkforwardPlan
from engine.runs import lock
from engine.runs.events import RunEvent, RunFinished
from engine.runs.launch import ControlFiles
from engine.runs.sink import JsonlSink
from engine.runs.store import Run
from engine.stages.cluster import beside
from engine.stages.context import AnyStop, Outcome, StageContext, StopFlag, waiting_for_room
from engine.stages.fold_tasks import FoldBench
from engine.stages.load import Loader, Shelf
from engine.stages.report import REPORT_PART, ReportBench
from engine.stages.sweep_tasks import SWEEP_PART, SweepBench
from engine.stages.tasks import Answer, Bench, Task, Watch
from engine.stages.train import run_training
from engine.stages.trial import run_trial
from engine.stages.walkforward import run_walkforward
from engine.training.device import is_out_of_memory


class _Workers(Protocol):
    """Somewhere to do tasks."""

    def each(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Task]:
        """Do the tasks; each comes back done, failed, or stopped by `watch`. Interrupted if stopped."""
        ...


def workers(context: StageContext, jobs: int, shelf: Shelf) -> _Workers:
    """One run at a time in this process, on the dataset of the shelf; or ``jobs`` workers."""
    if jobs == 1 and context.config.executor.kind == "local":
        return _InProcess(context, shelf)
    return beside(context, jobs)


def _execute(context: StageContext, run: Run, load: Loader) -> None:
    """Do the work of one run, or the rest of it. Out of device memory is a ConfigError: too large.

    Whether its days may be judged was asked of the search or the comparison, which has begun.
    """
    alone = {"executor": ExecutorConfig(jobs=1)}  # whoever does a run does all of it
    context = replace(context, config=run.config().model_copy(update=alone))
    resume = run.last_event() is not None
    try:
        if run.command == "trial":
            run_trial(context, run, resume=resume, load=load)
        elif run.command == "walkforward":
            plan = record.convert(run.manifest.plan, WalkforwardPlan, f"{run.id}: plan")
            run_walkforward(context, run, plan, resume=resume, load=load, jobs=1, confirm=True)
        else:
            run_training(context, run, resume=resume, load=load, with_baselines=False, confirm=True)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise ConfigError(
            f"{run.id}: out of device memory",
            hint="lower training.days_per_step or model.hidden",
        ) from error


@dataclass(frozen=True, slots=True)
class _InProcess:
    """One run at a time in this process."""

    context: StageContext
    shelf: Shelf

    def each(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Task]:
        """One after another; each comes back when it has ended."""
        for task in tasks:
            run = task.run
            task.wait_until_free()
            enough = StopFlag()
            sink = _WatchingSink(task, watch, enough)
            for event in run.events():
                sink.emit(event)
            if run.status() != "done":
                stop = AnyStop((self.context.stop, enough))
                with suppress(GateError, ConfigError):  # the run has it in its last event
                    _execute(replace(self.context, sink=sink, stop=stop), run, self.shelf.open)
            if self.context.stop.requested:
                raise Interrupted(f"{run.id}: {run.status()}")
            yield task


@dataclass(frozen=True, slots=True)
class _WatchingSink:
    """A sink that shows events to the watcher and passes its wish to stop on."""

    task: Task
    watch: Watch
    enough: StopFlag

    def emit(self, event: RunEvent) -> None:
        """Show the event, and remember that the task has done enough."""
        if not self.watch(self.task, event):
            self.enough.requested = True


def work(context: StageContext) -> Outcome:
    """Do the tasks that come as lines on standard input (the command that wants them starts this itself).

    The input is a pipe of the starter: when that dies, however it dies, the pipe ends and the work stops at
    the next step.
    """
    if context.run_id is None:
        raise ConfigError("work: no --run", hint="the commands that have --jobs start it")
    _compile_kernels()
    starter_gone = StopFlag()
    orders: SimpleQueue[str | None] = SimpleQueue()
    threading.Thread(target=_listen, args=(orders, starter_gone), daemon=True).start()
    worker = _Worker(replace(context, stop=AnyStop((context.stop, starter_gone))))
    while (line := orders.get()) is not None:
        sys.stdout.write(worker.answer(Task.of_line(line, context.store)).line)
        sys.stdout.flush()
        if context.stop.requested:
            break
    return Outcome(json={}, text="")


def _compile_kernels() -> None:
    """Compile what every training needs, on each machine one worker after the other.

    The first one takes seconds of the processor, the others find it in numba's cache; all at once would each
    do it. What builds graphs and features has run before there are tasks.
    """
    with lock.waiting(own_folder() / "kernels.lock"):
        targets(np.eye(4), np.ones((4, 1)))
        average_rank_rows(np.eye(2))


def _listen(orders: "SimpleQueue[str | None]", starter_gone: StopFlag) -> None:
    with open(0, "rb", buffering=0, closefd=False) as lines:
        for line in lines:
            orders.put(line.decode())
    starter_gone.requested = True
    orders.put(None)


@dataclass(slots=True)
class _Worker:
    """A worker of another process; what the next task needs too is not read again."""

    context: StageContext
    _shelf: Shelf = field(default_factory=lambda: Shelf(in_memory=False))
    _bench: Bench | None = None

    def answer(self, task: Task) -> Answer:
        """Do a task; its errors are answers, any other exception is a bug and ends the process."""
        _log_to(task.log_path)
        try:
            if task.part:
                self._do_part(task)
            else:
                _execute(self.context, task.run, self._shelf.open)
        except EngineError as error:
            return Answer.of(error)
        return Answer()

    def _do_part(self, task: Task) -> None:
        """The events of a part have a file of their own: those of the run are its starter's alone."""
        run = task.run
        context = replace(self.context, config=run.config(), task=task.part)
        if self._bench is None or self._bench.run != run:
            self._bench = _open_bench(context, task)
        task.wait_until_free()
        with lock.hold(task.lock_path):
            sink = JsonlSink(task.events_path)
            files = ControlFiles.of(run, task.part)
            try:
                with waiting_for_room(
                    task.events_path.parent, sink, files, lambda: context.stop.requested
                ):
                    self._bench.do(context, task.part, sink)
            finally:
                sink.close()


def _open_bench(context: StageContext, task: Task) -> Bench:
    """What the part needs, and those of the same run that may come after it."""
    run = task.run
    if task.part.startswith(SWEEP_PART):
        return SweepBench.open(context, task)
    if task.part == REPORT_PART:
        return ReportBench(run)
    return FoldBench.open(context, run, record.read(run.path(WALKFORWARD_PLAN), WalkforwardPlan))


def _log_to(path: Path) -> None:
    """What this process writes to stderr from now on goes to this file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as log:
        os.dup2(log.fileno(), sys.stderr.fileno())


def failure(run: Run) -> str:
    """Why a run failed, in its own words; empty if it did not."""
    last = run.last_event()
    return last.error if isinstance(last, RunFinished) and last.status == "failed" else ""
