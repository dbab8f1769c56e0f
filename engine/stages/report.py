"""`report`: export what is known of a run, of two runs side by side, or of all runs."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.errors import EngineError, UsageError
from engine.files import write_json, write_text
from engine.records.train import TRAIN
from engine.report import render
from engine.report.comparison import SideBySide
from engine.report.facts import Facts, gather
from engine.report.render import write_pdf, write_tables
from engine.runs.events import Noted, StageStarted
from engine.runs.store import Run, require_file
from engine.stages.context import Outcome, StageContext, require_model

_FORMATS = ("html", "json", "md", "csv", "parquet", "pdf")
_ALL = "all"


def report(
    context: StageContext,
    *,
    run: str,
    format: str,  # noqa: A002 - the option's name
    compare: str | None = None,
    output: str | None = None,
) -> Outcome:
    """Write ``report.<format>`` of a run into its directory, or into ``output``.

    ``compare``: ``compare-<other>.<format>`` beside it instead. ``run`` = ``all``: every run that was
    trained to its end, each into ``output/<run>``; one that fails does not stop the others, but the
    command.
    """
    wanted = _formats(format)
    context.sink.emit(StageStarted(stage="report"))
    if run == _ALL:
        return _batch(context, wanted, output)
    found = context.store.open(run)
    directory = Path(output) if output else found.directory
    if compare is not None:
        return _compare(context, found, context.store.open(compare), directory, wanted)
    paths = _export(context, found, directory, wanted)
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
    context: StageContext, run: Run, directory: Path, wanted: Sequence[str]
) -> dict[str, str]:
    """Format -> path of its (first) file."""
    with run.lock():
        facts, created = _facts(context, run), context.now()
        made = render.document(facts, created=created)
        paths = {name: directory / f"report.{name}" for name in wanted}
        for name, path in paths.items():
            if name in ("csv", "parquet"):
                write_tables(directory, "report", facts, name)
            else:
                _write(path, name, made, lambda: render.as_json(facts, created=created))
    return {name: str(path) for name, path in paths.items()}


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
    for run in context.store:
        if not run.path(TRAIN).is_file() or run.status() != "done":
            continue
        directory = Path(output) / run.id if output else run.directory
        try:
            done[run.id] = _export(context, run, directory, wanted)
        except EngineError as error:
            failed[run.id] = error.message
            context.sink.emit(Noted(message=f"{run.id}: {error.message}"))
    if failed:
        names = "; ".join(f"{name}: {words}" for name, words in failed.items())
        raise UsageError(f"{len(done)} reports written, {len(failed)} failed: {names}")
    lines = [f"{run_id}: {', '.join(paths)}" for run_id, paths in done.items()]
    return Outcome(
        json={"reports": done}, text="\n".join(lines) or "no finished runs in this workspace"
    )
