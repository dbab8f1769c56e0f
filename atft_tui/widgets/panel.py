"""The common shape of a panel: told a value, draws it, knows nothing else."""

import io
from typing import ClassVar, Generic, TypeVar

from rich.console import Console
from rich.text import Text
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.readings.files import Readable
from atft_tui.styles import BAD, DIM
from engine.runs.state import RunState

_V = TypeVar("_V")
_EMPTY = RunState()


class PlacePanel(Static, Generic[_V], can_focus=True):
    """A bordered picture of a value; subclasses give title, picture and the words when empty."""

    title: ClassVar[str] = ""
    empty: ClassVar[str] = "Nothing yet."
    """Shown until there is a value: says what fills the panel, and with which key."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id, classes="panel")
        self.border_title = self.title
        self.value: _V | None = None
        self._drawn: tuple[object, ...] | None = None

    def show_value(self, value: _V | None) -> None:
        """Take a value; the panel repaints if what it depends on has changed."""
        self.value = value
        self.draw()

    def on_mount(self) -> None:
        self.draw(force=True)

    def on_resize(self) -> None:
        self.draw(force=True)

    def draw(self, *, force: bool = False) -> None:
        """Draw the picture anew if what it shows or its size has changed."""
        if not self.is_mounted or self.size.width < 4:
            return
        parts = () if self.value is None else self.depends(self.value)
        needed = (self.value is None, *parts, self.size)
        if force or needed != self._drawn:
            self._drawn = needed
            # A picture is drawn for the size there is, so nothing has to be laid out again.
            self.update(self.drawing(self.size.width, self.size.height), layout=False)

    def drawing(self, width: int, height: int) -> Text:
        """The panel's content in so many columns and lines."""
        if self.value is None:
            return Text(self.empty, style=DIM)
        return self.picture(self.value, width, height)

    def svg(self, width: int = 120, height: int = 30) -> str:
        """The picture as a file to keep, drawn for its own size in the theme's colours."""
        console = Console(record=True, width=width, height=height, file=io.StringIO(),
                          force_terminal=True, color_system="truecolor")  # fmt: skip
        console.print(self.drawing(width, height))
        title = str(self.border_title or self.title)
        return console.export_svg(title=title, theme=self.app.ansi_theme)

    def depends(self, value: _V) -> tuple[object, ...]:
        """Parts of the value that the picture shows; compared by identity or value."""
        return (value,)

    def picture(self, value: _V, width: int, height: int) -> Text:
        """The value drawn in at most so many columns and lines."""
        raise NotImplementedError


class StatePanel(PlacePanel[RunState]):
    """A picture of a run's folded events; without any it is a picture of `_EMPTY`."""

    parts: ClassVar[tuple[str, ...]] = ()
    """Fields of the state that the picture shows; while the first is empty it is the words of ``unseen``."""
    unseen: ClassVar[str] = ""
    """Empty where the picture itself says what is still to come."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - textual's name
        super().__init__(id=id)
        self.value = _EMPTY

    @property
    def state(self) -> RunState:
        """The state that is shown; setting it repaints what has changed."""
        return self.value or _EMPTY

    @state.setter
    def state(self, state: RunState) -> None:
        self.show_value(state)

    def depends(self, value: RunState) -> tuple[object, ...]:
        return tuple(getattr(value, part) for part in self.parts)

    def drawing(self, width: int, height: int) -> Text:
        if self.unseen and not getattr(self.state, self.parts[0]):
            return Text(self.unseen, style=DIM)
        return self.picture(self.state, width, height)


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
