"""Every setting with value, origin, unit and range; one is changed at a time, by the engine's own rules."""

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.style import Style
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Button, Input, Label, Static

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.config import ConfigNews, KeyRow, PresetRow, read_config
from atft_tui.screens.base import CockpitScreen
from atft_tui.screens.dialogs import Dialog, TextDialog
from atft_tui.styles import WIDE
from atft_tui.widgets.column import TableColumn
from atft_tui.widgets.lines import Lines
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import BrowseTable
from engine.errors import EngineError


class _KeyPanel(PlacePanel[KeyRow]):
    """One setting: what it means, its value and where that comes from."""

    title = "key"
    empty = "No key fits the filter: esc clears it."

    def drawing(self, width: int, height: int) -> Text:
        """No key is no filter's doing before the settings have been read."""
        if isinstance(self.screen, ConfigScreen) and self.screen.value is None:
            return Text("The settings are not read yet.", styles.DIM)
        return super().drawing(width, height)

    def picture(self, value: KeyRow, width: int, height: int) -> Text:
        """The setting in sentences and facts."""
        out = Lines(width, height)
        out.say((value.key, styles.STRONG))
        out.prose(value.about)
        out.space()
        changed = styles.CHANGED if value.is_changed else styles.PLAIN
        out.wrap(out.label_of("value"), value.value, changed)
        if value.is_changed:
            out.wrap(out.label_of("default"), value.default)
        if value.limits:
            out.wrap(out.label_of("range"), value.limits)
        if value.unit:
            out.fact("unit", value.unit)
        out.fact("from", fmt.clean(value.origin))
        if value.is_of_data:
            out.space()
            words = "What was built from the data under another value stays; it is built anew when needed."
            out.prose((words, styles.DIM))
        return out.text()


def _marked(row: KeyRow, words: str, style: Style) -> Text:
    """Words of a row, in a style if its value is not the default."""
    return Text(fmt.clean(words), style if row.is_changed else styles.PLAIN)


def _origin(row: KeyRow) -> Text:
    return Text(fmt.clean(row.origin), styles.DIM if row.origin == "default" else styles.PLAIN)


def _range(row: KeyRow) -> Text:
    return Text.assemble(fmt.clean(row.limits), (f" {fmt.clean(row.unit)}", styles.DIM))


_COLUMNS: tuple[TableColumn[KeyRow], ...] = (
    TableColumn(" key", lambda row: _marked(row, " *"[row.is_changed] + row.key, styles.STRONG), 37,
                value=lambda row: row.key),
    TableColumn("value", lambda row: _marked(row, row.value, styles.CHANGED),
                value=lambda row: row.value),
    TableColumn("from", _origin, 16, value=lambda row: row.origin),
    TableColumn("range, unit", _range, 26, wide_only=True),
)  # fmt: skip


class ConfigScreen(CockpitScreen[ConfigNews]):
    """The place of the settings: a table of all keys beside the words on one."""

    place: ClassVar[str] = "config"

    def __init__(self) -> None:
        super().__init__()
        self.changed_only = False

    def body(self) -> Iterable[Widget]:
        with Container(id="config-body"):
            yield BrowseTable(_COLUMNS, key=lambda row: row.key, id="config-table")
            yield _KeyPanel(id="config-key")

    def read(self) -> ConfigNews:
        return read_config(self.cockpit.workspace)

    def on_mount(self) -> None:
        self.table.focus()

    @property
    def wide(self) -> bool:
        """Beside the table there is room for the panel of a key."""
        return self.size.width >= WIDE

    def show(self, value: ConfigNews) -> None:
        rows = [row for row in value.rows if row.is_changed or not self.changed_only]
        self.table.set_rows(rows)
        panel = self.query_one(_KeyPanel)
        panel.show_value(self.selected)
        panel.draw(force=True)

    def headline(self, width: int) -> Text:
        if self.value is None:
            return Text(" Config: reading ...", styles.STRONG)
        rows = self.value.rows
        changed = sum(row.is_changed for row in rows)
        told = f"{changed} differ from their default" if changed else "all at their default"
        text = Text.assemble(
            (" Config ", styles.STRONG), f" {fmt.counted(len(rows), 'key')}, {told}"
        )
        if self.changed_only:
            text.append("  only those are shown (c)", styles.WARN)
        if width >= WIDE:
            text.append(f"  edits go to {fmt.clean(str(self.value.path))}", styles.DIM)
        return text

    @property
    def table(self) -> BrowseTable[KeyRow]:
        """All keys, or those that are not at their default."""
        return self.query_one("#config-table", BrowseTable)

    @property
    def selected(self) -> KeyRow | None:
        """The row under the cursor."""
        return self.table.current

    @on(BrowseTable.Highlighted)
    def describe(self, event: BrowseTable.Highlighted) -> None:
        """Show the words on the key under the cursor."""
        self.query_one(_KeyPanel).show_value(event.row)

    @on(BrowseTable.Selected)
    def action_edit(self) -> None:
        try:
            self.cockpit.require_writable()
        except EngineError as error:
            self.cockpit.refuse(error)
            return
        if self.selected is not None:
            self.app.push_screen(EditDialog(self.cockpit.workspace, self.selected), self.tell)

    def action_unset(self) -> None:
        """Back to the layer below; asked first, because a comment may go with it."""
        from engine.config.keys import PHASES

        row = self.selected
        if row is None:
            return
        if not row.in_workspace:
            told = f"{row.key} is not set in the workspace's file: {row.origin}"
            self.app.notify(fmt.clean(told), severity="warning", markup=False)
            return
        # In a file the phases are one list.
        phases = row.key.startswith(f"{PHASES}.")
        key, below = (PHASES, "the list of phases") if phases else (row.key, row.key)
        file = self.value.path.name if self.value else "the file"
        now = f"It is {row.value} now; the default is {row.default}."
        self.cockpit.confirm(f"Take {below} out of {file}? {now}", lambda: self.unset(key))

    def unset(self, key: str) -> None:
        """Take the key out of the file and say what it is now."""
        from engine.config.edit import unset_key

        try:
            self.cockpit.require_writable()
            change = unset_key(self.cockpit.workspace, key)
        except (EngineError, OSError) as error:
            self.cockpit.refuse(error)
        else:
            self.tell(f"{change.key} = {change.after} (was {change.before})")

    def tell(self, told: str | None) -> None:
        """What was changed."""
        if told:
            self.app.notify(fmt.clean(told), title="config.toml", markup=False)
            self.reread()

    def action_changed(self) -> None:
        self.changed_only = not self.changed_only
        if self.value is not None:
            self.show(self.value)
            self.draw_headline()

    def action_presets(self) -> None:
        if self.value is not None:
            self.app.push_screen(TextDialog(_preset_text(self.value.presets)))


def _preset_text(presets: tuple[PresetRow, ...]) -> Text:
    """Each preset with the keys that it would change, from what they are now."""
    text = Text("Presets: atft-tui COMMAND --preset NAME, or in the form of a command.\n")
    for preset in presets:
        text.append(f"\n{preset.name}", styles.STRONG)
        text.append(f"  {fmt.counted(len(preset.changes), 'key')}\n", styles.DIM)
        for key, now, then in preset.changes:
            text.append(f"  {key:<42}")
            text.append(f"{fmt.clean(now)} -> ", styles.DIM)
            text.append(f"{fmt.clean(then)}\n", styles.CHANGED)
    return text


class EditDialog(Dialog[str | None]):
    """A new value, judged by the resolver before anything is written; what was typed stays until it fits.

    Answers with what was changed, in words.
    """

    def __init__(self, workspace: Path, row: KeyRow) -> None:
        super().__init__()
        self.workspace, self.row = workspace, row

    def compose(self) -> ComposeResult:
        row = self.row
        with Vertical(classes="dialog form"):
            yield Label(fmt.clean(row.key), classes="title", markup=False)
            yield Static(Text(fmt.clean(row.about)))
            facts = f"default {row.default}", row.limits, row.unit, f"now from {row.origin}"
            yield Static(Text(fmt.clean("  ·  ".join(filter(None, facts)))), classes="field")
            choices = _choices(row)
            suggester = SuggestFromList(choices) if choices else None
            yield Input(row.value, id="value", suggester=suggester)
            yield Static(id="problem")
            yield self.buttons("set", "Set (enter)")

    def on_mount(self) -> None:
        self.query_one("#value", Input).focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#set")
    def submit(self) -> None:
        """Try the value that was typed."""
        self.write(self.query_one("#value", Input).value)

    @work(exclusive=True, group="write")
    async def write(self, text: str) -> None:
        """Write it in a thread; what the engine refuses is said below the field."""
        from engine.config.edit import set_key

        try:
            change = await asyncio.to_thread(set_key, self.workspace, self.row.key, text)
        except EngineError as error:
            self.complain(f"{error.message}\n{error.hint}".strip())
            return
        self.dismiss(f"{change.key} = {change.after} (was {change.before})")


def _choices(row: KeyRow) -> list[str]:
    if row.default in ("true", "false"):
        return ["true", "false"]
    return [f'"{word}"' for word in row.limits.split(" | ")] if " | " in row.limits else []
