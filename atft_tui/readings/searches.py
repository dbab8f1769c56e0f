"""Comparisons and searches: the files of those that have ended, the events of those at work."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar, cast

from atft_tui.readings.files import FILES, read_table
from engine.records import record
from engine.records.comparison import (
    FOLDER,
    RUNS,
    VARIANTS,
    RankICLevel,
    RunComparison,
    RunPair,
    VariantComparison,
    VariantResult,
    comparison_files,
)
from engine.records.plans import COMPARISON_PLAN, STUDY_PLAN, ComparisonPlan, StudyPlan
from engine.records.run import RunSummary
from engine.records.study import STUDY, StudyResult, TrialRow, TrialState, best_of
from engine.runs.events import TrialFinished, VariantFinished
from engine.runs.store import Run
from engine.runs.trials import day_words

_CURVE_POINTS = 400
_DONE = "done"
_P = TypeVar("_P", ComparisonPlan, StudyPlan)


@dataclass(frozen=True, slots=True)
class _DailyGap:
    """Sum over the test days of the variant's RankIC less the reference's."""

    variant: str
    days: tuple[str, ...]
    total: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """A comparison, and whether it has ended."""

    found: VariantComparison
    status: str = _DONE
    """done, or that of the run that trains it."""
    days: str = ""
    """What its test days are by the protocol and how often they were looked at; empty without one."""
    daily: _DailyGap | None = None
    """Of the variant that is furthest from the reference; read for the one that is looked at."""


@dataclass(frozen=True, slots=True)
class PairView:
    """Two runs against each other."""

    gap: RunPair
    confidence: float
    horizon: int


@dataclass(frozen=True, slots=True)
class TrialView:
    """A trial, and whether it was the best when it ended."""

    trial: TrialRow
    best_so_far: bool = False


@dataclass(frozen=True, slots=True)
class StudyView:
    """A search, and whether it has ended."""

    found: StudyResult
    status: str = _DONE
    wanted: int = 0
    """How many trials were asked for; 0 if that is not known."""
    days: str = ""
    """What its validation days are by the protocol and how often they were looked at."""

    @property
    def best(self) -> TrialRow | None:
        """The complete trial with the largest value so far."""
        return best_of(self.found.trials)

    def rows(self) -> tuple[TrialView, ...]:
        """Each trial with its mark."""
        steps = itertools.pairwise([(-1, -math.inf), *self.found.course()])
        better = {number for (_, old), (number, new) in steps if new > old}
        return tuple(TrialView(trial, trial.number in better) for trial in self.found.trials)


def read_comparisons(workspace: Path, runs: Sequence[RunSummary]) -> tuple[ComparisonView, ...]:
    """Those that have ended, newest first, after those at work, told by their runs' events."""
    made = [FILES.record(p, VariantComparison) for p in comparison_files(workspace, *VARIANTS)]
    known = {one.run_id for one in made}
    going = [
        _comparison_at_work(workspace, about)
        for about in runs
        if about.command == "compare" and about.status and about.id not in known
    ]
    root = workspace / "runs"
    told = (ComparisonView(one, days=day_words(root, one.judged_days)) for one in made)
    return (*going, *told)


def read_pairs(workspace: Path, run_ids: Sequence[str]) -> tuple[PairView, ...]:
    """The newest paired difference on file of each two of these runs."""
    order = {run_id: number for number, run_id in enumerate(run_ids)}
    found: dict[tuple[int, ...], PairView] = {}
    for path in comparison_files(workspace, RUNS):
        made = FILES.record(path, RunComparison)
        for pair in made.pairs:
            if pair.first in order and pair.second in order:
                places = tuple(sorted((order[pair.first], order[pair.second])))
                found.setdefault(places, PairView(pair, made.confidence, made.score_horizon))
    return tuple(found[places] for places in sorted(found))


def read_studies(workspace: Path, runs: Sequence[RunSummary]) -> tuple[StudyView, ...]:
    """The search whose run is newest first."""
    tells = {about.id: about for about in runs if about.command == "tune" and about.status}
    found: dict[str, StudyView] = {}
    for path in sorted((workspace / "tune").glob(f"*/{STUDY}")):
        study = FILES.record(path, StudyResult)
        about = tells.get(study.run_id)
        if about is None or about.status == _DONE:
            days = day_words(workspace / "runs", study.judged_days)
            found[study.run_id] = StudyView(study, wanted=len(study.trials), days=days)
    for run_id, about in tells.items():
        if run_id not in found:
            found[run_id] = _study_at_work(workspace, about)
    return tuple(found[run_id] for run_id in sorted(found, reverse=True))


def daily_gap(workspace: Path, one: ComparisonView) -> _DailyGap | None:
    """The largest difference day by day, from the parquet file beside a comparison; None without one."""
    gaps = {row.name: abs(row.gap.difference) for row in one.found.variants if row.gap is not None}
    path = workspace / FOLDER / f"{one.found.id}.parquet"
    if one.status != _DONE or not gaps or not path.is_file():
        return None
    variant = max(gaps, key=lambda name: gaps[name])
    sum_of = partial(_summed, variant=variant, reference=one.found.reference)
    return FILES.get(path, sum_of, key=variant)


def _summed(path: Path, variant: str, reference: str) -> _DailyGap | None:
    import polars as pl  # 0.2 s; only when a comparison is looked at

    columns = ("date", "split", "seed", "variant", "rank_ic")
    frame = read_table(path, columns, name=path.name)
    frame = frame.filter((pl.col("split") == "test") & pl.col("seed").is_null())
    mine = frame.filter(pl.col("variant") == variant).select("date", "rank_ic")
    other = frame.filter(pl.col("variant") == reference).select("date", other="rank_ic")
    both = mine.join(other, on="date").drop_nulls().sort("date")
    if both.is_empty():
        return None
    total = both.select("date", total=(pl.col("rank_ic") - pl.col("other")).cum_sum())
    kept = total.gather_every(max(1, total.height // _CURVE_POINTS))
    return _DailyGap(variant, tuple(map(str, kept["date"])), tuple(kept["total"].to_list()))


def _plan(run: Run, name: str, kind: type[_P]) -> _P:
    """The options of work that has not ended; those of one that cannot be read are left out."""
    try:
        return record.read_if_there(run.path(name), kind) or kind()
    except record.RecordError:
        return kind()


def _comparison_at_work(workspace: Path, about: RunSummary) -> ComparisonView:
    """What the events tell of the variants so far."""
    run = Run(workspace / "runs" / about.id)
    plan = _plan(run, COMPARISON_PLAN, ComparisonPlan)
    told: dict[str, list[VariantFinished]] = {}
    for event in run.events():
        if isinstance(event, VariantFinished):
            told.setdefault(event.variant, []).append(event)
    found = VariantComparison(
        id=about.id,
        kind=plan.kind,
        reference=next(iter(told), ""),
        score_horizon=0,
        confidence=math.nan,
        seeds=plan.seeds,
        variants=tuple(_variant_so_far(name, events) for name, events in told.items()),
        run_id=about.id,
    )
    return ComparisonView(found, about.status)


def _variant_so_far(name: str, events: Sequence[VariantFinished]) -> VariantResult:
    """The first seed's figure stands for the variant until its seeds' scores are averaged."""
    done = [event for event in events if math.isfinite(event.rank_ic)]
    first = next(iter(done), None)
    test = None
    if first is not None:
        error, days = first.rank_ic_se, first.n_dates
        test = RankICLevel(rank_ic=first.rank_ic, rank_ic_se=error, n_dates=days)
    return VariantResult(
        name=name,
        runs={str(event.seed): event.variant_run for event in done},
        test=test,
        verdict=f"seed {first.seed}" if first else "failed",
        errors=tuple(event.error for event in events if event.error),
    )


def _study_at_work(workspace: Path, about: RunSummary) -> StudyView:
    """What the events tell of the trials so far; one that was cut off counts by its last end."""
    run = Run(workspace / "runs" / about.id)
    plan = _plan(run, STUDY_PLAN, StudyPlan)
    told = {event.number: event for event in run.events() if isinstance(event, TrialFinished)}
    rows = tuple(_trial_so_far(told[number]) for number in sorted(told))
    name = plan.study or str(run.manifest.study or about.id)
    found = StudyResult(study=name, run_id=about.id, trials=rows)
    return StudyView(found, about.status, plan.trials)


def _trial_so_far(event: TrialFinished) -> TrialRow:
    same = "number", "rank_ic", "rank_ic_se", "n_dates", "seconds", "parameters", "error"
    return TrialRow(
        run_id=event.trial_run,
        state=cast(TrialState, event.state),
        value=event.value if event.state == "complete" else math.nan,
        **{name: getattr(event, name) for name in same},
    )
