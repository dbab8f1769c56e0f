"""A panel of something that may not be readable: then it says why, instead of what would fill it."""

from typing import TypeVar

from rich.text import Text

from atft_tui import format as fmt
from atft_tui.readings.cached import Readable
from atft_tui.styles import BAD
from atft_tui.widgets.panel import PlacePanel

_V = TypeVar("_V")


class PartPanel(PlacePanel[_V]):
    """A panel that says why its value cannot be read."""

    trouble = ""

    def show_part(self, part: Readable[_V]) -> None:
        """Take a value, or the trouble with it."""
        changed, self.trouble = part.trouble != self.trouble, part.trouble
        self.show_value(part.value)
        if changed:
            self.draw(force=True)

    def drawing(self, width: int, height: int) -> Text:
        """The trouble in words, or the picture."""
        if self.value is None and self.trouble:
            return Text(f"cannot be read: {fmt.clean(self.trouble)}", style=BAD)
        return super().drawing(width, height)
