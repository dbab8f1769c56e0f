"""The forms of `train` and `ingest`: what would happen is seen beside the settings before anything starts."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Button, Checkbox, Input, Select, Static

from atft_tui import format as fmt
from atft_tui.glyphs import GLYPHS
from atft_tui.jobs import answer_of
from atft_tui.readings.config import ChangedSetting, changes
from atft_tui.readings.files import attempted
from atft_tui.screens.command_form import BesideForm
from atft_tui.screens.form_fields import PRESET_WORDS, options_of
from atft_tui.styles import BAD, CHANGED, DIM, GOOD, STRONG, status
from atft_tui.widgets.data_panels import reading_lines, verdict_words
from atft_tui.widgets.lines import broken
from engine.config.file import PRESETS
from engine.errors import EngineError
from engine.records import record
from engine.records.preflight import (
    PreflightResult,
    PreflightRow,
    PresetEstimate,
    rows_of_files,
)
from engine.records.record import RecordError
from engine.records.snapshot import SourceReading

_QUIET_S = 0.8
"""After the last key the settings are looked at; a preflight takes seconds."""
_KEY_WIDTH, _DEFAULT_WIDTH = 32, 22


class TrainForm(BesideForm):
    """Starts nothing while a row of the preflight is red."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "look", "preflight again", priority=True),
    ]

    settings: ClassVar[Mapping[str, tuple[str, tuple[str, ...]]]] = {
        "device": ("training.device", ("auto", "cpu", "cuda")),
        "mode": ("training.mode", ("safe", "optimized")),
        "seed": ("training.seed", ()),
    }
    found: tuple[PreflightRow, ...] | None = None
    """Rows of the preflight of these settings; None while it runs."""
    _asked = False
    """Whether a person asked to start before the preflight was done."""

    def __init__(
        self, command: str, workspace: Path, given: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(command, workspace, given)
        # Held, not looked up: the answer of the preflight may come when the form is gone.
        self._checks, self._changes = Static(id="preflight"), Static(id="changes")

    def usual(self) -> Sequence[str]:
        return ("preset", "device", "mode", "seed", "set")

    def beside(self) -> Widget:
        """The preflight over what the settings change."""
        return VerticalScroll(self._checks, self._changes, id="train-checks", can_focus=True)

    def on_mount(self) -> None:
        self.action_look()

    @on(Input.Changed, "#overrides, #s-seed")
    @on(Select.Changed, "#preset, #s-device, #s-mode")
    def action_look(self) -> None:
        """Look at the settings again: what they change, and the preflight."""
        self._look()

    @work(exclusive=True, group="preflight", exit_on_error=True)
    async def _look(self) -> None:
        self.found, self._asked = None, False
        preset, overrides = self.preset or self.command.preset, self.overrides
        first = attempted(partial(rows_of_files, self.workspace))  # the child tells what is damaged
        self._draw(first.value or (), "looking: device, memory, time ...")
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
        result = record.convert(answer, PreflightResult, "preflight")
        self.found = result.told()
        self._draw(self.found)
        self.show_estimates(result.presets)
        if self._asked and self.is_current:
            self.action_start()  # which says what is red

    def show_estimates(self, presets: tuple[PresetEstimate, ...]) -> None:
        """Say beside each preset what a training with it would take."""
        for one in presets:
            about = PRESET_WORDS.get(one.name, "").partition(":")[0].rstrip(".")
            self.preset_words[one.name] = (
                f"{one.line}. {about}."  # first: a narrow field cuts the rest
            )
        chosen = self.preset_field.value
        with self.prevent(Select.Changed):  # the same preset: nothing is to be looked at again
            self.preset_field.set_options(options_of(PRESETS, self.preset_words))
            self.preset_field.value = chosen

    def _draw(self, rows: tuple[PreflightRow, ...], looking: str = "") -> None:
        self._checks.update(checks_text(rows, self._checks.size.width or 80, looking))

    def problem(self) -> str:
        """Also what the preflight refuses. While it looks, asking once waits, asking twice does not."""
        own = super().problem()
        if own or self.values().get("resume"):
            return own
        if self.found is None:
            if self._asked:
                return ""
            self._asked = True
            return "it starts when the preflight has found nothing red; press again not to wait"
        red = [check for check in self.found if check.verdict == "stop"]
        return f"preflight: {red[0].name}: {red[0].value} {red[0].hint}".strip() if red else ""


_NAMES = 18
"""Columns of mark, verdict and name."""


def checks_text(rows: tuple[PreflightRow, ...], width: int = 80, looking: str = "") -> Text:
    """``✓ ok    data    ok: 1,234 bars …`` with its hint under a row that has one, each in its column.

    ``looking``: what is not known yet.
    """
    red = sum(row.verdict == "stop" for row in rows)
    verdict = f"a run could not start: {red} red" if red else looking or "a run can start"
    style = BAD if red else DIM if looking else GOOD
    text = Text.assemble(("Preflight  ", STRONG), (f"{verdict}\n", style))
    for row in rows:
        found = status(row.verdict)
        text.append(f"{found.mark} {row.verdict:<5}", style=found.style)
        text.append(f"{fmt.clean(row.name):<10} ", style=STRONG)
        room, below = max(20, width - _NAMES), f"\n{'':{_NAMES}}"
        text.append(below.join(broken(row.value, room)) + "\n")
        for words in broken(row.hint, room):
            text.append(f"{'':{_NAMES}}{words}\n", style=DIM)
    return text.append("\n")


def _changes_text(found: tuple[ChangedSetting, ...]) -> Text:
    """Key, default and value of what is not at its default, with where it comes from."""
    text = Text.assemble(("Settings that are not at their default\n", STRONG))
    if not found:
        text.append("none: every setting is at its default\n", style=DIM)
    for change in found:
        text.append(f"{fmt.clean(change.key):<{_KEY_WIDTH}} ", style=STRONG)
        text.append(f"{fmt.clean(change.default):>{_DEFAULT_WIDTH}} ", style=DIM)
        text.append(f"{GLYPHS.empty}> {fmt.clean(change.value)}", style=CHANGED)
        text.append(f"  {fmt.clean(change.origin)}\n", style=DIM)
    return text


_FIRST = (
    "How the files would be read is shown here before anything is stored: which columns are taken, the date "
    "order, the price scale, the first row, and what speaks for it.\n\nenter shows it; enter again stores."
)


_OF_SOURCE = {
    "files": ("prices", "actions", "securities", "index", "append", "columns", "date_format"),
    "synthetic": ("until",),
    "jquants": ("append",),
    "yahoo": ("append",),
}
"""Fields that a source takes first of all; f2 shows the rest."""


class IngestForm(BesideForm):
    """Files are read with ``--dry-run`` first; what was shown may be stored, what was refused may not."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "start", "look, then store")]

    def __init__(
        self, command: str, workspace: Path, given: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(command, workspace, {"source": "files"} | dict(given or {}))
        # Held, not looked up: the answer of the child may come when the form is gone.
        self._told = Static(Text(_FIRST, style=DIM), id="reading")
        self._box = VerticalScroll(self._told, id="reading-box")
        self.looked: tuple[str, ...] = ()
        """The command line that was looked at, or is being looked at."""
        self.read: SourceReading | None = None
        """What was found; None while the files are being read."""

    def beside(self) -> Widget:
        """How the files would be read."""
        return self._box

    def usual(self) -> Sequence[str]:
        """Those that the source takes."""
        source = self.fields.get("source")
        chosen = source.value if isinstance(source, Select) else self.given.get("source", "files")
        return ("source", *_OF_SOURCE.get(str(chosen), ()))

    @on(Select.Changed, "#p-source")
    def change_source(self) -> None:
        """Another source takes other fields."""
        self.show_fields()

    def on_mount(self) -> None:
        self.draw_button()
        if self.values()["source"] == "files":
            self.fields["prices"].focus()

    def fit(self) -> None:
        """Seen, the plan needs the room; the fields can still be reached, two at a time."""
        self.least = 2 if self.read else 5
        super().fit()
        self.query_one(".start").set_class(self.read is not None, "looked")
        self.call_after_refresh(self.draw_read)

    # ---- looking before storing --------------------------------------------------------------------

    def look_first(self) -> bool:
        """Read the files unless these very settings were read and not refused, or are being read."""
        if not self._to_be_seen() or self._storable():
            return False
        words = tuple(self.words())
        if self.looked != words or self.read is not None:
            self.looked = words
            self.look(words)
        return True

    def _storable(self) -> bool:
        """Whether what stands in the fields was seen and not refused."""
        if self.read is None or self.looked != tuple(self.words()):
            return False
        return self.read.reading_verdict != "refused"

    def _to_be_seen(self) -> bool:
        values = self.values()
        return values["source"] == "files" and not values["undo"] and not values["dry_run"]

    @work(exclusive=True, group="reading", exit_on_error=True)
    async def look(self, words: tuple[str, ...]) -> None:
        """Ask a child of its own how the files would be read."""
        self.show_read(None)
        self._told.update(Text("reading the files …", style=DIM))
        answer = await answer_of(self.workspace, [*words, "--dry-run"])
        try:
            self.show_read(record.convert(answer, SourceReading, "the answer cannot be read"))
        except RecordError as error:  # told like a refusal
            self.show_read(SourceReading(error=error.message))

    def show_read(self, read: SourceReading | None) -> None:
        """Show what was found; None while the files are being read."""
        self.read = read
        if read is not None:
            self._box.scroll_home(animate=False)
            self._box.focus()
        self.draw_button()
        self.fit()

    def draw_read(self) -> None:
        """The verdict, what enter does now, and the lines in the width that there is."""
        if self.read is None:
            return
        text = verdict_words(self.read)
        if self.read.reading_verdict == "refused":
            text.append("  nothing was stored", style=STRONG)
        else:
            text.append("  not stored yet: enter stores it", style=GOOD)
        for line in reading_lines(self.read, self._box.scrollable_content_region.width):
            text.append("\n").append_text(line)
        self._told.update(text)

    @on(Input.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def draw_button(self) -> None:
        """What enter does now stands on the button."""
        label = "Start" if not self._to_be_seen() else "Store" if self._storable() else "Look"
        self.query_one("#start", Button).label = f"{label} (ctrl+s)"
