"""The marked runs side by side: how each went, and the paired differences on file."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atft_tui.readings.comparisons import Pair, read_pairs
from atft_tui.readings.run_events import Course, CourseReader
from atft_tui.widgets.chart import Curve, CurvePoint
from engine.records.judgement import is_noise
from engine.runs.summary import RunSummary

_KEPT = 16
"""Readers: six marked runs, the one under the cursor, and some that were looked at before."""


@dataclass(frozen=True, slots=True)
class OverlayRun:
    about: RunSummary
    course: Course

    @property
    def rank_ic(self) -> Curve:
        points = (
            CurvePoint(x, event.rank_ic, is_noise(event.rank_ic, event.null_band))
            for x, event in self.course.epochs
        )
        return Curve(self.about.id, tuple(points))

    @property
    def loss(self) -> Curve:
        return Curve(
            self.about.id, tuple(CurvePoint(point.x, point.loss) for point in self.course.losses)
        )


@dataclass(frozen=True, slots=True)
class Overlay:
    runs: tuple[OverlayRun, ...]
    pairs: tuple[Pair, ...]


class Courses:
    """Readers of event files, the last used ones kept."""

    def __init__(self) -> None:
        self._readers: OrderedDict[Path, CourseReader] = OrderedDict()

    def read(self, events: Path) -> Course:
        reader = self._readers.pop(events, None) or CourseReader(events)
        self._readers[events] = reader
        while len(self._readers) > _KEPT:
            self._readers.popitem(last=False)
        return reader.read()


def read_overlay(workspace: Path, runs: Sequence[RunSummary], courses: Courses) -> Overlay:
    root = workspace / "runs"
    return Overlay(
        tuple(OverlayRun(run, courses.read(root / run.id / "events.jsonl")) for run in runs),
        read_pairs(workspace, [run.id for run in runs]),
    )
