"""How much room the screens need."""

from rich.text import Text

from atft_tui.styles import DIM, WARN

MIN_WIDTH, MIN_HEIGHT = 60, 20
"""Below this the panels cannot be read."""
WIDE, TALL = 120, 32
"""From this many columns and lines every panel has a place of its own."""


def too_small(width: int, height: int) -> Text | None:
    """What stands on the screen instead while the terminal is too small; None when it is not."""
    if width >= MIN_WIDTH and height >= MIN_HEIGHT:
        return None
    text = Text(f"needs {MIN_WIDTH}x{MIN_HEIGHT}, has {width}x{height}\n", style=WARN)
    text.append("1-8 ? q work", style=DIM)
    return text
