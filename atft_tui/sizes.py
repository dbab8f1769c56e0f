"""How much room the screens need."""

from rich.text import Text

MIN_WIDTH, MIN_HEIGHT = 60, 15
"""Below this the panels cannot be read."""
WIDE, TALL = 120, 32
"""From this many columns and lines every panel has a place of its own."""


def too_small(width: int, height: int) -> Text | None:
    """What the headline says instead while the terminal is too small; None when it is not."""
    if width >= MIN_WIDTH and height >= MIN_HEIGHT:
        return None
    need = f"{MIN_WIDTH}x{MIN_HEIGHT}"
    return Text(f" needs {need}, has {width}x{height}", style="bold yellow", no_wrap=True)
