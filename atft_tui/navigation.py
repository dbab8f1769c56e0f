"""The eight screens as data: the top bar, the number keys and the palette are made from this."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from textual.screen import Screen


@dataclass(frozen=True, slots=True)
class _Place:
    """One of the eight screens."""

    key: str
    name: str
    title: str
    about: str
    screen: str
    """``module:Class``, imported when the place is visited first."""

    def make(self) -> "Screen[None]":
        """Import the screen and make it."""
        module, _, name = self.screen.partition(":")
        made: Screen[None] = getattr(importlib.import_module(module), name)()
        return made


def _place(key: str, name: str, about: str) -> _Place:
    title = name.capitalize()
    return _Place(key, name, title, about, f"atft_tui.screens.{name}:{title}Screen")


PLACES = (
    _place("1", "home", "Today: card, champion, last runs, data, next job, machine."),
    _place("2", "data", "What is stored, how good it is, what the features and the graph are."),
    _place("3", "train", "Start a run and watch it learn."),
    _place("4", "runs", "Compare, tag, promote and delete runs."),
    _place("5", "replay", "Any run as it was at any moment."),
    _place("6", "backtest", "Equity, costs and the interval of the Sharpe ratio."),
    _place("7", "signals", "What to trade tomorrow, and why."),
    _place("8", "config", "Every setting with value, origin, unit and range."),
)
BY_NAME = {place.name: place for place in PLACES}
