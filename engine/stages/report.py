"""`report`: export what is known of a run."""

from engine.errors import UsageError
from engine.files import write_json, write_text
from engine.report import render
from engine.report.facts import gather
from engine.runs.events import StageStarted
from engine.runs.store import require_file
from engine.stages.context import Outcome, StageContext

FORMATS = ("html", "json", "md")


def report(context: StageContext, *, run: str, format: str) -> Outcome:  # noqa: A002 - the option's name
    """Write ``report.<format>`` into the run directory for each of the comma-separated formats."""
    wanted = [name.strip() for name in format.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in FORMATS]
    if unknown or not wanted:
        raise UsageError(f"--format {format!r}: known are {', '.join(FORMATS)}")
    found = context.store.open(run)
    require_file(found.path("train.json"), "train it to its end first")
    context.sink.emit(StageStarted(stage="report"))
    with found.lock():
        facts = gather(context.workspace, found)
        if "test" not in facts.train:
            raise UsageError(
                f"{found.id}: not trained to its end", hint="`atft-tui train --resume`"
            )
        created = context.now()
        for name in wanted:
            path = found.path(f"report.{name}")
            if name == "html":
                write_text(path, render.html(facts, created=created))
            elif name == "md":
                write_text(path, render.markdown(facts, created=created))
            else:
                write_json(path, render.as_json(facts, created=created))
    paths = {name: str(found.path(f"report.{name}")) for name in wanted}
    return Outcome(json=paths, text="\n".join(f"report: {path}" for path in paths.values()))
