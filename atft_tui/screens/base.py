"""What all eight screens share: top bar, headline, footer, and reading files off the main thread."""

import asyncio
from collections.abc import Iterable
from typing import ClassVar, Generic, TypeVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Resize, ScreenResume, ScreenSuspend
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.protocol import Cockpit
from atft_tui.sizes import TALL, WIDE, too_small
from atft_tui.styles import BAD
from atft_tui.widgets.keybar import KeyBar
from atft_tui.widgets.lines import tab_line
from atft_tui.widgets.topbar import TopBar
from engine.errors import EngineError

_V = TypeVar("_V")


class CockpitScreen(Screen[None], Generic[_V]):
    """A place: `read` gathers an immutable value off the main thread, `show` draws it.

    `read` is called again every `poll_s` while the screen is in front, and at once after `reread`;
    `show` only when the value differs from the one before. A value that cannot be read is said in the
    headline, and the next reading tries again.
    """

    place: ClassVar[str] = ""
    poll_s: ClassVar[float] = 1.0
    BINDINGS: ClassVar[list[BindingType]] = []
    # Textual focuses the first focusable widget; screens choose their own where it matters.

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

    def show_tabs(self, titles: Iterable[str], chosen: str, *, seen: bool, lead: str = " ") -> None:
        """Name in the line ``#tabs`` what is shown one at a time; it is there only where ``seen``."""
        tabs = self.query_one("#tabs", Static)
        tabs.display = seen
        tabs.update(tab_line(titles, chosen, lead))

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
    def cockpit(self) -> Cockpit:
        """The application, as screens know it."""
        assert isinstance(self.app, Cockpit)
        return self.app

    def reread(self) -> None:
        """Read now instead of at the next turn."""
        self._wake.set()

    @work(exclusive=True, group="read")
    async def follow(self) -> None:
        """Read again and again while the screen is in front, and show what has changed."""
        while True:
            self._wake.clear()
            if self._in_front:
                try:
                    value = await asyncio.to_thread(self.read)
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
        notice = too_small(width, height)
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
