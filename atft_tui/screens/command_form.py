"""A form for any command, made from its description: one field per parameter, the command line below."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from atft_tui import format as fmt
from atft_tui.styles import BAD, DIM, STRONG
from atft_tui.widgets.field import Field
from atft_tui.words import command_words, missing, own_words, split
from engine.commands import BY_NAME, Command, Parameter
from engine.commands.strategies import strategy_summaries
from engine.config.file import PRESETS
from engine.errors import EngineError
from engine.workspace import config_files

_OTHER_LINES = 12
"""Title, hint, command line, problem, buttons and frame."""


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """A command as the form was filled in."""

    command: str
    words: tuple[str, ...]
    """The whole command line after ``atft-tui``."""
    own: tuple[str, ...]
    """Only the words of the command's own parameters."""
    preset: str | None
    overrides: tuple[str, ...]


class CommandForm(ModalScreen[CommandRequest | None]):
    """Fields, the command line they make, and what is wrong with them before anything starts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel"),
        Binding("ctrl+s", "start", "start", priority=True),
    ]

    def __init__(
        self, command: str, workspace: Path, given: Mapping[str, str] | None = None
    ) -> None:
        super().__init__()
        self.command: Command = BY_NAME[command]
        self.workspace = workspace
        self.given = dict(given or {})
        self._hint, self._line = Static(id="hint"), Static(id="line")
        self._scroll = VerticalScroll(classes="fields", can_focus=False)
        self.fields: dict[str, Widget] = {}
        """The fields by the name of their parameter."""
        preset = self.given.get("preset", self.command.preset or "")
        self._preset = Select(
            [(name, name) for name in PRESETS],
            value=preset if preset in PRESETS else Select.NULL,
            prompt="(none)",
            compact=True,
            id="preset",
        )
        self._overrides = Field(
            self.given.get("set", ""),
            placeholder="training.seed=2 model.hidden=64",
            compact=True,
            id="overrides",
        )

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield from self.form()

    def form(self) -> ComposeResult:
        """Title, fields, command line, problem and buttons."""
        yield Label(f"{self.command.name}: {self.command.help}", classes="title", markup=False)
        with self._scroll:
            for parameter in self.command.parameters:
                yield from self._field(parameter)
            if self.command.configurable:
                yield from self._configuration()
        yield self._hint
        yield self._line
        yield Static(id="problem")
        with Horizontal(classes="buttons"):
            yield Button("Start (ctrl+s)", variant="primary", id="start", compact=True)
            yield Button("Cancel (esc)", id="cancel", compact=True)

    def on_mount(self) -> None:
        self.draw_line()
        if not self.command.parameters:  # Nothing has to be said: enter starts it.
            self.query_one("#start", Button).focus()

    def _field(self, parameter: Parameter) -> ComposeResult:
        name, given = f"p-{parameter.name}", self.given.get(parameter.name, "")
        default = "" if parameter.default is None else str(parameter.default)
        choices = tuple(strategy_summaries()) if parameter.name == "strategy" else parameter.choices
        widget: Widget
        if parameter.kind == "flag":
            widget = Checkbox("yes", value=given == "true", id=name, compact=True)
        elif choices:
            chosen = given or default
            start = chosen if chosen in choices else Select.NULL
            widget = Select([(Text(fmt.clean(c)), c) for c in choices], value=start, id=name,
                            prompt="(none)", compact=True)  # fmt: skip
        else:
            widget = Field(given, placeholder=default, id=name, compact=True)
        self.fields[parameter.name] = widget
        yield from _row(parameter.name + (" *" if parameter.required else ""), widget)

    def _configuration(self) -> ComposeResult:
        yield from _row("preset", self._preset)
        yield from _row("set", self._overrides)

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """The fields scroll; command line, problem and buttons always stay in sight."""
        room = self.app.size.height * 9 // 10 - _OTHER_LINES
        self._scroll.styles.max_height = max(2, room)

    def on_descendant_focus(self) -> None:
        """Say what the field with the focus means."""
        name = self.focused.id if self.focused is not None else None
        about = {f"p-{parameter.name}": parameter.help for parameter in self.command.parameters}
        about |= {
            "preset": "A named set of overrides.",
            "overrides": "KEY=VALUE, several with spaces.",
        }
        hint = Text(about.get(name or "", ""), style=DIM)
        self._hint.update(hint)

    # ---- values --------------------------------------------------------------------------------

    def values(self) -> dict[str, str | bool]:
        """What each field holds, by the parameter's name."""
        return {name: _value(widget) for name, widget in self.fields.items()}

    def words(self) -> list[str]:
        """The whole command line after ``atft-tui``."""
        return command_words(
            self.command, self.values(), preset=self._new_preset(), overrides=self.overrides
        )

    @property
    def preset(self) -> str | None:
        """The chosen preset; None where there is none or the command takes none."""
        return (str(_value(self._preset)) or None) if self.command.configurable else None

    @property
    def overrides(self) -> tuple[str, ...]:
        """The words of the field ``set``."""
        return tuple(split(self._overrides.value)) if self.command.configurable else ()

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def draw_line(self) -> None:
        """Show the command line that the fields make."""
        line = Text("$ atft-tui " + fmt.clean(" ".join(self.words())), style=STRONG)
        self._line.update(line)

    def _new_preset(self) -> str | None:
        """The preset if it is not the command's own, which needs no word."""
        return self.preset if self.preset != self.command.preset else None

    def problem(self) -> str:
        """What keeps the command from starting; empty if nothing does."""
        lacking = missing(self.command, self.values())
        if lacking:
            return f"needs {', '.join(lacking)}"
        if not self.command.configurable:
            return ""
        from engine.config.file import resolve

        try:
            preset = self.preset or self.command.preset
            resolve(config_files(self.workspace), preset=preset, overrides=self.overrides)
        except EngineError as error:
            return f"{error.message} {error.hint}".strip()
        return ""

    def look_first(self) -> bool:
        """Whether the form shows something else before the command may start."""
        return False

    @on(Input.Submitted)
    @on(Button.Pressed, "#start")
    def action_start(self) -> None:
        problem = self.problem()
        self.query_one("#problem", Static).update(Text(fmt.clean(problem), style=BAD))
        if problem or self.look_first():
            return
        values = self.values()
        self.dismiss(
            CommandRequest(
                self.command.name,
                tuple(self.words()),
                tuple(own_words(self.command, values)),
                self.preset or self.command.preset,
                self.overrides,
            )
        )

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        """Close without starting anything."""
        self.dismiss(None)


def _row(label: str, widget: Widget) -> ComposeResult:
    yield Horizontal(Label(label, classes="field", markup=False), widget, classes="row")


def _value(widget: Widget) -> str | bool:
    if isinstance(widget, Checkbox):
        return widget.value
    if isinstance(widget, Select):
        return "" if widget.value is Select.NULL else str(widget.value)
    assert isinstance(widget, Input)
    return widget.value
