"""The runs: which is best, how they differ, and what to do with them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, ClassVar

from rich.text import Text
from textual import on
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.runs import RunList
from atft_tui.readings.runs_screen import VIEWS, Overlay, RunsReading, RunsValue, View
from atft_tui.screens.dialogs import QuickFilter, QuickFilterDialog
from atft_tui.screens.run_actions import RunActions
from atft_tui.screens.run_columns import (
    COMPARISON_COLUMNS,
    STUDY_COLUMNS,
    TRIAL_COLUMNS,
    diff_columns,
    figure_columns,
    run_columns,
)
from atft_tui.styles import WIDE
from atft_tui.widgets.chart import LETTER_STYLES, LETTERS
from atft_tui.widgets.lines import line, tab_line
from atft_tui.widgets.run_details_panel import RunDetailsPanel
from atft_tui.widgets.search_panels import (
    BestPanel,
    DailyGapPanel,
    DifferencePanel,
    ForestPanel,
    ImportancePanel,
    OverlayLoss,
    OverlayRankIC,
    PairsPanel,
)
from atft_tui.widgets.table import BrowseTable
from engine.errors import UsageError

_MAX_MARKED = len(LETTERS)
_EMPTY = """No runs in this workspace yet.

  n       start one (train, or the demo on a synthetic market)
  ctrl+p  every command

On a fresh workspace start with the demo (ctrl+p demo).
"""
_TITLES: dict[View, str] = {
    "runs": "esc list", "overlay": "v overlay", "diff": "d diff", "ablations": "a ablations",
    "tune": "u tune",
}  # fmt: skip
_FIRST: dict[View, str] = {
    "runs": "#runs-table", "overlay": "#runs-figures", "diff": "#runs-diff-table",
    "ablations": "#runs-comparisons", "tune": "#runs-trials",
}  # fmt: skip
"""The table that has the focus when a view opens."""
_PICTURES = (("rank-ic", "loss"), ("forest", "daily"), ("best", "importance"))


class RunsScreen(RunActions):
    """A list, and views of what is marked in it; each view has its key, esc goes back to the list."""

    place: ClassVar[str] = "runs"

    def __init__(self) -> None:
        super().__init__()
        self.view: View = "runs"
        self.quick = QuickFilter()
        self.details: bool | None = None
        """Whether they are shown beside or instead of the list; None: where there is room."""
        self.by_tag = False
        """Whether the overlay shows runs with the same tags as one curve."""
        self.other = False
        """The second picture of a view instead of the first, where only one has room."""
        self.comparison: str | None = None
        self.study: str | None = None
        self._protocol = False
        """Whether the tables tell what days their figures rest on."""
        self._cursor: str | None = None
        self._reading: RunsReading | None = None
        self._overlay: Overlay | None = None

    def body(self) -> Iterable[Widget]:
        letters = self._letter_of
        table, figures = run_columns(letters), figure_columns(letters)
        with Horizontal(id="runs-list", classes="runs-view"):
            yield BrowseTable(table, key=lambda run: run.id, id="runs-table", fixed=2)
            yield RunDetailsPanel(id="runs-details")
        with Vertical(id="runs-overlay", classes="runs-view"):
            yield Horizontal(
                OverlayRankIC(id="runs-rank-ic"), OverlayLoss(id="runs-loss"), id="runs-curves"
            )
            yield BrowseTable(figures, key=lambda run: run.about.id, id="runs-figures", fixed=2)
            yield PairsPanel(id="runs-pairs")
        with Vertical(id="runs-diff", classes="runs-view"):
            yield Static(id="runs-diff-words")
            yield BrowseTable((), key=lambda row: row.key, id="runs-diff-table")
            yield DifferencePanel(id="runs-difference")
        with Vertical(id="runs-ablations", classes="runs-view"):
            yield BrowseTable(COMPARISON_COLUMNS, key=lambda c: c.found.id, id="runs-comparisons")
            yield ForestPanel(id="runs-forest")
            yield DailyGapPanel(id="runs-daily")
        with Vertical(id="runs-tune", classes="runs-view"):
            yield BrowseTable(STUDY_COLUMNS, key=lambda s: s.found.run_id, id="runs-studies")
            yield Horizontal(
                BestPanel(id="runs-best"), ImportancePanel(id="runs-importance"), id="runs-study"
            )
            yield BrowseTable(TRIAL_COLUMNS, key=lambda t: str(t.trial.number), id="runs-trials")
        yield Static(Text(_EMPTY), id="empty")
        yield Static(id="tabs")

    # ---- reading -------------------------------------------------------------------------------

    def read(self) -> RunsValue:
        workspace = self.cockpit.workspace
        if self._reading is None or self._reading.workspace != workspace:
            self._reading = RunsReading(workspace)
        return self._reading.read(
            self.view, run=self._cursor, details=self._shows_details, marked=self.marked,
            comparison=self.comparison,
        )  # fmt: skip

    def show(self, value: RunsValue) -> None:
        known = {run.id for run in value.list.runs}
        if value.list.pending == 0:
            self.marked = tuple(run_id for run_id in self.marked if run_id in known)
        self._show_list(value)
        self._overlay = value.overlay and replace(value.overlay, by_tag=self.by_tag)
        for panel in (OverlayRankIC, OverlayLoss, PairsPanel):
            self.query_one(panel).show_value(self._overlay)
        self.table("#runs-figures").set_rows(value.overlay.runs if value.overlay else ())
        self._show_diff(value)
        self.table("#runs-comparisons").set_rows(value.comparisons)
        for chart in (ForestPanel, DailyGapPanel):
            self.query_one(chart).show_value(value.comparison)
        self._show_studies(value)
        self.lay_out()
        if value.list.pending:
            self.reread()

    def _show_list(self, value: RunsValue) -> None:
        table = self.table("#runs-table")
        if not self._protocol and any(run.days for run in value.list.runs):
            self._protocol = True
            table.set_columns(run_columns(self._letter_of, protocol=True))
            self.table("#runs-figures").set_columns(figure_columns(self._letter_of, protocol=True))
        table.set_rows([run for run in value.list.runs if self.quick.fits(run)])
        if value.details is not None or self.view == "runs":
            self.query_one(RunDetailsPanel).show_value(value.details)
        if self._cursor is None and table.current_key is not None:
            self._cursor = table.current_key
            self.reread()
        if value.list.runs and self.focused is None:
            table.focus()

    def _show_diff(self, value: RunsValue) -> None:
        words, table = self.query_one("#runs-diff-words", Static), self.table("#runs-diff-table")
        diff = value.diff
        table.display = self.query_one(DifferencePanel).display = diff is not None
        if diff is None:
            text = " Mark two runs with space in the list (esc): their settings are compared here."
            words.update(Text(text, style=styles.DIM))
            return
        columns = diff_columns(diff)
        if [column.name for column in columns] != [column.name for column in table.columns]:
            table.set_columns(columns)
        table.set_rows(diff.rows)
        self._show_difference()
        names = zip(LETTERS, LETTER_STYLES, diff.runs, strict=False)
        parts = [
            part for letter, style, run in names for part in ((f"{letter} ", style), f"{run}  ")
        ]
        told = f"different: {fmt.counted(len(diff.rows), 'key')}, the same: {diff.same}"
        words.update(line(" ", *parts, (told, styles.DIM)))

    @on(BrowseTable.Highlighted, "#runs-diff-table")
    def _show_difference(self) -> None:
        table = self.table("#runs-diff-table")
        first = [table.current] if table.current else []
        rows = (*first, *(row for row in table.rows if row is not table.current))
        self.query_one(DifferencePanel).show_value(rows or None)
        # The keys have the lines they need, up to half of the place; the rest is for their values.
        table.styles.height = min(len(table.rows) + 2, max(4, self.size.height // 2 - 4))

    def _show_studies(self, value: RunsValue) -> None:
        self.table("#runs-studies").set_rows(value.studies)
        studies = {study.found.run_id: study for study in value.studies}
        study = studies.get(self.study or "") or next(iter(value.studies), None)
        for panel in (BestPanel, ImportancePanel):
            self.query_one(panel).show_value(study)
        self.table("#runs-trials").set_rows(study.rows() if study else ())

    # ---- layout --------------------------------------------------------------------------------

    @property
    def _wide(self) -> bool:
        return self.size.width >= WIDE

    @property
    def _shows_details(self) -> bool:
        return self._wide if self.details is None else self.details

    def lay_out(self) -> None:
        value = self.value
        there = value is None or bool(value.list.runs)
        super().lay_out()
        self.query_one("#empty").display = not there
        for view in VIEWS:
            self.part("list" if view == "runs" else view).display = there and view == self.view
        self.part("table").display = self._wide or not self._shows_details
        self.part("details").display = self._shows_details
        for first, second in _PICTURES:
            self.part(first).display = self._wide or not self.other
            self.part(second).display = self._wide or self.other
        self.part("studies").display = value is not None and len(value.studies) > 1
        self._draw_tabs(there)
        self.draw_headline()

    def _draw_tabs(self, there: bool) -> None:
        tabs = self.query_one("#tabs", Static)
        tabs.display = there
        text = tab_line(_TITLES.values(), _TITLES[self.view])
        text.append("  marked " if self.marked else "", styles.DIM)
        for run_id in self.marked:
            letter = self._letter_of(run_id)
            text.append(letter, LETTER_STYLES[LETTERS.index(letter)]).append(f" {run_id[-4:]} ")
        text.append("  T by tag" * (self.view == "overlay" and len(self.marked) > 1), styles.KEY)
        tabs.update(text)

    def headline(self, width: int) -> Text:
        found = self.value.list if self.value else RunList((), 0)
        runs = found.runs
        running = sum(run.status == "running" for run in runs)
        text = line(
            (" Runs ", styles.STRONG), f" {fmt.counted(len(runs), 'run')}, {running} at work"
        )
        if found.pending:
            text.append(f", {found.pending:,} still to be read", style=styles.DIM)
        if self.quick.kind:
            shown = sum(self.quick.fits(run) for run in runs)
            text.append(f"  only {self.quick.words}: {shown:,}", style=styles.KEY)
        if found.best is not None:
            run, figures = found.best
            text.append("  best validation ", style=styles.DIM)
            text.append(f"{fmt.rank_ic(figures.rank_ic, figures.rank_ic_se)} {run.id[-4:]}")
            if width >= WIDE:
                text.append("  the best of many looks better than it is", style=styles.DIM)
        return text

    # ---- what is chosen ------------------------------------------------------------------------

    def table(self, selector: str) -> BrowseTable[Any]:
        return self.query_one(selector, BrowseTable)

    def _letter_of(self, run_id: str) -> str:
        own = self.marked.index(run_id) if run_id in self.marked else None
        place = self._overlay.place(run_id) if self._overlay else own
        return "" if place is None else LETTERS[place]

    @property
    def selected(self) -> str | None:
        """The run under the cursor of the list, or of the table of figures."""
        if self.view == "overlay":
            return self.table("#runs-figures").current_key
        return self.table("#runs-table").current_key if self.view == "runs" else None

    @on(BrowseTable.Highlighted, "#runs-table")
    def _follow_cursor(self, event: BrowseTable.Highlighted) -> None:
        self._cursor = event.key
        if self._shows_details:
            self.reread()

    @on(BrowseTable.Highlighted, "#runs-comparisons")
    def _choose_comparison(self, event: BrowseTable.Highlighted) -> None:
        self.comparison = event.key
        self.reread()

    @on(BrowseTable.Highlighted, "#runs-studies")
    def _choose_study(self, event: BrowseTable.Highlighted) -> None:
        self.study = event.key
        if self.value is not None:
            self._show_studies(self.value)

    def action_view(self, view: View) -> None:
        self.view = view
        self.lay_out()
        if view == "runs" and self.details and not self._wide:
            self.query_one(RunDetailsPanel).focus()
        else:
            self.table(_FIRST[view]).focus()
        self.reread()

    def action_back(self) -> None:
        if self.view == "runs" and self.details and not self._wide:
            self.details = None
        self.action_view("runs")

    def action_details(self) -> None:
        self.details = not self._shows_details
        self.action_view("runs")

    def action_by_tag(self) -> None:
        """One curve for the runs with the same tags, and back to one for each run."""
        self.by_tag = not self.by_tag
        self.action_view("overlay")
        if self.value is not None:
            self.show(self.value)

    def action_other(self) -> None:
        self.other = not self.other
        self.lay_out()

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor, and go to the next one."""
        run_id = self.selected
        if run_id is None or self.view != "runs":
            return
        if run_id in self.marked:
            self.marked = tuple(one for one in self.marked if one != run_id)
        elif len(self.marked) == _MAX_MARKED:
            words = f"{fmt.counted(_MAX_MARKED, 'run')} are marked"
            self.cockpit.refuse(UsageError(words, hint="space takes a mark away, M all"))
            return
        else:
            self.marked = (*self.marked, run_id)
        self.table("#runs-table").grid.action_cursor(1)
        self._marks_changed()

    def action_unmark(self) -> None:
        self.marked = ()
        self._marks_changed()

    def _marks_changed(self) -> None:
        self.table("#runs-table").grid.refresh()
        self.lay_out()
        self.reread()

    def action_quick(self) -> None:
        runs = self.value.list.runs if self.value else ()
        self.app.push_screen(QuickFilterDialog(runs, self.quick), self._use_quick)

    def _use_quick(self, quick: QuickFilter | None) -> None:
        if quick is not None and self.value is not None:
            self.quick = quick
            self._show_list(self.value)
            self.draw_headline()
