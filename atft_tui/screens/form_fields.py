"""What a form has besides the fields of textual: a box that has words, paths that complete themselves or are
picked, and days that the arrows move.
"""

import datetime as dt
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from rich.text import Text, TextType
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.geometry import Size
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Checkbox, DirectoryTree, Input, Label, Select

from atft_tui import format as fmt
from atft_tui.screens.dialogs import Dialog
from atft_tui.styles import STRONG
from atft_tui.widgets.table import Field
from engine.errors import UsageError
from engine.records.plans import iso_day

PRESET_WORDS = {
    "cpu-small": "A small network on the core features: tens of minutes on two cores.",
    "base": "The usual network on all features: hours on two cores, minutes on a GPU.",
    "large": "Four times as wide: needs a GPU with 16 GiB or more.",
    "demo": "The made-up market of the demo: minutes on two cores.",
    "planted": "A made-up market whose answer only the graph can hear.",
}
"""A sentence on each preset; after its colon what it takes, until that is known of the data at hand."""
FILES = (
    "prices", "actions", "securities", "index", "options", "flow", "margin", "short", "statements",
    "earnings", "valuation", "disclosures", "holdings", "positions", "output",
)  # fmt: skip
"""Parameters that name a file or a folder."""
DATES = ("date", "until", "start", "stop", "first_test", "last_test")
"""Parameters that are a day."""


class PathSuggester(Suggester):
    """The rest of a path as far as there is such a file or folder; the right arrow takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)

    async def get_suggestion(self, value: str) -> str | None:
        """The first by name; hidden ones only where the dot was typed."""
        folder, slash, begun = value.rpartition("/")
        place = Path(folder + slash or ".").expanduser()
        try:
            names = sorted(os.listdir(place)) if value else []
        except OSError:  # no such folder, or not ours to read: nothing to suggest
            return None
        fitting = (n for n in names if n.startswith(begun) and (begun or not n.startswith(".")))
        name = next(fitting, None)
        if name is None:
            return None
        return f"{folder}{slash}{name}{'/' * (place / name).is_dir()}"


class YesNo(Checkbox):
    """A box that says by shape and word whether it is on."""

    def render(self) -> Content:
        """``[x] yes`` or ``[ ] no``."""
        return Content("[x] yes" if self.value else "[ ] no")

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """That of the longer word."""
        return len("[x] yes")


class DateField(Field):
    """A day, ISO: typed, or moved with the arrows from the day it begins with."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(1)", "a day on"),
        Binding("down", "move(-1)", "a day back"),
        Binding("pageup", "move(28)", "four weeks on"),
        Binding("pagedown", "move(-28)", "four weeks back"),
    ]
    begin: dt.date
    """Where the arrows start from while nothing stands in the field."""

    def action_move(self, days: int) -> None:
        """So many days on; a text that is no day stays as it is."""
        day = _day(self.value)
        if day is not None or not self.value:
            self.value = str(self.begin if day is None else day + dt.timedelta(days))
            self.action_end()

    def told(self) -> str:
        """``Fri 30 December 2016``; what is wrong with a text that is no day; empty for none."""
        day = _day(self.value)
        if not self.value:
            return f"empty: none; the arrows begin with {self.begin}"
        return f"{day:%a %-d %B %Y}" if day else f"{self.value!r} is no day: YYYY-MM-DD"


def _day(text: str) -> dt.date | None:
    try:
        return iso_day(text or None)
    except UsageError:
        return None


class _Tree(DirectoryTree):
    """Files and folders by their cleaned names."""

    def process_label(self, label: TextType) -> Text:
        return Text(fmt.clean(str(label)))


class PickDialog(Dialog[str | None]):
    """A file or a folder out of a tree."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+s", "take", "take", priority=True)]

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._files = _Tree(folder)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide"):
            head = "enter opens a folder and takes a file, ctrl+s takes what is under the cursor, esc closes"
            yield Label(head, classes="title")
            yield self._files

    @on(DirectoryTree.FileSelected)
    def action_take(self) -> None:
        """Answer with the path under the cursor."""
        node = self._files.cursor_node
        if node is not None and node.data is not None:
            self.dismiss(str(node.data.path))


def row_of(label: str, widget: Widget) -> Horizontal:
    """A field behind its name."""
    return Horizontal(Label(label, classes="field", markup=False), widget, classes="row")


def select_of(
    name: str,
    choices: Iterable[str],
    chosen: str,
    words: Mapping[str, str] | None = None,
    none: str = "(none)",
) -> Select[str]:
    """One of several words, each with its sentence; ``none`` stands where none is chosen."""
    options = options_of(choices, words or {})
    known = any(chosen == choice for _, choice in options)
    return Select(
        options, value=chosen if known else Select.NULL, id=name, prompt=none, compact=True
    )


def options_of(choices: Iterable[str], words: Mapping[str, str]) -> list[tuple[Text, str]]:
    """Each choice as a `Select` takes it: the word with its sentence, and the word."""
    told = {choice: words.get(choice, "") for choice in choices}
    return [
        # Both without a colour: it would be lost on the ground of the chosen row.
        (Text.assemble((fmt.clean(choice), STRONG), f"  {about}" if about else ""), choice)
        for choice, about in told.items()
    ]


def value_of(widget: Widget) -> str | bool:
    """What a field holds; empty where nothing is chosen."""
    if isinstance(widget, Checkbox):
        return widget.value
    if isinstance(widget, Select):
        return "" if widget.value is Select.NULL else str(widget.value)
    assert isinstance(widget, Input)
    return widget.value
