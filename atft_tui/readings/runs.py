"""The runs of a workspace as rows: read off the main thread, each run in about a millisecond."""

import json
from pathlib import Path
from typing import Any

from atft_tui import format as fmt
from atft_tui.readings.rows import RunRow
from engine.errors import EngineError
from engine.judgement import is_noise
from engine.runs.events import RunFinished, StepLogged
from engine.runs.store import Run, RunStore

MAX_RUNS = 500


def list_runs(workspace: Path, limit: int = MAX_RUNS) -> tuple[RunRow, ...]:
    """Rows of the run list, newest first. A run whose files cannot be read says so in its row."""
    rows: list[RunRow] = []
    for run in RunStore(workspace / "runs"):
        if len(rows) == limit:
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
    noise = "~" if is_noise(values["rank_ic"], values["null_band"]) else " "
    return f"{noise}{fmt.rank_ic(values['rank_ic'], values['rank_ic_se'])}"


def _verdict(path: Path) -> str:
    if not path.is_file():
        return fmt.DASH
    values = json.loads(path.read_text(encoding="utf-8"))
    low, high = (fmt.number(values[name], 2) for name in ("sharpe_low", "sharpe_high"))
    return f"{fmt.number(values['sharpe'], 2)} [{low}, {high}] {fmt.clean(values['verdict'])}"
