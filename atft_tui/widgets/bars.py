"""The first and the last line of a place: the eight places, and the keys; a click does what a key does.

Textual's own footer makes a widget of every key and makes them anew at each visit of a screen, which costs
half of the time that the visit takes.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.widgets import Static

from atft_tui import format as fmt
from atft_tui.keys import EVERYWHERE, PLACES, SCREENS, written
from atft_tui.styles import DIM, HERE, KEY, PLAIN, STRONG

_SHORT_BELOW = 76
"""Columns that all titles need."""
_PALETTE, _SHORT_PALETTE = "^p every command", "^p all"
_ROOMY = 100
"""Columns from which the palette has its long name."""


class _Bar(Static):
    """A line of words to click."""

    def __init__(self, place: str, name: str) -> None:
        super().__init__(id=name)
        self.place = place
        self.spans: list[tuple[int, int, str]] = []
        """First cell of a word, the cell after it, and its action."""

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Write the line for the width there is."""
        raise NotImplementedError

    def on_click(self, event: events.Click) -> None:
        for start, stop, action in self.spans:
            if start <= event.x < stop:
                name = f"action_{action.partition('(')[0]}"
                where = self.screen if hasattr(self.screen, name) else self.app
                self.app.call_later(where.run_action, action)


class TopBar(_Bar):
    """The line at the top: places to click, and the workspace."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "topbar")

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
            self.spans.append((start, text.cell_len, f"go('{place.name}')"))
            text.append("  ")
        workspace = fmt.clean(str(getattr(self.app, "workspace", "")))
        mark = "read-only " if getattr(self.app, "read_only", False) else ""
        room = width - text.cell_len - len(mark) - 2
        if room > 12:
            shown = workspace if len(workspace) <= room else "…" + workspace[-(room - 1) :]
            text.append(" " * (room - len(shown) + 1))
            text.append(mark + shown, style=DIM)
        self.update(text)


class KeyBar(_Bar):
    """The line of keys at the bottom of a place."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "keybar")
        self.keys = _told(*SCREENS.get(place, ()), *EVERYWHERE)

    def offer(self, actions: Mapping[str, str]) -> None:
        """Offer only the place's keys of these actions, in this order and with these words."""
        own = {key.action: key for key in SCREENS.get(self.place, ())}
        mine = (replace(own[name], description=word, show=True) for name, word in actions.items())
        keys = _told(*mine, *EVERYWHERE)
        if keys != self.keys:
            self.keys = keys
            self.draw()

    def draw(self) -> None:
        """Write as many keys as there is room for; the step that comes next has its name."""
        coming = getattr(self.app, "coming", None)
        words = {"next_step": f"next: {coming.name}"} if coming else {}
        keys = (replace(k, description=words.get(k.action, k.description)) for k in self.keys)
        text, self.spans = key_line(tuple(keys), self.size.width, getattr(self.app, "keymap", {}))
        self.update(text, layout=False)


def _told(*keys: Binding) -> tuple[Binding, ...]:
    return tuple(key for key in keys if key.show)


def key_line(
    keys: tuple[Binding, ...], width: int, keymap: Mapping[str, str] | None = None
) -> tuple[Text, list[tuple[int, int, str]]]:
    """The line of keys and where each stands: the keys of the place as far as there is room, the last of
    them first to go, then those of every place, and the palette at the right end.
    """
    text = Text(no_wrap=True, end="")
    spans: list[tuple[int, int, str]] = []
    palette = _PALETTE if width >= _ROOMY else _SHORT_PALETTE
    everywhere = {key.action for key in EVERYWHERE}
    own = [key for key in keys if key.action not in everywhere]
    always = [key for key in keys if key.action in everywhere]
    room = partial(_room, keymap=keymap)
    while own and sum(map(room, own + always)) + len(palette) + 2 > width:
        own.pop()
    while always and sum(map(room, always)) + len(palette) + 2 > width:
        always.pop(0)
    for key in own + always:
        start = text.cell_len
        text.append(f" {written(key, keymap)} ", KEY)
        text.append(f"{key.description} ")
        spans.append((start, text.cell_len, key.action))
    if width >= len(palette) + 2:
        text.append(" " * (width - text.cell_len - len(palette) - 1))
        spans.append((text.cell_len, width, "command_palette"))
        text.append(palette[:2], KEY)
        text.append(palette[2:], DIM)
    return text, spans


def _room(key: Binding, keymap: Mapping[str, str] | None) -> int:
    return len(written(key, keymap)) + len(key.description) + 3
