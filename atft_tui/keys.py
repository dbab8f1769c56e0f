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
    _key("ctrl+z", "suspend_process", "to the shell; fg comes back", footer=False, priority=True),
)
TABLE: tuple[Key, ...] = (
    _key("up,k", "cursor(-1)", "row up", footer=False),
    _key("down", "cursor(1)", "row down", footer=False),
    _key("pageup", "page(-1)", "page up", footer=False),
    _key("pagedown", "page(1)", "page down", footer=False),
    _key("home,g", "first", "first row", footer=False),
    _key("end,G", "last", "last row", footer=False),
    _key(
        "left_parenthesis,left,shift+left",
        "column(-1)",
        "columns to the left (←, shift+← where free)",
        footer=False,
        display="(",
    ),
    _key(
        "right_parenthesis,right,shift+right",
        "column(1)",
        "columns to the right (→, shift+→ where free)",
        footer=False,
        display=")",
    ),
    _key("enter", "select", "open the row", footer=False),
    _key("slash", "filter", "filter", display="/"),
    _key("o", "order(1)", "order by the next column", footer=False),
    _key("O", "reverse", "order the other way round", footer=False),
)
"""Where a table has the focus."""
SCREENS: dict[str, tuple[Key, ...]] = {
    "home": (
        _key("enter", "open", "open"),
        _key("d", "ask('demo')", "demo"),
        _key("i", "ask('ingest')", "ingest"),
        _key("n", "ask('train')", "new run", footer=False),
        _key("s", "ask('signals')", "signals"),
        _key("p", "schedule", "scheduler"),
        _key("r", "report", "report of the newest run", footer=False),
        _key("f", "steps", "first steps"),
    ),
    "data": (
        _key("i", "ingest", "ingest"),
        _key("c", "check", "check"),
        _key("a", "audit", "audit"),
        _key("tab", "next_tab(1)", "next panel", priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", footer=False, priority=True),
        _key("escape", "back", "from the examples back to the kinds of findings", footer=False),
        _key("f", "list_features", "list the features again", footer=False),
        _key("left", "day(-1)", "coverage: a column back", footer=False),
        _key("right", "day(1)", "coverage: a column on", footer=False),
        _key(
            "left_square_bracket",
            "mark(-1)",
            "coverage: last day with a mark",
            footer=False,
            display="[",
        ),
        _key(
            "right_square_bracket",
            "mark(1)",
            "coverage: next day with a mark",
            footer=False,
            display="]",
        ),
        _key("plus,equals_sign", "zoom(2.0)", "coverage: closer", footer=False, display="+"),
        _key("minus", "zoom(0.5)", "coverage: farther", footer=False, display="-"),
        _key("enter", "open_day", "coverage: findings of the day", footer=False),
    ),
    "train": (
        _key("n", "new_run", "new"),
        _key("c", "checkpoint", "checkpoint"),
        _key("p", "pause", "pause"),
        _key("s", "stop", "stop"),
        _key("b", "rollback", "roll back to the last healthy checkpoint", footer=False),
        _key("r", "resume", "resume a run that was stopped or died", footer=False),
        _key("d", "doctor", "doctor"),
        _key("f", "networks", "networks of the folds, or the log", footer=False),
        _key("x", "detach", "leave it running and go to Runs", footer=False),
        _key("tab", "next_tab(1)", "next panel", footer=False, priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", footer=False, priority=True),
    ),
    "runs": (
        _key("enter", "open", "open"),
        _key("n", "new_run", "new run", footer=False),
        _key("space", "mark", "mark"),
        _key("v", "view('overlay')", "overlay"),
        _key("d", "view('diff')", "diff"),
        _key("f", "quick", "only"),
        _key("i", "details", "info"),
        _key("l", "other", "the other picture of a view, where both have no room", footer=False),
        _key("x", "delete", "delete the marked runs, or this one", footer=False),
        _key("a", "view('ablations')", "comparisons: ablations and sizes", footer=False),
        _key("u", "view('tune')", "searches", footer=False),
        _key("escape", "back", "back to the list", footer=False),
        _key("M", "unmark", "take all marks away", footer=False),
        _key("c", "compare", "compare the marked runs on common days", footer=False),
        _key("number_sign", "ask('tag')", "tag the run", footer=False, display="#"),
        _key("N", "note", "write a note on the run", footer=False),
        _key("p", "ask('promote')", "make it the champion, if the gate lets it", footer=False),
        _key("b", "ask('backtest')", "backtest it", footer=False),
        _key("r", "resume", "resume a run that was stopped or died", footer=False),
        _key("s", "stop", "stop a run at work", footer=False),
    ),
    "replay": (
        _key("left", "move(-1)", "back", footer=False),
        _key("right", "move(1)", "on", footer=False),
        _key("comma", "event(-1)", "one event back", footer=False, display=","),
        _key("full_stop", "event(1)", "one event on", footer=False, display="."),
        _key("left_square_bracket", "jump('epoch', -1)", "epoch before", footer=False, display="["),
        _key("right_square_bracket", "jump('epoch', 1)", "next epoch", display="]"),
        _key("left_curly_bracket", "jump('phase', -1)", "phase before", footer=False, display="{"),
        _key("right_curly_bracket", "jump('phase', 1)", "next phase", display="}"),
        _key("D", "jump('finding', -1)", "doctor's finding before", footer=False),
        _key("d", "jump('finding', 1)", "next finding"),
        _key("home", "ends(-1)", "the beginning", footer=False),
        _key("end", "ends(1)", "the newest moment"),
        _key("space", "play", "play"),
        _key("plus", "faster(1)", "twice as fast", footer=False, display="+"),
        _key("minus", "faster(-1)", "half as fast", footer=False, display="-"),
        _key("tab", "next_tab(1)", "next panel", footer=False, priority=True),
        _key("shift+tab", "next_tab(-1)", "previous panel", footer=False, priority=True),
    ),
    "backtest": (
        _key("b", "backtest", "backtest"),
        _key("r", "report", "report"),
        _key("s", "sweep", "sweep", footer=False),
        _key("right,full_stop", "day(1)", "day", display="← →", priority=True),
        _key("left,comma", "day(-1)", "day before", footer=False, display="←", priority=True),
        _key("shift+right,greater_than_sign", "day(21)", "month on", footer=False, priority=True),
        _key("shift+left,less_than_sign", "day(-21)", "month back", footer=False, priority=True),
        _key("ctrl+right", "day(252)", "year on", footer=False, priority=True),
        _key("ctrl+left", "day(-252)", "year back", footer=False, priority=True),
        _key("l", "scale", "log"),
        _key("d", "next_side", "details"),
        _key("tab", "next_panel(1)", "panel", priority=True),
        _key("shift+tab", "next_panel(-1)", "previous panel", footer=False, priority=True),
    ),
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
    "config": (
        _key("enter", "edit", "edit"),
        _key("u", "unset", "back to default"),
        _key("c", "changed", "changed only"),
        _key("p", "presets", "presets"),
    ),
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
    """The key table of the README: a row for each place."""
    groups = [("everywhere", EVERYWHERE), ("tables", TABLE)]
    groups += [(place.title, SCREENS[place.name]) for place in PLACES]
    lines = ["| where | keys |", "|---|---|"]
    for where, keys in groups:
        words = ", ".join(f"`{key.written}` {key.label.split(':')[0]}" for key in keys)
        lines.append(f"| {where} | {words} |")
    return "\n".join(lines)
