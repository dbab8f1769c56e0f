"""Errands, carried out: the champion's report, and a challenger that the gate decides on."""

from engine.alerts.alert import Alert
from engine.config import Config
from engine.schedule import messages
from engine.schedule.clock import Clock
from engine.schedule.errands import Errand, Errands
from engine.schedule.jobs import STOPPED, Ended, Job, Runner

DONE, REFUSED = 0, 6
REPORT_S = 1800.0
"""Limit of a report, seconds."""
REPORTS = "reports"
"""Directory in the workspace."""


class _Unfinished(Exception):  # noqa: N818 - ends an attempt, and is caught by it
    def __init__(self, ended: Ended, stage: str) -> None:
        super().__init__(f"{stage}: {ended.problem}")
        self.stopped = ended.exit_code == STOPPED


def carry_out(
    errand: Errand, errands: Errands, runner: Runner, config: Config, clock: Clock
) -> list[Alert]:
    """One attempt; what there is to tell of it."""
    errands.start(errand)
    try:
        if errand.kind == "report":
            alerts, outcome = _report(errand, runner, config)
        else:
            alerts, outcome = _challenger(errand, errands, runner, config)
    except _Unfinished as problem:
        if problem.stopped:
            errands.release(errand, clock.now())
            return []
        if errands.again(errand, clock.now(), str(problem)):
            return []
        return [messages.errand_failed(errand.kind, errand.key, str(problem))]
    errands.done(errand, clock.now(), outcome)
    return alerts


def _report(errand: Errand, runner: Runner, config: Config) -> tuple[list[Alert], str]:
    champion = _run(runner, "champion", ("champion",), REPORT_S)
    run = str(champion.answer["run"])
    words = ("report", run, "--format", config.schedule.report_formats)
    _run(runner, "report", (*words, "--output", f"{REPORTS}/{errand.key}"), REPORT_S)
    return [], run


def _challenger(
    errand: Errand, errands: Errands, runner: Runner, config: Config
) -> tuple[list[Alert], str]:
    run = errand.progress.get("run")
    if run is None:
        command = config.schedule.retrain_command
        limit_s = 3600 * config.schedule.retrain_hours
        trained = _run(runner, "challenger", (command,), limit_s)
        run = trained.answer["run_id"]
        errands.keep(errand, {"run": run})
    decided = _run(runner, "promote", ("promote", str(run)), REPORT_S, (DONE, REFUSED))
    if decided.exit_code == DONE:
        alert = messages.challenger(errand.key, f"new champion {run}", "It passed the gate.")
        return [alert], f"{run} promoted"
    title = f"challenger {run} was kept out"
    return [messages.challenger(errand.key, title, decided.problem)], f"{run} kept out"


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
