"""`runs`, `show`, `watch`, `stop`: looking at the run store from the command line."""

import math
import time
from collections.abc import Sequence
from textwrap import shorten
from typing import Any

from engine.errors import UsageError
from engine.files import read_json
from engine.records import record
from engine.records.rank_ic import RankICSummary
from engine.runs.events import EpochEvaluated, RunFinished
from engine.runs.follow import read_new
from engine.runs.labels import printable
from engine.runs.launch import request_stop
from engine.runs.store import Run
from engine.runs.summary import Figure, RunSummary, summarise
from engine.stages.context import Outcome, StageContext
from engine.stages.text import rank_ic, table

_POLL_S = 0.1
_DASH = "—"
SETTINGS_WIDTH, NOTE_WIDTH = 40, 40


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
    found: list[tuple[Run, RunSummary]] = []
    for run in context.store:
        if limit is not None and len(found) == limit:
            break
        if command is not None and run.command != command:
            continue
        about = summarise(run)
        if set(tag) <= set(about.labels.tags) and status in (None, about.status):
            found.append((run, about))
    if not found:
        none = "no runs yet; start one with `atft-tui train`"
        asked = tag or command or status
        return Outcome(json={"runs": []}, text="no run fits" if asked else none)
    rows = [_row(run, about) for run, about in found]
    header = ["run", "status", "validation RankIC", "test RankIC", "net Sharpe", "deflated", "took",
              "settings", "tags", "note"]  # fmt: skip
    text = table([_cells(about) for _, about in found], header=header)
    return Outcome(json={"runs": rows}, text=text)


def _cells(about: RunSummary) -> list[str]:
    """One line of the table; what outside hands wrote is on one line, and shown, not obeyed."""
    deflated = about.sharpe.deflated if about.sharpe else math.nan
    note = printable(about.labels.note or about.trouble)
    return [
        about.id,
        about.status,
        _figure(about.validation),
        _figure(about.test),
        _sharpe(about) or _DASH,
        _DASH if math.isnan(deflated) else f"{deflated:.2f}",
        _DASH if math.isnan(about.seconds) else f"{about.seconds:.0f} s",
        shorten(printable(about.settings.short), width=SETTINGS_WIDTH, placeholder=" ..."),
        " ".join(about.labels.tags),
        note if len(note) <= NOTE_WIDTH else f"{note[: NOTE_WIDTH - 3]}...",
    ]


def _figure(figure: Figure | None) -> str:
    if figure is None:
        return _DASH
    noise = "~" if figure.noise else " "
    return f"{noise}{figure.rank_ic:+.4f} ± {figure.rank_ic_se:.4f}"


def _sharpe(about: RunSummary) -> str:
    found = about.sharpe
    if found is None:
        return ""
    return f"{found.value:+.2f} [{found.low:+.2f}, {found.high:+.2f}] {printable(found.verdict)}"


def show(context: StageContext, *, run: str) -> Outcome:
    """Manifest, status and figures of one run."""
    found = context.store.open(run)
    answer = _row(found, summarise(found)) | {
        "manifest": found.manifest,
        "directory": str(found.directory),
    }
    last = found.last_event()
    if isinstance(last, RunFinished) and last.error:
        answer |= {"error": last.error, "hint": last.hint}
    lines = [f"{found.id}  {answer['status']}  {found.directory}"]
    if "error" in answer:
        lines += [f"error: {answer['error']}", f"hint: {answer['hint']}"]
    if answer["tags"]:
        lines.append(f"tags: {' '.join(answer['tags'])}")
    if answer["note"]:
        lines.append(f"note: {answer['note']}")
    lines += [f"  {name}: {value}" for name, value in found.manifest["packages"].items()]
    for name, values in answer["figures"].items():
        lines.append(f"{name}  validation {_figures_line(values.get('validation'))}")
        lines.append(f"{' ' * len(name)}  test       {_figures_line(values.get('test'))}")
    return Outcome(json=answer, text="\n".join(lines))


def _figures_line(values: dict[str, Any] | None) -> str:
    return rank_ic(record.convert(values, RankICSummary, "train.json") if values else None)


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


def _row(run: Run, about: RunSummary) -> dict[str, Any]:
    trained = run.path("train.json")
    summary = {} if about.trouble or not trained.is_file() else read_json(trained)
    figures = {}
    if summary.get("best"):
        figures["network"] = {"validation": summary["best"], "test": summary["test"]}
        figures |= summary.get("baselines", {})
    return {
        "id": run.id,
        "command": run.command,
        "status": about.status,
        "created": about.created,
        "validation": summary.get("best"),
        "test": summary.get("test"),
        "sharpe": _sharpe(about),
        "sharpe_deflated": about.sharpe.deflated if about.sharpe else None,
        "seconds": about.seconds,
        "preset": about.settings.preset or None,
        "changes": dict(about.settings.changes),
        "tags": list(about.labels.tags),
        "note": about.labels.note,
        "trouble": about.trouble,
        "figures": figures,
    }
