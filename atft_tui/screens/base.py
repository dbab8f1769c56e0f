"""What all eight screens share: top bar, headline, footer, export, and reading files off the main thread."""

import asyncio
from collections.abc import Container, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.events import Resize, ScreenResume, ScreenSuspend
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.keys import SCREENS
from atft_tui.styles import BAD, DIM, TALL, WARN, WIDE
from atft_tui.widgets.bars import KeyBar, TopBar
from atft_tui.widgets.lines import tab_line
from atft_tui.widgets.panel import PlacePanel
from atft_tui.widgets.table import Grid
from engine.errors import EngineError
from engine.files import write_text

if TYPE_CHECKING:
    from atft_tui.app import CockpitApp

_V = TypeVar("_V")
_MIN_WIDTH, _MIN_HEIGHT = 60, 20
"""Below this the panels cannot be read."""
_WORDS = 2000
"""Characters of a table that are looked through for figures: its columns' names are the first of them."""


def utc_now() -> datetime:
    """The moment it is, UTC."""
    return datetime.now(UTC)


class CockpitScreen(Screen[None], Generic[_V]):
    """A place: `read` gathers an immutable value off the main thread, `show` draws it.

    `read` is called again every `poll_s` while the screen is in front, and at once after `reread`;
    `show` only when the value differs from the one before. A value that cannot be read is said in the
    headline, and the next reading tries again.
    """

    place: ClassVar[str] = ""
    """Its name in `atft_tui.keys.PLACES`; its keys are those of `SCREENS`."""
    poll_s: ClassVar[float] = 1.0

    def __init_subclass__(cls, **more: Any) -> None:
        cls.BINDINGS = [*SCREENS.get(cls.place, ())]
        super().__init_subclass__(**more)

    def __init__(self) -> None:
        super().__init__()
        self.value: _V | None = None
        self.trouble = ""
        self._wake = asyncio.Event()
        self._in_front = True

    # ---- for a screen to write -------------------------------------------------------------------

    def body(self) -> Iterable[Widget]:
        """Widgets between headline and footer."""
        raise NotImplementedError

    def read(self) -> _V:
        """Everything that the screen shows. Runs in a thread: no widgets, no app state but `workspace`."""
        raise NotImplementedError

    def show(self, value: _V) -> None:
        """Hand the value to the widgets."""
        raise NotImplementedError

    def headline(self, width: int) -> Text:
        """The answer to the screen's question, in one line."""
        raise NotImplementedError

    @property
    def wide(self) -> bool:
        """Whether every panel has a place of its own; otherwise one at a time is shown."""
        return self.size.width >= WIDE and self.size.height >= TALL

    def lay_out(self) -> None:
        """Arrange the widgets for the size there is; called whenever that changes."""
        self.set_class(not self.wide, "narrow")

    def show_tabs(self, titles: Iterable[str], chosen: str, *, seen: bool) -> None:
        """Name in the line ``#tabs`` what is shown one at a time; it is there only where ``seen``."""
        tabs = self.query_one("#tabs", Static)
        tabs.display = seen
        tabs.update(tab_line(titles, chosen))

    def part(self, name: str) -> Widget:
        """A panel or table of the place by its short name: ``sharpe`` is ``#backtest-sharpe``."""
        return self.query_one(f"#{self.place}-{name}")

    def show_parts(self, names: Iterable[str], seen: Container[str]) -> None:
        """Show those of the parts that are to be ``seen``, and hide the others."""
        for name in names:
            self.part(name).display = name in seen

    def focused_part(self, names: Sequence[str]) -> str | None:
        """Which of these parts has the focus."""
        inside = self.focused.ancestors_with_self if self.focused is not None else ()
        ids = {str(node.id or "").removeprefix(f"{self.place}-") for node in inside}
        return next((name for name in names if name in ids), None)

    # ---- shared ----------------------------------------------------------------------------------

    def compose(self) -> ComposeResult:
        yield TopBar(self.place)
        yield Static(id="headline")
        yield from self.body()
        yield KeyBar(self.place)
        yield Static(id="notice")

    def on_mount(self) -> None:
        self.lay_out()
        self.draw_headline()
        self.follow()

    @property
    def cockpit(self) -> "CockpitApp":
        """The application, which goes from place to place and starts commands."""
        return cast("CockpitApp", self.app)

    def action_ask(self, command: str) -> None:
        """The form of a command."""
        self.cockpit.ask(command)

    def reread(self) -> None:
        """Read now instead of at the next turn."""
        self._wake.set()

    def _gather(self) -> _V:
        """What `read` gives of a workspace that is there before and after it."""
        self.cockpit.require_workspace()
        value = self.read()
        self.cockpit.require_workspace()
        return value

    @work(exclusive=True, group="read")
    async def follow(self) -> None:
        """Read again and again while the screen is in front, and show what has changed."""
        while True:
            self._wake.clear()
            if self._in_front:
                try:
                    value = await asyncio.to_thread(self._gather)
                except (EngineError, OSError) as error:  # anything else is a bug
                    if self.app.is_running:
                        self._say(f"cannot read: {error}")
                else:
                    if not self.app.is_running:  # closed while we read: the widgets are going
                        return
                    self._say("")
                    if value != self.value:
                        self.value = value
                        self.show(value)
                        self.draw_headline()
            try:
                await asyncio.wait_for(self._wake.wait(), self.poll_s if self._in_front else None)
            except TimeoutError:
                continue

    def repaint(self) -> None:
        """Pictures of an `Ink` keep the colours they were made with: make them again."""
        self.query_one(TopBar).draw()
        for panel in self.query(PlacePanel):
            panel.draw(force=True)
        self.draw_headline()

    def on_resize(self) -> None:
        self.lay_out()

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            self.draw_headline()

    @on(Resize)
    def draw_headline(self) -> None:
        """One line: what cannot be read, or the screen's own. A notice over all where it is too small."""
        width, height = self.size
        notice = _too_small(width, height)
        self.set_class(notice is not None, "tiny")
        self.query_one("#notice", Static).update(notice or "")
        trouble = Text(f" {fmt.clean(self.trouble)}", style=BAD)
        line = trouble if self.trouble else self.headline(width)
        line.no_wrap, line.overflow = True, "ellipsis"
        self.query_one("#headline", Static).update(line)

    @on(ScreenSuspend)
    def rest(self) -> None:
        """Stop reading: another place is in front."""
        self._in_front = False

    @on(ScreenResume)
    def wake(self) -> None:
        """Read at once: the place is in front again."""
        self._in_front = True
        self._wake.set()


def _too_small(width: int, height: int) -> Text | None:
    """What stands on the screen instead while the terminal is too small; None when it is not."""
    if width >= _MIN_WIDTH and height >= _MIN_HEIGHT:
        return None
    needs = f"needs {_MIN_WIDTH}x{_MIN_HEIGHT}, has {width}x{height}\n"
    return Text.assemble((needs, WARN), ("1-8 ? q work", DIM))


def focused_text(screen: Screen[object]) -> str | None:
    """CSV of the focused table or the focused panel's text; None if neither has the focus."""
    widget = screen.focused
    if isinstance(widget, Grid):
        return widget.table.csv()
    if isinstance(widget, PlacePanel):
        return widget.drawing(widget.size.width, widget.size.height).plain
    return None


def focused_words(screen: Screen[object]) -> tuple[str, str]:
    """Title of the focused panel or table, and what stands on it; both empty where neither has the focus."""
    widget = screen.focused
    if isinstance(widget, Grid):
        return str(widget.table.border_title or widget.table.id), widget.table.csv()[:_WORDS]
    if isinstance(widget, PlacePanel):
        return str(widget.border_title or widget.title), focused_text(screen) or ""
    return "", ""


def export_focused(screen: Screen[object], folder: Path) -> Path | None:
    """Write it under ``folder``; the path, or None if nothing that can be exported has the focus."""
    focused = screen.focused
    if isinstance(focused, Grid):
        name, suffix, text = focused.table.id, "csv", focused.table.csv()
    elif isinstance(focused, PlacePanel):
        name, suffix, text = focused.id, "svg", focused.svg()
    else:
        return None
    place = screen.id or getattr(screen, "place", "screen")
    path = folder / f"{place}-{name}-{utc_now():%Y%m%d-%H%M%S}.{suffix}"
    write_text(path, text, listed=False)
    return path
