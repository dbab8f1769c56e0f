"""The keys of a place in one line; a click does what the key does.

Textual's own footer makes a widget of every key and makes them anew at each visit of a screen, which costs
half of the time that the visit takes.
"""

from collections.abc import Mapping
from dataclasses import replace

from rich.text import Text
from textual import events
from textual.widgets import Static

from atft_tui.keys import EVERYWHERE, SCREENS, Key
from atft_tui.styles import DIM, KEY

_PALETTE = "^p every command"


class KeyBar(Static):
    """The line of keys at the bottom of a place."""

    def __init__(self, place: str) -> None:
        super().__init__(id="keybar")
        self.place = place
        keys = (*SCREENS.get(place, ()), *EVERYWHERE)
        self.keys: tuple[Key, ...] = tuple(key for key in keys if key.footer)
        self.spans: list[tuple[int, int, str]] = []

    def offer(self, actions: Mapping[str, str]) -> None:
        """Offer only the place's keys of these actions, in this order and with these words."""
        by_action = {key.action: key for key in SCREENS.get(self.place, ())}
        mine = tuple(replace(by_action[action], label=label) for action, label in actions.items())
        keys = (*mine, *(key for key in EVERYWHERE if key.footer))
        if keys != self.keys:
            self.keys = keys
            self.draw()

    def on_resize(self) -> None:
        self.draw()

    def draw(self) -> None:
        """Write as many keys as there is room for."""
        text, self.spans = key_line(self.keys, self.size.width)
        self.update(text, layout=False)

    def on_click(self, event: events.Click) -> None:
        for start, stop, action in self.spans:
            if start <= event.x < stop:
                name = f"action_{action.partition('(')[0]}"
                where = self.screen if hasattr(self.screen, name) else self.app
                self.app.call_later(where.run_action, action)


def key_line(keys: tuple[Key, ...], width: int) -> tuple[Text, list[tuple[int, int, str]]]:
    """The line with as many keys as there is room for, the palette at the right end; where each stands."""
    text = Text(no_wrap=True, end="")
    spans: list[tuple[int, int, str]] = []
    room = width - len(_PALETTE) - 2
    for key in keys:
        start = text.cell_len
        if start + len(key.written) + len(key.label) + 3 > room:
            break
        text.append(f" {key.written} ", KEY)
        text.append(f"{key.label} ")
        spans.append((start, text.cell_len, key.action))
    if width >= len(_PALETTE) + 2:
        text.append(" " * (width - text.cell_len - len(_PALETTE) - 1))
        spans.append((text.cell_len, width, "command_palette"))
        text.append("^p", KEY)
        text.append(" every command", DIM)
    return text, spans
