"""What a colour means, by role; which colour that is, the theme decides.

Roles are rich styles in ANSI colours, and each theme says what those look like (`themes.palette`): so they
work in a `Text`, a `Table` and an exported SVG alike, and with the theme that colour-blind people use
"good" is blue. Use these objects, not names like "green" (textual reads a name as the web's colour where it
is the style of a whole text, and as the theme's where it is that of a part). A colour never stands alone:
`status` gives the mark that goes with it.
"""

from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from atft_tui.glyphs import GLYPHS
from engine.plain_text import clean

GOOD = Style(color="green")
WARN = Style(color="yellow")
BAD = Style(color="red", bold=True)
BETTER = Style(color="green", bold=True)
"""A figure on the good side by more than chance; one on the other side is `BAD`."""
UP = Style(color="green")
DOWN = Style(color="red")
"""A direction and no verdict: bought or sold, gained or lost."""
RUNNING = Style(color="green", bold=True)
"""What goes on at this moment."""
NAME = Style(color="blue")
"""What can be opened."""
KEY = Style(color="yellow", bold=True)
"""A key to press."""
CHANGED = Style(color="yellow")
"""What differs from its default."""
STRONG = Style(bold=True)
DIM = Style(dim=True)
REVERSE = Style(reverse=True)
HERE = Style(bold=True, reverse=True)
"""Where one is: the place, the session, the moment."""
CURSOR = Style(bold=True, underline=True)
"""What the cursor is on where the ground has a meaning of its own, or the keyboard is elsewhere."""
PLAIN = Style()

BAR = Style(color="blue")
"""A bar, strip or curve without a verdict."""
OTHER_BAR = Style(color="magenta")
"""One of another kind beside it."""
REFERENCE = Style(color="cyan")
"""The line in a picture that its figures are held against."""
CURVES = tuple(
    Style(color=colour) for colour in ("cyan", "yellow", "magenta", "green", "blue", "red")
)
"""Styles of several curves, by their order."""


@dataclass(frozen=True, slots=True)
class Status:
    """The mark and the style of a word that says how something stands."""

    mark: str
    style: Style


STATUSES = {
    **dict.fromkeys(("TRADE", "ok", "passed", "fresh", "delivered"), Status(GLYPHS.done, GOOD)),
    **dict.fromkeys(("HOLD", "degraded", "late", "stuck", "queued"), Status("!", WARN)),
    **dict.fromkeys(("STOP", "refused", "missed"), Status(GLYPHS.failed, BAD)),
    "running": Status(GLYPHS.running, RUNNING),
    "paused": Status(GLYPHS.paused, WARN),
    "done": Status(GLYPHS.done, PLAIN),
    "stopped": Status(GLYPHS.stopped, WARN),
    "failed": Status(GLYPHS.failed, BAD),
    "crashed": Status(GLYPHS.failed, BAD),
    "created": Status(GLYPHS.waiting, DIM),
    "complete": Status(GLYPHS.done, PLAIN),
    "pruned": Status(GLYPHS.stopped, DIM),
}
"""Words of cards, runs, sessions, audits, alerts and trials."""


def status(word: str) -> Status:
    """Mark and style of a word that says how something stands; a word without a meaning is dim."""
    return STATUSES.get(word, Status(GLYPHS.waiting, DIM))


def figure(*, noise: bool) -> Style:
    """The style of a figure: dim inside its null band."""
    return DIM if noise else PLAIN


def status_text(word: str) -> Text:
    """The word after its mark, in its style."""
    found = status(word)
    return Text(f"{found.mark} {clean(word)}".rstrip(), found.style)


def figure_text(words: str) -> Text:
    """A figure in words; one inside its null band starts with ``~`` and is dim."""
    return Text(words, figure(noise=words.startswith("~")))
