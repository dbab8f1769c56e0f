"""Small windows over a screen: a question, a text, one of several rows, another workspace, the jobs."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.jobs import Job, JobBook
from atft_tui.styles import BAD, DIM, STRONG, status_text
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.table import BrowseTable, Field
from engine.commands import COMMANDS
from engine.records.glossary import GLOSSARY, terms_in
from engine.records.run import RunSummary

_T = TypeVar("_T")
_REREAD_S = 1.0
_SHOWN = 50
_TAIL = 200
_JOB_COLUMNS: tuple[TableColumn[Job], ...] = (
    TableColumn("state", lambda job: status_text(job.status), 10),
    TableColumn("started UTC", lambda job: fmt.clock(job.started), 11),
    TableColumn("command", lambda job: job.line),
)


class Dialog(ModalScreen[_T]):
    """A small window that esc and its button ``#cancel`` leave without an answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def buttons(self, name: str, words: str, *, compact: bool = False) -> Horizontal:
        """The main button, and the one that cancels."""
        main = Button(words, variant="primary", id=name, compact=compact)
        return Horizontal(
            main, Button("Cancel (esc)", id="cancel", compact=compact), classes="buttons"
        )

    def complain(self, problem: str) -> None:
        """Say under the fields what is wrong with them."""
        self.query_one("#problem", Static).update(Text(fmt.clean_lines(problem), BAD))

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)


class ConfirmDialog(ModalScreen[bool]):
    """A question with a safe default."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "dismiss(False)", "no"),
        Binding("y", "dismiss(True)", "yes"),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Static(Text(fmt.clean_lines(self.question)))
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no")
                yield Button("Yes (y)", variant="warning", id="yes")

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        """Close with the answer of the button."""
        self.dismiss(event.button.id == "yes")


class TextDialog(Dialog[None]):
    """A text to scroll through, under a title that stays; the keys that open one close it too.

    ``/`` narrows it to the lines that hold what is typed.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,question_mark,h,p", "dismiss(None)", "close"),
        Binding("slash", "search", "search"),
    ]

    def __init__(self, text: Text, title: str = "") -> None:
        super().__init__()
        self.text, self.head = text, title
        self._shown = Static(text)
        self._search = Field(
            placeholder="lines with ... (esc closes)", compact=True, id="search-text"
        )

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            if self.head:
                yield Label(self.head, classes="title", markup=False)
            yield self._search
            yield VerticalScroll(self._shown)

    def on_mount(self) -> None:
        self._search.display = False
        self.query_one(VerticalScroll).focus()

    def action_search(self) -> None:
        self._search.display = True
        self._search.focus()

    @on(Input.Changed, "#search-text")
    def narrow(self) -> None:
        """Show the lines that hold every word; all while nothing is typed."""
        words = self._search.value.lower().split()
        lines = self.text.split("\n", allow_blank=True)
        kept = [line for line in lines if all(word in line.plain.lower() for word in words)]
        self._shown.update(Text("\n").join(kept) if words else self.text)

    @on(Input.Submitted, "#search-text")
    def found(self) -> None:
        """Back to scrolling, in what was found."""
        self.query_one(VerticalScroll).focus()


def help_text(keys: Sequence[tuple[str, str]], title: str = "", told: str = "") -> Text:
    """What the figures of the focused panel mean, the keys of the screen behind, and the commands.

    ``title`` and ``told`` are the panel's name and what stands on it.
    """
    text = Text()

    def listed(title: str, rows: Sequence[tuple[str, str]]) -> None:
        text.append(f"{title}\n", style=STRONG)
        for name, what in rows:
            text.append(f"  {name:<12}", style=STRONG)
            text.append(f"{what}\n")

    def explained(head: str, names: Iterable[str]) -> None:
        text.append(f"{head}\n", style=STRONG)
        for name in names:
            text.append(f"  {name}: ", style=STRONG).append(f"{GLOSSARY[name]}\n")

    terms = terms_in(f"{title} {told}")
    if terms:
        explained(f'On the panel "{fmt.clean(title)}"', terms)
        text.append("\n")
    listed("Keys", keys)
    commands = [(command.name, command.help) for command in COMMANDS if not command.hidden]
    listed("\nCommands (palette: ctrl+p; the same on the command line)", commands)
    explained("\nReading the figures", (name for name in GLOSSARY if name not in terms))
    return text


class WorkspaceDialog(Dialog[Path | None]):
    """Another directory of data, runs and signals; it is made when something is first written to it."""

    def __init__(self, current: Path) -> None:
        super().__init__()
        self.current = current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Workspace", classes="title")
            yield Field(fmt.clean(str(self.current)), id="path")
            yield Static(id="problem")
            yield self.buttons("open", "Open")

    @on(Input.Submitted)
    @on(Button.Pressed, "#open")
    def open(self) -> None:
        """Close with the directory, unless the path is that of a file."""
        path = Path(self.query_one("#path", Input).value.strip()).expanduser().absolute()
        if path.exists() and not path.is_dir():
            self.complain(f"{fmt.clean(str(path))} is not a directory")
        else:
            self.dismiss(path)


class RowDialog(Dialog[str | None]):
    """Rows to choose one of; answers with its key."""

    def __init__(
        self, title: str, table: BrowseTable[Any], rows: Sequence[Any], current: str
    ) -> None:
        super().__init__()
        self.head, self.table, self.rows, self.current = title, table, rows, current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label(self.head, classes="title")
            yield self.table

    def on_mount(self) -> None:
        self.table.set_rows(self.rows)
        self.table.move_to(self.current)
        self.table.focus()

    @on(BrowseTable.Selected)
    def choose(self, event: BrowseTable.Selected) -> None:
        """Close with the row that was opened."""
        self.dismiss(event.key)


@dataclass(frozen=True, slots=True)
class QuickFilter:
    """One choice that narrows the list of runs; ``kind`` is empty (all), status, command or tag."""

    kind: str = ""
    value: str = ""

    def fits(self, about: RunSummary) -> bool:
        """Whether a run stays in the list."""
        return not self.kind or self.value in _KINDS[self.kind](about)

    @property
    def words(self) -> str:
        """The choice as it is told."""
        return f"{self.kind} {self.value}".strip()


_KINDS: dict[str, Callable[[RunSummary], tuple[str, ...]]] = {
    "status": lambda run: (run.status,),
    "command": lambda run: (run.command,),
    "tag": lambda run: run.labels.tags,
}
"""What a run has of each kind."""


class QuickFilterDialog(Dialog[QuickFilter | None]):
    """All, then states, commands and tags that occur, each with its count, the most frequent first."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("f", "dismiss(None)", "cancel")]

    def __init__(self, runs: Sequence[RunSummary], current: QuickFilter) -> None:
        super().__init__()
        self.current = current
        self.choices = [(QuickFilter(), len(runs))]
        for kind, values_of in _KINDS.items():
            found = Counter(value for run in runs for value in values_of(run) if value)
            ranked = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
            self.choices += [(QuickFilter(kind, value), count) for value, count in ranked]

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Show only", classes="title")
            yield OptionList(*map(self._option, self.choices), id="quick")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        chosen = [quick for quick, _ in self.choices]
        options.highlighted = chosen.index(self.current) if self.current in chosen else 0
        options.focus()

    @on(OptionList.OptionSelected)
    def _choose(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index][0])

    @staticmethod
    def _option(choice: tuple[QuickFilter, int]) -> Option:
        quick, count = choice
        kind = f"{quick.kind or 'all runs':<9}"
        return Option(Text.assemble((kind, DIM), quick.value, (f"  {count:,}", DIM)))


class JobsDialog(Dialog[None]):
    """The jobs of the workspace, newest first, with what the chosen one told."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,j", "dismiss(None)", "close"),
        Binding("s", "stop", "stop"),
    ]

    def __init__(self, book: JobBook) -> None:
        super().__init__()
        self.book = book

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            yield Label(f"Jobs, newest first {GLYPHS.empty} s stop, esc close", classes="title")
            yield BrowseTable(_JOB_COLUMNS, key=lambda job: job.id, id="jobs")
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
                told.append("\n" + "\n".join(job.told), style=STRONG)
        self.query_one("#told", Static).update(told)

    def action_stop(self) -> None:
        job = self.query_one(BrowseTable).current
        if job is not None:
            self.book.stop(job.id)
