"""`runs`, `show`, `watch`, `stop`: looking at the run store from the command line."""

import math
import time
from collections.abc import Sequence
from textwrap import shorten

from msgspec import Struct

from engine.errors import UsageError
from engine.records import record
from engine.records.figure import DASH, Interval
from engine.records.rank_ic import RankICSummary
from engine.records.run import RunSummary, SplitFigures
from engine.records.train import Rival
from engine.runs.events import EpochEvaluated, RunFinished
from engine.runs.follow import read_new
from engine.runs.labels import printable
from engine.runs.launch import request_stop
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
    header = ["run", "status", "validation RankIC", "test RankIC", "net Sharpe", "deflated", "took",
              "settings", "tags", "note"]  # fmt: skip
    text = table([_cells(about) for about in found], header=header)
    return Outcome(json={"runs": [record.as_json(_row(about)) for about in found]}, text=text)


def _cells(about: RunSummary) -> list[str]:
    """One line of the table; what outside hands wrote is on one line, and shown, not obeyed."""
    deflated = about.sharpe.deflated if about.sharpe else math.nan
    note = printable(about.labels.note or about.trouble)
    return [
        about.id,
        about.status,
        _figure(about.validation),
        _figure(about.test),
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
    offset, last = 0, None
    while True:
        events, offset = read_new(found.events_path, offset)
        for event in events:
            context.sink.emit(event)
            last = event if isinstance(event, EpochEvaluated | RunFinished) else last
        if not events and (isinstance(last, RunFinished) or not found.is_alive()):
            break
        if context.stop.requested:
            break
        time.sleep(_POLL_S)
    status = found.status()
    return Outcome(json={"run_id": found.id, "status": status}, text=f"{found.id}: {status}")


def stop(context: StageContext, *, run: str) -> Outcome:
    """Ask the run's process to finish its step, save a checkpoint and end."""
    found = context.store.open(run)
    request_stop(found)
    text = f"{found.id}: asked to stop; it saves a checkpoint at the end of its step"
    return Outcome(json={"run_id": found.id, "asked": True}, text=text)


class _RunRow(Struct, frozen=True, kw_only=True):
    """A run as ``runs --json`` and ``show --json`` tell it; null where a figure is not known."""

    id: str
    command: str
    status: str
    created: str
    """UTC, ISO 8601."""
    validation: RankICSummary | None
    test: RankICSummary | None
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
