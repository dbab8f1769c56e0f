"""Characters for charts, with plain ASCII where the terminal cannot show more."""

import locale
import os
import sys
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
    """ASCII for ``TERM=linux`` or ``dumb`` and for locales without UTF-8.

    In the locale C Python speaks UTF-8 by itself and says so of the locale, whatever the terminal can show.
    """
    plain = os.environ.get("TERM", "") in ("linux", "dumb") or _locale_named() in ("C", "POSIX")
    utf8 = "utf" in locale.getpreferredencoding(False).lower()
    return ASCII if plain or not utf8 else UNICODE


def _locale_named() -> str:
    """The locale of characters by name; Python itself sets ``LC_CTYPE`` where ``LANG`` is C."""
    told = os.environ.get("LC_ALL") or os.environ.get("LC_CTYPE", "")
    if not told or (told == "C.UTF-8" and sys.flags.utf8_mode):
        told = os.environ.get("LANG", "")
    return told


GLYPHS = _choose()
