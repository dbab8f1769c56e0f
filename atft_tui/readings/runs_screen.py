"""What the runs screen shows, gathered for the view that is open."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from atft_tui.readings.feed import last_words
from atft_tui.readings.overlay import Courses, Overlay, read_overlay
from atft_tui.readings.run_details import RunDetails, read_details
from atft_tui.readings.run_diff import ConfigDiff, config_diff
from atft_tui.readings.runs import RunList, RunTable
from atft_tui.readings.searches import (
    ComparisonView,
    StudyView,
    daily_gap,
    read_comparisons,
    read_studies,
)
from engine.runs.store import Run
from engine.runs.summary import RunSummary

View = Literal["runs", "overlay", "diff", "ablations", "tune"]
VIEWS: tuple[View, ...] = ("runs", "overlay", "diff", "ablations", "tune")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person has chosen on the screen."""

    view: View = "runs"
    details: bool = True
    run: str | None = None
    """Under the cursor."""
    marked: tuple[str, ...] = ()
    comparison: str | None = None


@dataclass(frozen=True, slots=True)
class RunsValue:
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
        self.courses = Courses()

    def read(self, wanted: Wanted) -> RunsValue:
        found = self.table.read()
        known = {about.id: about for about in found.runs}
        marked = [known[run_id] for run_id in wanted.marked if run_id in known]
        match wanted.view:
            case "overlay" if marked:
                return RunsValue(found, overlay=read_overlay(self.workspace, marked, self.courses))
            case "diff" if len(marked) > 1:
                ids = [about.id for about in marked]
                return RunsValue(found, diff=config_diff(self.workspace, ids))
            case "ablations":
                return self._comparisons(found, wanted)
            case "tune":
                return RunsValue(found, studies=read_studies(self.workspace, found.runs))
            case "runs" if wanted.details:
                return RunsValue(found, details=self._details(known.get(wanted.run or "")))
            case _:
                return RunsValue(found)

    def _details(self, about: RunSummary | None) -> RunDetails | None:
        if about is None or not about.status:
            return None
        run = Run(self.workspace / "runs" / about.id)
        words = last_words(run) if about.status in ("crashed", "failed") else ""
        course = self.courses.read(run.events_path)
        return read_details(self.workspace, run, about, course, words)

    def _comparisons(self, found: RunList, wanted: Wanted) -> RunsValue:
        every = read_comparisons(self.workspace, found.runs)
        chosen = next((one for one in every if one.found.id == wanted.comparison), None)
        chosen = chosen or next(iter(every), None)
        if chosen is not None:
            chosen = replace(chosen, daily=daily_gap(self.workspace, chosen))
        return RunsValue(found, comparisons=every, comparison=chosen)
