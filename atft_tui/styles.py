"""What a colour means, by role; which colour that is, the theme decides. And how much room the screens need.

Roles are rich styles in ANSI colours, and each theme says what those look like (`palette`): so they work
in a `Text`, a `Table` and an exported SVG alike, and with the theme that colour-blind people use "good" is
blue. Use these objects, not names like "green" (textual reads a name as the web's colour where it is the
style of a whole text, and as the theme's where it is that of a part). A colour never stands alone: `status`
gives the mark that goes with it.
"""

from dataclasses import dataclass

from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text
from textual.color import Color
from textual.css.stylesheet import Stylesheet
from textual.theme import Theme

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
DIM = Style(color="bright_black")
"""Beside what matters; a colour of its own, since a terminal's faint text is too weak to read."""
REVERSE = Style(reverse=True)
HERE = Style(bold=True, reverse=True)
"""Where one is: the place, the session, the moment."""
CURSOR = Style(bold=True, underline=True)
"""What the cursor is on where the ground has a meaning of its own, or the keyboard is elsewhere."""
PLAIN = Style()

WIDE, TALL = 120, 32
"""From this many columns and lines every panel has a place of its own."""

BAR = Style(color="blue")
"""A bar, strip or curve without a verdict."""
FAINT_BAR = BAR + Style(dim=True)
"""Less than it, where no letter has to be read."""
OTHER_BAR = Style(color="magenta")
"""One of another kind beside it."""
REFERENCE = Style(color="cyan")
"""The line in a picture that its figures are held against."""
CURVES = tuple(
    Style(color=f"bright_{colour}")
    for colour in ("red", "green", "yellow", "blue", "magenta", "cyan")
)
"""Styles of several curves, by their order: six colours of each theme that serve nothing else."""


@dataclass(frozen=True, slots=True)
class _Status:
    """The mark and the style of a word that says how something stands."""

    mark: str
    style: Style


STATUSES = {
    **dict.fromkeys(
        ["TRADE", "ok", "passed", "promoted", "fresh", "delivered", "survived"],
        _Status(GLYPHS.done, GOOD),
    ),
    **dict.fromkeys(
        ["HOLD", "degraded", "warned", "warn", "late", "stuck", "queued"], _Status("!", WARN)
    ),
    **dict.fromkeys(
        ["STOP", "NOT VALID", "stop", "refused", "missed", "failed", "silent", "crashed", "died"],
        _Status(GLYPHS.failed, BAD),
    ),
    "rolled back": _Status(GLYPHS.turned, WARN),
    "running": _Status(GLYPHS.running, RUNNING),
    "paused": _Status(GLYPHS.paused, WARN),
    "done": _Status(GLYPHS.done, PLAIN),
    "stopped": _Status(GLYPHS.stopped, WARN),
    "created": _Status(GLYPHS.waiting, DIM),
    "complete": _Status(GLYPHS.done, PLAIN),
    "pruned": _Status(GLYPHS.stopped, DIM),
}
"""Words of cards, runs, jobs, sessions, readings, audits, alerts, promotions, drills and trials."""


def status(word: str) -> _Status:
    """Mark and style of a word that says how something stands; a word without a meaning is dim."""
    return STATUSES.get(word, _Status(GLYPHS.waiting, DIM))


def figure(*, noise: bool) -> Style:
    """The style of a figure: dim inside its null band."""
    return DIM if noise else PLAIN


def status_text(word: str) -> Text:
    """The word after its mark, in its style."""
    found = status(word)
    return Text(f"{found.mark} {clean(word)}".rstrip(), found.style)


def noted(words: str, *, noise: bool, sure: Style = STRONG, lead: str = "") -> tuple[str, Style]:
    """A figure as a part of a line: dim and after ``~`` where it is noise, else after ``lead``."""
    return (f"~{words}", DIM) if noise else (f"{lead}{words}", sure)


def figure_text(words: str) -> Text:
    """A figure in words; one inside its null band starts with ``~`` and is dim."""
    return Text(words, figure(noise=words.startswith("~")))


_DARK = Theme(
    name="atft-dark",
    primary="#7aa2c8",
    secondary="#b48ead",
    accent="#d8a657",
    foreground="#d4d8dd",
    background="#12161c",
    surface="#181d25",
    panel="#222933",
    success="#8fb573",
    warning="#d8a657",
    error="#e06c75",
    dark=True,
    variables={"border": "#3a4452", "footer-key-foreground": "#d8a657"},
)
_LIGHT = Theme(
    name="atft-light",
    primary="#33658a",
    secondary="#86518f",
    accent="#8a5200",
    foreground="#23282e",
    background="#f6f5f1",
    surface="#ffffff",
    panel="#e9e7e0",
    success="#33691a",
    warning="#8a5200",
    error="#b3261e",
    dark=False,
    variables={"border": "#b9b5aa", "footer-key-foreground": "#8a5200"},
)
SAFE = Theme(
    name="atft-safe",
    primary="#56b4e9",
    secondary="#cc79a7",
    accent="#e69f00",
    foreground="#e6e6e6",
    background="#101418",
    surface="#171c22",
    panel="#20272f",
    success="#56b4e9",
    warning="#f0e442",
    error="#e4691a",
    dark=True,
    variables={"border": "#46525f", "footer-key-foreground": "#e69f00"},
)
"""Good is blue, a warning yellow, bad vermilion (Okabe and Ito, https://jfly.uni-koeln.de/color/).

Their orange is no warning here: a deuteranope sees it too close to vermilion (Lab difference 18)."""
THEMES = (_DARK, _LIGHT, SAFE)
CURVE_COLOURS = {
    "atft-dark": ("#7aa2c8", "#ffff69", "#c369ff", "#96ffa5", "#96963c", "#a5ffff"),
    "atft-light": ("#1f5f9e", "#695a00", "#8700ff", "#4b003c", "#875a5a", "#0f0087"),
    "atft-safe": ("#56b4e9", "#f0691e", "#ffff1e", "#b48778", "#78fff0", "#f0ffa5"),
}
"""Six colours that are told apart with normal sight, with protanopia and with deuteranopia: found by a
search for the largest least difference in CIE Lab among colours of a contrast of 4.5."""


def _colour(theme: Theme, role: str) -> Color:
    """A colour of a theme; of the default one where it leaves that out."""
    return Color.parse(getattr(theme, role) or getattr(_DARK, role))


def palette(theme: Theme) -> TerminalTheme:
    """What the ANSI colours of the roles look like in a theme."""
    roles = ["panel", "error", "success", "warning", "primary", "secondary", "accent", "foreground"]
    colours = [_colour(theme, role).rgb for role in roles]
    ground, words = _colour(theme, "background"), _colour(theme, "foreground")
    curves = [Color.parse(colour).rgb for colour in _curve_colours(theme)]
    quiet = ground.blend(words, _QUIET).rgb
    return TerminalTheme(ground.rgb, words.rgb, colours, [quiet, *curves, words.rgb])


_QUIET = 0.72
"""Share of the foreground in quiet words: a contrast of 4.5 on every ground of every theme."""


def _curve_colours(theme: Theme) -> tuple[str, ...]:
    usual = _DARK if theme.dark else _LIGHT
    return CURVE_COLOURS.get(theme.name, CURVE_COLOURS[usual.name])


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of a theme by what they mean in a picture."""

    main: Style
    """What the picture is about."""
    good: Style
    bad: Style
    accent: Style
    """What the reader points at: cursor, target."""
    others: tuple[Style, ...]
    """What it is compared with, in order."""
    quiet: Style
    """Axes and labels."""
    ground: Color

    def shade(self, share: float) -> Style:
        """Background for -1 (bad) .. 0 (nothing) .. +1 (good)."""
        share = max(-1.0, min(1.0, share))
        towards = (self.good if share > 0 else self.bad).color
        assert towards is not None
        mixed = self.ground.blend(Color.from_rich_color(towards), 0.1 + 0.6 * abs(share))
        return Style(bgcolor=mixed.rich_color)


def ink_of(theme: Theme) -> Ink:
    """The colours of a theme; one that leaves some out gets those of the default."""
    ground = _colour(theme, "background")

    def style(role: str, share: float = 1.0) -> Style:
        return Style(color=ground.blend(_colour(theme, role), share).rich_color)

    main, *others = (Style(color=colour) for colour in _curve_colours(theme))
    return Ink(
        main=main,
        good=style("success"),
        bad=style("error"),
        accent=style("accent"),
        others=tuple(others),
        quiet=style("foreground", _QUIET),
        ground=ground,
    )


INK = ink_of(_DARK)


class KeptStylesheet(Stylesheet):
    """Rules that are parsed once for a theme.

    Textual parses all of them anew at each first visit of a place and three times at the start: 30 ms each.
    """

    def set_variables(self, variables: dict[str, str]) -> None:
        """Take the colours of a theme; what was parsed with the same ones is kept."""
        if variables != self._variables:
            super().set_variables(variables)
            self._require_parse = True

    def reparse(self) -> None:
        """Parse what has not been parsed with these colours."""
        self.parse()
