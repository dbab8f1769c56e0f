"""What people who live in a terminal are used to.

What was chosen is remembered, keys are theirs, their editor opens, a panel is a letter away, and the
desktop tells when something has ended.
"""

import asyncio
import gc
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from textual import work
from textual.app import SuspendNotSupported
from textual.screen import ModalScreen
from textual.theme import Theme
from textual.widget import Widget

from atft_tui import format as fmt
from atft_tui.crash import ReportingApp
from atft_tui.keymap import read_keymap
from atft_tui.keys import PLACES, following
from atft_tui.memory import LastVisit, remember, remembered
from atft_tui.readings.feed import names_at_work
from atft_tui.readings.files import attempted
from atft_tui.screens.base import CockpitScreen, export_focused, focused_text
from atft_tui.styles import THEMES, KeptStylesheet, palette
from atft_tui.themes import read_themes
from atft_tui.widgets.bars import KeyBar
from engine import disk
from engine.errors import EngineError, UsageError
from engine.files import write_text
from engine.runs.store import RunStore
from engine.workspace import CONFIG

_WATCH_S = 3.0
_UNFOCUSED = "focus a table or a panel first (tab)"


class HabitualApp(ReportingApp):
    """The part of the cockpit that is about its user."""

    def __init__(self, workspace: Path, *, read_only: bool = False) -> None:
        self.memory = attempted(remembered).value or LastVisit()
        places = {place.name for place in PLACES}
        if self.memory.workspace == str(workspace) and self.memory.place in places:
            setattr(self, "DEFAULT_MODE", self.memory.place)  # noqa: B010 - a class's, for Textual
        super().__init__()
        self.stylesheet = KeptStylesheet(variables=self.get_css_variables())
        self.workspace, self.read_only = workspace, read_only
        self.keymap: Mapping[str, str] = {}
        """Names of keys that the user has changed, and what they are now."""
        self.themes: tuple[Theme, ...] = THEMES
        """Those that the key for the next one goes through: the program's, then the user's."""
        # Before anything is mounted: a theme set later would style every widget twice.
        self._take_themes(attempted(partial(read_themes, workspace)).value or ())
        known = self.memory.theme
        self.use_theme(known if known in self.available_themes else THEMES[0].name)

    def on_mount(self) -> None:
        """Take the user's keys, and watch for runs that end."""
        self.call_after_refresh(gc.enable)  # `atft_tui.__main__` turned it off
        self.take_own()
        self.watch_runs()

    def require_writable(self) -> None:
        """UsageError in a cockpit that only looks on, before anything is started, asked or written."""
        if self.read_only:
            raise UsageError("this cockpit is read-only", hint="open one without --read-only")

    def refuse(self, error: EngineError | OSError) -> None:
        """Say what was not done, and the way out."""
        if isinstance(error, OSError):
            error = disk.problem(error) or EngineError(str(error))
        text = fmt.clean_lines(f"{error.message}\n{error.hint}".rstrip())
        self.notify(text, title="not done", severity="error", markup=False, timeout=10)

    def places(self) -> Iterator[CockpitScreen[Any]]:
        """The places that have been made, also those that are not in front."""
        for stack in self._screen_stacks.values():
            yield from (screen for screen in stack if isinstance(screen, CockpitScreen))

    # ---- what is remembered ----------------------------------------------------------------------

    def remember(self) -> None:
        """Theme and place, for the next visit."""
        place = str(self.current_mode)
        found = LastVisit(theme=self.theme, place=place, workspace=str(self.workspace))
        if found != self.memory:
            remember(found)
            self.memory = found

    def use_theme(self, name: str) -> None:
        """Colours of the widgets, and what the ANSI colours in their texts look like."""
        theme = self.available_themes[name]
        setattr(self, "ansi_theme_dark" if theme.dark else "ansi_theme_light", palette(theme))
        self.theme = name
        if self.is_running:
            for screen in self.places():
                screen.repaint()

    def _take_themes(self, own: tuple[Theme, ...]) -> None:
        self.themes = (*THEMES, *own)
        for theme in self.themes:
            self.register_theme(theme)

    def action_next_theme(self) -> None:
        names = [theme.name for theme in self.themes]
        self.use_theme(following(names, self.theme) if self.theme in names else names[0])
        try:
            self.remember()
        except (EngineError, OSError) as error:
            self.refuse(EngineError(f"the theme will not be remembered: {error}"))

    def take_own(self) -> None:
        """The themes and keys of user and workspace; what is wrong is said, and the usual ones stay."""
        try:
            self._take_themes(read_themes(self.workspace))
        except (EngineError, OSError) as error:
            self.refuse(error)
        try:
            self.keymap = read_keymap(self.workspace)
        except (EngineError, OSError) as error:
            self.keymap = {}
            self.refuse(error)
        self.set_keymap(dict(self.keymap))
        for screen in self.places():
            for bar in screen.query(KeyBar):
                bar.draw()

    # ---- what has ended --------------------------------------------------------------------------

    def desktop(self, words: str) -> None:
        """Tell it beside the screen (OSC 9), where the terminal does that; control characters are gone."""
        if self._driver is not None and not self.is_web:
            self._driver.write(f"\x1b]9;{fmt.clean(words)}\x07")

    @work(exclusive=True, group="ended")
    async def watch_runs(self) -> None:
        """Tell the end of each run that was at work, whoever started it."""
        before: frozenset[str] = frozenset()
        while True:
            here = self.workspace
            now = await asyncio.to_thread(names_at_work, here)
            for name in sorted(before - now):
                words = f"{name}: {await asyncio.to_thread(_standing, here, name)}"
                self.notify(words, title="a run has ended", markup=False)
                self.desktop(words)
            await asyncio.sleep(_WATCH_S)
            before = now if here == self.workspace else frozenset()

    # ---- where to ----------------------------------------------------------------------------------

    def action_jump(self) -> None:
        """A letter on every panel; the one that is pressed gets the focus."""
        from atft_tui.screens.jump import JumpScreen

        def take(widget: Widget | None) -> None:
            if widget is not None:
                widget.focus()

        if not isinstance(self.screen, ModalScreen):
            self.push_screen(JumpScreen(self.screen), take)

    def action_maximize(self) -> None:
        screen = self.screen
        if screen.maximized is not None:
            screen.minimize()
        elif screen.focused is not None:
            screen.maximize(screen.focused)

    def action_copy(self) -> None:
        text = focused_text(self.screen)
        if text is None:
            self.notify(_UNFOCUSED, severity="warning")
            return
        self.copy_to_clipboard(text)
        self.notify("copied")

    def action_export(self) -> None:
        try:
            self.require_writable()
            path = export_focused(self.screen, self.workspace / "exports")
        except (EngineError, OSError) as error:
            self.refuse(error)
            return
        if path is None:
            self.notify(_UNFOCUSED, severity="warning")
        else:
            self.notify(str(path), title="exported", markup=False)

    # ---- the editor --------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """The workspace's configuration in the user's editor."""
        try:
            self.require_writable()
            path = self.workspace / CONFIG
            if not path.exists():
                write_text(path, "# Settings of this workspace; 8 lists them.\n", listed=False)
            self.edit(path)
        except (EngineError, OSError) as error:
            self.refuse(error)

    def edited(self, text: str) -> str:
        """A text as it comes back from the user's editor."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "note.txt"
            path.write_text(text, encoding="utf-8")
            self.edit(path)
            return path.read_text(encoding="utf-8", errors="replace")

    def edit(self, path: Path) -> None:
        """Give the terminal to ``$VISUAL``, else ``$EDITOR``, else vi; UsageError where there is none."""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with self.suspend():
                done = subprocess.run([*shlex.split(editor), str(path)], check=False)
        except SuspendNotSupported as error:
            raise UsageError("there is no terminal to give to an editor") from error
        except (FileNotFoundError, ValueError) as error:
            raise UsageError(f"{editor} cannot be started", hint="set $EDITOR") from error
        self.refresh(layout=True)
        if done.returncode:
            raise UsageError(f"{editor} ended with {done.returncode}")


def _standing(workspace: Path, run_id: str) -> str:
    """How a run stands now; ``deleted`` where it is gone."""
    found = attempted(lambda: RunStore(workspace / "runs").open(run_id).status())
    return found.value or "deleted"
