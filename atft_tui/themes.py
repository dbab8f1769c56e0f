"""Two themes of our own: calm backgrounds, colour for meaning only."""

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
LIGHT = Theme(
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
