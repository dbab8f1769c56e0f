"""Reading run directories off the main thread: files -> values -> one message a tick."""

import json
from pathlib import Path
from typing import Any

from atft_tui import format as fmt
from atft_tui.messages import RunRow
from engine.errors import EngineError
from engine.runs.events import RunFinished, StepLogged
from engine.runs.follow import read_new
from engine.runs.state import RunState, fold
from engine.runs.store import Run, RunStore

LAST_WORDS_BYTES = 2000
MAX_RUNS = 500


class RunFeed:
    """Follows one run: call `poll` again and again; it answers only when something changed."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._offset = 0
        self._state = RunState()
        self._status = ""

    def poll(self) -> tuple[RunState, str, str] | None:
        """Newest state, status and last words; None if nothing changed since the last call."""
        events, offset = read_new(self.run.events_path, self._offset)
        if offset < self._offset:
            self._state = RunState()
        self._offset = offset
        status = self.run.status()
        if not events and status == self._status:
            return None
        self._state, self._status = fold(events, self._state), status
        words = last_words(self.run) if status in ("crashed", "failed") else ""
        return self._state, status, words


def last_words(run: Run) -> str:
    """The last non-empty line of the run's log, cleaned."""
    try:
        with run.log_path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - LAST_WORDS_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return fmt.clean(next((line for line in reversed(lines) if line.strip()), ""))


def list_runs(workspace: Path) -> tuple[RunRow, ...]:
    """Rows of the run list, newest first. A run whose files cannot be read says so in its row."""
    rows: list[RunRow] = []
    for run in RunStore(workspace / "runs"):
        if len(rows) == MAX_RUNS:
            break
        try:
            rows.append(_row(run))
        except (EngineError, OSError, ValueError, KeyError, TypeError) as error:
            text = fmt.clean(f"unreadable: {error}")
            rows.append(RunRow(run.id, run.command, "failed", text, "", "", ""))
    return tuple(rows)


def _row(run: Run) -> RunRow:
    status, last = run.status(), run.last_event()
    summary = last.summary if isinstance(last, RunFinished) else {}
    progress = ""
    if isinstance(last, StepLogged):
        progress = f"epoch {last.epoch}, {last.sessions_per_second:.0f} days/s"
    elif isinstance(last, RunFinished):
        progress = fmt.clean(last.error) or fmt.duration(summary.get("seconds"))
    return RunRow(
        id=run.id,
        command=run.command,
        status=status,
        progress=progress,
        validation=_figures(summary.get("best")),
        test=_figures(summary.get("test")),
        verdict=_verdict(run.path("backtest.json")),
    )


def _figures(values: dict[str, Any] | None) -> str:
    if not values or values.get("rank_ic") is None:
        return fmt.DASH
    noise = "~" if abs(values["rank_ic"]) <= values["null_band"] else " "
    return f"{noise}{fmt.rank_ic(values['rank_ic'], values['rank_ic_se'])}"


def _verdict(path: Path) -> str:
    if not path.is_file():
        return fmt.DASH
    values = json.loads(path.read_text(encoding="utf-8"))
    low, high = (fmt.number(values[name], 2) for name in ("sharpe_low", "sharpe_high"))
    return f"{fmt.number(values['sharpe'], 2)} [{low}, {high}] {fmt.clean(values['verdict'])}"
