"""The eight places and the one key table: bars, bindings, help, palette and docs/keys.md are made from it."""

import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from textual.binding import Binding

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
    _place("2", "data", "What is stored, how good it is, features and graph."),
    _place("3", "train", "Start a run and watch it learn."),
    _place("4", "runs", "Compare, tag, promote and delete runs."),
    _place("5", "replay", "Any run as it was at any moment."),
    _place("6", "backtest", "Equity, costs and the interval of the Sharpe ratio."),
    _place("7", "signals", "What to trade tomorrow, and why."),
    _place("8", "config", "Every setting with value, origin, unit and range."),
)


def _key(
    key: str, action: str, label: str, display: str | None = None, *, show: bool = False,
    priority: bool = False,
) -> Binding:  # fmt: skip
    """A key; several, comma-separated, do the same. ``priority``: also where an input has the focus."""
    return Binding(key, action, label, show, display, priority)


def _named(scope: str, keys: Sequence[Binding]) -> tuple[Binding, ...]:
    """The keys with the names by which a user's ``keys.toml`` changes them: ``train.new_run``."""
    named: dict[str, Binding] = {}
    for key in keys:
        name = re.sub(r"\W+", "_", key.action.replace("-", "minus_")).strip("_")
        name = f"{scope}.{name}"
        name = f"{name}_2" if name in named else name
        named[name] = replace(key, id=name)
    return tuple(named.values())


_bar = partial(_key, show=True)
"""A key that the line at the bottom tells too."""
EVERYWHERE: tuple[Binding, ...] = _named("everywhere", (
    *(_key(place.key, f"go('{place.name}')", f"{place.title}: {place.about}") for place in PLACES),
    _key("ctrl+p", "command_palette", "every command"),
    _bar("greater_than_sign", "next_step", "next step", ">"),
    _bar("question_mark", "help", "help", "?"),
    _key("j", "jobs", "what was started from here"),
    _key("w", "switch_workspace", "another workspace"),
    _key("t", "next_theme", "next theme"),
    _key("m", "maximize", "focused panel full screen, and back"),
    _key("y", "copy", "copy the focused table or panel"),
    _key("e", "export", "export the focused table (CSV) or panel (SVG)"),
    _key("semicolon", "jump", "a letter on every panel; it takes the focus there", ";"),
    _key("ctrl+e", "edit", "the workspace's config.toml in $EDITOR; on Runs the note"),
    _bar("q", "quit", "quit"),
    _key("ctrl+c", "quit", "quit; runs at work go on"),
    _key("ctrl+z", "suspend_process", "to the shell; fg comes back", priority=True),
))  # fmt: skip
TABLE: tuple[Binding, ...] = _named("table", (
    _key("up,k", "cursor(-1)", "row up"),
    _key("down", "cursor(1)", "row down"),
    _key("pageup", "page(-1)", "page up"),
    _key("pagedown", "page(1)", "page down"),
    _key("home,g", "first", "first row"),
    _key("end,G", "last", "last row"),
    _key("left_parenthesis,left,shift+left", "column(-1)", "columns to the left (←, shift+←)", "("),
    _key(
        "right_parenthesis,right,shift+right", "column(1)", "columns to the right (→, shift+→)", ")"
    ),
    _key("enter", "select", "open the row"),
    _bar("slash", "filter", "filter", "/"),
    _key("o", "order(1)", "order by the next column"),
    _key("O", "reverse", "order the other way round"),
))  # fmt: skip
"""Where a table has the focus."""
CHART: tuple[Binding, ...] = _named("chart", (
    _key("plus,equals_sign", "zoom(2.0)", "closer (also the wheel)", "+"),
    _key("minus", "zoom(0.5)", "farther", "-"),
    _key("left,ctrl+left", "point(-1)", "crosshair back (ctrl+← where ← has a meaning)", "←"),
    _key("right,ctrl+right", "point(1)", "crosshair on (ctrl+→ where → has a meaning)", "→"),
    _key("shift+left", "pan(-0.25)", "earlier part (also drag)"),
    _key("shift+right", "pan(0.25)", "later part"),
    _key("S", "smooth", "mean of the last 3, 7, 15 points, or each point"),
    _key("G", "log", "logarithmic scale"),
    _key("Z", "band", "the scale holds the null band and zero"),
    _key("R", "levels", "rivals: the best, all, none"),
    _key("A", "hide(0)", "hide or show the curve of that letter", "A-F"),
    *(_key(letter, f"hide({n})", "", "A-F") for n, letter in enumerate("BCDEF", 1)),
    _key("0", "whole", "the whole again"),
))  # fmt: skip
"""Where a chart has the focus: the same keys in every one; those without words are told by another."""
CHARTED = ("data", "train", "runs", "replay", "backtest")
"""Places with charts."""
_PLACE_KEYS: dict[str, tuple[Binding, ...]] = {
    "home": (
        _bar("enter", "open", "open"),
        _bar("d", "ask('demo')", "demo"),
        _bar("i", "ask('ingest')", "ingest"),
        _key("n", "ask('train')", "new run"),
        _bar("s", "ask('signals')", "signals"),
        _bar("p", "schedule", "scheduler"),
        _key("r", "report", "report of the newest run"),
        _key("x", "drill", "the last drill: faults in a copy of the workspace"),
        _bar("f", "steps", "first steps"),
    ),
    "data": (
        _bar("i", "ingest", "ingest"),
        _bar("c", "ask('check')", "check"),
        _bar("a", "ask('audit')", "audit"),
        _bar("tab", "next_tab(1)", "next panel", priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", priority=True),
        _key("escape", "back", "from the examples back to the kinds of findings"),
        _key("f", "list_features", "list the features again"),
        _key("left_square_bracket", "mark(-1)", "coverage: last day with a mark", "["),
        _key("right_square_bracket", "mark(1)", "coverage: next day with a mark", "]"),
        _key("enter", "open_day", "coverage: findings of the day"),
    ),
    "train": (
        _bar("n", "new_run", "new"),
        _bar("c", "checkpoint", "checkpoint"),
        _bar("p", "pause", "pause"),
        _bar("s", "stop", "stop"),
        _key("z", "rollback", "roll back to the last healthy checkpoint"),
        _key("r", "resume", "resume a run that was stopped or died"),
        _bar("h", "doctor", "doctor"),
        _key("f", "networks", "networks of the folds, or the log"),
        _key("v", "next_network", "the next of the networks at work beside each other"),
        _key("x", "detach", "leave it running and go to Runs"),
        _key("tab", "next_tab(1)", "next panel", priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", priority=True),
    ),
    "runs": (
        _bar("enter", "open", "open"),
        _key("n", "new_run", "new run"),
        _bar("space", "mark", "mark"),
        _bar("v", "view('overlay')", "overlay"),
        _bar("d", "view('diff')", "diff"),
        _key("T", "by_tag", "overlay: one curve for runs with the same tags, their mean"),
        _bar("f", "quick", "show only"),
        _bar("i", "details", "info"),
        _key("l", "other", "the other picture of a view, where both have no room"),
        _key("x", "delete", "delete the marked runs, or this one"),
        _key("a", "view('ablations')", "comparisons: ablations and sizes"),
        _key("u", "view('tune')", "searches"),
        _key("escape", "back", "back to the list"),
        _key("M", "unmark", "take all marks away"),
        _key("c", "compare", "compare the marked runs on common days"),
        _key("number_sign", "ask('tag')", "tag the run", "#"),
        _key("N", "note", "write a note on the run"),
        _key("p", "ask('promote')", "make it the champion, if the gate lets it"),
        _key("b", "ask('backtest')", "backtest it"),
        _key("X", "ask('export')", "hand it on: MLflow, TensorBoard, Excel and others"),
        _key("r", "resume", "resume a run that was stopped or died"),
        _key("s", "stop", "stop a run at work"),
    ),
    "replay": (
        _key("left", "move(-1)", "back", priority=True),
        _key("right", "move(1)", "on", priority=True),
        _key("comma", "event(-1)", "one event back", ","),
        _key("full_stop", "event(1)", "one event on", "."),
        _key("left_square_bracket", "jump('epoch', -1)", "epoch before", "["),
        _bar("right_square_bracket", "jump('epoch', 1)", "next epoch", "]"),
        _key("left_curly_bracket", "jump('phase', -1)", "phase before", "{"),
        _bar("right_curly_bracket", "jump('phase', 1)", "next phase", "}"),
        _key("H", "jump('finding', -1)", "doctor's finding before"),
        _bar("h", "jump('finding', 1)", "next finding"),
        _key("home", "ends(-1)", "the beginning"),
        _bar("end", "ends(1)", "the newest moment"),
        _bar("space", "play", "play"),
        _key("plus", "faster(1)", "twice as fast", "+"),
        _key("minus", "faster(-1)", "half as fast", "-"),
        _key("tab", "next_tab(1)", "next panel", priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", priority=True),
    ),
    "backtest": (
        _bar("b", "backtest", "backtest"),
        _bar("r", "report", "report"),
        _key("s", "sweep", "sweep"),
        _bar("right,full_stop", "day(1)", "day", "← →", priority=True),
        _key("left,comma", "day(-1)", "day before", "←", priority=True),
        _key("shift+right", "day(21)", "month on", priority=True),
        _key("shift+left", "day(-21)", "month back", priority=True),
        _key("ctrl+right", "day(252)", "year on", priority=True),
        _key("ctrl+left", "day(-252)", "year back", priority=True),
        _bar("l", "scale", "log"),
        _bar("i", "next_side", "info"),
        _bar("tab", "next_panel(1)", "panel", priority=True),
        _key("shift+tab", "next_panel(-1)", "previous panel", priority=True),
    ),
    "signals": (
        _bar("left", "session(-1)", "session", "←→", priority=True),
        _key("right", "session(1)", "later session", "→", priority=True),
        _bar("tab", "page(1)", "panel", priority=True),
        _key("shift+tab", "page(-1)", "panel before", priority=True),
        _key("l", "view", "list: orders, refused, long, short, all"),
        _key("s", "sessions", "list of sessions"),
        _bar("n", "new_signal", "make"),
        _bar("v", "check('verify')", "verify"),
        _key("p", "check('replay')", "replay: make it again, compare bytes"),
        _key("d", "diff", "diff with the signal before"),
        _key("D", "diff_any", "diff of any two signals"),
        _key("u", "revise", "seal a revision, with a reason"),
        _key("L", "job('ledger')", "make the shadow ledger anew"),
        _bar("c", "job('schedule once')", "schedule once"),
        _key("z", "rollback", "champion: back to the one before"),
        _key("up", "stock(-1)", "stock before, while its reasons are in front"),
        _key("down", "stock(1)", "next stock, while its reasons are in front"),
    ),
    "config": (
        _bar("enter", "edit", "edit"),
        _bar("u", "unset", "back to default"),
        _bar("c", "changed", "changed only"),
        _bar("p", "presets", "presets"),
    ),
}
SCREENS = {place: _named(place, keys) for place, keys in _PLACE_KEYS.items()}


def written(key: Binding, keymap: Mapping[str, str] | None = None) -> str:
    """The key as a person reads it; as the user's ``keymap`` has it."""
    changed = (keymap or {}).get(key.id or "")
    return changed.split(",")[0] if changed else key.key_display or key.key.split(",")[0]


def help_rows(screen: str, keymap: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Key and meaning, the screen's own first."""
    charts = (key for key in CHART if key.description and screen in CHARTED)
    keys = (*SCREENS.get(screen, ()), *EVERYWHERE, *TABLE, *charts)
    return [(written(key, keymap), key.description) for key in keys]


def following(names: Sequence[str], here: str, step: int = 1) -> str:
    """The name so many steps on, round the ends."""
    return names[(names.index(here) + step) % len(names)]


def markdown() -> str:
    """The page of all keys, `docs/keys.md`: a table for each place."""
    groups = [("Everywhere", EVERYWHERE), ("In a table", TABLE), ("In a chart", CHART)]
    groups += [(place.title, SCREENS[place.name]) for place in PLACES]
    made = (
        "This page is made from `atft_tui/keys.py` by `make keys`; `?` shows the keys of a place."
    )
    own = (
        "Keys of your own stand in `$XDG_CONFIG_HOME/atft-tui/keys.toml`, or in `keys.toml` of a "
        'workspace,\nby the name in the last column: `"everywhere.next_theme" = "ctrl+t"`.\n'
        "Colours of your own stand beside them in `themes.toml`, a table for each theme that `t` then "
        'goes\nthrough: `[dusk]`, `base = "atft-light"`, `background = "#fdf6e3"`.'
    )
    lines = ["# Keys", "", made, "", own]
    for where, keys in groups:
        rows = (
            f"| `{written(key)}` | {key.description} | `{key.id}` |"
            for key in keys
            if key.description
        )
        lines += ["", f"## {where}", "", "| key | what it does | name |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
