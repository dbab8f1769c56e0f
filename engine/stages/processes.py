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
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from engine.errors import ConfigError, EnvironmentProblem, GateError, Interrupted
from engine.records import record
from engine.runs.events import Noted, RunFinished
from engine.runs.launch import LIMITS, ControlFiles, argv
from engine.runs.sink import read_new
from engine.stages.context import StageContext
from engine.stages.tasks import Answer, Task, Watch, Worker

_POLL_S = 0.1
_GRACE_S = 8.0
"""For a worker that is asked to stop; then it is killed, and loses what it did since its last checkpoint."""
_REFUSED = (GateError.exit_code, ConfigError.exit_code)
"""Ends of a run that say something about its settings, not about the machine or the data."""
_ONE_THREAD = {"OMP_THREAD_LIMIT": "1", "NUMBA_NUM_THREADS": "1"}
"""Of a worker in safe mode: two beside each other that both want two cores wait for each other. The bits of
LightGBM (deterministic) and of our kernels do not depend on it."""


@dataclass(slots=True)
class LocalWorker:
    """A child process."""

    process: "subprocess.Popen[bytes]"
    task: Task | None = None
    asked: bool = False
    _heard: bytes = b""

    @classmethod
    def start(cls, context: StageContext, jobs: int, task: Task) -> Self:
        """A process for this task and later ones, one of ``jobs`` beside each other."""
        environment = dict(os.environ) | _ONE_THREAD
        if context.config.training.mode == "optimized":
            share = max(1, (os.cpu_count() or 1) // jobs)
            environment = dict(os.environ) | dict.fromkeys(LIMITS, str(share))
        task.log_path.parent.mkdir(parents=True, exist_ok=True)
        with task.log_path.open("ab") as log:
            process = subprocess.Popen(
                argv(context.workspace, ["work", "--run", task.run.id, "--quiet"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                env=environment,
                start_new_session=True,
            )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        return cls(process)

    def ready(self) -> bool:
        """At once."""
        return True

    def begin(self, task: Task) -> None:
        """Hand it a task as a line."""
        self.task = task
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(task.line.encode())

    def answer(self) -> Answer | None:
        """The line that it has written, if there is one."""
        assert self.process.stdout is not None
        self._heard += self.process.stdout.read() or b""
        line, newline, rest = self._heard.partition(b"\n")
        if not newline:
            return None
        self._heard = rest
        return record.parse(line, Answer, "answer of a worker")

    def ended(self) -> int | None:
        """Exit code of the process; None while it lives."""
        return self.process.poll()

    def stop(self) -> None:
        """Ask once: a second signal would end it in mid-step."""
        if not self.asked and self.process.poll() is None:
            self.asked = True
            self.process.send_signal(signal.SIGTERM)

    def dismiss(self) -> None:
        """Close its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def bury(self, seconds: float) -> None:
        """Wait for its end, or kill it."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Processes:
    """Up to ``jobs`` tasks at a time, each with a worker that is kept for the next one."""

    context: StageContext
    jobs: int
    start: Callable[[StageContext, int, Task], Worker] = LocalWorker.start
    tries: int = 2
    """How often a task is begun whose worker dies."""
    _workers: list[Worker] = field(default_factory=list)
    _again: list[Task] = field(default_factory=list)
    """Tasks that wait: their process died, or there was no worker for them."""
    _died: Counter[Task] = field(default_factory=Counter)
    _read_to: dict[Task, int] = field(default_factory=dict)
    """Offset in the events of each task."""

    def each(self, tasks: Iterator[Task], watch: Watch) -> Iterator[Task]:
        """Do the tasks; each comes back when it has ended. A task whose process dies is begun again.

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
    def _busy(self) -> list[tuple[Worker, Task]]:
        return [(worker, worker.task) for worker in self._workers if worker.task is not None]

    def _hand_out(self, tasks: Iterator[Task], watch: Watch) -> bool:
        """Give every free worker a task while there are any; whether one is at work or waits for a worker."""
        while len(self._busy) < self.jobs:
            task = self._again.pop() if self._again else next(tasks, None)
            if task is None:
                break
            worker = self._free(task)
            if worker is None:
                self._again.append(task)
                break
            task.wait_until_free()
            worker.begin(task)
        return bool(self._busy or self._again)

    def _free(self, task: Task) -> Worker | None:
        """One that waits for a task; else a new one, where there is room for it and it can begin at once."""
        living = [worker for worker in self._workers if worker.ended() is None]
        idle = [worker for worker in living if worker.task is None and not worker.asked]
        if len(living) < self.jobs and not any(worker.ready() for worker in idle):
            idle.append(self.start(self.context, self.jobs, task))
            self._workers.append(idle[-1])
        return next((worker for worker in idle if worker.ready()), None)

    def _look(self, watch: Watch) -> Iterator[Task]:
        """Show what is new, and give back the tasks that have ended."""
        self._pass_wishes_on()
        for worker, task in self._busy:
            code = worker.ended()  # before reading: after its end nothing is written
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

    def _read(self, worker: Worker, task: Task, watch: Watch) -> None:
        before, now = -1, self._read_to.get(task, 0)
        while before != now:
            before = now
            events, now = read_new(task.events_path, before)
            self._read_to[task] = now
            for event in events:
                if not watch(task, event):
                    worker.stop()

    def _is_over(self, worker: Worker, task: Task, code: int | None, watch: Watch) -> bool:
        """Whether a task whose process died without an answer is not begun again: it was told to end."""
        if worker.asked:
            return True
        if self.context.stop.requested:
            raise Interrupted(f"{task.name}: stopped")
        self._died[task] += 1
        if self._died[task] == self.tries:
            raise EnvironmentProblem(
                f"{task.name}: its process ended {self._died[task]} times, last with {code}; see "
                f"{task.log_path}",
                hint="most often memory ran out: take fewer jobs; what has --resume goes on with it",
            )
        self._again.append(task)
        watch(task, Noted(message=f"its process ended with {code}; it is begun again"))
        return False

    def _judge(self, worker: Worker, task: Task, answer: Answer) -> None:
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
            worker.bury(max(0.0, end - time.monotonic()))
        for worker, task in busy:
            self._read(worker, task, watch)
        self._workers.clear()
