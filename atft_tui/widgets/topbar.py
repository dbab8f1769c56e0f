"""The eight places in one line; a click goes there."""

from rich.text import Text
from textual import events
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.navigation import PLACES
from atft_tui.styles import DIM, HERE, PLAIN, STRONG

_SHORT_BELOW = 76
"""Columns that all titles need."""


class TopBar(Static):
    """The line at the top: places to click, and the workspace."""

    def __init__(self, place: str) -> None:
        super().__init__(id="topbar")
        self.place = place
        self.spans: list[tuple[int, int, str]] = []

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Write the places, by number alone where there is little room."""
        width = self.size.width
        text = Text(" ", no_wrap=True, overflow="ellipsis")
        self.spans = []
        for place in PLACES:
            here = place.name == self.place
            word = place.title if here or width >= _SHORT_BELOW else ""
            start = text.cell_len
            text.append(f"{place.key}", style=STRONG if here else DIM)
            text.append(f" {word}" if word else "", style=HERE if here else PLAIN)
            self.spans.append((start, text.cell_len, place.name))
            text.append("  ")
        workspace = fmt.clean(str(getattr(self.app, "workspace", "")))
        room = width - text.cell_len - 2
        if room > 12:
            shown = workspace if len(workspace) <= room else "…" + workspace[-(room - 1) :]
            text.append(" " * (room - len(shown) + 1))
            text.append(shown, style=DIM)
        self.update(text)

    def on_click(self, event: events.Click) -> None:
        for start, stop, name in self.spans:
            if start <= event.x < stop:
                self.app.call_later(self.app.run_action, f"go('{name}')")
