"""`report`: export what is known of a run, of two runs side by side, or of all runs.

Of all runs several processes may make them, each as the part ``report`` of its run:

    tasks/report/request.json    what is asked
    tasks/report/made/           the files, which the starter puts into their place
    tasks/report/answer.json     why there are none
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import Struct

from engine.errors import EngineError, UsageError
from engine.files import write_bytes, write_json, write_text
from engine.records import record
from engine.records.train import TRAIN
from engine.report import render
from engine.report.comparison import SideBySide
from engine.report.facts import Facts, gather
from engine.report.render import write_pdf, write_tables
from engine.runs.events import Noted, StageStarted
from engine.runs.sink import EventSink
from engine.runs.store import Run, require_file
from engine.stages.capacity import asked_jobs
from engine.stages.cluster import beside
from engine.stages.context import Outcome, StageContext, require_model, with_executor
from engine.stages.tasks import Task, forget_tasks

REPORT_PART = "report"
"""Name of the task."""
_REQUEST, _MADE, _ANSWER = "request.json", "made", "answer.json"
_FORMATS = ("html", "json", "md", "csv", "parquet", "pdf")
_ALL = "all"


def report(
    context: StageContext,
    *,
    run: str,
    format: str,  # noqa: A002 - the option's name
    compare: str | None = None,
    output: str | None = None,
    jobs: int | None = None,
    executor: str | None = None,
    address: str | None = None,
) -> Outcome:
    """Write ``report.<format>`` of a run into its directory, or into ``output``.

    ``compare``: ``compare-<other>.<format>`` beside it instead. ``run`` = ``all``: every run that was
    trained to its end, each into ``output/<run>``; one that fails does not stop the others, but the
    command.
    """
    wanted = _formats(format)
    context.sink.emit(StageStarted(stage="report"))
    if run == _ALL:
        return _batch(with_executor(context, jobs, executor, address), wanted, output)
    found = context.store.open(run)
    directory = Path(output) if output else found.directory
    if compare is not None:
        return _compare(context, found, context.store.open(compare), directory, wanted)
    paths = _export(context, found, directory, wanted, context.now())
    return Outcome(json=paths, text="\n".join(f"report: {path}" for path in paths.values()))


def _formats(given: str) -> list[str]:
    wanted = [name.strip() for name in given.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in _FORMATS]
    if unknown or not wanted:
        raise UsageError(f"--format {given!r}: known are {', '.join(_FORMATS)}")
    return wanted


def _facts(context: StageContext, run: Run) -> Facts:
    require_file(run.path(TRAIN), "train it to its end first")
    facts = gather(context.workspace, run)
    if facts.train.test is None:
        raise UsageError(f"{run.id}: not trained to its end", hint="`atft-tui train --resume`")
    return facts


def _export(
    context: StageContext, run: Run, directory: Path, wanted: Sequence[str], created: dt.datetime
) -> dict[str, str]:
    """Format -> path of its (first) file."""
    with run.lock():
        facts = _facts(context, run)
        made = render.document(facts, created=created)
        paths = _paths(directory, wanted)
        for name, path in paths.items():
            if name in ("csv", "parquet"):
                write_tables(directory, "report", facts, name)
            else:
                _write(Path(path), name, made, lambda: render.as_json(facts, created=created))
    return paths


def _paths(directory: Path, wanted: Sequence[str]) -> dict[str, str]:
    return {name: str(directory / f"report.{name}") for name in wanted}


def _write(
    path: Path, name: str, made: render.Document, figures: Callable[[], Mapping[str, object]]
) -> None:
    """A document as html, md or pdf, its figures as json."""
    if name == "html":
        write_text(path, made.html())
    elif name == "md":
        write_text(path, made.markdown())
    elif name == "json":
        write_json(path, figures())
    else:
        write_pdf(made.html(), path)


def _compare(
    context: StageContext, first: Run, second: Run, directory: Path, wanted: Sequence[str]
) -> Outcome:
    for run in (first, second):
        require_model(run)
    for name in wanted:
        if name in ("csv", "parquet"):
            raise UsageError(f"--compare has no {name}", hint="html, md, json and pdf are possible")
    sides = SideBySide.of(_facts(context, first), _facts(context, second))
    made = render.Document(
        title=f"{sides.a.model} against {sides.b.model}",
        subtitle=f"runs {first.id} and {second.id} · made {context.now():%Y-%m-%d %H:%M} UTC",
        answers=sides.answers(),
        sections=sides.sections(),
    )
    paths = {name: directory / f"compare-{second.id}.{name}" for name in wanted}
    for name, path in paths.items():
        _write(path, name, made, sides.json)
    lines = [f"{answer.answer}. {answer.detail}" for answer in made.answers]
    lines += [f"report: {path}" for path in paths.values()]
    told = {name: str(path) for name, path in paths.items()}
    return Outcome(json={**sides.json(), "paths": told}, text="\n".join(lines))


def _batch(context: StageContext, wanted: Sequence[str], output: str | None) -> Outcome:
    done: dict[str, dict[str, str]] = {}
    failed: dict[str, str] = {}
    todo = {
        run: Path(output) / run.id if output else run.directory
        for run in context.store
        if run.path(TRAIN).is_file() and run.status() == "done"
    }
    for run, error in _exported(context, todo, wanted):
        if error:
            failed[run.id] = error
            context.sink.emit(Noted(message=f"{run.id}: {error}"))
        else:
            done[run.id] = _paths(todo[run], wanted)
    if failed:
        names = "; ".join(f"{run.id}: {failed[run.id]}" for run in todo if run.id in failed)
        raise UsageError(f"{len(done)} reports written, {len(failed)} failed: {names}")
    told = {run.id: done[run.id] for run in todo}  # processes end in any order
    lines = [f"{run_id}: {', '.join(paths)}" for run_id, paths in told.items()]
    return Outcome(
        json={"reports": told}, text="\n".join(lines) or "no finished runs in this workspace"
    )


def _exported(
    context: StageContext, todo: Mapping[Run, Path], wanted: Sequence[str]
) -> Iterator[tuple[Run, str]]:
    """Each run when its report is written, with what went wrong; all say that they were made at one time."""
    created, executor = context.now(), context.config.executor
    if executor.kind == "ray" and not executor.shared:
        raise UsageError(
            "report all: a report rests on the whole workspace, which is not carried to a cluster",
            hint="--executor local, or executor.shared = true where all machines see the workspace",
        )
    jobs = asked_jobs(context.config)
    if jobs == 1 and executor.kind == "local":
        for run, directory in todo.items():
            yield run, _attempt(context, run, directory, wanted, created)
        return
    tasks = {Task(run, REPORT_PART): directory for run, directory in todo.items()}
    try:
        for task in tasks:
            forget_tasks(task.run, REPORT_PART)
            request = _Request(formats=tuple(wanted), created=created)
            record.write(task.folder / _REQUEST, request)
        for task in beside(context, jobs).each(iter(tasks), lambda task, event: True):
            error = record.read(task.folder / _ANSWER, _Answer).error
            for path in () if error else (task.folder / _MADE).iterdir():
                write_bytes(tasks[task] / path.name, path.read_bytes())
            yield task.run, error
    finally:
        for task in tasks:
            forget_tasks(task.run, REPORT_PART)


def _attempt(
    context: StageContext, run: Run, directory: Path, wanted: Sequence[str], created: dt.datetime
) -> str:
    """Why the report could not be written; empty if it is."""
    try:
        _export(context, run, directory, wanted, created)
    except EngineError as error:
        return error.message
    return ""


class _Request(Struct, frozen=True, kw_only=True):
    """What a task is asked for."""

    formats: tuple[str, ...]
    created: dt.datetime


class _Answer(Struct, frozen=True, kw_only=True):
    """What has become of it."""

    error: str


@dataclass(frozen=True, slots=True)
class ReportBench:
    """A run whose report a worker makes."""

    run: Run

    def do(self, context: StageContext, name: str, sink: EventSink) -> None:
        """Make it; a run that has none is no failure of the work."""
        folder = Task(self.run, name).folder
        request = record.read(folder / _REQUEST, _Request)
        made = folder / _MADE
        error = _attempt(context, self.run, made, request.formats, request.created)
        record.write(folder / _ANSWER, _Answer(error=error))
