"""Small windows of Config: one key's new value, and what the presets would change."""

import asyncio
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.suggester import SuggestFromList
from textual.widgets import Button, Input, Label, Static

from atft_tui import format as fmt
from atft_tui import styles
from atft_tui.readings.config import KeyRow, PresetRow
from engine.errors import EngineError


class EditDialog(ModalScreen[str | None]):
    """A new value, judged by the resolver before anything is written; what was typed stays until it fits.

    Answers with what was changed, in words.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]

    def __init__(self, workspace: Path, row: KeyRow) -> None:
        super().__init__()
        self.workspace, self.row = workspace, row

    def compose(self) -> ComposeResult:
        row = self.row
        with Vertical(classes="dialog form"):
            yield Label(fmt.clean(row.key), classes="title", markup=False)
            yield Static(Text(fmt.clean(row.about)))
            yield Static(_facts(row), classes="field")
            choices = _choices(row)
            yield Input(
                row.value,
                id="value",
                suggester=SuggestFromList(choices) if choices else None,
            )
            yield Static(id="problem")
            with Horizontal(classes="buttons"):
                yield Button("Set (enter)", variant="primary", id="set")
                yield Button("Cancel (esc)", id="cancel")

    def on_mount(self) -> None:
        self.query_one("#value", Input).focus()

    @on(Input.Submitted)
    @on(Button.Pressed, "#set")
    def submit(self) -> None:
        self.write(self.query_one("#value", Input).value)

    @work(exclusive=True, group="write")
    async def write(self, text: str) -> None:
        from engine.config.edit import set_key

        try:
            change = await asyncio.to_thread(set_key, self.workspace, self.row.key, text)
        except EngineError as error:
            told = f"{error.message}\n{error.hint}".strip()
            self.query_one("#problem", Static).update(Text(fmt.clean_lines(told), styles.BAD))
            return
        self.dismiss(f"{change.key} = {change.after} (was {change.before})")

    @on(Button.Pressed, "#cancel")
    def cancel(self) -> None:
        self.dismiss(None)


def _facts(row: KeyRow) -> Text:
    parts = [f"default {row.default}", row.limits, row.unit, f"now from {row.origin}"]
    return Text(fmt.clean("  ·  ".join(part for part in parts if part)))


def _choices(row: KeyRow) -> list[str]:
    if row.default in ("true", "false"):
        return ["true", "false"]
    return [f'"{word}"' for word in row.limits.split(" | ")] if " | " in row.limits else []


class PresetDialog(ModalScreen[None]):
    """Each preset with the keys that it would change, from what they are now."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,p,q", "dismiss(None)", "close")]

    def __init__(self, presets: tuple[PresetRow, ...]) -> None:
        super().__init__()
        self.presets = presets

    def compose(self) -> ComposeResult:
        text = Text()
        text.append("Presets: atft-tui COMMAND --preset NAME, or in the form of a command.\n")
        for preset in self.presets:
            text.append(f"\n{preset.name}", styles.STRONG)
            text.append(f"  {len(preset.changes)} keys\n", styles.DIM)
            for key, now, then in preset.changes:
                text.append(f"  {key:<42}")
                text.append(f"{fmt.clean(now)} -> ", styles.DIM)
                text.append(f"{fmt.clean(then)}\n", styles.CHANGED)
        with VerticalScroll(classes="dialog wide"):
            yield Static(text)
