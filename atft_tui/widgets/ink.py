"""Colours of a picture by meaning, taken from the theme; no picture says anything in colour alone."""

from dataclasses import dataclass

from textual.color import Color
from textual.theme import Theme

from atft_tui.themes import DARK


@dataclass(frozen=True, slots=True)
class Ink:
    """Hex colours."""

    main: str
    """What the picture is about."""
    good: str
    bad: str
    accent: str
    """What the reader points at: cursor, target."""
    others: tuple[str, ...]
    """What it is compared with, in order."""
    quiet: str
    """Axes and labels."""
    ground: str

    def shade(self, share: float) -> str:
        """Background for -1 (bad) .. 0 (nothing) .. +1 (good)."""
        share = max(-1.0, min(1.0, share))
        towards = self.good if share > 0 else self.bad
        mixed = Color.parse(self.ground).blend(Color.parse(towards), 0.1 + 0.6 * abs(share))
        return mixed.hex


def ink_of(theme: Theme) -> Ink:
    """The colours of a theme; one that leaves some out gets those of the default."""
    ground = Color.parse(theme.background or str(DARK.background))
    front = Color.parse(theme.foreground or str(DARK.foreground))
    return Ink(
        main=theme.primary,
        good=theme.success or str(DARK.success),
        bad=theme.error or str(DARK.error),
        accent=theme.accent or str(DARK.accent),
        others=(
            theme.secondary or str(DARK.secondary),
            ground.blend(Color.parse(theme.success or str(DARK.success)), 0.75).hex,
            ground.blend(front, 0.6).hex,
            ground.blend(Color.parse(theme.warning or str(DARK.warning)), 0.6).hex,
        ),
        quiet=ground.blend(front, 0.5).hex,
        ground=ground.hex,
    )


INK = ink_of(DARK)
