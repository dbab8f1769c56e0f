"""Errands, carried out: reports of the champion, the audit anew, and a challenger for the gate."""

from pathlib import Path

from engine.alerts.alert import Alert
from engine.config import Config
from engine.files import write_json
from engine.schedule import messages
from engine.schedule.clock import Clock
from engine.schedule.errands import Errand, Errands
from engine.schedule.jobs import STOPPED, Ended, Job, Runner

DONE, REFUSED = 0, 6
_LIMIT_S = 3600.0
"""Of a report or an audit, seconds."""
REPORTS = "reports"
"""Directory in the workspace."""


class _Unfinished(Exception):  # noqa: N818 - ends an attempt, and is caught by it
    def __init__(self, ended: Ended, stage: str) -> None:
        super().__init__(f"{stage}: {ended.problem}")
        self.stopped = ended.exit_code == STOPPED


def carry_out(
    errand: Errand, errands: Errands, runner: Runner, config: Config, clock: Clock, reports: Path
) -> list[Alert]:
    """One attempt; what there is to tell of it. ``reports``: directory they are written under."""
    errands.start(errand)
    try:
        if errand.kind == "report":
            outcome, alerts = _report(errand, runner, config, reports)
        elif errand.kind == "audit":
            outcome, alerts = _audit(errand, runner)
        else:
            outcome, alerts = _challenger(errand, runner, config)
    except _Unfinished as problem:
        if problem.stopped:
            errands.release(errand, clock.now())
            return []
        if errands.again(errand, clock.now(), str(problem)):
            return []
        return [messages.errand_failed(errand.kind, errand.key, str(problem))]
    errands.done(errand, clock.now(), outcome)
    return alerts


def _report(
    errand: Errand, runner: Runner, config: Config, reports: Path
) -> tuple[str, list[Alert]]:
    run = _champion(runner)
    words = ("report", run, "--format", config.schedule.report_formats)
    output = reports / errand.key
    _run(runner, "report", (*words, "--output", str(output)), _LIMIT_S)
    shadow = _run(runner, "ledger", ("ledger",), _LIMIT_S)
    write_json(output / "ledger.json", shadow.answer)
    return run, []


def _audit(errand: Errand, runner: Runner) -> tuple[str, list[Alert]]:
    """The card holds when the last audit is too old, so it is renewed with the month."""
    run = _champion(runner)
    ended = _run(runner, "audit", ("audit", run), _LIMIT_S, (DONE, REFUSED))
    if ended.exit_code == DONE:
        return f"{run} passed", []
    return f"{run} failed", [messages.audit_failed(errand.key, run)]


def _challenger(errand: Errand, runner: Runner, config: Config) -> tuple[str, list[Alert]]:
    limit_s = 3600 * config.schedule.retrain_hours
    words = ("champion", "challenge")
    ended = _run(runner, "challenger", words, limit_s, (DONE, REFUSED))
    if "passed" not in ended.answer:  # a gate on the way, not the one of the champion
        raise _Unfinished(ended, "challenger")
    run = str(ended.answer["run_id"])
    if ended.exit_code == DONE:
        return f"{run} promoted", [messages.new_champion(errand.key, run)]
    rows = [row for row in ended.answer.get("gate", ()) if not row.get("passed")]
    reasons = "; ".join(f"{row.get('name')}: {row.get('detail')}" for row in rows)
    return f"{run} kept out", [messages.kept_out(errand.key, run, reasons)]


def _champion(runner: Runner) -> str:
    """Id of its run."""
    return str(_run(runner, "champion", ("champion",), _LIMIT_S).answer["run_id"])


def _run(
    runner: Runner,
    name: str,
    words: tuple[str, ...],
    limit_s: float,
    good: tuple[int, ...] = (DONE,),
) -> Ended:
    ended = runner.run(Job(name=name, words=words, limit_s=limit_s, in_background=True))
    if ended.exit_code not in good:
        raise _Unfinished(ended, name)
    return ended
