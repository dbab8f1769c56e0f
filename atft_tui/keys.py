"""The one key table: bindings, footer, help and the README's table are made from it."""

from dataclasses import dataclass

from textual.binding import Binding

from atft_tui.navigation import PLACES


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    key: str
    """Textual's name; several, comma-separated, do the same."""
    action: str
    label: str
    footer: bool = True
    display: str = ""
    """How the key is written; textual's own way if empty."""
    priority: bool = False
    """Also where an input or a table has the focus."""

    @property
    def written(self) -> str:
        return self.display or self.key.split(",")[0]


def _key(key: str, action: str, label: str, **more: object) -> Key:
    return Key(key=key, action=action, label=label, **more)  # type: ignore[arg-type]


EVERYWHERE: tuple[Key, ...] = (
    *(
        _key(place.key, f"go('{place.name}')", f"{place.title}: {place.about}", footer=False)
        for place in PLACES
    ),
    _key("ctrl+p", "command_palette", "every command", footer=False),
    _key("question_mark", "help", "help", display="?"),
    _key("j", "jobs", "what was started from here", footer=False),
    _key("w", "switch_workspace", "another workspace", footer=False),
    _key("t", "next_theme", "next theme", footer=False),
    _key("m", "maximize", "focused panel full screen, and back", footer=False),
    _key("y", "copy", "copy the focused table or panel", footer=False),
    _key("e", "export", "export the focused table (CSV) or panel (SVG)", footer=False),
    _key("q", "quit", "quit; runs go on"),
    _key("ctrl+c", "quit", "quit; runs go on", footer=False),
)
TABLE: tuple[Key, ...] = (
    _key("up,k", "cursor(-1)", "row up", footer=False),
    _key("down", "cursor(1)", "row down", footer=False),
    _key("pageup", "page(-1)", "page up", footer=False),
    _key("pagedown", "page(1)", "page down", footer=False),
    _key("home,g", "first", "first row", footer=False),
    _key("end,G", "last", "last row", footer=False),
    _key("enter", "select", "open the row", footer=False),
    _key("slash", "filter", "filter", display="/"),
    _key("o", "order(1)", "order by the next column", footer=False),
    _key("O", "reverse", "order the other way round", footer=False),
)
"""Where a table has the focus."""
SCREENS: dict[str, tuple[Key, ...]] = {
    "home": (),
    "data": (),
    "train": (
        _key("n", "new_run", "new run"),
        _key("s", "stop", "stop"),
        _key("r", "resume", "resume"),
        _key("tab", "next_tab(1)", "next panel", priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", footer=False, priority=True),
    ),
    "runs": (
        _key("enter", "open", "open", priority=False),
        _key("n", "new_run", "new run"),
        _key("r", "resume", "resume"),
        _key("s", "stop", "stop"),
        _key("b", "backtest", "backtest"),
    ),
    "replay": (),
    "backtest": (),
    "signals": (
        _key("left", "session(-1)", "session", display="←→", priority=True),
        _key("right", "session(1)", "later session", footer=False, display="→", priority=True),
        _key("tab", "page(1)", "panel", priority=True),
        _key("shift+tab", "page(-1)", "panel before", footer=False, priority=True),
        _key("l", "view", "list: orders, refused, long, short, all", footer=False),
        _key("s", "sessions", "list of sessions", footer=False),
        _key("n", "new_signal", "make"),
        _key("v", "check('verify')", "verify"),
        _key("p", "check('replay')", "replay: make it again, compare bytes", footer=False),
        _key("d", "diff", "diff with the signal before", footer=False),
        _key("D", "diff_any", "diff of any two signals", footer=False),
        _key("u", "revise", "seal a revision, with a reason", footer=False),
        _key("L", "job('ledger')", "make the shadow ledger anew", footer=False),
        _key("c", "job('schedule once')", "one pass of the schedule", footer=False),
        _key("b", "rollback", "champion: back to the one before", footer=False),
        _key("up", "stock(-1)", "stock before, while its reasons are in front", footer=False),
        _key("down", "stock(1)", "next stock, while its reasons are in front", footer=False),
    ),
    "config": (),
}


def bindings(keys: tuple[Key, ...]) -> list[Binding]:
    return [
        Binding(
            key.key,
            key.action,
            key.label,
            show=key.footer,
            key_display=key.display or None,
            priority=key.priority,
        )
        for key in keys
    ]


def help_rows(screen: str) -> list[tuple[str, str]]:
    """Key and meaning, the screen's own first."""
    return [(key.written, key.label) for key in (*SCREENS.get(screen, ()), *EVERYWHERE, *TABLE)]


def markdown() -> str:
    """The key table of the README."""
    lines = ["| where | key | does |", "|---|---|---|"]
    groups = [("everywhere", EVERYWHERE), ("tables", TABLE)]
    groups += [(place.title, SCREENS[place.name]) for place in PLACES]
    for where, keys in groups:
        lines += [f"| {where} | `{key.written}` | {key.label} |" for key in keys]
    return "\n".join(lines)
