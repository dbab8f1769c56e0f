"""Progress on stderr: a bar on a terminal, plain lines in a pipe."""

import time
from typing import TextIO

from tqdm import tqdm

from engine import disk
from engine.plain_text import clean, clean_lines
from engine.records.figure import Figure, is_noise
from engine.runs.events import (
    Advanced,
    Diagnosed,
    EpochEvaluated,
    FoldStarted,
    ModelBuilt,
    Noted,
    PhaseFinished,
    PhaseStarted,
    PlanMade,
    RunEvent,
    RunStarted,
    StageStarted,
    StepLogged,
    TaskFinished,
    TrialFinished,
    VariantFinished,
    Warned,
)
from engine.runs.log_lines import ending, phase_line

_LINE_EVERY_S = 10.0


class TerminalSink:
    """Turns events into text; keeps no file and never fails the stage."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._bar: tqdm[None] | None = None
        self._bar_name = ""
        self._last_line = 0.0
        self._plans: dict[str, PlanMade] = {}
        """By the part of the run."""
        self._gone = False

    def emit(self, event: RunEvent) -> None:
        """Show an event; one that has no words is passed over."""
        try:
            self._tell(event)
        except BrokenPipeError:  # the reader has gone (`2>&1 | head`); the work goes on
            self._gone = True
        except OSError as error:  # a log on a full disk does without this line
            if not disk.problem(error):
                raise

    def _tell(self, event: RunEvent) -> None:
        if self._gone:
            return
        match event:
            case PlanMade():
                self._plans[event.task] = event
            case Advanced():
                self._advance(event.stage, event.done, event.total, event.note)
            case StepLogged():
                self._step(event)
            case _:
                text = _text(event)
                if text:
                    self._write(f"{event.task}: {text}" if event.task else text)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _step(self, event: StepLogged) -> None:
        plan = self._plans.get(event.task)
        if plan is None:
            return
        steps = plan.steps_per_epoch
        total = sum(plan.epochs) * steps
        done = min(total, event.epoch * steps + round(event.epoch_fraction * steps))
        note = f"epoch {event.epoch} loss {event.loss:.3f} {event.sessions_per_second:.1f} days/s"
        self._advance("train", done, total, f"{event.task} {note}" if event.task else note)

    def _advance(self, name: str, done: int, total: int, note: str) -> None:
        note = clean(note)
        if not self._live:
            now = time.monotonic()
            if done >= total or now - self._last_line > _LINE_EVERY_S:
                self._last_line = now
                self._stream.write(f"{name} {done}/{total} {note}\n")
                self._stream.flush()
            return
        if self._bar is None or self._bar_name != name:
            self.close()
            self._bar = tqdm(total=total, desc=name, file=self._stream, leave=False)
            self._bar_name = name
        self._bar.n, self._bar.total = done, total
        self._bar.set_postfix_str(note, refresh=True)

    def _write(self, text: str) -> None:
        text = clean_lines(text)
        if self._bar is not None:
            self._bar.write(text, file=self._stream)
        else:
            self._stream.write(text + "\n")
            self._stream.flush()


def _text(event: RunEvent) -> str:
    match event:
        case RunStarted():
            return f"run {event.run_id}"
        case StageStarted(stage=stage) if stage not in ("train", "evaluate"):
            return f"· {stage}"
        case ModelBuilt():
            parts = ", ".join(f"{name} {count:,}" for name, count in event.parameters.items())
            return f"{sum(event.parameters.values()):,} parameters: {parts}"
        case PhaseStarted():
            return phase_line(event)
        case EpochEvaluated():
            mark = " best" if event.is_best else ""
            noise = " ~ inside the null band" if is_noise(event.rank_ic, event.null_band) else ""
            return (
                f"epoch {event.epoch} validation RankIC {Figure(event.rank_ic, event.rank_ic_se).text()}"
                f" (null ±{event.null_band:.4f}, n={event.n_dates}){noise}{mark}"
            )
        case PhaseFinished():
            kept = "kept" if event.kept else "rolled back"
            return f"phase {event.phase} {event.name}: {event.rank_ic:+.4f}, {kept}"
        case Diagnosed():
            return f"{event.severity} {event.code}, {event.action}: {event.message}; {event.remedy}"
        case FoldStarted():
            return f"fold {event.fold + 1} of {event.folds}, seed {event.seed}"
        case TrialFinished() | VariantFinished():
            return ending(event)[1]
        case Warned():
            return f"warning {event.code}: {event.message}"
        case Noted():
            return event.message
        case TaskFinished():
            return "done"
        case _:
            return ""
