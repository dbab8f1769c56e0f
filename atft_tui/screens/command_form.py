"""A form for any command, made from its description: one field per parameter, the command line below."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Horizontal, Vertical, VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Label, Select, Static

from atft_tui import format as fmt
from atft_tui.screens.dialogs import Dialog
from atft_tui.screens.form_fields import PathSuggester, YesNo
from atft_tui.styles import DIM, KEY, STRONG, WIDE
from atft_tui.widgets.table import Field
from engine.commands import BY_NAME, Command, Parameter
from engine.commands.models import offered
from engine.config.file import PRESETS
from engine.errors import EngineError
from engine.workspace import config_files

_OTHER_LINES = 12
"""Title, hint, command line, problem, buttons and frame."""


def command_words(
    command: Command,
    values: Mapping[str, str | bool],
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
) -> list[str]:
    """``atft-tui`` + these words do what the form says. Empty values are left out."""
    arguments: list[str] = []
    options: list[str] = []
    for parameter in command.parameters:
        value, option = values.get(parameter.name, ""), f"--{parameter.name.replace('_', '-')}"
        if parameter.kind == "argument":
            arguments += _several(parameter, value)
        elif parameter.kind == "flag":
            options += [option] if value is True else []
        else:
            options += [part for word in _several(parameter, value) for part in (option, word)]
    if command.configurable:
        options += ["--preset", preset] if preset else []
        options += [part for override in overrides for part in ("--set", override)]
    # Arguments first, as a person would type them; one that looks like an option stands after ``--``.
    if any(word.startswith("-") for word in arguments):
        return [command.name, *options, "--", *arguments]
    return [command.name, *arguments, *options]


def missing(command: Command, values: Mapping[str, str | bool]) -> list[str]:
    """Names of required parameters without a value."""
    return [
        parameter.name
        for parameter in command.parameters
        if parameter.required and not values.get(parameter.name)
    ]


def split(text: str) -> list[str]:
    """Words of a line as a shell would take them; an open quote takes the line as it stands."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _several(parameter: Parameter, value: str | bool) -> list[str]:
    text = str(value).strip() if value is not False else ""
    if not text or (text == str(parameter.default or "") and parameter.kind == "option"):
        return []
    return split(text) if parameter.multiple else [text]


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


class CommandForm(Dialog[CommandRequest | None]):
    """Fields, the command line they make, and what is wrong with them before anything starts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+s", "start", "start", priority=True),
        Binding("f2", "advanced", "all fields, or the usual ones", priority=True),
    ]
    settings: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {}
    """Fields that are short for a ``--set``: name -> key of the configuration and its choices, if few."""

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
        self._preset = _select("preset", PRESETS, preset, PRESET_WORDS)
        self._settings = {
            name: _select(f"s-{name}", choices, "", none="as configured")
            if choices
            else Field(compact=True, id=f"s-{name}")
            for name, (_, choices) in self.settings.items()
        }
        self._rows: dict[str, Horizontal] = {}
        self.advanced = False
        """Whether all fields are seen, and not only the usual ones."""
        hint = "training.seed=2 model.hidden=64"
        self._overrides = Field(
            self.given.get("set", ""), placeholder=hint, compact=True, id="overrides"
        )

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog form"):
            yield from self.form()

    def form(self) -> ComposeResult:
        """Title, fields, command line, problem and buttons."""
        yield Label(f"{self.command.name}: {self.command.help}", classes="title", markup=False)
        with self._scroll:
            rows: dict[str, tuple[str, Widget]] = {}
            for parameter in self.command.parameters:
                widget = self.fields[parameter.name] = self._field(parameter)
                needed = " (needed)" if parameter.required else ""
                rows[parameter.name] = (parameter.name.replace("_", " ") + needed, widget)
            if self.command.configurable:
                rows["preset"] = ("preset", self._preset)
                rows |= {name: (name, widget) for name, widget in self._settings.items()}
                rows["set"] = ("set", self._overrides)
            for name in sorted(rows, key=self.place_of):
                self._rows[name] = _row(*rows[name])
                yield self._rows[name]
        yield self._hint
        yield self._line
        yield Static(id="problem")
        yield self.buttons("start", "Start (ctrl+s)", compact=True)

    def usual(self) -> Sequence[str] | None:
        """Names of the fields that are seen first, in order; None: all, as they come."""
        return None

    def place_of(self, name: str) -> int:
        """Where a field stands: the usual ones first."""
        usual = list(self.usual() or ())
        return usual.index(name) if name in usual else len(usual)

    def show_fields(self) -> None:
        """Show the usual fields, or all; what was given is never hidden."""
        usual = self.usual()
        for name, row in self._rows.items():
            row.display = self.advanced or usual is None or name in usual or name in self.given

    def action_advanced(self) -> None:
        """All fields, or the usual ones."""
        self.advanced = not self.advanced
        self.show_fields()

    def on_mount(self) -> None:
        self.show_fields()
        self.draw_line()
        if not self.command.parameters:  # Nothing has to be said: enter starts it.
            self.query_one("#start", Button).focus()

    def _field(self, parameter: Parameter) -> Widget:
        name, given = f"p-{parameter.name}", self.given.get(parameter.name, "")
        default = "" if parameter.default is None else str(parameter.default)
        own = offered(self.command.name, parameter.name, self.workspace)
        if parameter.kind == "flag":
            return YesNo(value=given == "true", id=name, compact=True)
        if choices := parameter.choices or own:
            return _select(name, choices, given or default)
        files = PathSuggester() if parameter.name in _FILES else None
        return Field(given, placeholder=default, id=name, compact=True, suggester=files)

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """The fields scroll; command line, problem and buttons always stay in sight."""
        room = self.app.size.height * 9 // 10 - _OTHER_LINES
        self._scroll.styles.max_height = max(2, room)

    def on_descendant_focus(self) -> None:
        """Say what the field with the focus means."""
        about = {f"p-{parameter.name}": parameter.help for parameter in self.command.parameters}
        about["preset"] = PRESET_WORDS.get(self.preset or "", "A named set of settings.")
        about["overrides"] = "KEY=VALUE of any setting (8 lists them), several with spaces."
        about |= {f"s-{name}": f"The setting {key}." for name, (key, _) in self.settings.items()}
        name = str(self.focused.id) if self.focused is not None else ""
        more = "" if self.usual() is None or self.advanced else "  f2: all fields"
        self._hint.update(Text.assemble((about.get(name, ""), DIM), (more, KEY)))

    # ---- values --------------------------------------------------------------------------------

    def values(self) -> dict[str, str | bool]:
        """What each field holds, by the parameter's name."""
        return {name: _value(widget) for name, widget in self.fields.items()}

    def words(self) -> list[str]:
        """The whole command line after ``atft-tui``."""
        # The command's own preset needs no word.
        preset = self.preset if self.preset != self.command.preset else None
        return command_words(self.command, self.values(), preset=preset, overrides=self.overrides)

    @property
    def preset(self) -> str | None:
        """The chosen preset; None where there is none or the command takes none."""
        return (str(_value(self._preset)) or None) if self.command.configurable else None

    @property
    def overrides(self) -> tuple[str, ...]:
        """The words of the field ``set``, and those that other fields are short for."""
        if not self.command.configurable:
            return ()
        values = {self.settings[name][0]: _value(w) for name, w in self._settings.items()}
        short = (f"{key}={value}" for key, value in values.items() if value)
        return (*short, *split(self._overrides.value))

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def draw_line(self) -> None:
        """Show the command line that the fields make."""
        words = fmt.clean(" ".join(self.words()))
        self._line.update(Text(f"$ atft-tui {words}", style=STRONG))

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
        self.complain(fmt.clean(problem))
        if problem or self.look_first():
            return
        own = command_words(self.command, self.values())[1:]
        preset = self.preset or self.command.preset
        words = tuple(self.words())
        self.dismiss(CommandRequest(self.command.name, words, tuple(own), preset, self.overrides))


class BesideForm(CommandForm):
    """A form beside what it looks at before the command may start; above it where there is little room."""

    least = 3
    """Lines of the fields where the form stands above."""

    def beside(self) -> Widget:
        """What stands beside the form."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        with Container(classes="dialog start"):
            with Vertical(classes="train-form"):
                yield from self.form()
            yield self.beside()

    def fit(self) -> None:
        """Give the fields and what is beside them the room that there is."""
        super().fit()
        narrow = self.app.size.width < WIDE
        self.query_one(".start").set_class(narrow, "stacked")
        if narrow:
            self._scroll.styles.max_height = self.least


_FILES = (
    "prices", "actions", "securities", "index", "options", "flow", "margin", "short", "statements",
    "earnings", "valuation", "disclosures", "holdings", "positions", "output",
)  # fmt: skip
"""Parameters that name a file or a folder."""


def _row(label: str, widget: Widget) -> Horizontal:
    return Horizontal(Label(label, classes="field", markup=False), widget, classes="row")


PRESET_WORDS = {
    "cpu-small": "A small network on the core features: tens of minutes on two cores.",
    "base": "The usual network on all features: hours on two cores, minutes on a GPU.",
    "large": "Four times as wide: needs a GPU with 16 GiB or more.",
    "demo": "The made-up market of the demo: minutes on two cores.",
    "planted": "A made-up market whose answer only the graph can hear.",
}
"""A sentence on each preset."""


def _select(
    name: str,
    choices: Iterable[str],
    chosen: str,
    words: Mapping[str, str] | None = None,
    none: str = "(none)",
) -> Select[str]:
    told = {choice: (words or {}).get(choice, "") for choice in choices}
    options = [
        (Text.assemble(fmt.clean(choice), (f"  {about}" if about else "", DIM)), choice)
        for choice, about in told.items()
    ]
    known = any(chosen == choice for _, choice in options)
    return Select(
        options, value=chosen if known else Select.NULL, id=name, prompt=none, compact=True
    )


def _value(widget: Widget) -> str | bool:
    if isinstance(widget, Checkbox):
        return widget.value
    if isinstance(widget, Select):
        return "" if widget.value is Select.NULL else str(widget.value)
    assert isinstance(widget, Input)
    return widget.value
