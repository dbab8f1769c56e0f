"""`runs`, `show`, `watch`, `stop`: looking at the run store from the command line."""

import time
from typing import Any

from engine.files import read_json
from engine.runs.events import EpochEvaluated, RunFinished
from engine.runs.follow import read_new
from engine.runs.launch import request_stop
from engine.runs.store import Run
from engine.stages.context import Outcome, StageContext
from engine.stages.text import rank_ic, table

POLL_S = 0.1


def runs(context: StageContext) -> Outcome:
    """All runs, newest first."""
    rows = [_row(run) for run in context.store]
    if not rows:
        return Outcome(json={"runs": []}, text="no runs yet; start one with `atft-tui train`")
    text = table(
        [[row["id"], row["status"], rank_ic(row["test"]), row["sharpe"] or "—"] for row in rows],
        header=["run", "status", "test RankIC", "net Sharpe"],
    )
    return Outcome(json={"runs": rows}, text=text)


def show(context: StageContext, *, run: str) -> Outcome:
    """Manifest, status and figures of one run."""
    found = context.store.open(run)
    answer = _row(found) | {"manifest": found.manifest, "directory": str(found.directory)}
    last = found.last_event()
    if isinstance(last, RunFinished) and last.error:
        answer |= {"error": last.error, "hint": last.hint}
    lines = [f"{found.id}  {answer['status']}  {found.directory}"]
    if "error" in answer:
        lines += [f"error: {answer['error']}", f"hint: {answer['hint']}"]
    lines += [f"  {name}: {value}" for name, value in found.manifest["packages"].items()]
    for name, values in answer["figures"].items():
        lines.append(f"{name}  validation {rank_ic(values.get('validation'))}")
        lines.append(f"{' ' * len(name)}  test       {rank_ic(values.get('test'))}")
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
        time.sleep(POLL_S)
    status = found.status()
    return Outcome(json={"run_id": found.id, "status": status}, text=f"{found.id}: {status}")


def stop(context: StageContext, *, run: str) -> Outcome:
    """Ask the run's process to finish its step, save a checkpoint and end."""
    found = context.store.open(run)
    request_stop(found)
    text = f"{found.id}: asked to stop; it saves a checkpoint at the end of its step"
    return Outcome(json={"run_id": found.id, "asked": True}, text=text)


def _row(run: Run) -> dict[str, Any]:
    trained = run.path("train.json")
    summary = read_json(trained) if trained.is_file() else {}
    tested = run.path("backtest.json")
    backtest = read_json(tested) if tested.is_file() else {}
    sharpe = ""
    if backtest:
        sharpe = (
            f"{backtest['sharpe']:+.2f} [{backtest['sharpe_low']:+.2f}, "
            f"{backtest['sharpe_high']:+.2f}] {backtest['verdict']}"
        )
    figures = {}
    if summary.get("best"):
        figures["network"] = {"validation": summary["best"], "test": summary["test"]}
        figures |= summary["baselines"]
    return {
        "id": run.id,
        "status": run.status(),
        "created": run.created.isoformat(),
        "validation": summary.get("best"),
        "test": summary.get("test"),
        "sharpe": sharpe,
        "figures": figures,
    }
