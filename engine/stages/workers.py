"""Runs that a search or a comparison wants done: one after another here, or several beside each other.

Both ways keep one promise: `each` takes the next run when there is room for it, shows every event of a run
to `watch` from the first (also those from before it was cut off), and gives the run back when it has ended.
A process that dies takes nothing along but the step it was in: the runs go on where they are.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from engine.errors import ConfigError, EnvironmentProblem, GateError, Interrupted
from engine.records import record
from engine.records.plans import WalkforwardPlan
from engine.runs.events import RunEvent, RunFinished
from engine.runs.launch import LIMITS, argv
from engine.runs.sink import read_new
from engine.runs.store import Run
from engine.stages.context import AnyStop, Outcome, StageContext, StopFlag
from engine.stages.load import Loader, Shelf, load_dataset
from engine.stages.train import run_training
from engine.stages.trial import run_trial
from engine.stages.walkforward import run_walkforward
from engine.training.device import is_out_of_memory

_Watch = Callable[[Run, RunEvent], bool]
"""False: this run has done enough and is asked to stop."""
_POLL_S = 0.1
_FREE_S = 60.0
"""For the worker of a search that was killed to end its step and let go of its run."""
_REFUSED = (GateError.exit_code, ConfigError.exit_code)
"""Ends of a worker that say something about its settings, not about the machine or the data."""


class _Workers(Protocol):
    """Somewhere to do runs."""

    def each(self, runs: Iterator[Run], watch: _Watch) -> Iterator[Run]:
        """Do the runs; each comes back done, failed, or stopped by `watch`. Interrupted if stopped."""
        ...


def workers(context: StageContext, jobs: int, shelf: Shelf) -> _Workers:
    """One run at a time in this process, on the dataset of the shelf; or ``jobs`` child processes."""
    return _Processes(context, jobs) if jobs > 1 else _InProcess(context, shelf)


def _execute(context: StageContext, run: Run, load: Loader) -> None:
    """Do the work of one run, or the rest of it. Out of device memory is a ConfigError: too large.

    Whether its days may be judged was asked of the search or the comparison, which has begun.
    """
    context = replace(context, config=run.config())
    resume = run.last_event() is not None
    try:
        if run.command == "trial":
            run_trial(context, run, resume=resume, load=load)
        elif run.command == "walkforward":
            plan = record.convert(run.manifest.plan, WalkforwardPlan, f"{run.id}: plan")
            run_walkforward(context, run, plan, resume=resume, load=load, confirm=True)
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

    def each(self, runs: Iterator[Run], watch: _Watch) -> Iterator[Run]:
        """One after another; each comes back when it has ended."""
        for run in runs:
            _wait_until_free(run)
            enough = StopFlag()
            sink = _WatchingSink(run, watch, enough)
            for event in run.events():
                sink.emit(event)
            if run.status() != "done":
                stop = AnyStop((self.context.stop, enough))
                with suppress(GateError, ConfigError):  # the run has it in its last event
                    _execute(replace(self.context, sink=sink, stop=stop), run, self.shelf.open)
            if self.context.stop.requested:
                raise Interrupted(f"{run.id}: {run.status()}")
            yield run


@dataclass(frozen=True, slots=True)
class _WatchingSink:
    """A sink that shows events to the watcher and passes its wish to stop on."""

    run: Run
    watch: _Watch
    enough: StopFlag

    def emit(self, event: RunEvent) -> None:
        """Show the event, and remember that the run has done enough."""
        if not self.watch(self.run, event):
            self.enough.requested = True


@dataclass(slots=True)
class _Worker:
    """A child process at work on a run."""

    run: Run
    process: "subprocess.Popen[bytes]"
    offset: int = 0
    asked: bool = False

    def stop(self) -> None:
        """Ask once: a second signal would end it in mid-step."""
        if not self.asked and self.process.poll() is None:
            self.asked = True
            self.process.send_signal(signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class _Processes:
    """Several runs at a time, each in a child process."""

    context: StageContext
    jobs: int
    _busy: list[_Worker] = field(default_factory=list)

    def each(self, runs: Iterator[Run], watch: _Watch) -> Iterator[Run]:
        """Up to ``jobs`` at a time; each comes back when its process has ended."""
        more = True
        try:
            while more or self._busy:
                while more and len(self._busy) < self.jobs:
                    run = next(runs, None)
                    more = run is not None
                    if run is not None:
                        _wait_until_free(run)
                        self._busy.append(self._start(run))
                yield from self._look(watch)
                if self.context.stop.requested:
                    raise Interrupted(f"stopped with {len(self._busy)} runs at work")
                time.sleep(_POLL_S)
        finally:
            for worker in self._busy:
                worker.stop()
            for worker in self._busy:
                worker.process.wait()
            self._busy.clear()

    def _look(self, watch: _Watch) -> Iterator[Run]:
        """Show what is new, and give back the runs whose workers have ended."""
        for worker in list(self._busy):
            code = worker.process.poll()  # before reading: after its end nothing is written
            before = -1
            while before != worker.offset:
                before = worker.offset
                events, worker.offset = read_new(worker.run.events_path, before)
                for event in events:
                    if not watch(worker.run, event):
                        worker.stop()
            if code is not None:
                self._busy.remove(worker)
                self._judge(worker, code)
                yield worker.run

    def _judge(self, worker: _Worker, code: int) -> None:
        """An end that says nothing about the settings ends the whole work."""
        if code in (0, *_REFUSED) or worker.asked:
            return
        if self.context.stop.requested:
            raise Interrupted(f"{worker.run.id}: stopped")
        last = worker.run.last_event()
        words = last.error if isinstance(last, RunFinished) else f"see {worker.run.log_path}"
        raise EnvironmentProblem(f"{worker.run.id}: its process ended with {code}: {words}")

    def _start(self, run: Run) -> _Worker:
        environment = dict(os.environ)
        if self.context.config.training.mode == "optimized":
            share = max(1, (os.cpu_count() or 1) // self.jobs)
            environment |= dict.fromkeys(LIMITS, str(share))
        with run.log_path.open("ab") as log:
            process = subprocess.Popen(
                argv(self.context.workspace, ["work", "--run", run.id, "--quiet"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        return _Worker(run, process)


def work(context: StageContext) -> Outcome:
    """Do the work of a run that a search or a comparison has created (it starts this itself).

    Its standard input is a pipe of the starter: when that dies, however it dies, the pipe ends and the work
    stops at the next step.
    """
    if context.run_id is None:
        raise ConfigError("work: no --run", hint="`tune` and `compare` start it")
    run = context.store.open(context.run_id)
    starter_gone = StopFlag()
    threading.Thread(target=_follow_starter, args=(starter_gone,), daemon=True).start()
    context = replace(context, stop=AnyStop((context.stop, starter_gone)))
    _execute(context, run, load_dataset)
    return Outcome(json={"run_id": run.id, "status": run.status()}, text=run.id)


def _follow_starter(flag: StopFlag) -> None:
    while os.read(0, 4096):
        pass
    flag.requested = True


def _wait_until_free(run: Run) -> None:
    """Until the worker of a starter that was killed has let go of the run; then the lock decides."""
    end = time.monotonic() + _FREE_S
    while run.is_alive() and time.monotonic() < end:
        time.sleep(_POLL_S)


def failure(run: Run) -> str:
    """Why a run failed, in its own words; empty if it did not."""
    last = run.last_event()
    return last.error if isinstance(last, RunFinished) and last.status == "failed" else ""
