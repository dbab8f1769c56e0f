"""What the runs screen shows, gathered for the view that is open."""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from atft_tui.readings.feed import last_words
from atft_tui.readings.run_details import Course, CourseReader, RunDetails, read_details
from atft_tui.readings.runs import RunList, RunTable
from atft_tui.readings.searches import (
    ComparisonView,
    PairView,
    StudyView,
    daily_gap,
    read_comparisons,
    read_pairs,
    read_studies,
)
from atft_tui.widgets.curves import Curve
from engine.files import read_toml
from engine.records.figure import is_noise
from engine.records.run import RunSummary, written
from engine.runs.settings import flat
from engine.runs.store import Run

View = Literal["runs", "overlay", "diff", "ablations", "tune"]
VIEWS: tuple[View, ...] = ("runs", "overlay", "diff", "ablations", "tune")
_KEPT = 16
"""Readers: six marked runs, the one under the cursor, and some that were looked at before."""


@dataclass(frozen=True, slots=True)
class OverlayRun:
    """One of the marked runs."""

    about: RunSummary
    course: Course

    @property
    def rank_ic(self) -> Curve:
        """Validation RankIC over epochs; points inside the null band are marked."""
        epochs = self.course.epochs
        return Curve(
            name=self.about.id,
            x=[float(x) for x, _ in epochs],
            y=[event.rank_ic for _, event in epochs],
            errors=[event.rank_ic_se for _, event in epochs],
            quiet=[is_noise(event.rank_ic, event.null_band) for _, event in epochs],
        )

    @property
    def loss(self) -> Curve:
        """Training loss over epochs."""
        losses = self.course.losses
        return Curve(name=self.about.id, x=[float(x) for x, _ in losses], y=[y for _, y in losses])


@dataclass(frozen=True, slots=True)
class Overlay:
    """The marked runs side by side, and the paired differences on file."""

    runs: tuple[OverlayRun, ...]
    pairs: tuple[PairView, ...]
    by_tag: bool = False
    """Whether runs with the same tags are one curve; a run without tags stays alone."""

    @property
    def groups(self) -> tuple[tuple[OverlayRun, ...], ...]:
        """The runs of each curve, in the order of the marks."""
        found: dict[object, list[OverlayRun]] = {}
        for run in self.runs:
            alike = (self.by_tag and run.about.labels.tags) or run.about.id
            found.setdefault(alike, []).append(run)
        return tuple(map(tuple, found.values()))

    def curves(self, of: Callable[[OverlayRun], Curve]) -> list[Curve]:
        """One for each group: of several runs their mean at the points that all have, and its error."""
        return [
            _mean([of(run) for run in group], " ".join(group[0].about.labels.tags))
            for group in self.groups
        ]

    def place(self, run_id: str) -> int | None:
        """The number of a run's curve; None for one that is not among them."""
        ids = ([run.about.id for run in group] for group in self.groups)
        return next((n for n, group in enumerate(ids) if run_id in group), None)


def _mean(curves: Sequence[Curve], tags: str) -> Curve:
    if len(curves) == 1:
        return curves[0]
    points = [dict(zip(curve.x, curve.y, strict=True)) for curve in curves]
    shared = sorted(set.intersection(*(set(known) for known in points)))
    values = [[known[x] for known in points] for x in shared]
    return Curve(
        name=f"{tags}, mean of {len(curves)} runs",
        x=shared,
        y=[fmean(ys) for ys in values],
        errors=[stdev(ys) / math.sqrt(len(ys)) for ys in values],
    )


ABSENT = "(absent)"
"""A key that the version which made the run did not know."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A key of the configuration that is not the same in all of the runs."""

    key: str
    values: tuple[str, ...]
    """One for each run, as written after ``--set``."""


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """What differs between the settings of runs, key by key."""

    runs: tuple[str, ...]
    rows: tuple[SettingRow, ...]
    same: int
    """How many keys have the same value in all of them."""


def config_diff(workspace: Path, run_ids: Sequence[str]) -> ConfigDiff:
    """Only keys that are not the same everywhere. A configuration never changes: each is read once."""
    read = [_settings(workspace / "runs" / run_id / "config.toml") for run_id in run_ids]
    keys = sorted({key for values in read for key in values})
    rows = []
    for key in keys:
        values = tuple(one.get(key, ABSENT) for one in read)
        if len(set(values)) > 1:
            rows.append(SettingRow(key, values))
    return ConfigDiff(tuple(run_ids), tuple(rows), len(keys) - len(rows))


@lru_cache(maxsize=64)
def _settings(path: Path) -> dict[str, str]:
    return {key: written(value) for key, value in flat(read_toml(path)).items()}


@dataclass(frozen=True, slots=True)
class RunsValue:
    """The list, and the parts of the view that is open."""

    list: RunList
    details: RunDetails | None = None
    overlay: Overlay | None = None
    diff: ConfigDiff | None = None
    comparisons: tuple[ComparisonView, ...] = ()
    comparison: ComparisonView | None = None
    studies: tuple[StudyView, ...] = ()


class RunsReading:
    """All of it for one workspace; every part is read only while it is looked at."""

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self.table = RunTable(workspace)
        self._readers: OrderedDict[Path, CourseReader] = OrderedDict()
        """Of event files, the last used ones kept."""

    def read(
        self,
        view: View,
        *,
        run: str | None,
        details: bool,
        marked: Sequence[str],
        comparison: str | None,
    ) -> RunsValue:
        """What a view shows of the run under the cursor and the chosen ones, as the files are now."""
        found, workspace = self.table.read(), self.workspace
        known = {about.id: about for about in found.runs}
        ids = [run_id for run_id in marked if run_id in known]
        match view:
            case "overlay" if ids:
                runs = tuple(OverlayRun(known[run_id], self._course(run_id)) for run_id in ids)
                return RunsValue(found, overlay=Overlay(runs, read_pairs(workspace, ids)))
            case "diff" if len(ids) > 1:
                return RunsValue(found, diff=config_diff(workspace, ids))
            case "ablations":
                every = read_comparisons(workspace, found.runs)
                one = next((c for c in every if c.found.id == comparison), None)
                if one := one or next(iter(every), None):
                    one = replace(one, daily=daily_gap(workspace, one))
                return RunsValue(found, comparisons=every, comparison=one)
            case "tune":
                return RunsValue(found, studies=read_studies(workspace, found.runs))
            case "runs" if details:
                return RunsValue(found, details=self._details(known.get(run or "")))
            case _:
                return RunsValue(found)

    def _details(self, about: RunSummary | None) -> RunDetails | None:
        if about is None or not about.status:
            return None
        run = Run(self.workspace / "runs" / about.id)
        words = last_words(run) if about.status in ("crashed", "failed") else ""
        return read_details(self.workspace, run, about, self._course(about.id), words)

    def _course(self, run_id: str) -> Course:
        """How a run went so far."""
        events = self.workspace / "runs" / run_id / "events.jsonl"
        known = events in self._readers
        reader = self._readers.pop(events) if known else CourseReader(events)
        self._readers[events] = reader
        while len(self._readers) > _KEPT:
            self._readers.popitem(last=False)
        return reader.read()
