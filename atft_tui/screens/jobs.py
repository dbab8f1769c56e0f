"""What was started from the screen: the command line, its state, what it tells and its answer."""

import json
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.jobs import Job, JobBook
from atft_tui.styles import BAD, DIM, PLAIN, RUNNING, STRONG
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.table import BrowseTable

_REREAD_S = 1.0
_SHOWN = 50
_TAIL = 200
_STYLES = {"running": RUNNING, "done": PLAIN, "failed": BAD, "died": BAD}
_COLUMNS: tuple[TableColumn[Job], ...] = (
    TableColumn(
        name="state", cell=lambda job: Text(job.status, style=_STYLES[job.status]), width=8
    ),
    TableColumn(name="started UTC", cell=lambda job: fmt.clock(job.started), width=11),
    TableColumn(name="command", cell=lambda job: job.line),
)


class JobsDialog(ModalScreen[None]):
    """The jobs of the workspace, newest first, with what the chosen one told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,j", "dismiss(None)", "close"),
        Binding("s", "stop", "stop"),
    ]

    def __init__(self, book: JobBook) -> None:
        super().__init__()
        self.book = book
        self.selected: str | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label(f"Jobs, newest first {GLYPHS.empty} s stop, esc close", classes="title")
            yield BrowseTable(_COLUMNS, key=lambda job: job.id, id="jobs")
            with VerticalScroll(id="job-output"):
                yield Static(id="told")

    def on_mount(self) -> None:
        self.reread()
        self.set_interval(_REREAD_S, self.reread)
        self.query_one(BrowseTable).focus()

    def reread(self) -> None:
        """Read the files of the newest jobs."""
        jobs = [self.book.read(name) for name in self.book.ids()[:_SHOWN]]
        self.query_one(BrowseTable).set_rows(jobs)
        self.draw()

    @on(BrowseTable.Highlighted)
    def draw(self) -> None:
        """Show what the chosen job told and answered."""
        job = self.query_one(BrowseTable).current
        if job is None:
            told = Text("Nothing was started from here yet: ctrl+p lists every command.", DIM)
        else:
            told = Text("\n".join(self.book.tail(job.id, _TAIL)), style=DIM)
            if job.answer:
                told.append("\n" + fmt.clean_lines(json.dumps(job.answer, indent=1)), style=STRONG)
        self.query_one("#told", Static).update(told)

    def action_stop(self) -> None:
        job = self.query_one(BrowseTable).current
        if job is not None:
            self.book.stop(job.id)
