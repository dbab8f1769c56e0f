"""Characters for charts, with plain ASCII where the terminal cannot show more."""

import locale
import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """The characters that pictures are drawn with, by what they mean."""

    blocks: str = "▁▂▃▄▅▆▇█"
    heat: str = " ░▒▓█"
    """From nothing to much."""
    band: str = "░"
    dotted: str = "┄"
    point: str = "●"
    bar: str = "│"
    best: str = "◆"
    full: str = "━"
    empty: str = "─"
    running: str = "▶"
    done: str = "✓"
    failed: str = "✗"
    stopped: str = "■"
    waiting: str = "·"
    paused: str = "‖"
    up: str = "▲"
    down: str = "▼"
    turned: str = "⇄"
    left: str = "◀"
    right: str = "▶"
    braille: str = "\u2800"
    """The empty cell of eight dots; without one a curve is one mark a cell."""
    dots: str = "⣿"
    """A cell that is filled."""
    curve: str = "•"
    """A point of a curve without braille."""
    cap_left: str = "├"
    cap_right: str = "┤"
    """Ends of an interval."""
    less: str = "-=≡"
    """From little to much, of what is negative."""
    rule: str = "┃"
    """A vertical line through several rows."""
    rival: str = "◇"
    beyond_left: str = "◂"
    beyond_right: str = "▸"
    """The value lies outside the scale."""
    lines: str = "·┄═∘▪╌"
    """One for each of the curves of an overlay."""


UNICODE = _Glyphs()
ASCII = _Glyphs(
    blocks="_.-=+*%#", heat=" .:+#", band=".", dotted="-", point="o", bar="|", best="*",
    full="=", empty="-", running=">", done="v", failed="x", stopped="#", waiting=".", paused="=",
    up="^", down="v", turned="%", left="<", right=">",
    braille="", dots="#", curve="*", cap_left="[", cap_right="]", less="-=@", rule="!", rival="+",
    beyond_left="<", beyond_right=">",
    lines=".:=,';",
)  # fmt: skip


def _choose() -> _Glyphs:
    """ASCII for ``TERM=linux`` or ``dumb`` and for locales without UTF-8."""
    plain = os.environ.get("TERM", "") in ("linux", "dumb")
    utf8 = "utf" in locale.getpreferredencoding(False).lower()
    return ASCII if plain or not utf8 else UNICODE


GLYPHS = _choose()
