"""What can be done with runs: each is a command of the command line, most of them through its form."""

import asyncio
from pathlib import Path

from textual import on, work

from atft_tui.readings.runs_screen import RunsValue
from atft_tui.screens.base import CockpitScreen
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError, UsageError
from engine.records.run import RunSummary
from engine.runs import deletion
from engine.runs.store import RunStore


class RunActions(CockpitScreen[RunsValue]):
    """The keys that start commands; which run they are about is for the screen to say."""

    marked: tuple[str, ...] = ()
    """Runs in the order they were marked; the first has the letter A."""

    @property
    def selected(self) -> str | None:
        """The run that a command is about; None: there is none in front."""
        raise NotImplementedError

    def about(self, run_id: str | None) -> RunSummary | None:
        runs = self.value.list.runs if self.value else ()
        return next((run for run in runs if run.id == run_id), None)

    @on(BrowseTable.Selected, "#runs-table")
    @on(BrowseTable.Selected, "#runs-figures")
    def _open_run(self, event: BrowseTable.Selected) -> None:
        self.cockpit.open_run(event.key)

    @on(BrowseTable.Selected, "#runs-trials")
    def _open_trial(self, event: BrowseTable.Selected) -> None:
        if event.row.run_id:
            self.cockpit.open_run(event.row.run_id)

    def action_open(self) -> None:
        if self.selected is not None:
            self.cockpit.open_run(self.selected)

    def action_new_run(self) -> None:
        self.cockpit.ask("train")

    def action_stop(self) -> None:
        if self.selected is not None:
            self.cockpit.stop_run(self.selected)

    def action_resume(self) -> None:
        if self.selected is not None:
            self.cockpit.resume_run(self.selected)

    def action_ask(self, command: str) -> None:
        """The form of a command about the run under the cursor."""
        if self.selected is not None:
            self.cockpit.ask(command, {"run": self.selected})

    def action_note(self) -> None:
        about = self.about(self.selected)
        if about is not None:
            self.cockpit.ask("note", {"run": about.id, "text": about.labels.note})

    def action_edit(self) -> None:
        """The note of the run in the user's editor; it is kept as one line."""
        about = self.about(self.selected)
        if about is None:
            return
        try:
            self.cockpit.require_writable()
            text = " ".join(self.cockpit.edited(about.labels.note).split())
        except (EngineError, OSError) as error:
            self.cockpit.refuse(error)
            return
        if text != about.labels.note:
            self.cockpit.start_job(["note", "--", about.id, text])

    def action_compare(self) -> None:
        if len(self.marked) < 2:
            self.cockpit.refuse(UsageError("compare needs two marked runs", hint="space marks"))
        else:
            self.cockpit.start_job(["compare", *self.marked])

    def action_delete(self) -> None:
        """The marked runs, or the one under the cursor."""
        chosen = self.marked or ((self.selected,) if self.selected else ())
        if chosen:
            self._ask_to_delete(self.cockpit.workspace, chosen)

    @work(exclusive=True, group="delete")
    async def _ask_to_delete(self, workspace: Path, chosen: tuple[str, ...]) -> None:
        try:
            store = RunStore(workspace / "runs")
            runs = await asyncio.to_thread(lambda: [store.open(run_id) for run_id in chosen])
            plan = await asyncio.to_thread(deletion.plan, workspace, runs)
        except (EngineError, OSError) as error:
            self.cockpit.refuse(error)
            return
        question = f"Delete for good?\n\n{plan.question}\n\nTheir trials stay counted."
        words = ["delete", *chosen, "--yes"]
        self.cockpit.confirm(question, lambda: self.cockpit.start_job(words))
