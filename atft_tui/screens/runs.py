"""The runs: what is running, what came out."""

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.glyphs import GLYPHS
from atft_tui.keys import SCREENS, bindings
from atft_tui.readings.rows import RunRow
from atft_tui.readings.runs import list_runs
from atft_tui.screens.base import CockpitScreen
from atft_tui.widgets.table import Column, Table

MARKS = {
    "running": (GLYPHS.running, "bold green"),
    "done": (GLYPHS.done, ""),
    "stopped": (GLYPHS.stopped, "yellow"),
    "failed": (GLYPHS.failed, "bold red"),
    "crashed": (GLYPHS.failed, "bold red"),
    "created": (GLYPHS.waiting, "dim"),
}
EMPTY = """No runs in this workspace yet.

  n       start one (train, or the demo on a synthetic market)
  ctrl+p  every command
  ?       help

On a fresh workspace start with the demo: it makes its own market, trains, backtests and writes a report.
"""


def status_text(status: str) -> Text:
    mark, style = MARKS.get(status, (GLYPHS.waiting, ""))
    return Text(f"{mark} {status}", style=style)


def figure_text(figure: str) -> Text:
    """A figure inside its null band starts with ``~`` and is dim."""
    return Text(figure, style="dim" if figure.startswith("~") else "")


COLUMNS: tuple[Column[RunRow], ...] = (
    Column(name="run", cell=lambda row: row.id, width=30),
    Column(name="status", cell=lambda row: status_text(row.status), width=10),
    Column(name="validation RankIC", cell=lambda row: figure_text(row.validation), width=18),
    Column(name="test RankIC", cell=lambda row: figure_text(row.test), width=18, wide_only=True),
    Column(name="net Sharpe", cell=lambda row: row.verdict, width=30, wide_only=True),
    Column(name="progress", cell=lambda row: Text(row.progress, style="dim")),
)


class RunsScreen(CockpitScreen[tuple[RunRow, ...]]):
    place: ClassVar[str] = "runs"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings(SCREENS["runs"])]

    def body(self) -> Iterable[Widget]:
        yield Table(COLUMNS, key=lambda row: row.id, id="runs-table")
        yield Static(Text(EMPTY), id="empty")

    def read(self) -> tuple[RunRow, ...]:
        return list_runs(self.cockpit.workspace)

    def show(self, value: tuple[RunRow, ...]) -> None:
        table = self.query_one(Table)
        table.set_rows(value)
        table.display = bool(value)
        self.query_one("#empty").display = not value
        if value and self.focused is None:
            table.focus()

    def headline(self, width: int) -> Text:
        rows = self.value or ()
        running = sum(row.status == "running" for row in rows)
        return Text.assemble((" Runs ", "bold"), f" {len(rows)} runs, {running} running")

    @property
    def selected(self) -> str | None:
        return self.query_one(Table).current_key

    @on(Table.Selected)
    def open(self) -> None:
        self.action_open()

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

    def action_backtest(self) -> None:
        if self.selected is not None:
            self.cockpit.ask("backtest", {"run": self.selected})
