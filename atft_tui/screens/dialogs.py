"""Small windows over a screen: confirm, another workspace, help."""

from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Static

from atft_tui import format as fmt
from atft_tui.styles import BAD, STRONG
from atft_tui.widgets.field import Field
from engine.commands import COMMANDS


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


class WorkspaceDialog(ModalScreen[Path | None]):
    """Another directory of data, runs and signals; it is made when something is first written to it."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(self, current: Path) -> None:
        super().__init__()
        self.current = current

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label("Workspace", classes="title")
            yield Field(fmt.clean(str(self.current)), id="path")
            yield Static(id="problem")
            with Horizontal(classes="buttons"):
                yield Button("Open", variant="primary", id="open")
                yield Button("Cancel (esc)", id="cancel")

    @on(Input.Submitted)
    @on(Button.Pressed, "#open")
    def open(self) -> None:
        """Close with the directory, unless the path is that of a file."""
        path = Path(self.query_one("#path", Input).value.strip()).expanduser().absolute()
        if path.exists() and not path.is_dir():
            problem = Text(f"{fmt.clean(str(path))} is not a directory", style=BAD)
            self.query_one("#problem", Static).update(problem)
            return
        self.dismiss(path)

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        """Close without a directory."""
        self.dismiss(None)


class HelpDialog(ModalScreen[None]):
    """The keys of the screen behind, from its own key table, and the commands."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q", "dismiss(None)", "close")
    ]

    def __init__(self, keys: list[tuple[str, str]]) -> None:
        super().__init__()
        self.keys = keys

    def compose(self) -> ComposeResult:
        text = Text()
        text.append("Keys\n", style=STRONG)
        for key, what in self.keys:
            text.append(f"  {key:<12}", style=STRONG)
            text.append(f"{what}\n")
        text.append("\nCommands (palette: ctrl+p; the same on the command line)\n", style=STRONG)
        for command in (command for command in COMMANDS if not command.hidden):
            text.append(f"  {command.name:<12}", style=STRONG)
            text.append(f"{command.help}\n")
        text.append("\nReading the figures\n", style=STRONG)
        text.append(
            "  RankIC: mean daily rank correlation of score and forward return, ± its standard error.\n"
            "  A value inside the null band (95 % of shuffled scores) is dim and marked ~ : noise.\n"
            "  alpha weights the projected stream, 1 - alpha the graph.\n"
        )
        with VerticalScroll(classes="dialog wide"):
            yield Static(text)
