"""Events as lines of a log that a person reads."""

from typing import Literal

from msgspec import Struct

from engine.records.figure import Figure
from engine.runs.events import (
    AssertionChecked,
    Continued,
    ControlAnswered,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    GraphWorthLogged,
    Noted,
    Paused,
    PhaseFinished,
    PhaseStarted,
    RunEvent,
    RunFinished,
    RunStarted,
    StageStarted,
    TaskFinished,
    TrialFinished,
    VariantFinished,
    Warned,
)

_Level = Literal["info", "good", "warning", "error"]


class LogLine(Struct, frozen=True, kw_only=True):
    """One line of the log."""

    at: str
    """UTC, ISO 8601."""
    level: _Level
    text: str


def log_line(event: RunEvent) -> LogLine | None:
    """The event as a line of the log, if it is worth one."""
    level: _Level = "info"
    match event:
        case RunStarted():
            text = (
                f"{'resumed' if event.resumed else 'started'} on {event.device}, {event.mode} mode"
            )
        case StageStarted(stage=stage) if stage not in ("train", "evaluate"):
            text = stage
        case PhaseStarted():
            text = phase_line(event)
        case PhaseFinished():
            level = "good" if event.kept else "warning"
            outcome = "kept" if event.kept else "did not beat the one before, rolled back"
            text = f"phase {event.name}: {event.rank_ic:+.4f}, {outcome}"
        case EpochEvaluated():
            text = f"epoch {event.epoch}: RankIC {event.rank_ic:+.4f}{' best' if event.is_best else ''}"
        case GraphWorthLogged(worth=worth):
            text = f"lost without edges: {worth.without_edges.text}"
        case AssertionChecked(passed=False):
            level, text = "error", f"start-up assertion {event.name}: {event.detail}"
        case FoldStarted():
            text = f"fold {event.fold + 1} of {event.folds}, seed {event.seed}"
        case Paused():
            level, text = "warning", f"paused at step {event.step}"
        case Continued():
            text = f"goes on after {event.seconds:.0f} s of pause"
        case ControlAnswered():
            level = "info" if event.done else "warning"
            text = f"{event.action}{'' if event.done else ' refused'}: {event.detail}"
        case TrialFinished() | VariantFinished():
            level, text = ending(event)
        case Warned():
            level, text = "warning", f"{event.code}: {event.message}"
        case Diagnosed():
            level = "warning" if event.severity == "warning" else "error"
            text = f"{event.code}, {event.action}: {event.message}"
        case Noted():
            text = event.message
        case TaskFinished():
            level, text = "good", "done"
        case RunFinished():
            level = "error" if event.status == "failed" else "good"
            text = f"{event.status}{': ' + event.error if event.error else ''}"
        case _:
            return None
    where = f"{event.task}: " if event.task else ""
    return LogLine(at=event.at, level=level, text=where + text)


def phase_line(event: PhaseStarted) -> str:
    """Number and name of a phase that begins, and the blocks that are on; of one without epochs, that."""
    blocks = ", ".join(event.blocks) or "all blocks off"
    return f"phase {event.phase} {event.name}: {blocks if event.epochs else 'skipped, no epochs'}"


def ending(event: TrialFinished | VariantFinished) -> tuple[_Level, str]:
    """The end of a trial or of a variant as level and text."""
    if event.error:
        name = f"trial {event.number}" if isinstance(event, TrialFinished) else event.variant
        return "warning", f"{name}: {event.error}"
    figure = f"RankIC {Figure(event.rank_ic, event.rank_ic_se, n=event.n_dates).text()}"
    if isinstance(event, VariantFinished):
        return "info", f"{event.variant}, seed {event.seed}: test {figure}"
    if event.state != "complete":
        return "info", f"trial {event.number}: {event.state}"
    mark = " best" if event.best else ""
    return (
        "good" if event.best else "info",
        f"trial {event.number}: {event.value:+.4f}, {figure}{mark}",
    )
