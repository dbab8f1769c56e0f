"""The form of `train`, beside what its settings change and whether a run could start with them."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Select, Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.jobs import answer_of
from atft_tui.readings.config import ChangedSetting, changes
from atft_tui.screens.command_form import BesideForm
from atft_tui.styles import BAD, CHANGED, DIM, GOOD, STRONG, status
from engine.errors import EngineError
from engine.records import record
from engine.records.preflight import PreflightResult, PreflightRow

_QUIET_S = 0.8
"""After the last key the settings are looked at; a preflight takes seconds."""
_KEY_WIDTH, _DEFAULT_WIDTH = 32, 22


class TrainForm(BesideForm):
    """Starts nothing while a row of the preflight is red."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "look", "preflight again", priority=True),
    ]

    found: tuple[PreflightRow, ...] | None = None
    """Rows of the preflight of these settings; None while it runs."""
    _warned = False

    def __init__(
        self, command: str, workspace: Path, given: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(command, workspace, given)
        # Held, not looked up: the answer of the preflight may come when the form is gone.
        self._checks, self._changes = Static(id="preflight"), Static(id="changes")

    def beside(self) -> Widget:
        """The preflight over what the settings change."""
        return VerticalScroll(self._checks, self._changes, id="train-checks", can_focus=True)

    def on_mount(self) -> None:
        self.action_look()

    @on(Input.Changed, "#overrides")
    @on(Select.Changed, "#preset")
    def action_look(self) -> None:
        """Look at the settings again: what they change, and the preflight."""
        self._look()

    @work(exclusive=True, group="preflight", exit_on_error=True)
    async def _look(self) -> None:
        self.found, self._warned = None, False
        preset, overrides = self.preset or self.command.preset, self.overrides
        self._checks.update(Text("preflight: looking …", style=DIM))
        await asyncio.sleep(_QUIET_S)
        try:
            found = await asyncio.to_thread(changes, self.workspace, preset, overrides)
        except EngineError as error:
            told = Text(fmt.clean(f"{error.message} {error.hint}".strip()), style=BAD)
            self._changes.update(told)
            self._checks.update("")
            return
        self._changes.update(_changes_text(found))
        words = ["preflight", *(["--preset", preset] if preset else [])]
        words += [word for override in overrides for word in ("--set", override)]
        # A process of its own, which ends with this form.
        answer = await answer_of(self.workspace, words)
        self.found = record.convert(answer, PreflightResult, "preflight").told()
        self._checks.update(checks_text(self.found))

    def problem(self) -> str:
        """Also what the preflight refuses; one that still runs may be passed over by asking twice."""
        own = super().problem()
        if own or self.values().get("resume"):
            return own
        if self.found is None:
            if self._warned:
                return ""
            self._warned = True
            return "the preflight is still looking; once more starts without it"
        red = [check for check in self.found if check.verdict == "stop"]
        return f"preflight: {red[0].name}: {red[0].value} {red[0].hint}".strip() if red else ""


def checks_text(rows: tuple[PreflightRow, ...]) -> Text:
    """``✓ ok    data    ok: 1,234 bars …`` with its hint under a row that has one."""
    red = sum(row.verdict == "stop" for row in rows)
    verdict = f"a run could not start: {red} red\n" if red else "a run can start\n"
    text = Text.assemble(("Preflight  ", STRONG), (verdict, BAD if red else GOOD))
    for row in rows:
        found = status(row.verdict)
        text.append(f"{found.mark} {row.verdict:<5}", style=found.style)
        text.append(f"{fmt.clean(row.name):<10} ", style=STRONG)
        text.append(f"{fmt.clean(row.value)}\n")
        if row.hint:
            text.append(f"{'':18}{fmt.clean(row.hint)}\n", style=DIM)
    return text.append("\n")


def _changes_text(found: tuple[ChangedSetting, ...]) -> Text:
    """Key, default and value of what is not at its default, with where it comes from."""
    text = Text.assemble(("Settings that are not at their default\n", STRONG))
    if not found:
        text.append("none: preset, files and --set change nothing\n", style=DIM)
    for change in found:
        text.append(f"{fmt.clean(change.key):<{_KEY_WIDTH}} ", style=STRONG)
        text.append(f"{fmt.clean(change.default):>{_DEFAULT_WIDTH}} ", style=DIM)
        text.append(f"{GLYPHS.empty}> {fmt.clean(change.value)}", style=CHANGED)
        text.append(f"  {fmt.clean(change.origin)}\n", style=DIM)
    return text
