"""Child processes that do tasks one after another: whole runs, or parts of one.

A worker gets its tasks as lines on its standard input and answers each with a line on its standard output.
What a task tells goes to a file of its own, which the starter reads; so one process alone writes the events
of a run. The starter's end, however it comes, closes the input of its workers, and they stop at the next
step.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec import Struct

from engine.errors import (
    ConfigError,
    DataError,
    EngineError,
    EnvironmentProblem,
    GateError,
    Interrupted,
    LockedError,
    UsageError,
)
from engine.records import record
from engine.runs import lock
from engine.runs.events import Noted, RunEvent, RunFinished
from engine.runs.launch import LIMITS, ControlFiles, argv
from engine.runs.sink import read_new
from engine.runs.store import Run, RunStore
from engine.stages.context import StageContext

_POLL_S = 0.1
_FREE_S = 60.0
"""For the worker of a starter that was killed to end its step and let go of its task."""
_GRACE_S = 8.0
"""For a worker that is asked to stop; then it is killed, and loses what it did since its last checkpoint."""
_REFUSED = (GateError.exit_code, ConfigError.exit_code)
"""Ends of a run that say something about its settings, not about the machine or the data."""
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "NUMBA_NUM_THREADS": "1"}
"""Of a worker in safe mode: two beside each other that both want two cores wait for each other. The bits of
LightGBM (deterministic) and of our kernels do not depend on it."""
_KINDS = (UsageError, DataError, LockedError, GateError, Interrupted)


@dataclass(frozen=True, slots=True)
class Task:
    """What a worker does at a time: a whole run, or the part of one that has this name."""

    run: Run
    part: str = ""
    """Empty: the whole run."""

    @property
    def name(self) -> str:
        """Of the part, else of the run."""
        return self.part or self.run.id

    @property
    def events_path(self) -> Path:
        """Where it tells what it does."""
        return self._path("events.jsonl")

    @property
    def log_path(self) -> Path:
        """What its process wrote to stderr."""
        return self._path("log.txt")

    @property
    def lock_path(self) -> Path:
        """Held by who does it."""
        return self._path("lock")

    def wait_until_free(self) -> None:
        """Until the worker of a starter that was killed has let go of it; then the lock decides."""
        end = time.monotonic() + _FREE_S
        while lock.is_held(self.lock_path) and time.monotonic() < end:
            time.sleep(_POLL_S)

    def _path(self, name: str) -> Path:
        return self.run.path(f"tasks/{self.part}/{name}" if self.part else name)

    @property
    def line(self) -> str:
        """As a worker reads it."""
        return f"{self.run.id} {self.part}\n"

    @classmethod
    def of_line(cls, line: str, store: RunStore) -> "Task":
        """Inverse of `line`."""
        run, _, part = line.rstrip("\n").partition(" ")
        return cls(store.open(run), part)


class Answer(Struct, frozen=True, kw_only=True):
    """How a task ended, as a line on a worker's standard output."""

    exit_code: int = 0
    message: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: EngineError) -> "Answer":
        """Of a task that ended with an error."""
        return cls(exit_code=error.exit_code, message=error.message, hint=error.hint)

    @property
    def line(self) -> str:
        """As the starter reads it."""
        return msgspec.json.encode(self).decode() + "\n"

    def error(self) -> EngineError:
        """The error again, of the kind with its exit code."""
        kinds = {kind.exit_code: kind for kind in _KINDS}
        return kinds.get(self.exit_code, EnvironmentProblem)(self.message, hint=self.hint)


Watch = Callable[[Task, RunEvent], bool]
"""Sees every event of a task; False: it has done enough and is asked to stop."""


@dataclass(slots=True)
class _Worker:
    """A child process, and the task it is at."""

    process: "subprocess.Popen[bytes]"
    task: Task | None = None
    asked: bool = False
    """It was told to stop, so it takes no task any more."""
    _heard: bytes = b""

    @property
    def is_free(self) -> bool:
        """Whether it waits for a task."""
        return self.task is None and not self.asked and self.process.poll() is None

    def begin(self, task: Task) -> None:
        """Hand it a task; one that has died meanwhile is found out when its answer is looked for."""
        self.task = task
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(task.line.encode())

    def answer(self) -> Answer | None:
        """Its answer, if it has come."""
        assert self.process.stdout is not None
        self._heard += self.process.stdout.read() or b""
        line, newline, rest = self._heard.partition(b"\n")
        if not newline:
            return None
        self._heard = rest
        return record.parse(line, Answer, "answer of a worker")

    def stop(self) -> None:
        """Ask once: a second signal would end it in mid-step."""
        if not self.asked and self.process.poll() is None:
            self.asked = True
            self.process.send_signal(signal.SIGTERM)

    def dismiss(self) -> None:
        """No more tasks for it: it ends when it has done the one it is at."""
        assert self.process.stdin is not None
        self.process.stdin.close()


@dataclass(slots=True)
class Processes:
    """Up to ``jobs`` tasks at a time, each in a child process that is kept for the next one."""

    context: StageContext
    jobs: int
    _workers: list[_Worker] = field(default_factory=list)
    _again: list[Task] = field(default_factory=list)
    """Tasks whose process died, to be begun once more."""
    _died: set[Task] = field(default_factory=set)
    _read_to: dict[Task, int] = field(default_factory=dict)
    """Offset in the events of each task."""

    def each(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Task]:
        """Do the tasks; each comes back when it has ended. A task whose process dies is begun once more.

        Interrupted if stopped. The error of a part is raised here; of a whole run only one that says
        nothing about its settings.
        """
        try:
            while self._hand_out(tasks, watch):
                yield from self._look(watch)
                if self.context.stop.requested:
                    raise Interrupted(f"stopped with {len(self._busy)} tasks at work")
                time.sleep(_POLL_S)
        finally:
            self._end(watch)

    @property
    def _busy(self) -> list[tuple[_Worker, Task]]:
        return [(worker, worker.task) for worker in self._workers if worker.task is not None]

    def _hand_out(self, tasks: Iterator[Task], watch: Watch) -> bool:
        """Give every free worker a task while there are any; whether one is at work."""
        while len(self._busy) < self.jobs:
            task = self._again.pop() if self._again else next(tasks, None)
            if task is None:
                break
            task.wait_until_free()
            free = (worker for worker in self._workers if worker.is_free)
            worker = next(free, None) or self._start(task)
            worker.begin(task)
        return bool(self._busy)

    def _look(self, watch: Watch) -> Iterator[Task]:
        """Show what is new, and give back the tasks that have ended."""
        self._pass_wishes_on()
        for worker, task in self._busy:
            code = worker.process.poll()  # before reading: after its end nothing is written
            answer = worker.answer()
            self._read(worker, task, watch)
            if answer is None and code is None:
                continue
            worker.task = None
            if worker.asked:
                worker.dismiss()
            if answer is None and not self._is_over(worker, task, code, watch):
                continue
            if answer is not None:
                self._judge(worker, task, answer)
            yield task

    def _read(self, worker: _Worker, task: Task, watch: Watch) -> None:
        before, now = -1, self._read_to.get(task, 0)
        while before != now:
            before = now
            events, now = read_new(task.events_path, before)
            self._read_to[task] = now
            for event in events:
                if not watch(task, event):
                    worker.stop()

    def _is_over(self, worker: _Worker, task: Task, code: int | None, watch: Watch) -> bool:
        """Whether a task whose process died without an answer is not begun again: it was told to end."""
        if worker.asked:
            return True
        if self.context.stop.requested:
            raise Interrupted(f"{task.name}: stopped")
        if task in self._died:
            raise EnvironmentProblem(
                f"{task.name}: its process ended twice, last with {code}; see {task.log_path}",
                hint="most often memory ran out: with --jobs 1 and --resume it goes on",
            )
        self._died.add(task)
        self._again.append(task)
        watch(task, Noted(message=f"its process ended with {code}; it is begun once more"))
        return False

    def _judge(self, worker: _Worker, task: Task, answer: Answer) -> None:
        """An end that says nothing about the settings of a run ends the whole work."""
        if not answer.exit_code or worker.asked:
            return
        if self.context.stop.requested:
            raise Interrupted(f"{task.name}: stopped")
        if task.part:
            raise answer.error()
        if answer.exit_code not in _REFUSED:
            last = task.run.last_event()
            words = last.error if isinstance(last, RunFinished) else answer.message
            raise EnvironmentProblem(f"{task.name}: ended with {answer.exit_code}: {words}")

    def _pass_wishes_on(self) -> None:
        """What a person asked of a run reaches each of its parts that is at work."""
        parts = [task for _, task in self._busy if task.part]
        if not parts:
            return
        files = ControlFiles.of(parts[0].run)
        asked = files.asked()
        for task in parts:
            ControlFiles.of(task.run, task.part).take_over(asked)
        for wish in asked - {"pause"}:
            files.withdraw(wish)

    def _end(self, watch: Watch) -> None:
        """Let every worker go: a busy one saves its work and ends, or is killed when it takes too long."""
        busy = self._busy
        for worker in self._workers:
            worker.dismiss()
        for worker, _ in busy:
            worker.stop()
        end = time.monotonic() + _GRACE_S
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
        for worker, task in busy:
            self._read(worker, task, watch)
        self._workers.clear()

    def _start(self, task: Task) -> _Worker:
        environment = dict(os.environ) | _ONE_THREAD
        if self.context.config.training.mode == "optimized":
            share = max(1, (os.cpu_count() or 1) // self.jobs)
            environment = dict(os.environ) | dict.fromkeys(LIMITS, str(share))
        task.log_path.parent.mkdir(parents=True, exist_ok=True)
        with task.log_path.open("ab") as log:
            process = subprocess.Popen(
                argv(self.context.workspace, ["work", "--run", task.run.id, "--quiet"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=environment,
                start_new_session=True,
            )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._workers.append(worker := _Worker(process))
        return worker
