"""Reading the line about a run from the files it wrote."""

import math
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from engine.errors import EngineError
from engine.records import record
from engine.records.figure import SURE
from engine.records.rank_ic import RankICSummary
from engine.records.run import RunFigures, RunSettings, RunSummary, Sharpe, SplitFigures
from engine.runs.events import Advanced, RunFinished, StepLogged
from engine.runs.labels import read_labels
from engine.runs.looks import day_words
from engine.runs.settings import settings_of
from engine.runs.steps import seconds_between
from engine.runs.store import Run


def summarise(run: Run, *, with_settings: bool = True) -> RunSummary:
    """A run that cannot be read says so in `trouble`; nothing else is raised than bugs.

    Settings need the configuration's tables, whose import takes a quarter of a second.
    """
    try:
        return _summarise(run, with_settings=with_settings)
    except (EngineError, OSError) as error:
        words = f"unreadable: {error}".replace(f"{run.directory}/", "")
        return RunSummary(
            id=run.id,
            command=run.command,
            status="failed",
            created=run.created.isoformat(),
            trouble=words,
        )


def _summarise(run: Run, *, with_settings: bool) -> RunSummary:
    status, last = run.standing()
    read = record.read_if_there
    trained = read(run.path("train.json"), RunFigures)
    told = trained or read(run.path("trial.json"), RunFigures)
    progress, end = "", None
    if isinstance(last, StepLogged):
        progress = f"epoch {last.epoch}, {last.sessions_per_second:.0f} days/s"
    elif isinstance(last, Advanced):
        progress = f"{last.stage} {last.done}/{last.total}"
    elif isinstance(last, RunFinished):
        progress, end = last.error, last
        told = told or record.convert(last.summary, RunFigures, f"{run.id}: last event")
    told = told or RunFigures()
    trial = RankICSummary(rank_ic=told.rank_ic, rank_ic_se=told.rank_ic_se, n_dates=told.n_dates)
    known = trained or RunFigures()
    settings = settings_of(run.directory, run.manifest) if with_settings else RunSettings()
    return RunSummary(
        id=run.id,
        command=run.command,
        status=status,
        created=run.created.isoformat(),
        validation=_judged(trial) or _judged(told.best),
        test=_judged(told.test),
        judged_days=told.judged_days,
        days=day_words(run.directory.parent, told.judged_days),
        sharpe=read(run.path("backtest.json"), Sharpe),
        network=SplitFigures(validation=known.best, test=known.test),
        rivals=known.baselines,
        seconds=_seconds(run, told.seconds, end),
        settings=settings,
        labels=read_labels(run),
        progress=progress,
    )


def _judged(found: RankICSummary | None) -> RankICSummary | None:
    """None without a figure. Where no null band was drawn, 1.96 standard errors stand for it."""
    if found is None or math.isnan(found.rank_ic):
        return None
    if not math.isnan(found.null_band):
        return found
    return structs.replace(found, null_band=SURE * found.rank_ic_se)


def figure(values: Mapping[str, Any] | None) -> RankICSummary | None:
    """The figures that `train --json` prints; None where there are none."""
    return _judged(record.convert(values, RankICSummary, "figures")) if values else None


def _number(value: Any) -> float:
    """A number of a file; null, which stands for NaN, and what is missing are NaN."""
    return math.nan if value is None else float(value)


def _seconds(run: Run, measured: float, end: RunFinished | None) -> float:
    """What the run measured; else from its creation to its end, NaN while it is at work."""
    if not math.isnan(measured) or end is None or not end.at:
        return measured
    return seconds_between(run.created.isoformat(), end.at) or math.nan
