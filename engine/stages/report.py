"""`report`: export what is known of a run, of two runs side by side, or of all runs."""

from collections.abc import Sequence
from pathlib import Path

from engine.errors import EngineError, UsageError
from engine.files import write_json, write_text
from engine.records.train import TRAIN
from engine.report import render
from engine.report.comparison import SideBySide
from engine.report.facts import Facts, gather
from engine.report.pdf import write_pdf
from engine.report.tables import write_tables
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
        facts = _facts(context, run)
        created = context.now()
        paths: dict[str, str] = {}
        for name in wanted:
            path = directory / f"report.{name}"
            if name == "html":
                write_text(path, render.html(facts, created=created))
            elif name == "md":
                write_text(path, render.markdown(facts, created=created))
            elif name == "json":
                write_json(path, render.as_json(facts, created=created))
            elif name == "pdf":
                write_pdf(render.html(facts, created=created), path)
            else:
                write_tables(directory, "report", facts, name)
            paths[name] = str(path)
    return paths


def _compare(
    context: StageContext, first: Run, second: Run, directory: Path, wanted: Sequence[str]
) -> Outcome:
    for run in (first, second):
        require_model(run)
    made = SideBySide.of(_facts(context, first), _facts(context, second))
    body = (
        f"{made.a.model} against {made.b.model}",
        f"runs {first.id} and {second.id} · made {context.now():%Y-%m-%d %H:%M} UTC",
        made.answers(),
        made.sections(),
    )
    summary = made.json()
    paths = {}
    for name in wanted:
        path = directory / f"compare-{second.id}.{name}"
        if name == "html":
            write_text(path, render.page(*body))
        elif name == "md":
            write_text(path, render.text(*body))
        elif name == "json":
            write_json(path, summary)
        elif name == "pdf":
            write_pdf(render.page(*body), path)
        else:
            raise UsageError(f"--compare has no {name}", hint="html, md, json and pdf are possible")
        paths[name] = str(path)
    lines = [answer.answer + ". " + answer.detail for answer in made.answers()]
    lines += [f"report: {path}" for path in paths.values()]
    return Outcome(json={**summary, "paths": paths}, text="\n".join(lines))


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
