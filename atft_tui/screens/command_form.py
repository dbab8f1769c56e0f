"""A form for any command, made from its description: one field per parameter, the command line below."""

import datetime as dt
from collections.abc import Mapping, Sequence
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
from atft_tui.readings.files import attempted
from atft_tui.readings.home import current_manifest
from atft_tui.screens.base import utc_now
from atft_tui.screens.dialogs import Dialog
from atft_tui.screens.form_fields import (
    DATES,
    FILES,
    PRESET_WORDS,
    DateField,
    PathSuggester,
    PickDialog,
    YesNo,
    row_of,
    select_of,
    value_of,
)
from atft_tui.screens.form_words import command_words, missing, split, wrong_words
from atft_tui.styles import DIM, KEY, STRONG, WIDE
from atft_tui.widgets.table import Field
from engine.commands import BY_NAME, Command, Parameter
from engine.commands.strategies import offered
from engine.config.file import PRESETS
from engine.errors import EngineError
from engine.workspace import config_files

_OTHER_LINES = 14
"""Title, hint, command line, problem, buttons and frame."""


def last_session(workspace: Path) -> dt.date:
    """The newest stored session; today where none can be read."""
    found = attempted(lambda: current_manifest(workspace)).value
    return dt.date.fromisoformat(found.days[-1]) if found else utc_now().date()


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
        Binding("ctrl+o", "pick", "a file or folder out of a tree", priority=True),
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
        self.preset_words = dict(PRESET_WORDS)
        self.preset_field = select_of("preset", PRESETS, preset, self.preset_words)
        self._settings = {
            name: select_of(f"s-{name}", choices, "", none="as configured")
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
                rows["preset"] = ("preset", self.preset_field)
                rows |= {name: (name, widget) for name, widget in self._settings.items()}
                rows["set"] = ("set", self._overrides)
            for name in sorted(rows, key=self.place_of):
                self._rows[name] = row_of(*rows[name])
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
            return select_of(name, choices, given or default)
        if parameter.name in DATES:
            field = DateField(given, placeholder="YYYY-MM-DD", id=name, compact=True)
            field.begin = last_session(self.workspace)
            return field
        files = PathSuggester() if parameter.name in FILES else None
        return Field(given, placeholder=default, id=name, compact=True, suggester=files)

    def on_resize(self) -> None:
        self.fit()

    def fit(self) -> None:
        """The fields scroll; command line, problem and buttons always stay in sight."""
        room = self.app.size.height * 9 // 10 - _OTHER_LINES
        self._scroll.styles.max_height = max(2, room)

    @on(Input.Changed)
    def on_descendant_focus(self) -> None:
        """Say what the field with the focus means, of a day which it is, and the keys there."""
        about = {f"p-{parameter.name}": parameter.help for parameter in self.command.parameters}
        about["preset"] = self.preset_words.get(self.preset or "", "A named set of settings.")
        about["overrides"] = "KEY=VALUE of any setting (8 lists them), several with spaces."
        about |= {f"s-{name}": f"The setting {key}." for name, (key, _) in self.settings.items()}
        name = str(self.focused.id) if self.focused is not None else ""
        field = self.focused
        keys = f"  up, down, pgup, pgdn: {field.told()}" if isinstance(field, DateField) else ""
        keys += "  ctrl+o: pick" if name.removeprefix("p-") in FILES else ""
        keys += "  f2: all fields" if self.usual() is not None and not self.advanced else ""
        self._hint.update(Text.assemble((about.get(name, ""), DIM), (keys, KEY)))

    def action_pick(self) -> None:
        """Fill the path under the cursor of a tree into the field with the focus."""
        field = self.focused
        if isinstance(field, Input) and str(field.id).removeprefix("p-") in FILES:

            def take(path: str | None) -> None:
                field.value = path or field.value

            begun = Path(field.value or ".").expanduser()
            folders = (begun, *begun.parents)
            self.app.push_screen(PickDialog(next(f for f in folders if f.is_dir())), take)

    # ---- values --------------------------------------------------------------------------------

    def values(self) -> dict[str, str | bool]:
        """What each field holds, by the parameter's name."""
        return {name: value_of(widget) for name, widget in self.fields.items()}

    def words(self) -> list[str]:
        """The whole command line after ``atft-tui``."""
        # The command's own preset needs no word.
        preset = self.preset if self.preset != self.command.preset else None
        return command_words(self.command, self.values(), preset=preset, overrides=self.overrides)

    @property
    def preset(self) -> str | None:
        """The chosen preset; None where there is none or the command takes none."""
        return (str(value_of(self.preset_field)) or None) if self.command.configurable else None

    @property
    def overrides(self) -> tuple[str, ...]:
        """The words of the field ``set``, and those that other fields are short for."""
        if not self.command.configurable:
            return ()
        values = {self.settings[name][0]: value_of(w) for name, w in self._settings.items()}
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
        if wrong := wrong_words(self.command, self.values()):
            return wrong
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
