"""Reading the line about a run from the files it wrote."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import structs

from engine.errors import EngineError
from engine.records import record
from engine.records.figure import SURE
from engine.records.rank_ic import RankICSummary
from engine.records.run import (
    MANIFEST,
    Labels,
    RunFigures,
    RunManifest,
    RunSettings,
    RunSummary,
    Sharpe,
    SplitFigures,
)
from engine.runs.events import Advanced, RunFinished, StepLogged
from engine.runs.labels import read_labels
from engine.runs.settings import settings_of
from engine.runs.steps import seconds_between
from engine.runs.store import Run
from engine.runs.trials import day_words

_T = TypeVar("_T")


@dataclass(slots=True)
class _Parts:
    """The files of a run, each read by itself: a broken one hides nothing but what it says."""

    run: Run
    troubles: list[str] = field(default_factory=list)

    def read(self, make: Callable[[], _T | None]) -> _T | None:
        """What ``make`` gives; None, and one trouble more, where a file cannot be read."""
        try:
            return make()
        except (EngineError, OSError) as error:
            self.troubles.append(str(error).replace(f"{self.run.directory}/", ""))
            return None

    def record(self, name: str, kind: type[_T]) -> _T | None:
        """The record in a file of the run; None without the file or with a broken one."""
        return self.read(lambda: record.read_if_there(self.run.path(name), kind))


def summarise(run: Run, *, with_settings: bool = True) -> RunSummary:
    """A run says in `trouble` which of its files cannot be read; nothing else is raised than bugs.

    Settings need the configuration's tables, whose import takes a quarter of a second.
    """
    parts = _Parts(run)
    status, last = parts.read(run.standing) or ("failed", None)
    if status == "crashed" and run.has_lost_its_end():
        parts.troubles.append(
            "events.jsonl: its last line is damaged, so how it ended is not known"
        )
    trained = parts.record("train.json", RunFigures)
    told = trained or parts.record("trial.json", RunFigures)
    progress, end = "", None
    if isinstance(last, StepLogged):
        progress = f"epoch {last.epoch}, {last.sessions_per_second:.0f} days/s"
    elif isinstance(last, Advanced):
        progress = f"{last.stage} {last.done}/{last.total}"
    elif isinstance(last, RunFinished):
        progress, end = last.error, last
        summary = last.summary
        told = told or parts.read(lambda: record.convert(summary, RunFigures, "its last event"))
    told = told or RunFigures()
    trial = RankICSummary(rank_ic=told.rank_ic, rank_ic_se=told.rank_ic_se, n_dates=told.n_dates)
    known = trained or RunFigures()
    manifest = parts.record(MANIFEST, RunManifest)
    settings = (
        manifest and with_settings and parts.read(lambda: settings_of(run.directory, manifest))
    )
    return RunSummary(
        id=run.id,
        command=run.command,
        status=status,
        created=run.created.isoformat(),
        validation=_judged(trial) or _judged(told.best),
        test=_judged(told.test),
        judged_days=told.judged_days,
        days=day_words(run.directory.parent, told.judged_days),
        sharpe=parts.record("backtest.json", Sharpe),
        network=SplitFigures(validation=known.best, test=known.test),
        rivals=known.baselines,
        seconds=_seconds(run, told.seconds, end),
        settings=settings or RunSettings(),
        labels=parts.read(lambda: read_labels(run)) or Labels(),
        progress=progress,
        trouble="unreadable: " + "; ".join(parts.troubles) if parts.troubles else "",
    )


def _judged(found: RankICSummary | None) -> RankICSummary | None:
    """None without a figure. Where no null band was drawn, 1.96 standard errors stand for it."""
    if found is None or math.isnan(found.rank_ic):
        return None
    if not math.isnan(found.null_band):
        return found
    return structs.replace(found, null_band=SURE * found.rank_ic_se)


def _figure(values: Mapping[str, Any] | None) -> RankICSummary | None:
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
