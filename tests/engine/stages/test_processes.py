"""Tasks in child processes: who is asked again, what ends everything, what the answers carry.

The workers are small scripts that speak the lines of `work`; the name of a part says how its task ends.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.config import Config
from engine.errors import (
    ConfigError,
    DataError,
    EngineError,
    EnvironmentProblem,
    GateError,
    Interrupted,
    UsageError,
)
from engine.runs.events import Noted, RunEvent, RunFinished
from engine.runs.launch import ControlFiles
from engine.runs.sink import JsonlSink, ListSink
from engine.runs.store import Run
from engine.stages import processes
from engine.stages.context import StageContext, StopFlag
from engine.stages.processes import Processes
from engine.stages.tasks import Answer, Task

WORKER = """
import json, os, signal, sys, time
from pathlib import Path
for line in open(0, "rb", buffering=0):
    run, part = line.decode().rstrip("\\n").split(" ")
    folder = Path(sys.argv[1]) / "runs" / run / "tasks" / part
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log.txt").open("a") as log:
        log.write(f"{os.getpid()}\\n")
    times = len((folder / "log.txt").read_text().split())
    if part == "mortal" or part == "mortal-once" and times == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if part == "enough":
        time.sleep(60)
    if part == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        (folder / "at work").touch()
        time.sleep(60)
    code = {"refused": 6, "no-data": 3}.get(part, 0)
    print(json.dumps({"exit_code": code, "message": part, "hint": "look"}), flush=True)
"""


@pytest.fixture(autouse=True)
def _small_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def argv(workspace: Path, words: list[str]) -> list[str]:
        return [sys.executable, "-c", WORKER, str(workspace)]

    monkeypatch.setattr(processes, "argv", argv)


@pytest.fixture
def context(tmp_path: Path) -> StageContext:
    return StageContext(workspace=tmp_path, config=Config(), sink=ListSink(), stop=StopFlag())


@pytest.fixture
def run(context: StageContext) -> Run:
    return context.store.create("walkforward", Config())


def seen(task: Task, event: RunEvent) -> bool:
    return True


def do(context: StageContext, run: Run, *parts: str, jobs: int = 2) -> list[str]:
    tasks = (Task(run, part) for part in parts)
    return [task.part for task in Processes(context, jobs).each(tasks, seen)]


def pids(run: Run, part: str) -> list[str]:
    return run.path(f"tasks/{part}/log.txt").read_text().split()


def test_every_task_comes_back_once_and_workers_are_kept(context: StageContext, run: Run) -> None:
    assert sorted(do(context, run, *"abcde")) == [*"abcde"]
    assert len({pid for part in "abcde" for pid in pids(run, part)}) <= 2


def test_a_task_whose_process_dies_is_begun_once_more(context: StageContext, run: Run) -> None:
    told: list[tuple[str, RunEvent]] = []

    def watch(task: Task, event: RunEvent) -> bool:
        told.append((task.part, event))
        return True

    tasks = (Task(run, part) for part in ("mortal-once", "other"))
    done = [task.part for task in Processes(context, 1).each(tasks, watch)]
    assert sorted(done) == ["mortal-once", "other"]
    assert len(set(pids(run, "mortal-once"))) == 2
    ((part, event),) = told
    assert part == "mortal-once"
    assert isinstance(event, Noted)
    assert "ended with -9; it is begun again" in event.message


def test_one_that_dies_twice_ends_the_work_and_names_its_log(
    context: StageContext, run: Run
) -> None:
    with pytest.raises(EnvironmentProblem, match="mortal: its process ended 2 times") as raised:
        do(context, run, "other", "mortal")
    assert str(run.path("tasks/mortal/log.txt")) in raised.value.message
    assert "--resume" in raised.value.hint


@pytest.mark.parametrize(("part", "kind"), [("refused", GateError), ("no-data", DataError)])
def test_the_error_of_a_part_is_raised_as_it_was(
    context: StageContext, run: Run, part: str, kind: type[EngineError]
) -> None:
    with pytest.raises(kind, match=part) as raised:
        do(context, run, part)
    assert raised.value.hint == "look"


@pytest.mark.parametrize(
    "error",
    [
        UsageError("u"),
        DataError("d", hint="h"),
        GateError("g"),
        Interrupted("i"),
        EnvironmentProblem("e"),
    ],
)
def test_an_answer_keeps_kind_words_and_hint(error: EngineError) -> None:
    again = Answer.of(error).error()
    assert type(again) is type(error)
    assert (again.message, again.hint) == (error.message, error.hint)


def test_a_configuration_error_comes_back_with_its_exit_code() -> None:
    assert Answer.of(ConfigError("c")).error().exit_code == ConfigError.exit_code


def test_a_whole_run_that_is_refused_is_told_by_its_own_events(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variant whose settings do not work is one row of a comparison, not its end."""
    script = WORKER.replace("get(part, 0)", 'get("refused", 0)')
    monkeypatch.setattr(
        processes, "argv", lambda workspace, words: [sys.executable, "-c", script, str(workspace)]
    )
    runs = [context.store.create("train", Config()) for _ in range(2)]
    done = [task.run for task in Processes(context, 2).each(map(Task, runs), seen)]
    assert {run.id for run in done} == {run.id for run in runs}


def test_a_whole_run_that_fails_for_another_reason_ends_the_work_in_its_own_words(
    context: StageContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = WORKER.replace("get(part, 0)", 'get("no-data", 0)')
    monkeypatch.setattr(
        processes, "argv", lambda workspace, words: [sys.executable, "-c", script, str(workspace)]
    )
    whole = context.store.create("train", Config())
    log = JsonlSink(whole.events_path)
    log.emit(RunFinished(status="failed", error="disk full"))
    log.close()
    with pytest.raises(EnvironmentProblem, match="ended with 3: disk full"):
        list(Processes(context, 1).each(iter([Task(whole)]), seen))


def test_a_task_that_has_done_enough_is_asked_to_stop_and_its_worker_goes(
    context: StageContext, run: Run
) -> None:
    """It sleeps until it is asked; that is no death, and the next task gets another process."""
    for part in ("enough", "next"):
        log = JsonlSink(run.path(f"tasks/{part}/events.jsonl"))
        log.emit(Noted(message=part))
        log.close()

    def watch(task: Task, event: RunEvent) -> bool:
        while not run.path(f"tasks/{task.part}/log.txt").exists():
            time.sleep(0.01)
        return task.part != "enough"

    tasks = (Task(run, part) for part in ("enough", "next"))
    done = [task.part for task in Processes(context, 1).each(tasks, watch)]
    assert done == ["enough", "next"]
    assert pids(run, "enough") != pids(run, "next")


def test_a_stop_waits_for_no_process_that_does_not_end(
    context: StageContext, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_GRACE_S", 0.3)
    stop = context.stop
    assert isinstance(stop, StopFlag)

    def tasks() -> Iterator[Task]:
        yield Task(run, "stubborn")
        while not run.path("tasks/stubborn/at work").exists():
            time.sleep(0.01)
        stop.requested = True

    with pytest.raises(Interrupted, match="1 tasks at work"):
        list(Processes(context, 2).each(tasks(), seen))
    (pid,) = pids(run, "stubborn")
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), signal.SIG_DFL)


def test_what_is_asked_of_a_run_reaches_its_parts_and_a_pause_ends_with_it(run: Run) -> None:
    whole, part = ControlFiles.of(run), ControlFiles.of(run, "fold-0-seed-1")
    for wish in ("pause", "checkpoint"):
        whole.ask(wish)
    part.take_over(whole.asked())
    assert part.asked() == {"pause", "checkpoint"}
    part.withdraw("checkpoint")
    whole.withdraw("pause")
    whole.withdraw("checkpoint")
    part.take_over(whole.asked())
    assert part.asked() == frozenset()


def test_a_task_of_a_run_has_files_of_its_own(context: StageContext, run: Run) -> None:
    part, whole = Task(run, "fold-0-seed-1"), Task(run)
    assert part.events_path == run.path("tasks/fold-0-seed-1/events.jsonl")
    assert (whole.events_path, whole.log_path) == (run.events_path, run.log_path)
    assert whole.lock_path == run.path("lock")
    for task in (part, whole):
        assert Task.of_line(task.line, context.store) == task


def test_events_of_before_a_death_are_shown_once(context: StageContext, run: Run) -> None:
    log = JsonlSink(run.path("tasks/mortal-once/events.jsonl"))
    log.emit(Noted(message="one step"))
    log.close()
    told: list[str] = []

    def watch(task: Task, event: RunEvent) -> bool:
        assert isinstance(event, Noted)
        told.append(event.message)
        return True

    list(Processes(context, 1).each(iter([Task(run, "mortal-once")]), watch))
    assert told.count("one step") == 1
