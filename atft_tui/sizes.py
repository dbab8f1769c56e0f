"""How much room the screens need."""

from rich.text import Text

from atft_tui.styles import DIM, WARN

_MIN_WIDTH, _MIN_HEIGHT = 60, 20
"""Below this the panels cannot be read."""
WIDE, TALL = 120, 32
"""From this many columns and lines every panel has a place of its own."""


def too_small(width: int, height: int) -> Text | None:
    """What stands on the screen instead while the terminal is too small; None when it is not."""
    if width >= _MIN_WIDTH and height >= _MIN_HEIGHT:
        return None
    text = Text(f"needs {_MIN_WIDTH}x{_MIN_HEIGHT}, has {width}x{height}\n", style=WARN)
    text.append("1-8 ? q work", style=DIM)
    return text
