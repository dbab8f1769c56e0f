"""Colours of a picture by meaning, taken from the theme; no picture says anything in colour alone."""

from dataclasses import dataclass

from rich.style import Style
from textual.color import Color
from textual.theme import Theme

from atft_tui.themes import DARK


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
        towards = self.good if share > 0 else self.bad
        mixed = self.ground.blend(_colour(towards), 0.1 + 0.6 * abs(share))
        return Style(bgcolor=mixed.rich_color)


def ink_of(theme: Theme) -> Ink:
    """The colours of a theme; one that leaves some out gets those of the default."""

    def of(role: str) -> Color:
        return Color.parse(getattr(theme, role) or getattr(DARK, role))

    ground, front = of("background"), of("foreground")
    return Ink(
        main=_style(of("primary")),
        good=_style(of("success")),
        bad=_style(of("error")),
        accent=_style(of("accent")),
        others=(
            _style(of("secondary")),
            _style(ground.blend(of("success"), 0.75)),
            _style(ground.blend(front, 0.6)),
            _style(ground.blend(of("warning"), 0.6)),
        ),
        quiet=_style(ground.blend(front, 0.5)),
        ground=ground,
    )


def _style(colour: Color) -> Style:
    return Style(color=colour.rich_color)


def _colour(style: Style) -> Color:
    assert style.color is not None
    return Color.from_rich_color(style.color)


INK = ink_of(DARK)
