"""Themes of our own: calm backgrounds, colour for meaning only, and never colour alone."""

from rich.color import Color
from rich.terminal_theme import TerminalTheme
from textual.theme import Theme

DARK = Theme(
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
    accent="#a86400",
    foreground="#23282e",
    background="#f6f5f1",
    surface="#ffffff",
    panel="#e9e7e0",
    success="#3f7d20",
    warning="#a86400",
    error="#b3261e",
    dark=False,
    variables={"border": "#b9b5aa", "footer-key-foreground": "#a86400"},
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
    error="#d55e00",
    dark=True,
    variables={"border": "#46525f", "footer-key-foreground": "#e69f00"},
)
"""Good is blue, a warning yellow, bad vermilion (Okabe and Ito, https://jfly.uni-koeln.de/color/).

Their orange is no warning here: a deuteranope sees it too close to vermilion (Lab difference 18)."""
THEMES = (DARK, _LIGHT, SAFE)
BY_NAME = {theme.name: theme for theme in THEMES}


def palette(theme: Theme) -> TerminalTheme:
    """What the ANSI colours of `atft_tui.styles` look like in a theme: its roles."""
    roles = (
        theme.panel,
        theme.error,
        theme.success,
        theme.warning,
        theme.primary,
        theme.secondary,
        theme.accent,
        theme.foreground,
    )
    colours = [_triplet(role) for role in roles]
    return TerminalTheme(
        _triplet(theme.background), _triplet(theme.foreground), colours, list(colours)
    )


def _triplet(colour: str | None) -> tuple[int, int, int]:
    assert colour is not None
    triplet = Color.parse(colour).triplet
    assert triplet is not None
    return (triplet.red, triplet.green, triplet.blue)
