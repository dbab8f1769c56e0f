"""Jump: a letter on every panel and table; pressing it takes the focus there."""

from string import ascii_lowercase

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen, Screen
from textual.widget import Widget
from textual.widgets import Static

from atft_tui.styles import HERE

_LETTERS = "asdfghjkl" + "".join(letter for letter in ascii_lowercase if letter not in "asdfghjkl")
"""Those under the fingers first."""


class JumpScreen(ModalScreen[Widget | None]):
    """Shown over a place; answers with the widget of the letter, None for any other key."""

    DEFAULT_CSS = """
    JumpScreen { background: transparent; align: left top; }
    JumpScreen > Static { position: absolute; width: 3; height: 1; }
    """

    def __init__(self, below: Screen[object]) -> None:
        super().__init__()
        there = [widget for widget in below.focus_chain if widget.region.area and widget.display]
        self.targets = dict(zip(_LETTERS, there, strict=False))

    def compose(self) -> ComposeResult:
        for letter, widget in self.targets.items():
            label = Static(Text(f" {letter} ", HERE))
            label.styles.offset = (widget.region.x + 1, widget.region.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(self.targets.get(event.character or ""))
