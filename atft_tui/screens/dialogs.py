"""Small windows over a screen: start a run, backtest one, confirm a stop, help."""

from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, Select, Static

from atft_tui import format as fmt
from engine.commands import COMMANDS
from engine.presets import PRESETS
from engine.strategy_list import strategy_summaries


@dataclass(frozen=True, slots=True)
class StartRequest:
    command: str
    preset: str | None
    overrides: tuple[str, ...]


class StartDialog(ModalScreen[StartRequest | None]):
    """Which command, which preset, which overrides."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(self, command: str = "train") -> None:
        super().__init__()
        self.command = command

    def compose(self) -> ComposeResult:
        launchable = [command.name for command in COMMANDS if command.launchable]
        with Vertical(classes="dialog"):
            yield Label("Start a run", classes="title")
            yield Select([(name, name) for name in launchable], value=self.command, id="command",
                         allow_blank=False)  # fmt: skip
            yield Select([(name, name) for name in PRESETS], prompt="preset (none)", id="preset")
            yield Input(placeholder="overrides: training.seed=2 model.hidden=64", id="overrides")
            with Horizontal(classes="buttons"):
                yield Button("Start", variant="primary", id="start")
                yield Button("Cancel", id="cancel")

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def start(self) -> None:
        preset = self.query_one("#preset", Select).value
        words = self.query_one("#overrides", Input).value.split()
        self.dismiss(
            StartRequest(
                command=str(self.query_one("#command", Select).value),
                preset=preset if isinstance(preset, str) else None,
                overrides=tuple(words),
            )
        )

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.dismiss(None)


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    run_id: str
    strategy: str
    overrides: tuple[str, ...]


class BacktestDialog(ModalScreen[BacktestRequest | None]):
    """Which strategy, which settings: the same as `atft-tui backtest RUN --strategy NAME --set ...`."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(self, run_id: str, strategy: str) -> None:
        super().__init__()
        self.run_id = run_id
        self.strategy = strategy
        self.summaries = strategy_summaries()

    def compose(self) -> ComposeResult:
        options = [(Text(fmt.clean(name)), name) for name in self.summaries]
        chosen = self.strategy if self.strategy in self.summaries else next(iter(self.summaries))
        with Vertical(classes="dialog"):
            yield Label(f"Backtest {self.run_id}", classes="title", markup=False)
            yield Select(options, value=chosen, id="strategy", allow_blank=False)
            yield Static(id="summary")
            yield Input(
                placeholder="settings: portfolio.fraction=0.05 costs.slippage_bps=2", id="overrides"
            )
            with Horizontal(classes="buttons"):
                yield Button("Backtest", variant="primary", id="start")
                yield Button("Cancel", id="cancel")

    @on(Select.Changed)
    def explain(self) -> None:
        name = str(self.query_one("#strategy", Select).value)
        text = Text(fmt.clean(self.summaries.get(name, "")), style="dim")
        self.query_one("#summary", Static).update(text)

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def start(self) -> None:
        words = self.query_one("#overrides", Input).value.split()
        strategy = str(self.query_one("#strategy", Select).value)
        self.dismiss(BacktestRequest(self.run_id, strategy, tuple(words)))

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
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
            yield Static(Text(self.question))
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no")
                yield Button("Yes (y)", variant="warning", id="yes")

    @on(Button.Pressed)
    def answer(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


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
        text.append("Keys\n", style="bold")
        for key, what in self.keys:
            text.append(f"  {key:<12}", style="bold")
            text.append(f"{what}\n")
        text.append("\nCommands (palette: ctrl+p; the same on the command line)\n", style="bold")
        for command in (command for command in COMMANDS if not command.hidden):
            text.append(f"  {command.name:<12}", style="bold")
            text.append(f"{command.help}\n")
        text.append("\nReading the figures\n", style="bold")
        text.append(
            "  RankIC: mean daily rank correlation of score and forward return, ± its standard error.\n"
            "  A value inside the null band (95 % of shuffled scores) is dim and marked ~ : noise.\n"
            "  alpha weights the projected stream, 1 - alpha the graph.\n"
        )
        with VerticalScroll(classes="dialog wide"):
            yield Static(text)
