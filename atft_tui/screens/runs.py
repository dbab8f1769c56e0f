"""The run list: what is running, what came out."""

import asyncio
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.listing import list_runs
from atft_tui.messages import RunRow, RunsListed
from atft_tui.protocol import Cockpit
from atft_tui.sizes import too_small

POLL_S = 1.0
FIRST_RUNS = 40
"""Read before the first paint, about 1 ms each; the others follow in the background."""
MARKS = {
    "running": (GLYPHS.running, "bold green"),
    "done": (GLYPHS.done, ""),
    "stopped": (GLYPHS.stopped, "yellow"),
    "failed": (GLYPHS.failed, "bold red"),
    "crashed": (GLYPHS.failed, "bold red"),
    "created": (GLYPHS.waiting, "dim"),
}
COLUMNS = ("run", "status", "validation RankIC", "test RankIC", "net Sharpe", "progress")
EMPTY = """No runs in this workspace yet.

  n       start one (train, or the demo on a synthetic market)
  ctrl+p  every command
  ?       help

On a fresh workspace start with the demo: it makes its own market, trains, backtests and writes a report.
"""


class RunsScreen(Screen[None]):
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", show=True, priority=True),
        Binding("n", "app.new_run", "new run"),
        Binding("r", "resume", "resume"),
        Binding("s", "stop", "stop"),
        Binding("b", "backtest", "backtest"),
        Binding("question_mark", "app.help", "help", key_display="?"),
        Binding("q", "app.quit", "quit"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.rows: tuple[RunRow, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(id="headline")
        yield DataTable(id="runs", cursor_type="row", zebra_stripes=True)
        yield Static(Text(EMPTY), id="empty")
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(DataTable)
        for name in COLUMNS:
            table.add_column(name, key=name)
        self.take_rows(RunsListed(list_runs(self.cockpit.workspace, limit=FIRST_RUNS)))
        self.poll()

    @work(exclusive=True, group="runs")
    async def poll(self) -> None:
        """List the runs once a second; only a change is told."""
        cockpit = self.cockpit
        seen: tuple[RunRow, ...] | None = None
        while True:
            rows = await asyncio.to_thread(list_runs, cockpit.workspace)
            if rows != seen:
                seen = rows
                self.post_message(RunsListed(rows))
            await asyncio.sleep(POLL_S)

    @property
    def cockpit(self) -> Cockpit:
        assert isinstance(self.app, Cockpit)
        return self.app

    @on(RunsListed)
    def take_rows(self, message: RunsListed) -> None:
        self.rows = message.rows
        table = self.query_one(DataTable)
        current = self.selected
        table.clear()
        for row in message.rows:
            mark, style = MARKS.get(row.status, (GLYPHS.waiting, ""))
            table.add_row(
                Text(row.id),
                Text(f"{mark} {row.status}", style=style),
                Text(row.validation, style="dim" if row.validation.startswith("~") else ""),
                Text(row.test, style="dim" if row.test.startswith("~") else ""),
                Text(row.verdict),
                Text(row.progress, style="dim"),
                key=row.id,
            )
        if current is not None and current in {row.id for row in message.rows}:
            table.move_cursor(row=table.get_row_index(current))
        table.display = bool(message.rows)
        self.query_one("#empty").display = not message.rows
        if message.rows and self.focused is None:
            table.focus()
        self.draw_headline()

    @on(Resize)
    def draw_headline(self) -> None:
        running = sum(row.status == "running" for row in self.rows)
        headline = Text.assemble(
            (" atft-tui ", "bold"),
            (f" {fmt.clean(str(self.cockpit.workspace))}", "dim"),
            f"   {len(self.rows)} runs, {running} running",
        )
        small = too_small(*self.size)
        self.query_one("#headline", Static).update(small or headline)

    @property
    def selected(self) -> str | None:
        table = self.query_one(DataTable)
        if not self.rows or not 0 <= table.cursor_row < table.row_count:
            return None
        return str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value)

    def action_open(self) -> None:
        if self.selected is not None:
            self.cockpit.open_run(self.selected)

    def action_stop(self) -> None:
        if self.selected is not None:
            self.cockpit.stop_run(self.selected)

    def action_resume(self) -> None:
        if self.selected is not None:
            self.cockpit.resume_run(self.selected)

    def action_backtest(self) -> None:
        if self.selected is not None:
            self.cockpit.backtest_run(self.selected)
