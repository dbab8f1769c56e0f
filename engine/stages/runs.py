"""`runs`, `show`, `watch`, `stop`; what a person asks of a run at work; its labels; and its end."""

import math
import sys
import time
from collections.abc import Sequence
from textwrap import shorten

import click
from msgspec import Struct

from engine.errors import EnvironmentProblem, GateError, Interrupted, UsageError
from engine.plain_text import clean_lines
from engine.records import record
from engine.records.figure import DASH, Interval
from engine.records.protocol import JudgedDays
from engine.records.rank_ic import RankICSummary
from engine.records.run import Labels, RunSummary, SplitFigures
from engine.records.train import Rival
from engine.runs import deletion
from engine.runs.events import ControlAnswered, Noted, Paused, RunFinished
from engine.runs.labels import add_tags, printable, read_labels, remove_tags, set_note
from engine.runs.launch import Wish, go_on, request, request_stop
from engine.runs.sink import read_new
from engine.runs.store import Run
from engine.runs.summary import summarise
from engine.stages.context import Outcome, StageContext
from engine.stages.text import table

_POLL_S = 0.1
_SETTINGS_WIDTH, _NOTE_WIDTH = 40, 40


def runs(
    context: StageContext,
    *,
    tag: Sequence[str] = (),
    command: str | None = None,
    status: str | None = None,
    limit: int | None = None,
) -> Outcome:
    """Runs that fit, newest first."""
    if limit is not None and limit < 1:
        raise UsageError("--limit must be at least 1")
    found: list[RunSummary] = []
    for run in context.store:
        if limit is not None and len(found) == limit:
            break
        if command is not None and run.command != command:
            continue
        about = summarise(run)
        if set(tag) <= set(about.labels.tags) and status in (None, about.status):
            found.append(about)
    if not found:
        none = "no runs yet; start one with `atft-tui train`"
        asked = tag or command or status
        return Outcome(json={"runs": []}, text="no run fits" if asked else none)
    header = ["run", "status", "validation RankIC", "test RankIC", "protocol", "net Sharpe", "deflated",
              "took", "settings", "tags", "note"]  # fmt: skip
    rows = [header, *map(_cells, found)]
    if not any(about.days for about in found):
        rows = [row[:4] + row[5:] for row in rows]
    text = table(rows[1:], header=rows[0])
    return Outcome(json={"runs": [record.as_json(_row(about)) for about in found]}, text=text)


def _cells(about: RunSummary) -> list[str]:
    """One line of the table; what outside hands wrote is on one line, and shown, not obeyed."""
    deflated = about.sharpe.deflated if about.sharpe else math.nan
    note = printable(about.trouble or about.labels.note)
    return [
        about.id,
        about.status,
        _figure(about.validation),
        _figure(about.test),
        about.days,
        _sharpe(about) or DASH,
        DASH if math.isnan(deflated) else f"{deflated:.2f}",
        DASH if math.isnan(about.seconds) else f"{about.seconds:.0f} s",
        shorten(printable(about.settings.short), width=_SETTINGS_WIDTH, placeholder=" ..."),
        " ".join(about.labels.tags),
        note if len(note) <= _NOTE_WIDTH else f"{note[: _NOTE_WIDTH - 3]}...",
    ]


def _figure(found: RankICSummary | None) -> str:
    return DASH if found is None else found.marked


def _sharpe(about: RunSummary) -> str:
    found = about.sharpe
    if found is None:
        return ""
    return f"{Interval(found.value, found.low, found.high).text()} {printable(found.verdict)}"


def show(context: StageContext, *, run: str) -> Outcome:
    """Manifest, status and figures of one run."""
    found = context.store.open(run)
    about = summarise(found)
    row = _row(about)
    answer = record.as_json(row) | {
        "manifest": record.as_json(found.manifest),
        "directory": str(found.directory),
    }
    last = found.last_event()
    lines = [f"{found.id}  {row.status}  {found.directory}"]
    if isinstance(last, RunFinished) and last.error:
        answer |= {"error": last.error, "hint": last.hint}
        lines += [f"error: {last.error}", f"hint: {last.hint}"]
    if row.tags:
        lines.append(f"tags: {' '.join(row.tags)}")
    if row.note:
        lines.append(f"note: {row.note}")
    if row.days:
        lines.append(f"protocol: {row.days}")
    lines += [f"  {name}: {value}" for name, value in found.manifest.packages.items()]
    for name, values in about.models.items():
        for split, figures in (("validation", values.validation), ("test", values.test)):
            line = DASH if figures is None else figures.line
            lines.append(
                f"{name if split == 'validation' else ' ' * len(name)}  {split:<10} {line}"
            )
    return Outcome(json=answer, text="\n".join(lines))


def watch(context: StageContext, *, run: str) -> Outcome:
    """Print the run's progress until it ends; interrupting leaves the run alone."""
    found = context.store.open(run)
    for events in found.batches(follow=True, stopped=lambda: context.stop.requested):
        for event in events:
            context.sink.emit(event)
    status = found.status()
    return Outcome(json={"run_id": found.id, "status": status}, text=f"{found.id}: {status}")


def stop(context: StageContext, *, run: str) -> Outcome:
    """Ask the run's process to finish its step, save a checkpoint and end."""
    found = context.store.open(run)
    request_stop(found)
    text = f"{found.id}: asked to stop; it saves a checkpoint at the end of its step"
    return Outcome(json={"run_id": found.id, "asked": True}, text=text)


class _RunRow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run as ``runs --json`` and ``show --json`` tell it; null where a figure is not known."""

    id: str
    command: str
    status: str
    created: str
    """UTC, ISO 8601."""
    validation: RankICSummary | None
    test: RankICSummary | None
    judged_days: JudgedDays | None = None
    days: str = ""
    """What the figures rest on, in words; this and the spans are left out without a protocol."""
    sharpe: str
    """With its interval and verdict, in words; empty without a backtest."""
    sharpe_deflated: float
    seconds: float
    preset: str | None
    changes: dict[str, str]
    """Dotted key -> value, as after ``--set``."""
    tags: tuple[str, ...]
    note: str
    trouble: str
    """What could not be read."""
    figures: dict[str, SplitFigures | Rival]
    """Name of the model -> its figures."""


def _row(about: RunSummary) -> _RunRow:
    network = about.network
    return _RunRow(
        id=about.id,
        command=about.command,
        status=about.status,
        created=about.created,
        validation=network.validation,
        test=network.test,
        judged_days=about.judged_days,
        days=about.days,
        sharpe=_sharpe(about),
        sharpe_deflated=about.sharpe.deflated if about.sharpe else math.nan,
        seconds=about.seconds,
        preset=about.settings.preset,
        changes=dict(about.settings.written),
        tags=about.labels.tags,
        note=about.labels.note,
        trouble=about.trouble,
        figures=about.models,
    )


def checkpoint(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Save the `resume` checkpoint at the end of the running step."""
    return _wish_for(context, run, "checkpoint", wait)


def rollback(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Back to the last healthy checkpoint with a lower learning rate. GateError if there is none."""
    return _wish_for(context, run, "rollback", wait)


def pause(context: StageContext, *, run: str, wait: int) -> Outcome:
    """Wait at the end of the running step, with a checkpoint, until told to go on."""
    return _wish_for(context, run, "pause", wait)


def continue_(context: StageContext, *, run: str) -> Outcome:
    """Let a paused run go on."""
    found = context.store.open(run)
    go_on(found)
    return Outcome(json={"run_id": found.id, "asked": True}, text=f"{found.id}: goes on")


def _wish_for(context: StageContext, name: str, wish: Wish, wait: int) -> Outcome:
    """Leave the wish and wait up to ``wait`` seconds for what became of it."""
    run = context.store.open(name)
    offset = _stream_size(run)
    request(run, wish)
    answer = _answer_to(context, run, wish, offset, wait)
    if isinstance(answer, ControlAnswered) and not answer.done:
        raise GateError(f"{run.id}: {wish} refused: {answer.detail}")
    told = {"run_id": run.id, "action": wish, "asked": True, "answered": answer is not None}
    match answer:
        case None:
            text = f"{run.id}: asked; it answers at the end of its step, `atft-tui watch` tells it"
            return Outcome(json=told, text=text)
        case Paused(step=step):
            detail = f"paused at step {step}, checkpoint saved"
        case ControlAnswered(step=step, detail=detail):
            pass
    return Outcome(json={**told, "step": step, "detail": detail}, text=f"{run.id}: {detail}")


def _answer_to(
    context: StageContext, run: Run, wish: Wish, offset: int, wait: int
) -> Paused | ControlAnswered | None:
    """None if it does not come in time: a validation or a long step may be going on."""
    end = time.monotonic() + wait
    while time.monotonic() < end and not context.stop.requested:
        alive = run.is_alive()  # before reading: after its end nothing is written
        events, offset = read_new(run.events_path, offset)
        for event in events:
            if isinstance(event, Paused) and wish == "pause":
                return event
            if isinstance(event, ControlAnswered) and event.action == wish:
                return event
        if not alive:
            raise EnvironmentProblem(
                f"{run.id}: ended before it answered", hint=f"its status is {run.status()}"
            )
        time.sleep(_POLL_S)
    return None


def _stream_size(run: Run) -> int:
    """Bytes of the stream now: only what comes later can be the answer."""
    try:
        return run.events_path.stat().st_size
    except FileNotFoundError:
        return 0


def tag(context: StageContext, *, run: str, tags: Sequence[str], remove: bool = False) -> Outcome:
    """Add the tags to what the run has, or take them away."""
    found = context.store.open(run)
    labels = remove_tags(found, tags) if remove else add_tags(found, tags)
    return _labelled(found, labels, f"tags: {' '.join(labels.tags) or 'none'}")


def note(
    context: StageContext, *, run: str, text: str | None = None, clear: bool = False
) -> Outcome:
    """Write the note, take it away, or show it."""
    found = context.store.open(run)
    if clear and text:
        raise UsageError("note: a text and --clear contradict each other")
    labels = set_note(found, text or "") if clear or text is not None else read_labels(found)
    return _labelled(found, labels, f"note: {labels.note or 'none'}")


def _labelled(run: Run, labels: Labels, text: str) -> Outcome:
    answer = {"run_id": run.id, "tags": list(labels.tags), "note": labels.note}
    return Outcome(json=answer, text=f"{run.id}  {text}")


def delete(context: StageContext, *, run: Sequence[str], yes: bool = False) -> Outcome:
    """Delete the runs, each whole or not at all; none if one of them may not be deleted.

    Without ``yes`` it asks on a terminal; elsewhere that is a UsageError that says what would have been
    deleted.
    """
    plan = deletion.plan(context.workspace, [context.store.open(name) for name in run])
    if not yes:
        _confirm(plan.question)
    freed = {}
    for one in plan.runs:
        for sentence in plan.named[one.id].sentences():
            context.sink.emit(Noted(message=f"{one.id}: {sentence}"))
        freed[one.id] = deletion.delete(one)
    answer = {
        "deleted": [{"run_id": run_id, "bytes": size} for run_id, size in freed.items()],
        "named_by": {run_id: [*named.seals, *named.others] for run_id, named in plan.named.items()},
    }
    total = sum(freed.values()) / deletion.MIB
    return Outcome(json=answer, text=f"deleted {', '.join(freed)}: {total:,.1f} MiB freed")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            f"not deleted, nobody was asked:\n{question}",
            hint="give --yes where nobody can be asked",
        )
    sys.stderr.write(f"{clean_lines(question)}\n")
    if not click.confirm("Delete for good?", default=False, err=True):
        raise Interrupted("nothing was deleted")
